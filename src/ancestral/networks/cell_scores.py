"""Rows of cells, some of them in order, as what noise of two kinds is added to."""

from collections.abc import Sequence

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional

from ancestral.data.cells import UNKNOWN
from ancestral.networks.cells import check_cells, offsets
from ancestral.networks.even_noise import EvenNoise, draw_each


class CellScores(nn.Module):
    """Columns of cells, some in order: these have normal scores, and each cell its share.

    The score of a cell is the standard normal quantile of the middle of its share, the scores of a
    column then standardised; the first law of the shares is even, :meth:`fit` counts it. All cells
    of a row stand in one list, those of the columns in order first.

    Source: van der Waerden 1952, normal scores; numbers beside categories: Kotelnikov et al. 2023,
    TabDDPM, arXiv:2209.15421, sec. 3.

    Args:
        sizes: Number of cells of each of the D columns.
        ordered: Whether the cells of each column are in order; None: of none.

    Raises:
        ValueError: If a column has no cell, or ``ordered`` is not one for each.

    Example:
        >>> scores = CellScores([2, 3], ordered=[False, True])
        >>> scores.scores.round(decimals=2)
        tensor([-1.2200,  0.0000,  1.2200])
        >>> scores.law(torch.zeros(5)).round(decimals=2)
        tensor([0.3300, 0.3300, 0.3300, 0.5000, 0.5000], dtype=torch.float64)
    """

    scores: Tensor
    log_shares: Tensor
    _numbers: Tensor
    _others: Tensor
    _begins: Tensor
    _of: Tensor
    first: Tensor

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
        self.noise = EvenNoise(self.groups)
        for name, value in {
            "_numbers": torch.tensor(numbers, dtype=torch.int64),
            "_others": torch.tensor(others, dtype=torch.int64),
            "_begins": offsets(self.lengths)[: len(numbers)],
            "_of": torch.arange(len(numbers)).repeat_interleave(torch.tensor(self.lengths).long()),
            "first": offsets(self.groups)[: len(others)],
        }.items():
            self.register_buffer(name, value, persistent=False)
        self.register_buffer("scores", torch.zeros(sum(self.lengths)))
        self.register_buffer("log_shares", torch.zeros(sum(sizes), dtype=torch.float64))
        self.fit(torch.zeros(0, len(sizes), dtype=torch.int64))

    @property
    def features(self) -> int:
        """Number of cells of all columns."""
        return sum(self.sizes)

    @torch.no_grad()
    def fit(self, x: Tensor) -> None:
        """Set scores and shares from the cells of a training split, int64 [N, D]; -1 is left out.

        Raises:
            ValueError: If x holds no cells of these columns.
        """
        check_cells(x, self.sizes)
        columns = torch.cat((x[:, self._numbers], x[:, self._others]), dim=1).T
        shares = [
            _share(column, size)
            for column, size in zip(columns, self.lengths + self.groups, strict=True)
        ]
        self.log_shares.copy_(torch.cat(shares).log())
        scores = [_normal_scores(share) for share in shares[: len(self.lengths)]]
        self.scores.copy_(torch.cat((self.scores[:0].double(), *scores)))

    def split(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return the columns in order, [*B, N], and the others, [*B, M]."""
        return x[..., self._numbers], x[..., self._others]

    def join(self, numbers: Tensor, others: Tensor) -> Tensor:
        """Return the columns in their places, [*B, D]: the inverse of :meth:`split`."""
        order = torch.cat((self._numbers, self._others)).argsort()
        return torch.cat((numbers, others), dim=-1)[..., order]

    def at(self, numbers: Tensor, others: Tensor) -> Tensor:
        """Return where the cells of a row stand in the list, int64 [*B, N + M]."""
        others = others.long() + sum(self.lengths) + self.first
        return torch.cat((self._in_order(numbers), others), dim=-1)

    def score(self, numbers: Tensor) -> Tensor:
        """Return the scores of cells in order, [*B, N]."""
        return self.scores[self._in_order(numbers)]

    def one_hot(self, others: Tensor) -> Tensor:
        """Return the other cells as vectors of a single 1 each, [*B, sum of their sizes]."""
        parts = zip(others.long().unbind(-1), self.groups, strict=True)
        empty = self.scores.new_zeros((*others.shape[:-1], 0))
        each = [functional.one_hot(part, size).to(empty) for part, size in parts]
        return torch.cat((empty, *each), dim=-1)

    def nearest(self, scores: Tensor) -> Tensor:
        """Return the cells in order that are next to scores, int64 [*B, N]."""
        each = zip(scores.unbind(-1), self.scores.split(self.lengths), strict=True)
        found = [torch.bucketize(at.contiguous(), _middles(own).to(at)) for at, own in each]
        return torch.stack(found, dim=-1) if found else scores.long()

    def evidence(self, z: Tensor, alpha: Tensor, sigma: Tensor) -> Tensor:
        """Return log-densities of scores with noise given each cell, [B, cells in order].

        Up to what is the same of all cells of a column.

        Args:
            z: ``alpha score + sigma epsilon``, [B, N].
            alpha: Factor, [B].
            sigma: Deviation of the noise, above 0, [B].
        """
        away = (z[:, self._of] - alpha[:, None] * self.scores) / sigma[:, None]
        return -away.square() / 2

    def law(self, logits: Tensor) -> Tensor:
        """Return the law of each column, in proportion to ``share * exp(logits)``, [*B, cells]."""
        parts = (logits + self.log_shares).split(self.lengths + self.groups, dim=-1)
        return torch.cat([part.softmax(-1) for part in parts], dim=-1)

    def answered(self, network: nn.Module, seen: Tensor, time: Tensor) -> Tensor:
        """Return the laws of the cells given a whole row, float64 [B, features].

        A network sees the laws by what each column tells of its own cell, and says how those given
        the row differ from them: where it says nothing, columns are independent, and what little
        noise shows need not be learned.

        Args:
            network: Maps laws [B, features] and time [B] to log-factors [B, features].
            seen: Log-density of each column with noise given each of its cells, [B, features].
            time: As the network takes it, [B].
        """
        return self.law(network(self.law(seen).to(self.scores), time) + seen)

    def cross_entropy(self, law: Tensor, x: Tensor) -> Tensor:
        """Return that of the known cells of rows, the mean over all D columns, nats, [B].

        Args:
            law: Of the cells, [B, features].
            x: Rows of cells, int64 [B, D]; -1 where one is not known.
        """
        picked = law.gather(1, self.at(*self.split(x.clamp_min(0))))
        unknown = torch.cat(self.split(x == UNKNOWN), dim=1)
        return -picked.masked_fill(unknown, 1.0).log().mean(1).to(self.scores)

    @property
    def entropies(self) -> Tensor:
        """Entropies of the columns by their shares, nats, float64 [D]."""
        parts = self.log_shares.split(self.lengths + self.groups)
        each = torch.stack([-(part.exp() * part).sum() for part in parts])
        return self.join(each[: len(self.lengths)], each[len(self.lengths) :])

    def draw(self, n: int, generator: Generator | None) -> Tensor:
        """Draw rows of cells by the shares alone, int64 [n, D]."""
        return self.drawn(self.log_shares.exp().expand(n, -1), generator)

    def drawn(self, law: Tensor, generator: Generator | None) -> Tensor:
        """Draw a row of cells by each of the laws [B, features], int64 [B, D]."""
        cells = draw_each(law, self.lengths + self.groups, generator)
        return self.join(cells[:, : len(self.lengths)], cells[:, len(self.lengths) :])

    def imagined(self, x: Tensor, generator: Generator | None) -> Tensor:
        """Return rows [B, D] with a draw by the shares in place of each cell that is not known."""
        unknown = x == UNKNOWN
        if not bool(unknown.any()):
            return x
        return torch.where(unknown, self.draw(len(x), generator), x)

    def parts(self, cells: Tensor) -> tuple[Tensor, Tensor]:
        """Return of numbers of all cells [*B, features] those in order, and the others."""
        return cells[..., : len(self.scores)], cells[..., len(self.scores) :]

    def moments(self, law: Tensor) -> tuple[Tensor, Tensor]:
        """Return means and variances of the scores under a law of cells in order, [B, N] each."""
        empty = law.new_zeros(len(law), len(self.lengths))
        mean = empty.index_add(1, self._of, law * self.scores)
        away = (self.scores - mean[:, self._of]).square()
        return mean, empty.index_add(1, self._of, law * away)

    def _in_order(self, numbers: Tensor) -> Tensor:
        """Return where cells in order stand; what is no cell of its column counts as its ends."""
        top = torch.tensor(self.lengths, device=numbers.device).long() - 1
        return numbers.long().clamp_min(0).minimum(top) + self._begins


def _share(column: Tensor, size: int) -> Tensor:
    """Return the share of each cell among those that are known, one row more of each, [size]."""
    counts = column[column != UNKNOWN].bincount(minlength=size) + 1.0
    return counts.double() / counts.sum()


def _normal_scores(share: Tensor) -> Tensor:
    """Return the standardised normal scores of cells of these shares, above 0, [K]."""
    scores = torch.special.ndtri(share.cumsum(0) - share / 2)
    scores = scores - share @ scores
    return scores / (share @ scores.square()).sqrt()


def _middles(scores: Tensor) -> Tensor:
    return (scores[1:] + scores[:-1]) / 2
