"""Markov chains of any order: each state depends on the k before it."""

from collections.abc import Iterator, Mapping
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse.csgraph import connected_components
from torch import Generator, Tensor, nn

from ancestral.capabilities import Given
from ancestral.classic.chains.recursions import Array
from ancestral.classic.chains.sequences import (
    check_lengths,
    check_states,
    drawn,
    ends_masked,
    normalised,
    uniforms,
)
from ancestral.errors import InferenceError
from ancestral.networks.arguments import check_number, check_whole, refuse_unknown, to_numpy
from ancestral.networks.bayesian_network import BayesianNetwork
from ancestral.networks.dag import DAG
from ancestral.networks.nodes import Node, Table

_MOST_ENTRIES = 1 << 24  # Of a table, 128 MiB; sparse counts of long contexts are NGram's.
_MOST_CONTEXTS = 4096  # Of a stationary distribution: a dense matrix.
_BLOCK = 64  # States that are taken out of such a matrix by one product.


class MarkovChain(nn.Module):
    """``p(x) = prod_t p(x_t | x_t-k..x_t-1)``, homogeneous; the first k have shorter pasts.

    Order 0 is the bag of independent states, order 1 the Markov chain of a stochastic matrix.
    ``tables`` holds p(x_1), p(x_2 | x_1), ... and at last the transition, of k + 1 axes.

    Source: Koller & Friedman 2009, ch. 6.2.

    Args:
        states: Number S of states, at least 1.
        order: Number k of states that are remembered, at least 0; S^(k + 1) at most 2^24.
        alpha: Added to every count, at least 0. With 0, a context that was never seen has an
            even row: there is no 0/0.
        length: Steps of a draw where ``sample`` is told no other number, at least 1.

    Raises:
        ValueError: If an argument is out of its range.

    Example:
        >>> chain = MarkovChain(2, order=1, alpha=0).fit(torch.tensor([[0, 0, 1, 0, 0, 1]]))
        >>> chain.transition
        tensor([[0.5000, 0.5000],
                [1.0000, 0.0000]], dtype=torch.float64)
    """

    def __init__(
        self, states: int, *, order: int = 1, alpha: float = 1.0, length: int = 256
    ) -> None:
        super().__init__()
        check_whole("states", states)
        check_whole("length", length)
        if order < 0:
            raise ValueError(f"order must be at least 0, got {order}")
        check_number("alpha", alpha)
        if states ** (order + 1) > _MOST_ENTRIES:
            raise ValueError(
                f"states ** (order + 1) must be at most {_MOST_ENTRIES}, got {states} ** "
                f"{order + 1}; take NGram"
            )
        self.states, self.order, self.alpha, self.length = states, order, alpha, length
        for past in range(order + 1):
            even = torch.full((states,) * (past + 1), 1 / states, dtype=torch.float64)
            self.register_buffer(f"table{past}", even)

    @property
    def tables(self) -> tuple[Tensor, ...]:
        """p(x_t | the t - 1 before it) for t = 1..k, and p(x_t | the k before it)."""
        return tuple(self.get_buffer(f"table{past}") for past in range(self.order + 1))

    @property
    def transition(self) -> Tensor:
        """p(x_t | x_t-k..x_t-1), [S, ..., S] of k + 1 axes; the last sums to 1."""
        return self.tables[-1]

    @property
    def graph(self) -> Mapping[str, DAG]:
        """The network ``p`` of the first k + 2 steps."""
        return {"p": DAG({f"x{t}": self._parents(t) for t in range(1, self.order + 3)})}

    def network(self, length: int) -> BayesianNetwork:
        """Return the first ``length`` steps as a network of tables x1, x2, ...

        Raises:
            ValueError: If length < 1.
        """
        check_whole("length", length)
        tables = [Table(table.clone()) for table in self.tables]
        return BayesianNetwork(
            [
                Node(f"x{t}", tables[min(t - 1, self.order)], self._parents(t))
                for t in range(1, length + 1)
            ]
        )

    @torch.no_grad()
    def fit(
        self,
        x: Tensor,
        *,
        given: Given | None = None,
        lengths: Tensor | None = None,
        generator: Generator | None = None,
    ) -> Self:
        """Set every table to its normalised counts plus ``alpha``; return self.

        The states x [N, T] are 0 to S - 1; what stands after a sequence's end is not read. It has T
        steps, or as many as ``lengths`` [N] says.

        Raises:
            ValueError: If x or lengths has another shape.
            DataError: If a state or a length is out of range.
        """
        del given, generator
        values = self._read(x, lengths)
        tables = [np.zeros(self.states ** (past + 1)) for past in range(self.order + 1)]
        for past, _, entry in self._entries(values):
            tables[past] += np.bincount(entry, minlength=len(tables[past]))
        even = np.full(self.states, 1 / self.states)
        for own, counts in zip(self.tables, tables, strict=True):
            rows = normalised(counts.reshape(-1, self.states) + self.alpha, even)
            own.copy_(torch.from_numpy(rows).view(own.shape))
        return self

    @torch.no_grad()
    def log_prob(
        self, x: Tensor, *, given: Given | None = None, lengths: Tensor | None = None
    ) -> Tensor:
        """Return log p(x) in nats, [N], for x [N, T]; -inf where it is impossible.

        Raises:
            ValueError: If x or lengths has another shape.
            DataError: If a state or a length is out of range.
            CapabilityError: If anything is given.
        """
        refuse_unknown(given, "a Markov chain")
        values = self._read(x, lengths)
        found = np.zeros(len(values))
        logs = [to_numpy(table.log().flatten()) for table in self.tables]
        for past, row, entry in self._entries(values):
            found += np.bincount(row, weights=logs[past][entry], minlength=len(found))
        return torch.from_numpy(found)

    def perplexity(self, x: Tensor, *, lengths: Tensor | None = None) -> float:
        """Return exp of the mean of -log p per step: the number of states to choose among."""
        steps = int(check_lengths(x, lengths).sum())
        return float(np.exp(-float(self.log_prob(x, lengths=lengths).sum()) / steps))

    @torch.no_grad()
    def sample(
        self,
        n: int,
        *,
        given: Given | None = None,
        generator: Generator | None = None,
        length: int | None = None,
    ) -> Tensor:
        """Draw n sequences, [n, length], in ancestral order; ``length`` is the model's if None.

        Raises:
            ValueError: If n or length is below 1.
            CapabilityError: If anything is given.
        """
        check_whole("n", n)
        refuse_unknown(given, "a Markov chain")
        length = self.length if length is None else length
        check_whole("length", length)
        tables = [to_numpy(table.reshape(-1, self.states)) for table in self.tables]
        uniform = uniforms((length, n), generator)
        found = np.empty((length, n), dtype=np.int64)
        context = np.zeros(n, dtype=np.int64)
        for t in range(length):
            rows = tables[min(t, self.order)]
            found[t] = drawn(rows[context], uniform[t])
            context = (context * self.states + found[t]) % self.states**self.order
        return torch.from_numpy(found.T.copy())

    def stationary(self) -> Tensor:
        """Return the distribution over the last k states that a step leaves as it is, [S, ..., S].

        Of order 1 it is the row pi with ``pi @ transition == pi``; of order 0 the table itself.

        Raises:
            ValueError: If S^k is above 4096.
            InferenceError: If there are several: the chain has parts that it never leaves.
        """
        if self.order == 0:
            return self.transition.clone()
        size = self.states**self.order
        if size > _MOST_CONTEXTS:
            raise ValueError(f"states ** order must be at most {_MOST_CONTEXTS}, got {size}")
        rows = to_numpy(self.transition.reshape(size, self.states))
        step = np.zeros((size, size))
        context = np.arange(size)[:, None]
        step[context, (context * self.states + np.arange(self.states)) % size] = rows
        found = _fixed_point(step)
        return torch.from_numpy(found).view((self.states,) * self.order)

    def extra_repr(self) -> str:
        """Tell the sizes in ``repr``."""
        return f"states={self.states}, order={self.order}, alpha={self.alpha}"

    def _parents(self, t: int) -> tuple[str, ...]:
        return tuple(f"x{before}" for before in range(max(1, t - self.order), t))

    def _read(self, x: Tensor, lengths: Tensor | None) -> NDArray[np.int64]:
        """Return x as an array, -1 after each row's end, and nowhere else."""
        steps = check_lengths(x, lengths)
        inside = torch.arange(x.shape[1]) < torch.from_numpy(steps)[:, None]
        read = torch.where(inside, x.detach().cpu(), 0)
        return ends_masked(check_states(read, self.states, name="x", missing=False), steps)

    def _entries(
        self, x: NDArray[np.int64]
    ) -> Iterator[tuple[int, NDArray[np.int64], NDArray[np.int64]]]:
        """Yield, for each length of the past, rows of x and the entries of the flat table."""
        width = x.shape[1]
        for past in range(min(self.order, width - 1) + 1):
            # Shorter pasts are those of one step; the full one of all the rest.
            last = width if past == self.order else past + 1
            entry = np.zeros((len(x), last - past), dtype=np.int64)
            for back in range(past, -1, -1):
                entry = entry * self.states + x[:, past - back : last - back]
            row, column = np.nonzero(x[:, past:last] >= 0)
            yield past, row, entry[row, column]


def _fixed_point(step: Array) -> Array:
    """Return the distribution that a stochastic matrix [C, C] leaves as it is, [C]."""
    _, part = connected_components(step > 0, directed=True, connection="strong")
    leaving = np.zeros(part.max() + 1, dtype=bool)
    start, end = np.nonzero(step > 0)
    leaving[part[start[part[start] != part[end]]]] = True
    closed = np.flatnonzero(~leaving)
    if len(closed) > 1:
        raise InferenceError(
            f"there are {len(closed)} sets of states that are never left, each with a stationary "
            f"distribution of its own; a chain fitted with alpha > 0 has one"
        )
    inside = np.flatnonzero(part == closed[0])
    found = np.zeros(len(step))
    found[inside] = _reduced(step[np.ix_(inside, inside)])
    return found


def _reduced(step: Array) -> Array:
    """Return the fixed point of an irreducible matrix [C, C], [C]; the matrix is overwritten.

    State after state is taken out of the chain, the last first, and what passed through it is added
    to the others. Nothing is subtracted, so that each entry of the answer has a relative error of
    rounding alone, however rare the steps are.

    Source: Grassmann, Taksar & Heyman 1985, Regenerative analysis and steady state distributions
    for Markov chains.
    """
    leaving = np.zeros(len(step))
    for end in range(len(step), 1, -_BLOCK):
        low = max(1, end - _BLOCK)
        for state in range(end - 1, low - 1, -1):
            leaving[state] = step[state, :state].sum()
            step[state, :state] /= leaving[state] or 1.0
            step[low:state, :state] += np.outer(step[low:state, state], step[state, :state])
            step[:low, low:state] += np.outer(step[:low, state], step[state, low:state])
        step[:low, :low] += step[:low, low:end] @ step[low:end, :low]
    found = np.ones(len(step))
    for state in range(1, len(step)):
        entering = found[:state] @ step[:state, state]
        total = entering + leaving[state] or 1.0
        found[:state] *= leaving[state] / total
        found[state] = entering / total
    return found / found.sum()
