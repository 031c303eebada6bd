"""What the learners of structure share: columns with their states, counts of all pairs of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ancestral.errors import DataError
from ancestral.networks.learning.counting import Array, Columns, Structure, check_columns

_CHUNK_ROWS = 1 << 15


@dataclass(frozen=True, slots=True)
class Found:
    """A structure that was learned.

    Args:
        structure: The graph and the states.
        score: Its score, in nats; higher is better.
        moves: Edges that were added, deleted or reversed to reach it.
    """

    structure: Structure
    score: float
    moves: int


MOST_STATES = 2**13


@dataclass(frozen=True, slots=True)
class Variables:
    """Columns of state indices, [N] each, to learn a structure of, and their states' names."""

    arrays: Mapping[str, NDArray[np.integer]]
    states: Mapping[str, tuple[str, ...]]

    @classmethod
    def of(cls, columns: Columns, states: Mapping[str, Sequence[str]] | None) -> "Variables":
        """Check the columns; without names the states are "0" to the largest index.

        Raises DataError if there is no column or no row, or a value is not a state.
        """
        wanted = list(columns if states is None else states)
        limits = {n: np.iinfo(np.int64).max if states is None else len(states[n]) for n in wanted}
        arrays = check_columns(columns, limits)
        if not arrays or not len(next(iter(arrays.values()))):
            raise DataError("the data must have at least one column and one row")
        if states is not None:
            return cls(arrays, {name: tuple(states[name]) for name in wanted})
        tops = {name: int(array.max()) + 1 for name, array in arrays.items()}
        if sum(tops.values()) > MOST_STATES:  # The counts of all pairs are a square of them.
            name = max(tops, key=tops.__getitem__)
            raise DataError(
                f"all columns together may have {MOST_STATES:,} states, got "
                f"{sum(tops.values()):,}; {name!r} alone has {tops[name]:,}"
            )
        return cls(arrays, {n: tuple(map(str, range(top))) for n, top in tops.items()})

    @property
    def names(self) -> list[str]:
        """Names of the D columns."""
        return list(self.arrays)

    @property
    def sizes(self) -> list[int]:
        """Numbers of states of the D columns."""
        return [len(states) for states in self.states.values()]

    def structure(self, parents: Mapping[str, Sequence[str]]) -> Structure:
        """Return the structure with these parents."""
        return Structure({name: tuple(above) for name, above in parents.items()}, self.states)


def pair_counts(variables: Variables) -> tuple[Array, NDArray[np.intp]]:
    """Count every pair of columns by one product of matrices of indicators.

    Return counts [S, S] of all S states of all columns, and where each column starts among them,
    with S at the end, [D + 1]: the block ``[starts[i] : starts[i + 1], starts[j] : starts[j + 1]]``
    has the counts of columns i and j.
    """
    starts = np.cumsum([0, *variables.sizes])
    arrays = list(variables.arrays.values())
    total = np.zeros((starts[-1], starts[-1]))
    for first in range(0, len(arrays[0]), _CHUNK_ROWS):
        # float32 holds the counts of so few rows exactly, and multiplies twice as fast.
        part = [array[first : first + _CHUNK_ROWS] for array in arrays]
        hot = np.zeros((len(part[0]), starts[-1]), dtype=np.float32)
        for start, column in zip(starts[:-1], part, strict=True):
            hot[np.arange(len(column)), start + column.astype(np.intp)] = 1
        total += hot.T @ hot
    return total, starts
