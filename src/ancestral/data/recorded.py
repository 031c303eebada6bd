"""How the numbers of a column were recorded: their decimals, their steps, whether they recur."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from ancestral.data.columns import Column, Vector
from ancestral.data.fields import Field, Shape, X

DECIMALS = 6
"""Numbers with more decimals count as recorded at full precision."""

RECURRING = 0.01
"""From this share of rows that hold an earlier row's number, the step at which it was recorded
counts: on numbers that recur a continuous density grows without limit."""

_HEAD = 1_000  # Rows that tell most columns of full precision.
_CELLS = 1e6  # Steps that are no round decimals must be at least this share of the range.
_OFF = 1e-3  # So far from a whole number of steps, in steps, may rounding in float32 bring one.


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """How the numbers of a column were recorded.

    Args:
        low: Least number.
        high: Greatest number.
        decimals: Most decimals of a number, 0 to 6; None: recorded at full precision.
        step: All numbers are ``low + k * step``; None where there is no such step.
        recurs: Whether a hundredth of the rows, or more, hold a number of another row.
        filled: Share of the cells in the middle half of the numbers that are occupied: how likely
            a new number is one of the old ones by chance.

    Example:
        >>> grid = grid_of(np.array([0.5, 1.0, 2.5, 1.0]))
        >>> grid.decimals, grid.step, grid.recurs
        (1, 0.5, True)
    """

    low: float
    high: float
    decimals: int | None = None
    step: float | None = None
    recurs: bool = False
    filled: float = 0.0


def grid_of(values: NDArray[np.float64]) -> Grid:
    """Return how the finite numbers of a column [N] were recorded."""
    low, high = float(values.min()), float(values.max())
    head = values[:_HEAD]
    if len(np.unique(head)) == len(head) and _decimals(head) is None:
        return Grid(low=low, high=high)
    distinct = np.unique(values)
    decimals, count = _decimals(distinct), len(distinct)
    step = None
    if count > 1 and decimals is not None:
        whole = np.rint(distinct * 10.0**decimals).astype(np.int64)
        step = float(np.gcd.reduce(np.diff(whole))) / 10**decimals
    elif 1 < count <= len(values) / 2:
        step = _common(np.diff(distinct))
    first, last = count // 4, 3 * count // 4
    cells = (distinct[last] - distinct[first]) / step if step else 0.0
    return Grid(
        low=low,
        high=high,
        decimals=decimals,
        step=step,
        recurs=len(values) - count >= max(1, RECURRING * len(values)),
        filled=float(last - first) / float(cells) if cells else float(step is not None),
    )


def recorded(field: Field, parts: Sequence[Tensor]) -> tuple[Field, tuple[str, ...]]:
    """Return a field of numbers whose columns say how they were recorded, and what to say of it.

    A step is kept where numbers recur; where they do at full precision, a millionth of the range.
    Of other columns at full precision nothing is kept; one of a single value has ``low == high``.

    Args:
        field: Other fields, and those whose columns say it already, stay as they are.
        parts: All rows, [N, D] each.
    """
    if not isinstance(field, Vector) or field.kind != "vectors":
        return field, ()
    if any(c.resolution is not None or c.low is not None for c in field.columns):
        return field, ()
    columns = []
    for place, column in enumerate(field.columns):
        values = np.concatenate([part[:, place].double().numpy() for part in parts])
        columns.append(_told(column, grid_of(values)))
    return replace(field, columns=tuple(columns)), _notes(columns)


def varying(field: Field) -> Field:
    """Return a field without its columns of numbers that hold one value in all rows."""
    if not isinstance(field, Vector) or field.kind != "vectors":
        return field
    return replace(field, columns=tuple(c for c in field.columns if not c.constant))


def modelled(fields: Mapping[str, Field]) -> Shape:
    """Return what a model must know of data: of columns that never vary, nothing."""
    return Shape({**fields, X: varying(fields[X])})


def _told(column: Column, grid: Grid) -> Column:
    varies, fine = grid.low < grid.high, grid.decimals is None
    if varies and fine and not grid.recurs:
        return column
    step = grid.step or (grid.high - grid.low) / _CELLS
    return replace(
        column,
        low=grid.low,
        high=grid.high,
        resolution=step if varies and grid.recurs else None,
        form="" if fine else str(grid.decimals),
    )


def _notes(columns: Sequence[Column]) -> tuple[str, ...]:
    said = []
    if same := [f"{column.name} {column.low:g}" for column in columns if column.constant]:
        said.append(f"the same in every row, so not modelled but given back: {_few(same)}")
    if steps := [f"{c.name} {c.resolution:g}" for c in columns if c.resolution is not None]:
        said.append(
            "numbers that recur, with the steps at which they were recorded: "
            f"{_few(steps)}; densities are of numbers spread over their steps, as bounds"
        )
    if any(column.low is not None and not column.constant for column in columns):
        full = [column.name for column in columns if column.low is None]
        but = f", but for {_few(full)}" if full else ""
        said.append(f"samples are rounded as the file is and kept in its range{but}")
    return tuple(said)


def _few(words: Sequence[str]) -> str:
    return ", ".join(words[:10]) + (", ..." if len(words) > 10 else "")


def _decimals(distinct: NDArray[np.float64]) -> int | None:
    """Return with how many decimals all the numbers are written, None if with more than 6."""
    for decimals in range(DECIMALS + 1):
        scaled = np.rint(distinct * 10.0**decimals)
        # From 2^53 on every number is whole, recorded so or not.
        if np.abs(scaled).max() < 2**53 and bool((scaled / 10.0**decimals == distinct).all()):
            return decimals
    return None


def _common(gaps: NDArray[np.float64]) -> float | None:
    """Return the greatest step of which all gaps are multiples, by Euclid; None if it is tiny."""
    span, step = gaps.sum(), gaps.min()
    while step > span / _CELLS:
        off = np.abs(gaps / step - np.rint(gaps / step))
        if not (off > _OFF).any():
            return float(span / np.rint(span / step))
        step = (off[off > _OFF] * step).min()
    return None
