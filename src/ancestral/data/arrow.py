"""Rows of a table given back as they were recorded: in the types of Arrow, or as text."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from ancestral.data.columns import Column, Vector
from ancestral.data.notation import compute, decimals, spelt

if TYPE_CHECKING:
    import pyarrow as pa


def as_arrow(x: Tensor, field: Vector, *, dates_as_text: bool = False) -> "pa.Table":
    """Return rows as a table of Arrow, from which pandas and polars make theirs.

    Args:
        x: [N, D], NaN where a cell is missing.
        field: What they are.
        dates_as_text: Dates are written in their pattern, for files without a type of dates.

    Returns:
        Whole numbers as int64, others as float64, rounded to what was recorded and kept in its
        range; true and false as bool, other states as text; days as date32, moments as timestamp.

    Raises:
        ValueError: If there are not D columns.

    Example:
        >>> import torch
        >>> column = Column(name="age", type="integer", resolution=1.0, low=0.0, high=99.0)
        >>> x = torch.tensor([[30.2], [float("nan")]])
        >>> as_arrow(x, Vector(columns=(column,)))["age"].to_pylist()
        [30, None]
    """
    import pyarrow as pa

    arrays = [_array(column, cells, dates_as_text) for column, cells in _pairs(x, field)]
    return pa.table(arrays, names=list(field.names))


def as_text(x: Tensor, field: Vector) -> list["pa.DictionaryArray"]:
    """Return rows [N, D] as text, one array a column: each cell as the column writes it."""
    return [_words(column, cells) for column, cells in _pairs(x, field)]


def on_grid(values: NDArray[np.float64], column: Column) -> NDArray[np.float64]:
    """Return numbers on the grid of a column and within its range, [N]; NaN stays.

    Numbers whose resolution is not known stay as they are.
    """
    step, low, high = column.resolution, column.low, column.high
    if step is None or low is None or high is None:
        return values
    values = np.clip(values, low, high)
    if column.fine:
        return np.rint(values) if column.type == "integer" else values
    digits = decimals(np.array([low, step]))
    found = low + np.rint((values - low) / step) * step
    return found if digits is None else np.round(found, digits)


def _pairs(x: Tensor, field: Vector) -> list[tuple[Column, NDArray[np.float64]]]:
    if len(field.columns) != x.shape[1]:
        raise ValueError(f"{x.shape[1]} columns need as many names, got {len(field.columns)}")
    cells = x.detach().cpu().double().numpy().T
    return [
        (column, row if column.discrete else on_grid(row, column))
        for column, row in zip(field.columns, cells, strict=True)
    ]


def _array(column: Column, cells: NDArray[np.float64], dates_as_text: bool) -> Any:  # noqa: ANN401
    import pyarrow as pa

    missing = np.isnan(cells)
    if column.discrete:
        return _states(column, cells)
    if column.type == "date":
        if dates_as_text:
            words = _words(column, cells)
            return pa.DictionaryArray.from_arrays(
                pa.array(words.indices, mask=missing), words.dictionary
            ).cast(pa.string())
        moments = np.rint(np.where(missing, 0, cells) * 1e6).astype(np.int64)
        found = pa.array(moments, mask=missing).cast(pa.timestamp("us"))
        return found if "%H" in column.form else found.cast(pa.date32())
    if (column.type == "integer" and not column.form) or column.form == "0":
        return pa.array(np.where(missing, 0, cells).astype(np.int64), mask=missing)
    return pa.array(cells, mask=missing)


def _states(column: Column, cells: NDArray[np.float64]) -> Any:  # noqa: ANN401
    import pyarrow as pa

    pc = compute()

    codes = np.where(np.isnan(cells), -1, cells).astype(np.int32)
    words = pa.array(column.states, pa.string())
    if {word.lower() for word in column.states} <= {"true", "false"} and column.type == "truth":
        words = pc.equal(pc.utf8_lower(words), "true")
    indices = pa.array(codes, mask=codes < 0)
    if column.form == "dictionary":
        return pa.DictionaryArray.from_arrays(indices, words)
    return words.take(indices)


def _words(column: Column, cells: NDArray[np.float64]) -> "pa.DictionaryArray":
    import pyarrow as pa

    values, codes = np.unique(cells, return_inverse=True)
    words = spelt(values, column)
    return pa.DictionaryArray.from_arrays(
        pa.array(codes.astype(np.int32)), pa.array(words, pa.string())
    )
