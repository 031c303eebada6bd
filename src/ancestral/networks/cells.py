"""Rows of cells at the door of models of tables: checked, held where they are given, as vectors."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ancestral.capabilities import Given
from ancestral.data.cells import UNKNOWN
from ancestral.errors import CapabilityError, DataError
from ancestral.networks.arguments import held_rows


def check_cells(x: Tensor, sizes: Sequence[int], *, rows: int = 0) -> None:
    """Check that x [B, D] holds cells of columns of these sizes, or -1.

    Raises:
        ValueError: If the shape is another, or a value is no cell of its column.
        DataError: If there are fewer than ``rows`` rows.
    """
    if x.ndim != 2 or x.shape[1] != len(sizes):
        raise ValueError(f"x must have shape [B, {len(sizes)}], got {list(x.shape)}")
    if len(x) < rows:
        raise DataError(f"fitting needs at least {rows} row, got {len(x)}")
    if x.is_floating_point() or x.dtype == torch.bool:
        raise ValueError(f"x must hold whole numbers, got {x.dtype}")
    if not len(x):
        return
    low, high = x.amin(dim=0).tolist(), x.amax(dim=0).tolist()
    for column, (least, greatest, size) in enumerate(zip(low, high, sizes, strict=True), start=1):
        if not UNKNOWN <= least <= greatest < size:
            raise ValueError(
                f"column {column} must hold cells 0 to {size - 1}, or -1, got {least} to {greatest}"
            )


def given_rows(
    given: Given | None,
    names: Sequence[str],
    sizes: Sequence[int],
    n: int,
    device: torch.device,
) -> Tensor:
    """Return n rows in which the cells of the columns that are given stand, int64 [n, D], else -1.

    Raises:
        CapabilityError: If something given is no column.
        ValueError: If a value is no cell of its column, or there are not 1 or n of them.
    """
    rows = torch.full((n, len(names)), UNKNOWN, device=device)
    for name, value in (given or {}).items():
        if name not in names:
            raise CapabilityError(f"{name!r} cannot be given: it is no column of the table")
        rows[:, names.index(name)] = held_rows(name, value, n, ()).to(device).long()
    check_cells(rows, sizes)
    return rows


def offsets(sizes: Sequence[int]) -> Tensor:
    """Return where the cells of each column begin in a list of all cells, int64 [D].

    Example:
        >>> offsets([3, 2, 4])
        tensor([0, 3, 5])
    """
    return torch.tensor([0, *sizes[:-1]]).cumsum(0)


class OneHot(nn.Module):
    """Rows of cells as vectors: a 1 at the cell of each column, nothing but 0 where it is -1.

    A linear layer that reads them embeds each cell and adds up.

    Args:
        sizes: Number of cells of each of the D columns.

    Example:
        >>> OneHot([2, 3])(torch.tensor([[1, 0], [-1, 2]]))
        tensor([[0., 1., 1., 0., 0.],
                [0., 0., 0., 0., 1.]])
    """

    _first: Tensor
    _none: Tensor

    def __init__(self, sizes: Sequence[int]) -> None:
        super().__init__()
        self.sizes = tuple(sizes)
        self.register_buffer("_first", offsets(sizes), persistent=False)
        self.register_buffer("_none", torch.zeros(sum(sizes)), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Return the vectors [B, all cells] of cells x [B, D].

        Raises:
            ValueError: If x has another shape, or a value is no cell of its column.
        """
        check_cells(x, self.sizes)
        known = (x != UNKNOWN).to(self._none.dtype)
        return self._none.repeat(len(x), 1).scatter_(1, x.clamp_min(0) + self._first, known)
