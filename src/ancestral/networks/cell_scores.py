"""Rows of cells as real numbers and categories: what noise of two kinds is added to."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from ancestral.data.cells import UNKNOWN
from ancestral.networks.cells import check_cells, offsets
from ancestral.networks.even_noise import EvenNoise

_FAR = 1e3
"""A score beyond all others, where a column has fewer cells than another."""


class CellScores(nn.Module):
    """Columns of cells in order as normal scores, the other columns as vectors of a single 1.

    The score of a cell is the standard normal quantile of the middle of its share, the scores of a
    column then standardised; the first law of the shares is even, :meth:`fit` counts it.

    Source: van der Waerden 1952, normal scores; numbers beside categories: Kotelnikov et al. 2023,
    TabDDPM, arXiv:2209.15421, sec. 3.

    Args:
        sizes: Number of cells of each of the D columns.
        ordered: Whether the cells of each column are in order; None: of none.

    Raises:
        ValueError: If a column has no cell, or ``ordered`` is not one for each.

    Example:
        >>> scores = CellScores([2, 3], ordered=[False, True])
        >>> scores(torch.tensor([[1, 0], [0, 1]])).round(decimals=2)
        tensor([[-1.2200,  0.0000,  1.0000],
                [ 0.0000,  1.0000,  0.0000]])
        >>> scores.cells(torch.tensor([[0.9, 0.3, 0.7]]))
        tensor([[1, 2]])
    """

    scores: Tensor
    _numbers: Tensor
    _others: Tensor
    first: Tensor
    _top: Tensor

    def __init__(self, sizes: Sequence[int], *, ordered: Sequence[bool] | None = None) -> None:
        super().__init__()
        ordered = [False] * len(sizes) if ordered is None else list(ordered)
        if not sizes or min(sizes) < 1 or len(ordered) != len(sizes):
            raise ValueError(
                f"sizes must be at least 1, ordered one for each, got {[*sizes]} and {ordered}"
            )
        self.sizes = tuple(sizes)
        # A single cell has no deviation by which to standardise.
        numbers = [at for at, size in enumerate(sizes) if ordered[at] and size > 1]
        others = [at for at in range(len(sizes)) if at not in numbers]
        self.lengths = tuple(sizes[at] for at in numbers)
        self.groups = tuple(sizes[at] for at in others)
        self.register_buffer("_numbers", torch.tensor(numbers, dtype=torch.int64), persistent=False)
        self.register_buffer("_others", torch.tensor(others, dtype=torch.int64), persistent=False)
        self.register_buffer("first", offsets(self.groups)[: len(others)], persistent=False)
        top = torch.tensor(self.lengths, dtype=torch.int64) - 1
        self.register_buffer("_top", top, persistent=False)
        self.noise = EvenNoise(self.groups)
        even = [_normal_scores(torch.ones(size)) for size in self.lengths]
        self.register_buffer("scores", _padded(even))

    @property
    def features(self) -> int:
        """Numbers of a row as a vector."""
        return len(self.lengths) + sum(self.groups)

    @torch.no_grad()
    def fit(self, x: Tensor) -> None:
        """Set the scores from the cells of a training split, int64 [N, D]; -1 is left out.

        Raises:
            ValueError: If x holds no cells of these columns.
        """
        check_cells(x, self.sizes)
        found = []
        for column, size in zip(x[:, self._numbers].T, self.lengths, strict=True):
            known = column[column != UNKNOWN]
            found.append(_normal_scores(known.bincount(minlength=size) + 1.0))
        self.scores.copy_(_padded(found))

    def forward(self, x: Tensor) -> Tensor:
        """Return rows of cells x [B, D] as vectors [B, features]: scores first, then categories."""
        numbers, others = self.split(x)
        return torch.cat((self.score(numbers), self.one_hot(others)), dim=1)

    def split(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return the columns in order, [*B, N], and the others, [*B, M]."""
        return x[..., self._numbers], x[..., self._others]

    def join(self, numbers: Tensor, others: Tensor) -> Tensor:
        """Return the columns in their places, [*B, D]: the inverse of :meth:`split`."""
        order = torch.cat((self._numbers, self._others)).argsort()
        return torch.cat((numbers, others), dim=-1)[..., order]

    def score(self, numbers: Tensor) -> Tensor:
        """Return the scores of cells in order, [*B, N]."""
        return self.scores[self._cells_of(numbers)]

    def ends(self, numbers: Tensor) -> tuple[Tensor, Tensor]:
        """Return between which scores cells in order lie, [*B, N] each.

        A border is halfway between two cells; the first and the last cell reach far out.
        """
        at, (begins, ends) = self._cells_of(numbers), self._borders()
        return begins[at], ends[at]

    def one_hot(self, others: Tensor) -> Tensor:
        """Return the other cells as vectors of a single 1 each, [*B, sum of their sizes]."""
        parts = zip(others.long().unbind(-1), self.groups, strict=True)
        empty = self.scores.new_zeros((*others.shape[:-1], 0))
        each = [functional.one_hot(part, size).to(empty) for part, size in parts]
        return torch.cat((empty, *each), dim=-1)

    def nearest(self, scores: Tensor) -> Tensor:
        """Return the cells in order in which scores lie, int64 [*B, N]."""
        if not self.lengths:
            return scores.long()
        inner = self._borders()[1][:, :-1].contiguous().to(scores)
        flat = scores.reshape(-1, len(self.lengths)).T.contiguous()
        found = torch.searchsorted(inner, flat).T.minimum(self._top)
        return found.reshape(scores.shape)

    def expected(self, mean: Tensor, std: Tensor) -> Tensor:
        """Return the mean of the cells' scores where scores are Normal, [B, N]: cells are points.

        Args:
            mean: Of the scores, [B, N].
            std: Standard deviation, above 0, [B, 1].
        """
        if not self.lengths:
            return mean
        rises = torch.special.ndtr((mean[..., None] - self._borders()[1][:, :-1]) / std[..., None])
        return self.scores[:, 0] + (self.scores.diff(dim=1) * rises).sum(-1)

    def cells(self, vectors: Tensor) -> Tensor:
        """Return the rows of cells next to vectors [B, features], int64 [B, D]."""
        numbers, others = vectors.split((len(self.lengths), sum(self.groups)), dim=1)
        empty = others.new_zeros((len(others), 0), dtype=torch.int64)
        each = [part.argmax(dim=1, keepdim=True) for part in others.split(self.groups, dim=1)]
        return self.join(self.nearest(numbers), torch.cat((empty, *each), dim=1))

    def _cells_of(self, numbers: Tensor) -> tuple[Tensor, Tensor]:
        """Return where in a table [N, most] values of the columns in order stand."""
        columns = torch.arange(len(self.lengths), device=numbers.device)
        return columns, numbers.long().clamp_min(0).minimum(self._top)

    def _borders(self) -> tuple[Tensor, Tensor]:
        """Return where each cell of a column in order begins and ends, [N, most] each."""
        middle = (self.scores[:, 1:] + self.scores[:, :-1]) / 2
        far = middle.new_full((len(middle), 1), _FAR)
        places = torch.arange(middle.shape[1], device=middle.device)
        middle = middle.masked_fill(places >= self._top[:, None], _FAR)
        return torch.cat((-far, middle), dim=1), torch.cat((middle, far), dim=1)


def _normal_scores(counts: Tensor) -> Tensor:
    """Return the standardised normal scores of cells of these counts, above 0, [K]."""
    share = counts.double() / counts.sum()
    scores = torch.special.ndtri(share.cumsum(0) - share / 2)
    scores = scores - share @ scores
    return scores / (share @ scores.square()).sqrt()


def _padded(columns: Sequence[Tensor]) -> Tensor:
    most = max((len(column) for column in columns), default=0)
    rows = [functional.pad(column, (0, most - len(column)), value=_FAR) for column in columns]
    return torch.stack(rows).to(torch.get_default_dtype()) if rows else torch.zeros(0, most)
