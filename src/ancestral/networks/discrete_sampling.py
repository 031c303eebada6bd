"""Ancestral sampling of networks of tables: whole columns at once, by thresholds.

One uniform number a cell is held against the cumulative probabilities of the row that the parents
choose. Rows go in blocks that stay in the processor's cache.
"""

from collections.abc import Iterator, Mapping

import numpy as np
import torch
from torch import Generator, Tensor

from ancestral.networks.arguments import to_numpy
from ancestral.networks.nodes import Table
from ancestral.networks.tabular import TableNetwork

BLOCK = 8192
"""Rows drawn at a time."""


def sample_tables(
    network: TableNetwork,
    n: int,
    fixed: Mapping[str, Tensor],
    generator: Generator | None = None,
) -> dict[str, Tensor]:
    """Draw every node given its parents, int64 [n] each; what is fixed, [n] each, is held.

    The law is that of drawing node after node from its table, exact for zeros and ones. All tables
    must lie in the processor's memory. Numbers have 53 bits and come from a generator of NumPy that
    is seeded from ``generator``: torch's is four times slower.

    Source: inversion of the distribution function, Devroye 1986, ch. III.2.
    """
    numbers = _numbers(generator)
    steps = _steps(network, fixed)
    columns = {name: np.empty(n, dtype=np.int64) for name in network.nodes if name not in fixed}
    known = {name: to_numpy(value.long()) for name, value in fixed.items()}
    widest = max((len(network.states(name)) for name in network.nodes), default=1)
    small = np.uint8 if widest <= 256 else np.int64
    states = np.empty((len(network.nodes), min(BLOCK, n)), dtype=small)
    where = {name: row for row, name in enumerate(network.nodes)}
    uniform = np.empty((len(steps), min(BLOCK, n)))
    for start in range(0, n, BLOCK):
        stop = min(start + BLOCK, n)
        block = states[:, : stop - start]
        for name, value in known.items():
            block[where[name]] = value[start:stop]
        numbers.random(out=uniform)
        for step, u in zip(steps, uniform, strict=True):
            step.draw(u[: stop - start], block)
        for name, column in columns.items():
            column[start:stop] = block[where[name]]
    return {**fixed, **{name: torch.from_numpy(column) for name, column in columns.items()}}


def walk_table(
    table: Table, z: Tensor, steps: int, generator: Generator | None = None
) -> Iterator[Tensor]:
    """Yield the next states of n chains that all step by one table, int64 [n], so many times.

    The law is that of :func:`sample_tables` on the chain's network; ``z`` [n] are the states before
    the first step.

    Example:
        >>> swap = Table([[0.0, 1.0], [1.0, 0.0]])
        >>> [z.tolist() for z in walk_table(swap, torch.tensor([0, 1]), 2)]
        [[1, 0], [0, 1]]
    """
    numbers, passed = _numbers(generator), thresholds(to_numpy(table.probabilities)).T.copy()
    state = to_numpy(z.long())
    for _ in range(steps):
        reached = numbers.random(len(state))[:, None] >= passed.take(state, axis=0)
        state = np.add.reduce(reached, axis=1, dtype=np.int64)
        yield torch.from_numpy(state)


def _numbers(generator: Generator | None) -> np.random.Generator:
    seed = int(torch.randint(2**63 - 1, (), generator=generator))
    return np.random.Generator(np.random.SFC64(seed))


def thresholds(probabilities: np.ndarray) -> np.ndarray:
    """Return what a uniform number in [0, 1) must reach to leave each state but the last behind.

    For rows of probabilities [R, K] these are the cumulative ones, [K - 1, R]; infinite where no
    probability is left above, so that rounding never picks an impossible state.
    """
    passed = probabilities.cumsum(axis=1)[:, :-1]
    above = probabilities[:, ::-1].cumsum(axis=1)[:, -2::-1]
    return np.where(above > 0, passed, np.inf).T.copy()


class _Step:
    """How one node is drawn from the block of states."""

    def __init__(self, row: int, parents: list[tuple[int, int]], table: np.ndarray) -> None:
        self.row = row
        self.parents = parents  # Row of each and how many states it has.
        self.thresholds = thresholds(table)
        # Small integers for the row of the table: a byte moves eight times faster than a word.
        self.index_type = np.min_scalar_type(len(table) - 1)

    def draw(self, uniform: np.ndarray, states: np.ndarray) -> None:
        """Fill this node's row of ``states`` [nodes, B] from ``uniform`` [B]."""
        target = states[self.row]
        target[:] = 0
        rows = self._rows(states)
        for threshold in self.thresholds:
            target += uniform >= (threshold[0] if rows is None else threshold.take(rows))

    def _rows(self, states: np.ndarray) -> np.ndarray | None:
        """Return the row of the table that the parents choose, [B]; None for a root."""
        if not self.parents:
            return None
        (row, _), *more = self.parents
        index = states[row].astype(self.index_type)
        for row, size in more:
            index *= self.index_type.type(size)
            index += states[row].astype(self.index_type, copy=False)
        return index.astype(np.intp)


def _steps(network: TableNetwork, fixed: Mapping[str, Tensor]) -> list[_Step]:
    where = {name: row for row, name in enumerate(network.nodes)}
    steps = []
    for name, node in network.nodes.items():
        if name in fixed:
            continue
        table = to_numpy(network.table(name).probabilities)
        parents = [
            (where[parent], size) for parent, size in zip(node.parents, table.shape, strict=False)
        ]
        steps.append(_Step(where[name], parents, table.reshape(-1, table.shape[-1])))
    return steps
