"""What a table's gaps are expected to be: numbers at their mean, states the most probable.

A network over cells needs many rows, and a cell does not tell how large a value in it is: a fifth
to a half of a column's deviation in small tables. So means come from mixtures of Gaussians of the
values themselves, their gaps summed out.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import torch
from torch import Generator, Tensor

from ancestral.classic.incomplete import fit_incomplete
from ancestral.data.columns import Column

_COMPONENTS = 8
_ROWS = 10_000
"""Of more rows so many are used, drawn at random."""
_STATES = 32
"""So many of the commonest states of a column are told apart, and from all others."""


@dataclass(frozen=True, slots=True, eq=False)
class NumberViews:
    """A number as two: itself, and the normal quantile of its rank, in which tails are short.

    Args:
        values: That were recorded, rising, float64 [M].
    """

    values: Tensor

    @property
    def width(self) -> int:
        """Number of views."""
        return 2

    def views(self, x: Tensor) -> Tensor:
        """Return the views of values [N], NaN where they are missing, [N, 2]."""
        x = x.contiguous()
        below, upto = (torch.searchsorted(self.values, x, right=right) for right in (False, True))
        half = 0.5 / max(1, len(self.values))
        rank = ((below + upto) * half).clamp(half, 1 - half)
        return torch.stack((x, torch.special.ndtri(rank).where(~x.isnan(), torch.nan)), dim=1)

    def best(self, expected: Tensor) -> Tensor:
        """Return the values of expected views [N, 2], inside the range of the recorded ones."""
        least, greatest = (self.values[[0, -1]] if len(self.values) else torch.zeros(2)).tolist()
        return expected[:, 0].clamp(least, greatest)


@dataclass(frozen=True, slots=True, eq=False)
class StateViews:
    """A state as indicators, of all states but the first.

    Of more than 32 states the 33rd stands for itself and all that are rarer.

    Args:
        states: The states, the commonest first, float64 [S], S at most 33.
    """

    states: Tensor

    @property
    def width(self) -> int:
        """Number of indicators."""
        return len(self.states) - 1

    def views(self, x: Tensor) -> Tensor:
        """Return the indicators of states [N], NaN where they are missing, [N, S - 1]."""
        each = (x[:, None] == self.states[1:]).double()
        if len(self.states) > _STATES:
            each[:, -1] = 1 - torch.isin(x, self.states[:-1]).double()
        return each.where(~x.isnan()[:, None], torch.nan)

    def best(self, expected: Tensor) -> Tensor:
        """Return the most probable states of expected indicators [N, S - 1]."""
        first = 1 - expected.sum(dim=1, keepdim=True)
        return self.states[torch.cat((first, expected), dim=1).argmax(dim=1)]


Views: TypeAlias = NumberViews | StateViews


@torch.no_grad()
def expected(x: Tensor, rows: Tensor, columns: Sequence[Column], *, generator: Generator) -> Tensor:
    """Return rows with each missing cell at its mean, of states the most probable, float64 [N, D].

    Mixtures of one to eight Gaussians are fitted by EM over the numbers, the normal quantiles of
    their ranks, and indicators of the states; what they expect is averaged. Correlations are shrunk
    by their standard error, of the rows in which both columns are known.

    Source: Ghahramani & Jordan 1994, Supervised learning from incomplete data via an EM approach;
    Liu, Lafferty & Wasserman 2009, The nonparanormal, arXiv:0903.0649 (quantiles of ranks);
    Breiman 1996, Bagging predictors (averages).

    Args:
        x: To be filled, float64 [N, D], NaN where a cell is missing.
        rows: To learn from, float64 [M, D], with gaps of their own.
        columns: Of both.
        generator: Of where the mixtures start, and of the rows that are taken of very many.
    """
    gaps = x.isnan().any(dim=1)
    if not bool(gaps.any()):
        return x.clone()
    rows = rows[torch.randperm(len(rows), generator=generator)[:_ROWS]]
    coded = [_views(*pair) for pair in zip(rows.T, columns, strict=True)]
    wide, asked = _wide(coded, rows), _wide(coded, x[gaps])
    mean = wide.nanmean(dim=0).nan_to_num()
    scale = (wide - mean).square().nanmean(dim=0).nan_to_num().sqrt().clamp_min(1e-9)
    known = (~wide.isnan()).double()
    pairs = (known.T @ known).mean().item()  # Rows in which two views are known.
    found, single, most = torch.zeros_like(asked), None, min(_COMPONENTS, len(rows))
    for components in range(1, most + 1):
        mixture = fit_incomplete(
            (wide - mean) / scale,
            components=components,
            shrinkage=max(1.0, pairs) ** -0.5,
            single=single,
            generator=generator,
        )
        single = single or mixture
        found += mixture.expected((asked - mean) / scale)
    blocks = (found / most * scale + mean).split([views.width for views in coded], dim=1)
    best = torch.stack([v.best(block) for v, block in zip(coded, blocks, strict=True)], dim=1)
    filled = x.clone()
    filled[gaps] = best.where(x[gaps].isnan(), x[gaps])
    return filled


def _wide(coded: Sequence[Views], x: Tensor) -> Tensor:
    return torch.cat([v.views(column) for v, column in zip(coded, x.T, strict=True)], dim=1)


def _views(values: Tensor, column: Column) -> Views:
    known = values[~values.isnan()]
    if not column.discrete:
        return NumberViews(known.sort().values)
    states, rows = known.unique(return_counts=True)
    if not len(states):
        states, rows = torch.zeros(1, dtype=values.dtype), torch.ones(1)
    return StateViews(states[rows.argsort(descending=True, stable=True)[: _STATES + 1]])
