"""What a hidden state shows: the contract of emissions, and the categorical ones."""

from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Generator, Tensor, nn

from ancestral.classic.chains.recursions import Array
from ancestral.classic.chains.sequences import Values, check_states, drawn, normalised, uniforms
from ancestral.networks.arguments import check_whole, to_numpy
from ancestral.networks.nodes import Table


class Emissions(Protocol):
    """The conditional p(x_t | z_t) of a hidden Markov model.

    Arrays are numpy, states first: [K, T, n] for T steps of n sequences. A missing observation
    has likelihood 1 under every state and no part in the statistics. All sums over steps are in
    ``statistics``, which add up over tiles.
    """

    states: int
    event_shape: tuple[int, ...]

    def check(self, x: Tensor, *, whole: bool) -> Values:
        """Return data [N, T, *event] as an array; ``whole`` refuses what cannot be learned from."""
        ...

    def log_likelihood(self, x: Values) -> Array:
        """Return log p(x_t | z_t), nats, [K, T, n]."""
        ...

    def likelihood(self, x: Values) -> tuple[Array, Array]:
        """Return p(x_t | z_t) [K, T, n] divided by exp of the second, [T, n] or a scalar."""
        ...

    def reset(self, x: Values, counts: Array | None = None) -> None:
        """Make all states alike, as wide as the data [M, *event], each counted so often, [M]."""
        ...

    def start(self, x: Values, generator: Generator | None, counts: Array | None = None) -> None:
        """Set random parameters to begin EM with, from data [M, *event], counted so often, [M]."""
        ...

    def statistics(self, x: Values, weights: Array) -> Array:
        """Return sufficient statistics of x [T, n, *event] under weights [K, T, n]."""
        ...

    def maximise(self, statistics: Array, *, alpha: float = 0.0) -> None:
        """Set the most likely parameters; ``alpha`` is added to every count."""
        ...

    def draw(self, z: NDArray[np.int64], generator: Generator | None) -> Tensor:
        """Draw x given the states [M], [M, *event]."""
        ...

    def conditional(self) -> nn.Module:
        """Return p(x | z) as the conditional of a node."""
        ...


class CategoricalEmissions(nn.Module):
    """Every state shows one of S symbols, 0 to S - 1; -1 is a missing observation.

    Args:
        states: Number K of hidden states, at least 1.
        symbols: Number S of symbols, at least 1.

    Raises:
        ValueError: If a number is below 1.

    Example:
        >>> CategoricalEmissions(2, symbols=6).probabilities.shape
        torch.Size([2, 6])
    """

    probabilities: Tensor

    def __init__(self, states: int, *, symbols: int) -> None:
        super().__init__()
        for name, count in {"states": states, "symbols": symbols}.items():
            check_whole(name, count)
        self.states, self.symbols = states, symbols
        self.event_shape: tuple[int, ...] = ()
        table = torch.full((states, symbols), 1 / symbols, dtype=torch.float64)
        self.register_buffer("probabilities", table)

    def check(self, x: Tensor, *, whole: bool) -> Values:
        """Return x [N, T] as an array of symbols; missing ones may be learned from, too.

        Raises:
            ValueError: If x is not [N, T].
            DataError: If a value is not -1 to S - 1.
        """
        del whole
        return check_states(x, self.symbols, name="x", missing=True)

    def log_likelihood(self, x: Values) -> Array:
        """Return log p(x_t | z_t), nats, [K, T, n], for x [T, n]."""
        with np.errstate(divide="ignore"):
            return np.take(np.log(self._extended()), x, axis=1)

    def likelihood(self, x: Values) -> tuple[Array, Array]:
        """Return p(x_t | z_t), [K, T, n], and 0."""
        return np.take(self._extended(), x, axis=1), np.zeros(())

    def reset(self, x: Values, counts: Array | None = None) -> None:
        """Make every row even; the data are not looked at."""
        del x, counts
        self.probabilities.fill_(1 / self.symbols)

    def start(self, x: Values, generator: Generator | None, counts: Array | None = None) -> None:
        """Draw every row from a flat Dirichlet; the data are not looked at."""
        del x, counts
        table = -np.log1p(-uniforms((self.states, self.symbols), generator)) + 1e-3
        self._set(table / table.sum(axis=1, keepdims=True))

    def statistics(self, x: Values, weights: Array) -> Array:
        """Return the expected number of times that a state showed a symbol, [K, S]."""
        symbols = x.astype(np.int64, copy=False).ravel() + 1  # 0 counts the missing ones.
        rows = weights.reshape(self.states, -1)
        counts = [np.bincount(symbols, weights=row, minlength=self.symbols + 1) for row in rows]
        return np.stack(counts)[:, 1:].astype(np.float64, copy=False)

    def maximise(self, statistics: Array, *, alpha: float = 0.0) -> None:
        """Set the normalised counts; a state without any keeps its row."""
        self._set(normalised(statistics + alpha, self._table()))

    def draw(self, z: NDArray[np.int64], generator: Generator | None) -> Tensor:
        """Draw a symbol for each state [M], int64, [M]."""
        return torch.from_numpy(drawn(self._table()[z], uniforms(z.shape, generator)))

    def conditional(self) -> nn.Module:
        """Return the table p(x | z)."""
        return Table(self.probabilities.clone())

    def extra_repr(self) -> str:
        """Tell the sizes in ``repr``."""
        return f"states={self.states}, symbols={self.symbols}"

    def _table(self) -> Array:
        return to_numpy(self.probabilities)

    def _extended(self) -> Array:
        """The table with a last column of ones, which index -1 finds: a missing observation."""
        return np.concatenate((self._table(), np.ones((self.states, 1))), axis=1)

    def _set(self, table: Array) -> None:
        self.probabilities.copy_(torch.from_numpy(table))
