"""Sums of Gaussian kernels over a whole data set, in log-space and in bounded memory."""

import math
from collections.abc import Iterator

import torch
from torch import Tensor

_TILE = 1 << 18  # Kernel values held at once: 2 MiB, so that the passes over them stay in cache.
_LOG2_E = math.log2(math.e)
# Beyond this many bandwidths from the centre the expanded square |x|^2 - 2xy + |y|^2 loses more
# than 1e-9 of the exponent to cancellation, and distances are taken by subtraction.
_FAR = 2000.0


def log_kernel_mean(
    x: Tensor, data: Tensor, bandwidth: float, *, leave_out: Tensor | None = None
) -> Tensor:
    """Return the log of the mean Gaussian kernel between each point and the data, in nats.

    The exponents of a tile of points against all data are one matrix product, of augmented
    coordinates centred on the data: [x, 1, |x|^2] with [y, -|y|^2/2, -1/2]. They are in units of
    log 2 because exp2 costs less than half of exp.

    Args:
        x: Points, [B, D], float64.
        data: Centres of the kernels, [N, D], float64.
        bandwidth: Standard deviation h of the kernels, > 0, data units.
        leave_out: For each point the index of the one row of ``data`` to pass over, [B].

    Returns:
        ``log 1/N sum_k Normal(x; data_k, h^2 I)``, [B]; N - 1 in place of N if one is left out.
    """
    count = len(data) - (leave_out is not None)
    normaliser = math.log(count) + data.shape[1] / 2 * math.log(2 * math.pi * bandwidth**2)
    tiles = _tiles(x, data, bandwidth, leave_out)
    sums = [top[:, 0] + weights.sum(1).log2() for top, weights in tiles]
    return torch.cat(sums) / _LOG2_E - normaliser if sums else x.new_empty(0)


def kernel_score(x: Tensor, data: Tensor, bandwidth: float) -> Tensor:
    """Return the gradient of the log of the mean kernel: the mean shift over h^2, [B, D]."""
    means = [
        weights @ data / weights.sum(1, keepdim=True)
        for _, weights in _tiles(x, data, bandwidth, None)
    ]
    return (torch.cat(means) - x) / bandwidth**2 if means else torch.empty_like(x)


def _tiles(
    x: Tensor, data: Tensor, bandwidth: float, leave_out: Tensor | None
) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield (top [b, 1], weights [b, N]): row maxima in bits, kernels relative to them."""
    centre = data.mean(dim=0)
    scale = math.sqrt(_LOG2_E) / bandwidth
    x, data = (x - centre) * scale, (data - centre) * scale
    half_squares = data.square().sum(1) / 2
    right = torch.cat(
        (data.T, -half_squares[None], data.new_full((1, len(data)), -0.5))
    ).contiguous()
    rows = max(1, _TILE // len(data))
    far = x.square().sum(1) > _FAR**2
    for start in range(0, len(x), rows):
        tile = x[start : start + rows]
        if far[start : start + rows].any():
            bits = torch.cdist(tile, data, compute_mode="donot_use_mm_for_euclid_dist")
            bits = bits.square_().mul_(-0.5)
        else:
            squares = tile.square().sum(1, keepdim=True)
            bits = torch.cat((tile, torch.ones_like(squares), squares), dim=1) @ right
        if leave_out is not None:
            bits.scatter_(1, leave_out[start : start + rows, None], -torch.inf)
        top = bits.amax(dim=1, keepdim=True)
        yield top, bits.sub_(top).exp2_()
