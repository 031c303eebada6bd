"""Total variation between two tables of cells, column by column and pair by pair."""

import math
from collections.abc import Sequence

import torch
from torch import Generator, Tensor

from ancestral.evaluation.measures.estimate import Estimate

PAIRS = 200
"""Most pairs of columns that are looked at."""


def pairs_of(columns: int, *, seed: int) -> list[tuple[int, int]]:
    """Return all pairs of so many columns, or 200 of them drawn by the seed.

    Example:
        >>> pairs_of(3, seed=0)
        [(0, 1), (0, 2), (1, 2)]
    """
    first, second = torch.triu_indices(columns, columns, offset=1)
    order = torch.randperm(len(first), generator=Generator().manual_seed(seed))[:PAIRS]
    chosen = order.sort().values
    return list(zip(first[chosen].tolist(), second[chosen].tolist(), strict=True))


def total_variation(
    x: Tensor, y: Tensor, sizes: Sequence[int], groups: Sequence[tuple[int, ...]]
) -> tuple[Tensor, Estimate]:
    """Return the total variation of each group of columns, [G], and the mean over the groups.

    It is half the sum of |p - q| over cells, between 0 and 1; finite samples lift it above 0 for
    equal laws. The standard error is that of both tables, row by row, since a row counts in all
    groups: each row adds the weights of its cells. Where p - q is large beside its own error
    the weight is its sign, as in the delta method. Where it is small |p - q| is a folded normal,
    whose spread is less (by the root of 1 - 2 / pi for equal laws), and so is the weight.

    Args:
        x: Cells [N, D], int64, each below its column's size.
        y: Cells [M, D].
        sizes: Cells of each column.
        groups: Columns that are looked at together.

    Raises:
        ValueError: If a table has fewer than 2 rows, or there is no group.
    """
    if min(len(x), len(y)) < 2 or not groups:
        raise ValueError(f"need 2 rows and a group, got {len(x)}, {len(y)} and {len(groups)}")
    values = []
    of_x, of_y = (torch.zeros(len(z), dtype=torch.float64) for z in (x, y))
    for group in groups:
        size = math.prod(sizes[j] for j in group)
        ours, theirs = joint(x, sizes, group), joint(y, sizes, group)
        p, q = (z.bincount(minlength=size).double() / len(z) for z in (ours, theirs))
        values.append((p - q).abs().sum() / 2)
        weights = _weights(p, q, len(x), len(y)) / 2
        of_x += weights[ours]
        of_y += weights[theirs]
    found = torch.stack(values)
    rows = [(z - z.mean()) / (len(groups) * math.sqrt(len(z) * (len(z) - 1))) for z in (of_x, of_y)]
    return found, Estimate.by(found.mean().item(), torch.cat(rows))


def joint(x: Tensor, sizes: Sequence[int], group: Sequence[int]) -> Tensor:
    """Return the cells of some columns together as one number, int64 [N]."""
    cells = torch.zeros(len(x), dtype=torch.int64)
    for j in group:
        cells = cells * sizes[j] + x[:, j]
    return cells


def dependence(x: Tensor, sizes: Sequence[int]) -> Tensor:
    """Return Cramer's V of each pair of columns of cells [N, D], corrected for chance, [D, D].

    Source: Bergsma 2013, A bias-correction for Cramer's V and Tschuprow's T, eq. 7-8.
    """
    n, d = x.shape
    found = torch.eye(d, dtype=torch.float64)
    for i in range(d):
        for j in range(i):
            counts = joint(x, sizes, (i, j)).bincount(minlength=sizes[i] * sizes[j])
            found[i, j] = found[j, i] = _cramer(counts.double().reshape(sizes[i], sizes[j]), n)
    return found


def _cramer(counts: Tensor, n: int) -> float:
    counts = counts[counts.sum(dim=1) > 0][:, counts.sum(dim=0) > 0]
    r, c = counts.shape
    if min(r, c) < 2 or n < 3:
        return 0.0
    expected = counts.sum(dim=1, keepdim=True) * counts.sum(dim=0) / n
    squared = ((counts - expected).square() / expected).sum().item() / n
    squared = max(0.0, squared - (r - 1) * (c - 1) / (n - 1))
    least = min(r - (r - 1) ** 2 / (n - 1), c - (c - 1) ** 2 / (n - 1)) - 1
    return min(1.0, math.sqrt(squared / least)) if least > 0 else 0.0


def _weights(p: Tensor, q: Tensor, n: int, m: int) -> Tensor:
    """Return the signs of p - q, times how much of its spread is left in |p - q|."""
    both = (n * p + m * q) / (n + m)
    variance = both * (1 - both) * (1 / n + 1 / m)
    squared = torch.where(variance > 0, (p - q).square() / variance.clamp(min=1e-300), 0.0)
    # What the noise adds to the square is taken off.
    true = (squared - 1).clamp(min=0)
    root = true.sqrt()
    folded = math.sqrt(2 / math.pi) * (-true / 2).exp() + root * torch.erf(root / math.sqrt(2))
    left = (1 + true - folded.square()).clamp(min=0, max=1)
    return (p - q).sign() * left.sqrt()
