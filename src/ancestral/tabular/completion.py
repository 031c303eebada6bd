"""Rows of which something is known, filled in: column after column, given all that is known."""

from collections.abc import Callable, Sequence

import torch
from torch import Generator, Tensor

from ancestral.data.cells import UNKNOWN


def complete(
    conditional: Callable[[Tensor, int], Tensor],
    x: Tensor,
    *,
    order: Sequence[int],
    generator: Generator | None = None,
) -> Tensor:
    """Draw what is not known of rows, ancestrally, from ``p(unknown | known)``.

    Args:
        conditional: (rows [B, D], column) -> log p(column | what is known of the row), [B, K].
        x: Cells, int64 [N, D]; -1 is drawn.
        order: In which columns are drawn.
        generator: Of the draws; torch's global one if None.

    Returns:
        Rows in which every cell is known, int64 [N, D].

    Example:
        >>> fair = lambda x, column: torch.zeros(len(x), 2)
        >>> complete(fair, torch.tensor([[-1, 1], [0, -1]]), order=[0, 1]).shape
        torch.Size([2, 2])
    """
    filled = x.clone()
    for column in order:
        rows = (filled[:, column] == UNKNOWN).nonzero()[:, 0]
        if len(rows):
            logits = conditional(filled[rows], column)
            filled[rows, column] = draw_cells(logits, generator)
    return filled


def draw_cells(logits: Tensor, generator: Generator | None) -> Tensor:
    """Draw a cell of each row by logits [B, K], int64 [B], by Gumbel noise."""
    noise = torch.rand(logits.shape, generator=generator, dtype=torch.float64, device=logits.device)
    return (logits.double() - (-noise.log()).log()).argmax(dim=-1)


def offsets(sizes: Sequence[int]) -> Tensor:
    """Return where the cells of each column begin in a list of all cells, int64 [D].

    Example:
        >>> offsets([3, 2, 4])
        tensor([0, 3, 5])
    """
    return torch.tensor([0, *sizes[:-1]]).cumsum(0)
