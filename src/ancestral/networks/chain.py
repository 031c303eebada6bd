"""The chain: a family of nodes z_0, ..., z_T with one conditional, tied over all steps.

A thousand steps are one module that is told the time, never a thousand modules. Values are kept
together, z_0 first, whichever way the chain runs.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

import torch
from torch import Generator, Size, Tensor, nn
from torch.distributions import Distribution

from ancestral.errors import InferenceError
from ancestral.networks.arguments import check_whole, held_rows
from ancestral.networks.dag import DAG
from ancestral.networks.discrete_sampling import walk_table
from ancestral.networks.nodes import Node, Table, with_event_shape
from ancestral.networks.sampling import draw

_ROWS = 1 << 14  # Rows in one call of the step, so that a thousand steps fit into memory.
_DRAWN = 4  # Longer chains are drawn with dots.


class Homogeneous(nn.Module):
    """A step that is the same at every time: a conditional that is not told it.

    Args:
        conditional: Called with the state before and the chain's inputs.

    Example:
        >>> from ancestral.networks import Table
        >>> Homogeneous(Table([[0.9, 0.1], [0.2, 0.8]]))(torch.tensor([1]), torch.tensor([7])).probs
        tensor([[0.2000, 0.8000]], dtype=torch.float64)
    """

    def __init__(self, conditional: nn.Module) -> None:
        super().__init__()
        self.conditional = conditional

    def forward(self, z: Tensor, t: Tensor, *inputs: Tensor) -> Distribution:
        """Return the distribution of the next state."""
        del t
        return self.conditional(z, *inputs)


class Chain(nn.Module):
    """``p(z_0, ..., z_T) = p(z_0) prod_t p(z_t | z_t-1)``, the factors tied, or the reverse.

    Its own call returns the distribution of the whole path, event shape [T + 1, *event], so a
    chain is also a conditional: ``Node("z", chain, ("label",), event_shape)`` of a network.

    Args:
        initial: The conditional of the first state (z_T of a reversed chain), called with the
            inputs. None: the chain is conditional on that state, which must always be given.
        step: The conditional of every other state. It is called with the state before it
            [R, *event], the time t [R], int64 from 1 to T, and the inputs [R, *]. A step of
            closed form may have ``jump(z_0, t)``, which returns q(z_t | z_0), and beside it
            ``posterior(z_t, z_0, t)``, which returns q(z_t-1 | z_t, z_0): see :func:`chain_elbo`.
        steps: Number of steps T, at least 0.
        event_shape: Shape of one state; () for a scalar.
        reverse: Whether it runs from z_T to z_0; its step at time t then leads from z_t to z_t-1.
        names: Of the states, T + 1 of them, z_0 first; None: "z0", "z1", ...
        inputs: Names of what all conditionals are also given.

    Raises:
        ValueError: If ``steps`` is negative or the names are not as many as the states.

    Example:
        >>> from ancestral.networks import LinearGaussian
        >>> walk = Chain(LinearGaussian(), Homogeneous(LinearGaussian([1.0])), steps=1000)
        >>> path = walk.sample(5)
        >>> path.shape, walk.log_prob(path).shape, walk.graph.names
        (torch.Size([5, 1001]), torch.Size([5]), ('z0', 'z1', 'z2', '...', 'z1000'))
    """

    def __init__(
        self,
        initial: nn.Module | None,
        step: nn.Module,
        *,
        steps: int,
        event_shape: Sequence[int] = (),
        reverse: bool = False,
        names: Sequence[str] | None = None,
        inputs: Sequence[str] = (),
    ) -> None:
        super().__init__()
        check_whole("steps", steps, least=0)
        self.initial, self.step, self.steps = initial, step, steps
        self.event_shape, self.reverse = tuple(event_shape), reverse
        self.inputs, self._names = tuple(inputs), None if names is None else tuple(names)
        if names is not None and len({*names}) != steps + 1:
            raise ValueError(f"names must be {steps + 1} different ones, got {len({*names})}")

    @property
    def names(self) -> tuple[str, ...]:
        """The nodes, z_0 first."""
        return self._names or tuple(f"z{t}" for t in range(self.steps + 1))

    @property
    def graph(self) -> DAG:
        """The tied family; of a long one the first states and the last."""
        names = list(self.names)
        if len(names) > _DRAWN + 1:
            names[3:-1] = ["..."]
        order = names[::-1] if self.reverse else names
        first = {} if self.initial is None else {order[0]: self.inputs}
        return DAG({**first, **{b: (a, *self.inputs) for a, b in pairwise(order)}})

    def nodes(self) -> list[Node]:
        """Return every state as a node of its own, in the order of the walk."""
        order = list(enumerate(self.names))
        order = order[::-1] if self.reverse else order
        nodes = []
        if self.initial is not None:
            nodes = [Node(order[0][1], self.initial, self.inputs, self.event_shape)]
        for (a, before), (b, after) in pairwise(order):
            if isinstance(self.step, Homogeneous):
                step = self.step.conditional
            else:
                step = _At(self.step, max(a, b), self.event_shape)
            nodes.append(Node(after, step, (before, *self.inputs), self.event_shape))
        return nodes

    def forward(self, *inputs: Tensor) -> "ChainDistribution":
        """Return the distribution of the path, batch shape [*B], given inputs [*B, *].

        Raises:
            ValueError: If the chain has no initial conditional.
        """
        return ChainDistribution(self, self.first(inputs), inputs)

    def log_prob(self, x: Tensor, *, given: Mapping[str, Tensor] | None = None) -> Tensor:
        """Return the log-density of whole paths in nats, [*lead].

        Without an initial conditional it is the density of all other states given the first.

        Args:
            x: States z_0 to z_T, [*lead, T + 1, *event].
            given: The inputs by name, [B, *] where B is the last of ``lead``, or one for all.

        Raises:
            ValueError: If x has another shape, or what is given is not just the inputs.
        """
        lead = self._lead(x)
        self._check_names(given, ())
        rows = self.input_rows(given, lead[-1] if lead else 1)
        inputs = [value.expand(*lead, *value.shape[1:]) for value in rows]
        steps = self.log_steps(x, inputs)
        if self.initial is None:
            return steps
        return steps + self.first(inputs).log_prob(self._start(x, lead))

    def log_steps(self, z: Tensor, inputs: Sequence[Tensor] = ()) -> Tensor:
        """Return the sum of all log-factors but the initial one, nats, [*lead].

        Args:
            z: States z_0 to z_T, [*lead, T + 1, *event].
            inputs: Values of the inputs, [*lead, *].
        """
        lead, event = self._lead(z), self.event_shape
        if self.steps == 0:
            return torch.zeros(lead, device=z.device)
        paths = z.reshape(lead.numel(), self.steps + 1, *event)
        earlier, later = paths[:, :-1].flatten(0, 1), paths[:, 1:].flatten(0, 1)
        before, after = (later, earlier) if self.reverse else (earlier, later)
        times = torch.arange(1, self.steps + 1, device=z.device).repeat(len(paths))
        rows = [value.reshape(len(paths), *value.shape[len(lead) :]) for value in inputs]
        seen = (before, times, *(value.repeat_interleave(self.steps, 0) for value in rows))
        tiles = zip(*(value.split(_ROWS) for value in (*seen, after)), strict=True)
        terms = torch.cat([self.next(*tile[:-1]).log_prob(tile[-1]) for tile in tiles])
        return terms.reshape(*lead, self.steps).sum(-1)

    def first(self, inputs: Sequence[Tensor] = ()) -> Distribution:
        """Return the distribution of the first state, batch shape [*B] or [].

        Raises:
            ValueError: If the chain has no initial conditional.
        """
        if self.initial is None:
            raise ValueError(f"this chain has no initial conditional: {self.begin!r} is given")
        return with_event_shape(self.initial(*inputs), self.event_shape, self.begin)

    def next(self, z: Tensor, t: Tensor, *inputs: Tensor) -> Distribution:
        """Return the distribution of the state after z [R, *event] by the step at t [R]."""
        return with_event_shape(self.step(z, t, *inputs), self.event_shape, "a step")

    def sample(
        self,
        n: int,
        *,
        given: Mapping[str, Tensor] | None = None,
        generator: Generator | None = None,
    ) -> Tensor:
        """Draw n paths, [n, T + 1, *event], z_0 first. Arguments and errors as in :meth:`walk`."""
        with torch.no_grad():
            path = [*self.walk(n, given=given, generator=generator)]
        return torch.stack(path[::-1] if self.reverse else path, dim=1)

    def walk(
        self,
        n: int,
        *,
        given: Mapping[str, Tensor] | None = None,
        generator: Generator | None = None,
    ) -> Iterator[Tensor]:
        """Yield the states of n paths in the order in which they are drawn, each [n, *event].

        Nothing is kept: of a thousand steps the caller may want the last alone. Gradients flow
        where they are enabled and the distributions have reparametrised draws.

        Args:
            n: Number of paths, at least 1.
            given: Inputs and states held fixed, by name: [n, *event], or one for all. Held states
                are the first ones of the walk.
            generator: Source of randomness; torch's global one if None.

        Raises:
            ValueError: If n < 1, an input or a needed first state is missing, or what is given
                has another name or shape.
            InferenceError: If a state is given whose predecessor is not.
        """
        check_whole("n", n)
        given, order = given or {}, self.names[::-1] if self.reverse else self.names
        self._check_names(given, order)
        held = [name for name in order if name in given]
        if held != [*order[: len(held)]]:
            wrong = next(b for a, b in pairwise(order) if b in held and a not in held)
            raise InferenceError(
                f"evidence on {wrong!r} is conditioning, not ancestral sampling: the state before "
                f"it is not given"
            )
        inputs = self.input_rows(given, n)
        kept = [held_rows(name, given[name], n, self.event_shape) for name in held]
        if not kept:  # Now, and not when the caller asks for it: mistakes are told here.
            first = self.first(inputs)
            shape = () if first.batch_shape == (n,) and inputs else (n,)
            kept = [drawn(first, shape, generator)]
        return self._walk(kept, inputs, generator)

    def _walk(
        self, begun: list[Tensor], inputs: list[Tensor], generator: Generator | None
    ) -> Iterator[Tensor]:
        yield from begun
        z, left = begun[-1], self.steps + 1 - len(begun)
        step = self.step.conditional if isinstance(self.step, Homogeneous) else None
        if isinstance(step, Table) and not inputs and z.device.type == "cpu":
            yield from walk_table(step, z, left, generator)
            return
        times = range(left, 0, -1) if self.reverse else range(self.steps + 1 - left, self.steps + 1)
        for t in times:
            at = torch.full((len(z),), t, device=z.device)
            z = drawn(self.next(z, at, *inputs), (), generator)
            yield z

    def input_rows(self, given: Mapping[str, Tensor] | None, n: int) -> list[Tensor]:
        """Return the inputs, of all that is given by name, as rows, each [n, *].

        Raises:
            ValueError: If one is missing or has another number of rows.
        """
        given = given or {}
        if missing := [name for name in self.inputs if name not in given]:
            raise ValueError(f"the inputs {missing} must be given")
        return [held_rows(name, given[name], n) for name in self.inputs]

    def _check_names(self, given: Mapping[str, Tensor] | None, states: Sequence[str]) -> None:
        if extra := [name for name in given or {} if name not in (*self.inputs, *states)]:
            raise ValueError(f"this chain has no {extra[0]!r} that could be given")

    def _lead(self, z: Tensor) -> Size:
        whole = (self.steps + 1, *self.event_shape)
        lead = z.shape[: max(z.ndim - len(whole), 0)]
        if z.shape[len(lead) :] != whole:
            raise ValueError(f"a path must have shape {[*whole]}, got {[*z.shape]}")
        return lead

    def _start(self, z: Tensor, lead: Size) -> Tensor:
        return z.select(len(lead), self.steps if self.reverse else 0)

    @property
    def begin(self) -> str:
        """The node with which the walk begins: z_0, or z_T of a reversed chain."""
        if self._names is None:
            return f"z{self.steps if self.reverse else 0}"
        return self._names[-1 if self.reverse else 0]


class ChainDistribution(Distribution):
    """The distribution of a chain's whole path, event shape [T + 1, *event].

    It has reparametrised draws where the first state has them.
    """

    def __init__(self, chain: Chain, first: Distribution, inputs: Sequence[Tensor]) -> None:
        self._chain, self._first, self._inputs = chain, first, list(inputs)
        self.has_rsample = first.has_rsample
        event = Size((chain.steps + 1, *chain.event_shape))
        super().__init__(first.batch_shape, event, validate_args=False)

    def expand(
        self, batch_shape: Sequence[int], _instance: Distribution | None = None
    ) -> "ChainDistribution":
        """Return the same for more rows."""
        inputs = self._inputs_of(Size(batch_shape))
        return ChainDistribution(self._chain, self._first.expand(Size(batch_shape)), inputs)

    def log_prob(self, value: Tensor) -> Tensor:
        """Return the log-density of paths [*lead, T + 1, *event], nats, [*lead]."""
        lead = self._chain._lead(value)
        steps = self._chain.log_steps(value, self._inputs_of(lead))
        return self._first.log_prob(self._chain._start(value, lead)) + steps

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """Return paths whose gradients flow, [*sample, *B, T + 1, *event]."""
        return self.draw(Size(sample_shape), None)

    def draw(self, shape: Size, generator: Generator | None) -> Tensor:
        """Return paths from a generator: what :func:`draw` asks for."""
        chain, lead = self._chain, shape + self.batch_shape
        start = drawn(self._first, shape, generator).reshape(-1, *chain.event_shape)
        rows = self._inputs_of(lead)
        rows = [value.reshape(len(start), *value.shape[len(lead) :]) for value in rows]
        given = dict(zip((chain.begin, *chain.inputs), (start, *rows), strict=True))
        path = [*chain.walk(len(start), given=given, generator=generator)]
        stacked = torch.stack(path[::-1] if chain.reverse else path, dim=1)
        return stacked.reshape(*lead, *self.event_shape)

    def _inputs_of(self, lead: Size) -> list[Tensor]:
        own = len(self.batch_shape)
        return [value.expand(*lead, *value.shape[own:]) for value in self._inputs]


class _At(nn.Module):
    """A step at one time, as the conditional of a node."""

    def __init__(self, step: nn.Module, t: int, event_shape: tuple[int, ...]) -> None:
        super().__init__()
        self.step, self.t, self.event = step, t, len(event_shape)

    def forward(self, z: Tensor, *inputs: Tensor) -> Distribution:
        lead = z.shape[: z.ndim - self.event]
        return self.step(z, torch.full(lead, self.t, device=z.device), *inputs)


def drawn(distribution: Distribution, shape: Sequence[int], generator: Generator | None) -> Tensor:
    """Return a draw, reparametrised where gradients are enabled and it can be."""
    differentiable = torch.is_grad_enabled() and distribution.has_rsample
    return draw(distribution, shape, generator, reparametrised=differentiable)
