"""Columns of mixed tables as few cells each, by the training rows alone."""

from collections.abc import Sequence

import torch
from torch import Tensor

from ancestral.data.columns import Column
from ancestral.data.notation import spelt

PARTS = 10
"""Cells of a number with many values, cut at quantiles."""

FEW = 20
"""States, or values of a number, that have a cell each; the others share one."""


class Coding:
    """Rows in user units -> the number of each cell; a missing one is in cell 0 of its column.

    States, and numbers of few values in training, have a cell for each of the most frequent, and
    one for the rest. Other numbers are cut at the tenths of the training rows: an atom
    (many zeros) is a cell of its own, so there may be fewer.

    Args:
        columns: Of the rows.
        train: Training rows [T, D], NaN where a cell is missing.
        few: States that have a cell each.

    Attributes:
        sizes: Cells of each column.

    Example:
        >>> column = Column(name="a", type="category", states=("no", "yes"))
        >>> x = torch.tensor([[1.0], [torch.nan], [0.0], [1.0]])
        >>> Coding([column], x)(x)[:, 0]
        tensor([1, 0, 2, 1])
    """

    def __init__(self, columns: Sequence[Column], train: Tensor, *, few: int = FEW) -> None:
        self.columns = tuple(columns)
        self._cuts: list[tuple[Tensor, bool]] = [
            _cuts(column, cells, few)
            for column, cells in zip(columns, train.double().T, strict=True)
        ]
        # One cell for what is missing, one for other values or above the last cut.
        self.sizes = tuple(len(cuts) + 2 for cuts, _ in self._cuts)

    def __call__(self, x: Tensor) -> Tensor:
        """Return the cells of rows [N, D], int64 [N, D]."""
        return torch.stack([self.of(j, x[:, j]) for j in range(len(self.columns))], dim=1)

    def of(self, j: int, cells: Tensor) -> Tensor:
        """Return the cells of column ``j``, given as [N]."""
        cuts, atoms = self._cuts[j]
        cells = cells.double().contiguous()
        if atoms:
            codes = torch.full(cells.shape, len(cuts) + 1)
            ordered, places = cuts.sort()
            at = torch.searchsorted(ordered, cells).clamp(max=len(cuts) - 1) if len(cuts) else None
            if at is not None:
                codes = torch.where(ordered[at] == cells, places[at] + 1, codes)
        else:
            codes = torch.searchsorted(cuts, cells) + 1
        return torch.where(cells.isnan(), 0, codes)

    def names(self, j: int) -> list[str] | None:
        """Return what the cells of a column are called; None of numbers that are cut."""
        cuts, atoms = self._cuts[j]
        return ["missing", *texts(self.columns[j], cuts), "other"] if atoms else None


def texts(column: Column, cells: Tensor) -> list[str]:
    """Return cells of a column [N] as the file writes them.

    Example:
        >>> texts(Column(name="price", form="2", gap="?"), torch.tensor([3.5, torch.nan]))
        ['3.50', '?']
    """
    return spelt(cells.double().numpy(), column)


def _cuts(column: Column, cells: Tensor, few: int) -> tuple[Tensor, bool]:
    """Return values with a cell each and True, or cuts between cells and False."""
    ordered = cells[~cells.isnan()].sort().values
    values, counts = ordered.unique_consecutive(return_counts=True)
    if column.discrete:
        return values[counts.sort(descending=True, stable=True).indices[:few]], True
    if len(values) <= few:
        return values, True
    return ordered[torch.arange(1, PARTS) * len(ordered) // PARTS].unique(), False
