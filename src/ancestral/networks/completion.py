"""Rows of which something is known, filled in: column after column, given all that is known."""

from collections.abc import Callable, Sequence

from torch import Generator, Tensor
from torch.distributions import Categorical

from ancestral.data.cells import UNKNOWN
from ancestral.networks.sampling import draw


def complete(
    conditional: Callable[[Tensor, int], Tensor],
    x: Tensor,
    *,
    order: Sequence[int],
    least: Sequence[int] = (),
    generator: Generator | None = None,
) -> Tensor:
    """Draw what is not known of rows, ancestrally, from ``p(unknown | known)``.

    Args:
        conditional: (rows [B, D], column) -> log p(column | what is known of the row), [B, K].
        x: Cells, int64 [N, D]; -1 is drawn.
        order: In which columns are drawn.
        least: Of each column the first cell that may be drawn; the first one if not given.
        generator: Of the draws; torch's global one if None.

    Returns:
        Rows in which every cell is known, int64 [N, D].

    Example:
        >>> import torch
        >>> fair = lambda x, column: torch.zeros(len(x), 2)
        >>> complete(fair, torch.tensor([[-1, 1], [0, -1]]), order=[0, 1]).shape
        torch.Size([2, 2])
    """
    filled = x.clone()
    for column in order:
        rows = (filled[:, column] == UNKNOWN).nonzero()[:, 0]
        if len(rows):
            first = least[column] if least else 0
            law = Categorical(
                logits=conditional(filled[rows], column)[:, first:], validate_args=False
            )
            filled[rows, column] = first + draw(law, (), generator)
    return filled
