"""Hidden Markov models: z_1 -> z_2 -> ... with z_t -> x_t, fitted by Baum-Welch or by counting."""

import copy
from collections.abc import Callable, Mapping
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Generator, Tensor, nn

from ancestral.capabilities import Given
from ancestral.classic.arguments import check_weights, states_of
from ancestral.classic.chains.emissions import Emissions
from ancestral.classic.chains.posterior import best_path, expectation, filtered, log_prob
from ancestral.classic.chains.recursions import Array, HiddenChain
from ancestral.classic.chains.sequences import (
    Tile,
    Values,
    check_lengths,
    check_states,
    ends_masked,
    normalised,
    tiles,
    uniforms,
)
from ancestral.errors import DataError
from ancestral.networks.arguments import check_number, check_whole, refuse_unknown, to_numpy
from ancestral.networks.bayesian_network import BayesianNetwork
from ancestral.networks.chain import Chain, Homogeneous
from ancestral.networks.dag import DAG
from ancestral.networks.nodes import Node, Table


class HMM(nn.Module):
    """``p(z, x) = p(z_1) prod_t p(z_t+1 | z_t) prod_t p(x_t | z_t)``, the same at every step.

    Sequences come padded, x [N, T] or [N, T, D], with ``lengths`` [N] where they differ; missing
    observations (-1, NaN) are summed out. All is exact, float64, batched over sequences, and goes
    to log-space where the scaled recursions could lose something: any length will do.

    Source: Baum et al. 1970; Rabiner 1989, A tutorial on hidden Markov models.

    Args:
        emissions: p(x_t | z_t): :class:`CategoricalEmissions`, :class:`GaussianEmissions` or
            :class:`DiagonalGaussianEmissions`; it tells the number K of states.
        tolerance: EM ends when the log-likelihood rises by less than this, nats a step.
        iterations: Most sweeps of EM, at least 1.
        restarts: Random starts of ``fit``, of which the most likely is kept, at least 1.
        length: Steps of a draw where ``sample`` is told no other number, at least 1.

    Raises:
        ValueError: If a number is below 1.

    Example:
        >>> from ancestral.classic import CategoricalEmissions
        >>> model = HMM(CategoricalEmissions(2, symbols=3))
        >>> model.fit(torch.randint(3, (20, 10))).log_prob(torch.randint(3, (4, 7))).shape
        torch.Size([4])
    """

    initial: Tensor
    transition: Tensor

    def __init__(
        self,
        emissions: Emissions,
        *,
        tolerance: float = 1e-6,
        iterations: int = 200,
        restarts: int = 1,
        length: int = 256,
    ) -> None:
        super().__init__()
        for name, count in (("iterations", iterations), ("restarts", restarts), ("length", length)):
            check_whole(name, count)
        self.emissions, self.states = emissions, emissions.states
        self.tolerance, self.iterations, self.restarts = tolerance, iterations, restarts
        self.length = length
        self.history: tuple[float, ...] = ()
        """Log-likelihood of the training data, nats a step, at each sweep of the last EM."""
        even = torch.full((self.states,), 1 / self.states, dtype=torch.float64)
        self.register_buffer("initial", even)
        self.register_buffer("transition", even.repeat(self.states, 1))

    @property
    def graph(self) -> Mapping[str, DAG]:
        """The network ``p`` of the first three steps."""
        return {"p": self.network(3).graph}

    def chain(self, length: int) -> Chain:
        """Return the hidden states of the first ``length`` steps as a chain z1, z2, ...

        Raises:
            ValueError: If length < 1.
        """
        check_whole("length", length)
        names = [f"z{t}" for t in range(1, length + 1)]
        step = Homogeneous(Table(self.transition.clone()))
        return Chain(Table(self.initial.clone()), step, steps=length - 1, names=names)

    def network(self, length: int) -> BayesianNetwork:
        """Return the first ``length`` steps as a network of nodes z1, x1, z2, x2, ...

        Raises:
            ValueError: If length < 1.
        """
        shown, event = self.emissions.conditional(), self.emissions.event_shape
        hidden = self.chain(length).nodes()
        seen = [Node(f"x{t}", shown, (z.name,), event) for t, z in enumerate(hidden, start=1)]
        return BayesianNetwork([*hidden, *seen])

    @torch.no_grad()
    def fit(
        self,
        x: Tensor,
        *,
        given: Given | None = None,
        lengths: Tensor | None = None,
        generator: Generator | None = None,
        weights: Tensor | None = None,
    ) -> Self:
        """Run Baum-Welch from random starts; return self.

        Args:
            x: Data, [N, T] or [N, T, D].
            given: Not used: the model is of the marginal p(x).
            lengths: Number of steps of each sequence, [N]; T for all if None.
            generator: Source of the starts; torch's global one if None.
            weights: How often each sequence counts, [N], at least 0; None: each once.

        Raises:
            ValueError: If x, lengths or weights has another shape, or a weight is negative.
            DataError: If a value or a length is out of range, or nothing is observed.
        """
        del given
        values, steps, counts = self._counted(x, lengths, weights)
        flat = values.reshape(-1, *self.emissions.event_shape)
        seen = ~np.isnan(flat).all(axis=1) if flat.ndim > 1 else flat != -1
        if not seen.any():
            raise DataError("fitting needs at least 1 observation, got none")
        each = None if counts is None else np.repeat(counts, values.shape[1])[seen]
        cut = list(tiles(values, steps, states=self.states, counts=counts))
        found: list[tuple[float, tuple[float, ...], dict[str, Tensor]]] = []
        for _ in range(self.restarts):
            self._start(flat[seen], generator, each)
            self._climb(cut)
            found.append((self.history[-1], self.history, copy.deepcopy(self.state_dict())))
        _, self.history, best = max(found, key=lambda run: run[0])
        self.load_state_dict(best)
        return self

    @torch.no_grad()
    def refine(
        self, x: Tensor, *, lengths: Tensor | None = None, weights: Tensor | None = None
    ) -> Self:
        """Run Baum-Welch from the PRESENT parameters; return self. Arguments as in :meth:`fit`.

        Raises:
            InferenceError: If a sequence is impossible under the present parameters.
        """
        values, steps, counts = self._counted(x, lengths, weights)
        self._climb(list(tiles(values, steps, states=self.states, counts=counts)))
        return self

    @torch.no_grad()
    def fit_supervised(
        self,
        x: Tensor,
        z: Tensor,
        *,
        lengths: Tensor | None = None,
        alpha: float = 1.0,
        weights: Tensor | None = None,
    ) -> Self:
        """Count, where the states are known; return self.

        Args:
            x: Data, [N, T] or [N, T, D].
            z: The states, 0 to K - 1, [N, T]; what stands after a sequence's end is not read.
            lengths: As in :meth:`fit`.
            alpha: Added to every count of states, steps and symbols, at least 0. With 0, a state
                that never occurs (or is never left) gets an even row.
            weights: How often each sequence counts, [N], at least 0; None: each once.

        Raises:
            ValueError: If a shape is wrong or alpha is negative.
            DataError: If a state, value or length is out of range.
        """
        check_number("alpha", alpha)
        values, steps = self._read(x, lengths, whole=True)
        counts = to_numpy(check_weights(weights, x))
        if z.shape != x.shape[:2]:
            raise ValueError(f"z must have shape {list(x.shape[:2])}, got {list(z.shape)}")
        inside = torch.arange(z.shape[1]) < torch.from_numpy(steps)[:, None]
        known = torch.where(inside, z.detach().cpu(), 0)
        labels = check_states(known, self.states, name="z", missing=False)
        within = to_numpy(inside)
        each = np.broadcast_to(counts[:, None], labels.shape)
        pairs, later = np.zeros((self.states, self.states)), within[:, 1:]
        np.add.at(pairs, (labels[:, :-1][later], labels[:, 1:][later]), each[:, 1:][later])
        even = np.full(self.states, 1 / self.states)
        first = np.zeros(self.states) + alpha
        np.add.at(first, labels[:, 0], counts)
        self._set(normalised(first, even), normalised(pairs + alpha, even))
        rows, states, each = values[within], labels[within], each[within]
        self.emissions.reset(rows, each)
        known = (states == np.arange(self.states)[:, None]) * each
        statistics = self.emissions.statistics(rows[:, None], known[:, :, None])
        self.emissions.maximise(statistics, alpha=alpha)
        return self

    @torch.no_grad()
    def log_prob(
        self, x: Tensor, *, given: Given | None = None, lengths: Tensor | None = None
    ) -> Tensor:
        """Return log p(x) in nats, [N], for x [N, T] or [N, T, D], the states summed out.

        It is -inf for a sequence that is impossible.

        Raises:
            ValueError: If x or lengths has another shape.
            DataError: If a value or a length is out of range.
            CapabilityError: If anything is given.
        """
        refuse_unknown(given, "hmm")
        values, steps = self._read(x, lengths)
        found = np.empty(len(values))
        for tile in tiles(values, steps, states=self.states):
            found[tile.rows] = log_prob(self._chain, self.emissions, tile)
        return torch.from_numpy(found)

    @torch.no_grad()
    def log_joint(self, x: Tensor, z: Tensor) -> Tensor:
        """Return log p(z, x) in nats, [N], for x [N, T] or [N, T, D] and states z [N, T].

        Raises:
            ValueError: If x or z has another shape.
            DataError: If a value is out of range.
        """
        values, _ = self._read(x, None)
        states = check_states(z, self.states, name="z", missing=False)
        if states.shape != values.shape[:2]:
            raise ValueError(f"z must have shape {list(x.shape[:2])}, got {list(z.shape)}")
        shown = self.emissions.log_likelihood(values.swapaxes(0, 1))
        along = np.take_along_axis(shown, states.T[None], axis=0)[0].sum(axis=0)
        return self.chain(z.shape[1]).log_prob(z.long()) + torch.from_numpy(along)

    @torch.no_grad()
    def filter(self, x: Tensor, *, lengths: Tensor | None = None) -> Tensor:
        """Return p(z_t | x_1..x_t), [N, T, K]; 0 after a sequence's end. Arguments as above.

        Raises:
            InferenceError: If a sequence is impossible.
        """
        return self._per_step(
            x, lengths, lambda tile: filtered(self._chain, self.emissions, tile) * tile.active
        )

    @torch.no_grad()
    def smooth(self, x: Tensor, *, lengths: Tensor | None = None) -> Tensor:
        """Return p(z_t | x), [N, T, K]; 0 after a sequence's end. Arguments as above.

        Raises:
            InferenceError: If a sequence is impossible.
        """
        return self._per_step(
            x, lengths, lambda tile: expectation(self._chain, self.emissions, tile).states
        )

    @torch.no_grad()
    def most_likely_states(self, x: Tensor, *, lengths: Tensor | None = None) -> Tensor:
        """Return the states of highest p(z | x), [N, T]; -1 after a sequence's end (Viterbi).

        Raises:
            InferenceError: If a sequence is impossible.
        """
        values, steps = self._read(x, lengths)
        found = np.full(values.shape[:2], -1)
        for tile in tiles(values, steps, states=self.states):
            path = best_path(self._chain, self.emissions, tile)
            found[tile.rows, : len(path)] = path.T
        return torch.from_numpy(found)

    def sample(
        self,
        n: int,
        *,
        given: Given | None = None,
        generator: Generator | None = None,
        length: int | None = None,
    ) -> Tensor:
        """Draw n sequences, [n, length] or [n, length, D].

        The first states ``z1``, ``z2``, ... may be given: one for all, or [n]. The length is the
        model's own if None.

        Raises:
            ValueError: If n or length is below 1, or what is given is not a state.
            InferenceError: If a state is given and the one before it is not.
        """
        return self.sample_with_states(n, given=given, generator=generator, length=length)[1]

    @torch.no_grad()
    def sample_with_states(
        self,
        n: int,
        *,
        given: Given | None = None,
        generator: Generator | None = None,
        length: int | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Draw n sequences in ancestral order; return their states [n, length], and as above."""
        chain = self.chain(self.length if length is None else length)
        held = {name: states_of(name, z, n, self.states) for name, z in (given or {}).items()}
        z = chain.sample(n, given=held, generator=generator)
        x = self.emissions.draw(to_numpy(z.flatten()), generator)
        return z, x.reshape(*z.shape, *self.emissions.event_shape)

    def extra_repr(self) -> str:
        """Tell the number of states in ``repr``."""
        return f"states={self.states}"

    @property
    def _chain(self) -> HiddenChain:
        return HiddenChain(to_numpy(self.initial), to_numpy(self.transition))

    def _per_step(
        self, x: Tensor, lengths: Tensor | None, posterior: Callable[[Tile], Array]
    ) -> Tensor:
        """Return [N, T, K] of what ``posterior`` says of each tile, [K, T, n]; 0 after the ends."""
        values, steps = self._read(x, lengths)
        found = np.zeros((*values.shape[:2], self.states))
        for tile in tiles(values, steps, states=self.states):
            states = posterior(tile)
            found[tile.rows, : states.shape[1]] = states.transpose(2, 1, 0)
        return torch.from_numpy(found)

    def _read(
        self, x: Tensor, lengths: Tensor | None, *, whole: bool = False
    ) -> tuple[Values, NDArray[np.int64]]:
        if lengths is None:
            return self.emissions.check(x, whole=whole), check_lengths(x, None)
        steps = check_lengths(x, lengths)
        # What stands after the ends is nobody's business.
        ends = torch.from_numpy(steps).to(x.device)
        after = torch.arange(x.shape[1], device=x.device) >= ends[:, None]
        x = x.masked_fill(after.reshape(*after.shape, *[1] * (x.ndim - 2)), 0)
        return ends_masked(self.emissions.check(x, whole=whole), steps), steps

    def _counted(
        self, x: Tensor, lengths: Tensor | None, weights: Tensor | None
    ) -> tuple[Values, NDArray[np.int64], Array | None]:
        """Return the sequences that count, their lengths, and how often each counts."""
        values, steps = self._read(x, lengths, whole=True)
        if weights is None:
            return values, steps, None
        counts = to_numpy(check_weights(weights, x))
        kept = counts > 0
        return values[kept], steps[kept], counts[kept]

    def _set(self, initial: Array, transition: Array) -> None:
        self.initial.copy_(torch.from_numpy(initial))
        self.transition.copy_(torch.from_numpy(transition))

    def _start(self, observed: Values, generator: Generator | None, counts: Array | None) -> None:
        noise = -np.log1p(-uniforms((self.states + 1, self.states), generator)) + 1e-3
        rows = noise / noise.sum(axis=1, keepdims=True)
        self._set(rows[0], rows[1:])
        self.emissions.start(observed, generator, counts)

    def _climb(self, cut: list[Tile]) -> None:
        """Run EM; the last of ``history`` is the model's own where it converged."""
        history: list[float] = []
        steps = sum(float((tile.active * tile.each).sum()) for tile in cut)
        for _ in range(self.iterations):
            total, first, pairs, shown = 0.0, 0.0, 0.0, 0.0
            for tile in cut:
                found = expectation(self._chain, self.emissions, tile)
                total += float((found.log_prob * tile.each).sum())
                states = found.states if tile.counts is None else found.states * tile.counts
                first = first + states[:, 0].sum(axis=1)
                pairs = pairs + found.pairs
                shown = shown + self.emissions.statistics(tile.x, states)
            history.append(total / steps)
            if len(history) > 1 and history[-1] - history[-2] < self.tolerance:
                break
            chain = self._chain
            initial = normalised(np.asarray(first, dtype=np.float64), chain.initial)
            self._set(initial, normalised(np.asarray(pairs, np.float64), chain.transition))
            self.emissions.maximise(np.asarray(shown, np.float64))
        self.history = tuple(history)
