"""Nodes of a Bayesian network: a name, a conditional distribution, and the parents it reads.

A conditional is any ``nn.Module`` that maps the parents' values to a
``torch.distributions.Distribution``; with no parents it is called with nothing. Here are the
plain ones: a probability table, a linear Gaussian, a standard normal, a fixed function.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from numpy.typing import ArrayLike
from torch import Tensor, nn
from torch.distributions import Categorical, Distribution, Independent, Normal, register_kl
from torch.distributions.utils import lazy_property


@dataclass(frozen=True, slots=True)
class Node:
    """One node of a network.

    Args:
        name: Its name, the key of its values.
        conditional: Module called with the parents' values, each [*sample, B, *event], in the
            order of ``parents``. It returns the distribution p(name | parents), or, if it is
            :class:`Deterministic`, the value itself.
        parents: Names of the parents. One that is not a node of the network is an input of it.
        event_shape: Shape of one value; () for a scalar.
    """

    name: str
    conditional: nn.Module
    parents: tuple[str, ...] = ()
    event_shape: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "parents", tuple(self.parents))
        object.__setattr__(self, "event_shape", tuple(self.event_shape))

    @property
    def deterministic(self) -> bool:
        """Whether the node is a function of its parents, without a density."""
        return isinstance(self.conditional, Deterministic)

    def distribution(self, parents: Sequence[Tensor]) -> Distribution:
        """Return p(name | parents) with this node's event shape.

        A factorised distribution whose batch shape ends in the event shape is taken as
        independent over it.

        Raises:
            ValueError: If the conditional's shape does not end in the event shape.
        """
        return with_event_shape(self.conditional(*parents), self.event_shape, self.name)


def with_event_shape(
    distribution: Distribution, event_shape: tuple[int, ...], name: str
) -> Distribution:
    """Return a distribution as independent over the end of its batch shape that is the event's.

    Raises ValueError if its shape does not end in the event shape; the node is named.
    """
    extra = len(event_shape) - len(distribution.event_shape)
    whole = distribution.batch_shape + distribution.event_shape
    if extra < 0 or whole[len(whole) - len(event_shape) :] != event_shape:
        raise ValueError(
            f"the conditional of {name!r} must end in event shape {event_shape}, got {tuple(whole)}"
        )
    return Independent(distribution, extra, validate_args=False) if extra else distribution


class Rows(Categorical):
    """States with the probabilities [*B, K] of a table's rows, exact zeros where they are 0.

    Nothing is normalised again and no logarithm is taken before it is asked for: a chain draws from
    one at every step.
    """

    def __init__(self, probabilities: Tensor) -> None:
        self.__dict__["probs"] = self._param = probabilities  # In place of the lazy one.
        self._num_events = probabilities.shape[-1]
        Distribution.__init__(self, probabilities.shape[:-1], validate_args=False)

    @lazy_property
    def logits(self) -> Tensor:  # pyright: ignore[reportIncompatibleVariableOverride]
        """The logarithms, -inf for states that are impossible: torch's own are clamped."""
        return self.probs.log()

    def expand(self, batch_shape: Sequence[int], _instance: Distribution | None = None) -> "Rows":
        """Return the same for more rows."""
        return Rows(self.probs.expand(*batch_shape, self._num_events))


class Table(nn.Module):
    """A probability table p(node | parents) over named states.

    Args:
        probabilities: [*parents' numbers of states, states]; each row sums to 1 within 1e-6 and
            is divided by its sum, unless that is 1 but for rounding.
        states: Names of the states; "0", "1", ... if not given.

    Raises:
        ValueError: If a row is not on the simplex or the number of names is wrong.

    Example:
        >>> rain = Table([0.8, 0.2], states=["no", "yes"])
        >>> rain().probs
        tensor([0.8000, 0.2000], dtype=torch.float64)
        >>> wet = Table([[0.9, 0.1], [0.2, 0.8]])
        >>> wet(torch.tensor([1, 1, 0])).batch_shape
        torch.Size([3])
    """

    probabilities: Tensor

    def __init__(
        self, probabilities: ArrayLike | Tensor, *, states: Sequence[str] | None = None
    ) -> None:
        super().__init__()
        table = torch.as_tensor(probabilities, dtype=torch.float64)
        if table.ndim == 0 or table.shape[-1] == 0:
            raise ValueError(f"a table needs at least one state, got shape {tuple(table.shape)}")
        total = table.sum(-1, keepdim=True)
        error = (total - 1).abs()
        # One pass over each: networks of a thousand tables are made while a user waits.
        if not (table.numel() == 0 or (float(table.min()) >= 0 and float(error.max()) <= 1e-6)):
            worst = total.flatten()[error.nan_to_num(math.inf).argmax()]
            raise ValueError(
                f"every row of a table must be non-negative and sum to 1, got sum {worst:.9g}"
            )
        count = table.shape[-1]
        self.states = tuple(map(str, range(count) if states is None else states))
        if len(self.states) != count or len(set(self.states)) != count:
            raise ValueError(f"a table of {count} states needs as many names, got {self.states}")
        # A sum that is 1 but for rounding is kept: a table read back equals the one written.
        exact = error <= count * torch.finfo(torch.float64).eps
        self.register_buffer("probabilities", table / total.masked_fill(exact, 1.0))

    def forward(self, *parents: Tensor) -> Categorical:
        """Return p(node | parents), batch shape [*B], for state indices [*B] of the parents."""
        if len(parents) != self.probabilities.ndim - 1:
            raise ValueError(
                f"this table takes {self.probabilities.ndim - 1} parents, got {len(parents)}"
            )
        return Rows(self.probabilities[tuple(parent.long() for parent in parents)])

    def fit_counts(self, counts: Tensor) -> None:
        """Set a root's table to the share of each state, [K]; ValueError if none counts."""
        if counts.shape != self.probabilities.shape or not counts.sum() > 0:
            raise ValueError(f"counts must be {len(self.states)} numbers with a positive sum")
        self.probabilities.copy_(counts / counts.sum())

    def extra_repr(self) -> str:
        """Name the states in ``repr``."""
        return f"states={self.states}"


class LinearGaussian(nn.Module):
    """A scalar node whose mean is linear in its parents: Normal(w . parents + b, s).

    Source: Koller & Friedman 2009, Probabilistic Graphical Models, ch. 7.

    Args:
        weights: One weight a parent, [P].
        bias: Mean where every parent is 0.
        scale: Standard deviation, positive.

    Example:
        >>> LinearGaussian([2.0], bias=1.0, scale=0.5)(torch.ones(3)).mean.tolist()
        [3.0, 3.0, 3.0]
    """

    def __init__(
        self, weights: Sequence[float] | Tensor = (), *, bias: float = 0.0, scale: float = 1.0
    ) -> None:
        super().__init__()
        if not scale > 0:
            raise ValueError(f"scale must be positive, got {scale}")
        self.weight = nn.Parameter(torch.as_tensor(weights, dtype=torch.get_default_dtype()))
        self.bias = nn.Parameter(torch.tensor(float(bias)))
        # The log keeps the scale positive under any gradient step.
        self.log_scale = nn.Parameter(torch.tensor(math.log(scale)))

    def forward(self, *parents: Tensor) -> Normal:
        """Return the density, batch shape [*B], given scalar parents [*B]."""
        mean = self.bias
        for weight, parent in zip(self.weight, parents, strict=True):
            mean = mean + weight * parent
        return Normal(mean, self.log_scale.exp(), validate_args=False)


class StandardNormalDistribution(Normal):
    """Normal(0, 1) in every coordinate: the usual prior, whose KL has a short closed form."""

    # Independent.expand asks a subclass for its own ``expand``; Normal's keeps this class.

    def log_prob(self, value: Tensor) -> Tensor:
        """Return the log-density in a third of the general one's passes."""
        return value.square().add(math.log(2 * math.pi)).mul(-0.5)


@register_kl(Normal, StandardNormalDistribution)
def _kl_to_standard_normal(q: Normal, p: StandardNormalDistribution) -> Tensor:
    """KL(q || p) per coordinate, nats. Source: Kingma & Welling 2014, arXiv:1312.6114, app. B."""
    del p
    return 0.5 * (q.loc.square() + q.scale.square() - 1) - q.scale.log()


class StandardNormal(nn.Module):
    """The root node z ~ Normal(0, I), or the same for every value of its parents.

    Args:
        event_shape: Shape of z.

    Example:
        >>> StandardNormal((16,))().event_shape
        torch.Size([16])
    """

    zero: Tensor
    one: Tensor

    def __init__(self, event_shape: Sequence[int]) -> None:
        super().__init__()
        self.register_buffer("zero", torch.zeros(tuple(event_shape)), persistent=False)
        self.register_buffer("one", torch.ones(tuple(event_shape)), persistent=False)
        self._made: tuple[Tensor, Distribution] | None = None

    def forward(self, *parents: Tensor) -> Distribution:
        """Return the distribution, event shape [*event]; parents are ignored."""
        del parents
        # Made once: a training step asks every time. A move to a device brings new buffers.
        if self._made is None or self._made[0] is not self.zero:
            base = StandardNormalDistribution(self.zero, self.one, validate_args=False)
            event = self.zero.ndim
            whole = Independent(base, event, validate_args=False) if event else base
            self._made = (self.zero, whole)
        return self._made[1]


class Deterministic(nn.Module):
    """A node that is a function of its parents: the generator of a GAN, a renderer.

    Args:
        function: Called with the parents' values; returns the value [*sample, B, *event].

    Example:
        >>> Deterministic(torch.sin)(torch.zeros(2))
        tensor([0., 0.])
    """

    def __init__(self, function: Callable[..., Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, *parents: Tensor) -> Tensor:
        """Return the value of the node."""
        return self.function(*parents)
