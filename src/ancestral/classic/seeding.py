"""Where clustering starts: k-means++ and a few rounds of k-means."""

import torch
from torch import Generator, Tensor

_TILE = 1 << 20


def kmeans_plus_plus(x: Tensor, components: int, *, generator: Generator | None = None) -> Tensor:
    """Draw ``components`` rows of x [N, D] that lie far apart, [components, D].

    Each next centre is drawn with probability proportional to the squared distance from the
    nearest centre so far; where fewer rows are distinct than components, evenly.

    Source: Arthur & Vassilvitskii 2007, k-means++: the advantages of careful seeding.
    """
    first = torch.randint(len(x), (1,), generator=generator, device=x.device)
    centres = [x[first[0]]]
    nearest = x.new_full((len(x),), torch.inf)
    for _ in range(components - 1):
        nearest = torch.minimum(nearest, (x - centres[-1]).square().sum(dim=1))
        cumulative = nearest.cumsum(0)
        # By inverting the distribution function: torch.multinomial stops at 2^24 rows.
        uniform = torch.rand((), generator=generator, dtype=x.dtype, device=x.device)
        if float(cumulative[-1]) > 0:
            row = torch.searchsorted(cumulative, uniform * cumulative[-1], right=True)
        else:
            row = (uniform * len(x)).long()
        centres.append(x[row.clamp_max(len(x) - 1)])
    return torch.stack(centres)


def nearest_centre(x: Tensor, centres: Tensor) -> Tensor:
    """Return the index of the nearest centre for each row of x [N, D], [N]."""
    half_squares = centres.square().sum(dim=1) / 2
    rows = max(1, _TILE // len(centres))
    return torch.cat(
        [torch.addmm(half_squares, part, centres.T, alpha=-1).argmin(1) for part in x.split(rows)]
    )


def kmeans(x: Tensor, centres: Tensor, *, rounds: int) -> Tensor:
    """Move each centre [K, D] to the mean of the rows nearest to it, ``rounds`` times.

    A centre without rows stays where it is.

    Source: Lloyd 1982, Least squares quantization in PCM.
    """
    for _ in range(rounds):
        cluster = nearest_centre(x, centres)
        counts = torch.bincount(cluster, minlength=len(centres)).to(x)[:, None]
        sums = torch.zeros_like(centres).index_add_(0, cluster, x)
        moved = torch.where(counts > 0, sums / counts.clamp_min(1), centres)
        if torch.equal(moved, centres):
            break
        centres = moved
    return centres
