"""Sums of Gaussian kernels over a whole data set, in log-space and in bounded memory."""

import math
from collections.abc import Iterator

import torch
from torch import Tensor

from ancestral.telling import beat

_TILE = 1 << 18  # Kernel values held at once: 2 MiB, so that the passes over them stay in cache.
_LOG2_E = math.log2(math.e)
# Beyond this many bandwidths from the centre the expanded square |x|^2 - 2xy + |y|^2 loses more
# than 1e-9 of the exponent to cancellation, and distances are taken by subtraction.
_FAR = 2000.0
# Below this sum of kernels, terms that matter could underflow (at 2^-1022) and a shift is needed.
_LEAST_SUM = 2.0**-900


def log_kernel_mean(
    x: Tensor, data: Tensor, bandwidth: float, *, leave_out: Tensor | None = None
) -> Tensor:
    """Return ``log 1/N sum_k Normal(x; data_k, h^2 I)``, nats, [B], for x [B, D] and data [N, D].

    The exponents of a tile of points against all data are one matrix product, of augmented
    coordinates centred on the data: [x, 1, |x|^2] with [y, -|y|^2/2, -1/2]. They are in units of
    log 2 because exp2 costs less than half of exp. With ``leave_out`` [B], one row of the data is
    passed over for each point, and N - 1 stands in place of N.
    """
    count = len(data) - (leave_out is not None)
    normaliser = math.log(count) + data.shape[1] / 2 * math.log(2 * math.pi * bandwidth**2)
    exponents = _Exponents(x, data, bandwidth, leave_out)
    sums = [top + total.log2() for top, _, total in exponents.tiles()]
    return torch.cat(sums) / _LOG2_E - normaliser if sums else x.new_empty(0)


def kernel_score(x: Tensor, data: Tensor, bandwidth: float) -> Tensor:
    """Return the gradient of the log of the mean kernel: the mean shift over h^2, [B, D]."""
    exponents = _Exponents(x, data, bandwidth, None)
    means = [weights @ data / total[:, None] for _, weights, total in exponents.tiles()]
    return (torch.cat(means) - x) / bandwidth**2 if means else torch.empty_like(x)


class _Exponents:
    """The exponents of all kernels at all points, in bits, tile by tile in one piece of memory."""

    def __init__(self, x: Tensor, data: Tensor, bandwidth: float, leave_out: Tensor | None) -> None:
        centre, scale = data.mean(dim=0), math.sqrt(_LOG2_E) / bandwidth
        self.x, self.data, self.leave_out = (x - centre) * scale, (data - centre) * scale, leave_out
        half_squares = self.data.square().sum(1) / 2
        halves = torch.full_like(half_squares, -0.5)
        self.right = torch.cat((self.data.T, -half_squares[None], halves[None]))
        squares = self.x.square().sum(1, keepdim=True)
        self.left = torch.cat((self.x, torch.ones_like(squares), squares), dim=1)
        self.far = squares[:, 0] > _FAR**2
        self.rows = max(1, _TILE // len(data))
        self.memory = x.new_empty(min(self.rows, len(x)), len(data))

    def tiles(self) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """Yield (top [b], weights [b, N], total [b]): kernels are 2^top weights, total their sum.

        As long as no sum comes near underflow, top is 0 and the search for it is spared.
        """
        deep = False
        for start in range(0, len(self.x), self.rows):
            part = slice(start, start + self.rows)
            beat()
            tile = self._tile(part, deep=deep)
            if not deep and bool((tile[2] < _LEAST_SUM).any()):
                deep = True
                tile = self._tile(part, deep=True)
            yield tile

    def _tile(self, part: slice, *, deep: bool) -> tuple[Tensor, Tensor, Tensor]:
        bits = self._bits(part)
        top = bits.amax(dim=1) if deep else bits.new_zeros(len(bits))
        weights = (bits.sub_(top[:, None]) if deep else bits).exp2_()
        return top, weights, weights.sum(dim=1)

    def _bits(self, part: slice) -> Tensor:
        if self.far[part].any():
            bits = torch.cdist(self.x[part], self.data, compute_mode="donot_use_mm_for_euclid_dist")
            bits = bits.square_().mul_(-0.5)
        else:
            left = self.left[part]
            bits = torch.mm(left, self.right, out=self.memory[: len(left)])
        if self.leave_out is not None:
            bits.scatter_(1, self.leave_out[part, None], -torch.inf)
        return bits
