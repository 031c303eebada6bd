"""Hidden Markov models: z_1 -> z_2 -> ... with z_t -> x_t, fitted by Baum-Welch or by counting."""

import copy
from collections.abc import Mapping
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Generator, Tensor, nn

from ancestral.classic.arguments import check_count, check_weights
from ancestral.classic.chains.emissions import Emissions
from ancestral.classic.chains.recursions import (
    Array,
    Chain,
    Expectation,
    log_expectation,
    log_forward,
    log_sum,
    scaled_expectation,
    scaled_filter,
    scaled_log_prob,
    viterbi,
)
from ancestral.classic.chains.sequences import (
    Tile,
    Values,
    check_lengths,
    check_states,
    drawn,
    ends_masked,
    normalised,
    tiles,
    uniforms,
)
from ancestral.errors import DataError, InferenceError
from ancestral.networks.arguments import check_number, check_whole, to_numpy
from ancestral.networks.bayesian_network import BayesianNetwork
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
    ) -> None:
        super().__init__()
        for name, count in {"iterations": iterations, "restarts": restarts}.items():
            check_whole(name, count)
        self.emissions, self.states = emissions, emissions.states
        self.tolerance, self.iterations, self.restarts = tolerance, iterations, restarts
        self.history: tuple[float, ...] = ()
        """Log-likelihood of the training data, nats a step, at each sweep of the last EM."""
        even = torch.full((self.states,), 1 / self.states, dtype=torch.float64)
        self.register_buffer("initial", even)
        self.register_buffer("transition", even.repeat(self.states, 1))

    @property
    def graph(self) -> Mapping[str, DAG]:
        """The network ``p`` of the first three steps."""
        return {"p": _unrolled(3)}

    def network(self, length: int) -> BayesianNetwork:
        """Return the first ``length`` steps as a network of nodes z1, x1, z2, x2, ...

        Raises:
            ValueError: If length < 1.
        """
        check_whole("length", length)
        shown, event = self.emissions.conditional(), self.emissions.event_shape
        nodes = [Node("z1", Table(self.initial.clone()))]
        step = Table(self.transition.clone())
        nodes += [Node(f"z{t}", step, (f"z{t - 1}",)) for t in range(2, length + 1)]
        nodes += [Node(f"x{t}", shown, (f"z{t}",), event) for t in range(1, length + 1)]
        return BayesianNetwork(nodes)

    @torch.no_grad()
    def fit(
        self,
        x: Tensor,
        *,
        lengths: Tensor | None = None,
        generator: Generator | None = None,
        weights: Tensor | None = None,
    ) -> Self:
        """Run Baum-Welch from random starts; return self.

        Args:
            x: Data, [N, T] or [N, T, D].
            lengths: Number of steps of each sequence, [N]; T for all if None.
            generator: Source of the starts; torch's global one if None.
            weights: How often each sequence counts, [N], at least 0; None: each once.

        Raises:
            ValueError: If x, lengths or weights has another shape, or a weight is negative.
            DataError: If a value or a length is out of range, or nothing is observed.
        """
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
    def log_prob(self, x: Tensor, *, lengths: Tensor | None = None) -> Tensor:
        """Return log p(x) in nats, [N], for x [N, T] or [N, T, D], the states summed out.

        It is -inf for a sequence that is impossible.

        Raises:
            ValueError: If x or lengths has another shape.
            DataError: If a value or a length is out of range.
        """
        values, steps = self._read(x, lengths)
        found = np.empty(len(values))
        for tile in tiles(values, steps, states=self.states):
            found[tile.rows] = self._log_prob(tile)
        return torch.from_numpy(found)

    @torch.no_grad()
    def filter(self, x: Tensor, *, lengths: Tensor | None = None) -> Tensor:
        """Return p(z_t | x_1..x_t), [N, T, K]; 0 after a sequence's end. Arguments as above.

        Raises:
            InferenceError: If a sequence is impossible.
        """
        values, steps = self._read(x, lengths)
        found = np.zeros((*values.shape[:2], self.states))
        for tile in tiles(values, steps, states=self.states):
            likelihood, _ = self.emissions.likelihood(tile.x)
            states = scaled_filter(self._chain, likelihood)
            if states is None:
                joint = log_forward(self._chain, self.emissions.log_likelihood(tile.x))
                total = log_sum(joint)
                _check_possible(total, tile)
                states = np.exp(joint - total)
            _put(found, tile, states * tile.active)
        return torch.from_numpy(found)

    @torch.no_grad()
    def smooth(self, x: Tensor, *, lengths: Tensor | None = None) -> Tensor:
        """Return p(z_t | x), [N, T, K]; 0 after a sequence's end. Arguments as above.

        Raises:
            InferenceError: If a sequence is impossible.
        """
        values, steps = self._read(x, lengths)
        found = np.zeros((*values.shape[:2], self.states))
        for tile in tiles(values, steps, states=self.states):
            _put(found, tile, self._expectation(tile).states)
        return torch.from_numpy(found)

    @torch.no_grad()
    def most_likely_states(self, x: Tensor, *, lengths: Tensor | None = None) -> Tensor:
        """Return the states of highest p(z | x), [N, T]; -1 after a sequence's end (Viterbi).

        Raises:
            InferenceError: If a sequence is impossible.
        """
        values, steps = self._read(x, lengths)
        found = np.full(values.shape[:2], -1)
        for tile in tiles(values, steps, states=self.states):
            log_likelihood = self.emissions.log_likelihood(tile.x)
            path, score = viterbi(self._chain, log_likelihood, tile.active)
            _check_possible(score[None], tile)
            found[tile.rows, : len(path)] = path.T
        return torch.from_numpy(found)

    def sample(self, n: int, *, length: int, generator: Generator | None = None) -> Tensor:
        """Draw n sequences of ``length`` steps, [n, length] or [n, length, D].

        Raises:
            ValueError: If n or length is below 1.
        """
        return self.sample_with_states(n, length=length, generator=generator)[1]

    @torch.no_grad()
    def sample_with_states(
        self, n: int, *, length: int, generator: Generator | None = None
    ) -> tuple[Tensor, Tensor]:
        """Draw n sequences in ancestral order; return their states [n, length], and as above."""
        check_count(n)
        check_whole("length", length)
        uniform, chain = uniforms((length, n), generator), self._chain
        z = np.empty((length, n), dtype=np.int64)
        z[0] = drawn(np.broadcast_to(chain.initial, (n, self.states)), uniform[0])
        for t in range(1, length):
            z[t] = drawn(chain.transition[z[t - 1]], uniform[t])
        states = np.ascontiguousarray(z.T)
        x = self.emissions.draw(states.ravel(), generator)
        return torch.from_numpy(states), x.reshape(n, length, *self.emissions.event_shape)

    def extra_repr(self) -> str:
        """Tell the number of states in ``repr``."""
        return f"states={self.states}"

    @property
    def _chain(self) -> Chain:
        return Chain(to_numpy(self.initial), to_numpy(self.transition))

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
                found = self._expectation(tile)
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

    def _expectation(self, tile: Tile) -> Expectation:
        likelihood, top = self.emissions.likelihood(tile.x)
        found = scaled_expectation(self._chain, likelihood, tile.active, tile.counts)
        if found is not None:
            tops = np.broadcast_to(top, tile.active.shape).sum(axis=0)
            return Expectation(found.log_prob + tops, found.states, found.pairs)
        log_likelihood = self.emissions.log_likelihood(tile.x)
        found = log_expectation(self._chain, log_likelihood, tile.active, tile.counts)
        _check_possible(found.log_prob[None], tile)
        return found

    def _log_prob(self, tile: Tile) -> Array:
        likelihood, top = self.emissions.likelihood(tile.x)
        found = scaled_log_prob(self._chain, likelihood, tile.active)
        if found is None:
            both = scaled_expectation(self._chain, likelihood, tile.active)
            found = None if both is None else both.log_prob
        if found is not None:
            return found + np.broadcast_to(top, tile.active.shape).sum(axis=0)
        return log_sum(log_forward(self._chain, self.emissions.log_likelihood(tile.x))[:, -1])


def _put(found: Array, tile: Tile, states: Array) -> None:
    """Write [K, T, n] into the rows of [N, T, K]."""
    found[tile.rows, : states.shape[1]] = states.transpose(2, 1, 0)


def _check_possible(scores: Array, tile: Tile) -> None:
    """Refuse sequences whose log-density, [..., n], is -inf somewhere."""
    impossible = np.isneginf(scores).any(axis=0)
    if impossible.any():
        row = int(tile.rows[impossible][0])
        raise InferenceError(f"the sequence in row {row} has probability 0 under the model")


def _unrolled(length: int) -> DAG:
    hidden = {f"z{t}": (f"z{t - 1}",) if t > 1 else () for t in range(1, length + 1)}
    return DAG({**hidden, **{f"x{t}": (f"z{t}",) for t in range(1, length + 1)}})
