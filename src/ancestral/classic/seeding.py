"""Where clustering starts: k-means++ and a few rounds of k-means."""

import torch
from torch import Generator, Tensor

_TILE = 1 << 20
_ROUNDS = 10


def kmeans_plus_plus(
    x: Tensor,
    components: int,
    *,
    weights: Tensor | None = None,
    generator: Generator | None = None,
) -> Tensor:
    """Draw ``components`` rows of x [N, D] that lie far apart, [components, D].

    Each next centre is drawn with probability proportional to the squared distance from the
    nearest centre so far, times the weight of the row, [N], where there are weights; where fewer
    rows are distinct than components, evenly.

    Source: Arthur & Vassilvitskii 2007, k-means++: the advantages of careful seeding.
    """
    if weights is None:
        first = torch.randint(len(x), (1,), generator=generator, device=x.device)[0]
    else:
        first = _drawn(weights, generator)
    centres = [x[first]]
    nearest = x.new_full((len(x),), torch.inf)
    for _ in range(components - 1):
        nearest = torch.minimum(nearest, (x - centres[-1]).square().sum(dim=1))
        centres.append(x[_drawn(nearest if weights is None else nearest * weights, generator)])
    return torch.stack(centres)


def cluster_centres(
    x: Tensor, components: int, *, weights: Tensor | None, generator: Generator | None
) -> Tensor:
    """Return where a few rounds of k-means from k-means++ find clusters, [components, D]."""
    seeds = kmeans_plus_plus(x, components, weights=weights, generator=generator)
    return kmeans(x, seeds, rounds=_ROUNDS, weights=weights)


def _drawn(shares: Tensor, generator: Generator | None) -> Tensor:
    """Draw one index with probability proportional to ``shares`` [N]; evenly if all are 0."""
    # By inverting the distribution function: torch.multinomial stops at 2^24 rows.
    cumulative = shares.cumsum(0)
    uniform = torch.rand((), generator=generator, dtype=shares.dtype, device=shares.device)
    if float(cumulative[-1]) > 0:
        row = torch.searchsorted(cumulative, uniform * cumulative[-1], right=True)
    else:
        row = (uniform * len(shares)).long()
    return row.clamp_max(len(shares) - 1)


def nearest_centre(x: Tensor, centres: Tensor) -> Tensor:
    """Return the index of the nearest centre for each row of x [N, D], [N]."""
    half_squares = centres.square().sum(dim=1) / 2
    rows = max(1, _TILE // len(centres))
    return torch.cat(
        [torch.addmm(half_squares, part, centres.T, alpha=-1).argmin(1) for part in x.split(rows)]
    )


def kmeans(x: Tensor, centres: Tensor, *, rounds: int, weights: Tensor | None = None) -> Tensor:
    """Move each centre [K, D] to the mean of the rows nearest to it, ``rounds`` times.

    The mean is weighted where there are weights [N], all above 0.

    A centre without rows stays where it is.

    Source: Lloyd 1982, Least squares quantization in PCM.
    """
    pulled = x if weights is None else x * weights[:, None]
    for _ in range(rounds):
        cluster = nearest_centre(x, centres)
        counts = torch.bincount(cluster, weights, minlength=len(centres)).to(x)[:, None]
        sums = torch.zeros_like(centres).index_add_(0, cluster, pulled)
        moved = torch.where(counts > 0, sums / torch.where(counts > 0, counts, 1.0), centres)
        if torch.equal(moved, centres):
            break
        centres = moved
    return centres
