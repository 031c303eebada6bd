"""Convolutions of kernel 3 by a quarter of the products, where channels are many."""

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional

_STEP, _WIDE = 4, 6
"""Outputs of a tile along one axis, and the inputs that it sees."""

_KERNEL = (
    (1 / 4, 0, 0),
    (-1 / 6, -1 / 6, -1 / 6),
    (-1 / 6, 1 / 6, -1 / 6),
    (1 / 24, 1 / 12, 1 / 6),
    (1 / 24, -1 / 12, 1 / 6),
    (0, 0, 1),
)
"""What becomes of three taps: ``G`` of the source."""

_AT_ONCE = 1 << 22
"""Numbers of tiles that are transformed and multiplied together, so that they stay in caches."""

_LEAST_CHANNELS, _LEAST_TILES = 64, 64
"""Below these the transforms cost more than the products that they save."""


class WinogradConv2d(nn.Conv2d):
    """``torch.nn.Conv2d`` of kernel 3 and padding 1, on the CPU by Winograd's F(4x4, 3x3).

    Sixteen outputs of two channels take 36 products in place of 144: of tiles of 6x6 pixels and of
    the kernel sums are formed, the products of all channels are 36 matrix products, and sums of
    those are the outputs. Both gradients are computed so, too, with channels innermost. In float32
    the result is off by some 1e-5 of its scale. Few channels or pixels, half precision and other
    devices go the way of the parent class, whose parameters these are.

    Source: Lavin & Gray 2016, Fast Algorithms for Convolutional Neural Networks, arXiv:1509.09308,
    sec. 4.3.

    Args:
        channels_in: Channels C.
        channels_out: Channels O.
        bias: Whether there is an offset for each channel of the output.

    Example:
        >>> WinogradConv2d(64, 64)(torch.randn(2, 64, 30, 45)).shape
        torch.Size([2, 64, 30, 45])
    """

    def __init__(self, channels_in: int, channels_out: int, *, bias: bool = True) -> None:
        super().__init__(channels_in, channels_out, 3, padding=1, bias=bias)

    def forward(self, input: Tensor) -> Tensor:
        """Map x [B, C, H, W] to [B, O, H, W]."""
        if _pays(input, self.in_channels, self.out_channels):
            height, width = input.shape[-2:]
            y: Tensor = _Winograd.apply(input, self.weight, self.bias)  # pyright: ignore[reportAssignmentType]
            return y if y.shape[-2:] == (height, width) else y[..., :height, :width]
        if input.device.type == "cpu":  # With channels innermost oneDNN is slower without AVX-512.
            input = input.contiguous()
        return super().forward(input)


def _pays(x: Tensor, channels: int, outputs: int) -> bool:
    tiles = len(x) * -(-x.shape[2] // _STEP) * -(-x.shape[3] // _STEP)
    exact = x.dtype in (torch.float32, torch.float64) and not torch.is_autocast_enabled("cpu")
    wide = min(channels, outputs) >= _LEAST_CHANNELS and tiles >= _LEAST_TILES
    return x.device.type == "cpu" and exact and wide


class _Winograd(torch.autograd.Function):
    """The convolution with a border at the bottom and the right, to whole tiles."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:  # noqa: ANN401
        padded = _padded(x)
        ctx.save_for_backward(padded, weight)
        ctx.biased, ctx.sides = bias is not None, x.shape[-2:]
        y = _correlate(padded, _of_kernel(weight))
        return y if bias is None else y.add_(bias[:, None, None])

    @staticmethod
    @once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride] - the decorator hides ctx
        ctx: Any,  # noqa: ANN401
        *grads: Tensor,
    ) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
        x, weight = ctx.saved_tensors
        grad, (of_x, of_weight, _) = _padded(grads[0]), ctx.needs_input_grad
        found, kernel = None, None
        if of_x:
            turned = weight.flip(2, 3).transpose(0, 1)
            found = _correlate(grad, _of_kernel(turned))[..., : ctx.sides[0], : ctx.sides[1]]
        if of_weight:
            kernel = _kernel_gradient(x, grad)
        return found, kernel, grads[0].sum((0, 2, 3)) if ctx.biased else None


def _padded(x: Tensor) -> Tensor:
    """Return x [B, C, H, W] as [B, 4 h + 2, 4 w + 2, C]: a border of 1, the rest 0."""
    height, width = x.shape[2:]
    more = (-width % _STEP, -height % _STEP)
    return functional.pad(x.permute(0, 2, 3, 1), (0, 0, 1, 1 + more[0], 1, 1 + more[1]))


def _correlate(x: Tensor, kernel: Tensor) -> Tensor:
    """Return the convolution, [B, O, 4 h, 4 w] with channels innermost.

    Args:
        x: Padded, [B, 4 h + 2, 4 w + 2, C].
        kernel: Transformed, [36, C, O].
    """
    outputs, (h, w) = kernel.shape[2], _tiled(x)
    shape = (len(x), outputs, _STEP * h, _STEP * w)
    # Not a view, or nobody could change it in place.
    y = torch.empty(shape, dtype=x.dtype, memory_format=torch.channels_last)
    pixels = y.permute(0, 2, 3, 1).unflatten(2, (w, _STEP)).unflatten(1, (h, _STEP))
    places = pixels.permute(2, 4, 0, 1, 3, 5)
    for images, rows in _chunks(x, outputs):
        tiles = _tiles(x[images, _STEP * rows.start : _STEP * rows.stop + 2])
        target = places[:, :, images, rows]
        products = torch.bmm(tiles.flatten(2, 4).flatten(0, 1), kernel)
        sums = products.view(_WIDE, _WIDE, *target.shape[2:])
        halfway = sums.new_empty(_STEP, *sums.shape[1:])
        _outputs(sums.unbind(0), halfway.unbind(0))
        _outputs(halfway.unbind(1), target.unbind(1))
    return y


def _kernel_gradient(x: Tensor, grad: Tensor) -> Tensor:
    """Return the gradient of a kernel, [O, C, 3, 3], of padded x and grad."""
    channels, outputs = x.shape[3], grad.shape[3]
    found = x.new_zeros(_WIDE * _WIDE, channels, outputs)
    for images, rows in _chunks(x, outputs):
        here = images, slice(_STEP * rows.start, _STEP * rows.stop + 2)
        tiles, spread = _tiles(x[here]), _spread(grad[here])
        found.baddbmm_(tiles.flatten(2, 4).flatten(0, 1).mT, spread.flatten(2, 4).flatten(0, 1))
    taps = _matrix(x).T @ found.view(_WIDE * _WIDE, -1)
    return taps.view(3, 3, channels, outputs).permute(3, 2, 0, 1)


def _of_kernel(weight: Tensor) -> Tensor:
    """Return the kernel as the products want it, [36, C, O], of [O, C, 3, 3]."""
    outputs, channels = weight.shape[:2]
    taps = weight.permute(2, 3, 1, 0).reshape(9, -1)
    return (_matrix(weight) @ taps).view(_WIDE * _WIDE, channels, outputs)


def _matrix(like: Tensor) -> Tensor:
    """Return what becomes of nine taps, [36, 9]."""
    one = like.new_tensor(_KERNEL)
    return torch.kron(one, one)


def _tiled(x: Tensor) -> tuple[int, int]:
    """Return the numbers of tiles from top to bottom and from left to right, h and w."""
    return (x.shape[1] - 2) // _STEP, (x.shape[2] - 2) // _STEP


def _chunks(x: Tensor, outputs: int) -> Iterator[tuple[slice, slice]]:
    """Yield images and rows of tiles that are computed together, equally many each time."""
    h, w = _tiled(x)
    row = _WIDE * _WIDE * w * max(x.shape[3], outputs)
    rows = _divisor(h, _AT_ONCE // row)
    images = _divisor(len(x), _AT_ONCE // (h * row)) if rows == h else 1
    for first in range(0, len(x), images):
        for top in range(0, h, rows):
            yield slice(first, first + images), slice(top, top + rows)


def _divisor(n: int, most: int) -> int:
    """Return the largest divisor of n that is at most ``most``, or 1."""
    return next((k for k in range(min(n, most), 0, -1) if n % k == 0), 1)


def _tiles(x: Tensor) -> Tensor:
    """Return the tiles of padded images, transformed, [6, 6, n, h, w, C]."""
    (n, _, width, channels), (h, w) = x.shape, _tiled(x)
    halfway = x.new_empty(_WIDE, n, h, width, channels)
    _inputs([x[:, _every(i, h)] for i in range(_WIDE)], halfway.unbind(0))
    tiles = x.new_empty(_WIDE, _WIDE, n, h, w, channels)
    _inputs([halfway[:, :, :, _every(i, w)] for i in range(_WIDE)], tiles.unbind(1))
    return tiles


def _spread(grad: Tensor) -> Tensor:
    """Return the gradient of the products, [6, 6, n, h, w, O], of one of padded outputs."""
    (n, _, width, outputs), (h, w) = grad.shape, _tiled(grad)
    halfway = grad.new_empty(_WIDE, n, h, width, outputs)
    _products([grad[:, _every(i + 1, h)] for i in range(_STEP)], halfway.unbind(0))
    spread = grad.new_empty(_WIDE, _WIDE, n, h, w, outputs)
    _products([halfway[:, :, :, _every(i + 1, w)] for i in range(_STEP)], spread.unbind(1))
    return spread


def _every(first: int, count: int) -> slice:
    return slice(first, first + _STEP * count, _STEP)


def _inputs(x: Sequence[Tensor], out: Sequence[Tensor]) -> None:
    """Write six sums of six inputs along an axis, ``B^T`` of the source."""
    torch.sub(x[4], x[2], alpha=5, out=out[0]).add_(x[0], alpha=4)
    torch.sub(x[5], x[3], alpha=5, out=out[5]).add_(x[1], alpha=4)
    even, odd = torch.sub(x[4], x[2], alpha=4), torch.sub(x[3], x[1], alpha=4)
    torch.add(even, odd, out=out[1])
    torch.sub(even, odd, out=out[2])
    torch.sub(x[4], x[2], out=even)
    torch.sub(x[3], x[1], out=odd)
    torch.add(even, odd, alpha=2, out=out[3])
    torch.sub(even, odd, alpha=2, out=out[4])


def _outputs(x: Sequence[Tensor], out: Sequence[Tensor]) -> None:
    """Write four outputs along an axis, of six products, ``A^T`` of the source."""
    near, far = x[1] + x[2], x[3] + x[4]
    torch.add(near, far, out=out[0]).add_(x[0])
    torch.add(near, far, alpha=4, out=out[2])
    torch.sub(x[1], x[2], out=near)
    torch.sub(x[3], x[4], out=far)
    torch.add(near, far, alpha=2, out=out[1])
    torch.add(near, far, alpha=8, out=out[3]).add_(x[5])


def _products(y: Sequence[Tensor], out: Sequence[Tensor]) -> None:
    """Write the gradients of six products, of those of four outputs along an axis."""
    out[0].copy_(y[0])
    out[5].copy_(y[3])
    even, odd = y[0] + y[2], y[1] + y[3]
    torch.add(even, odd, out=out[1])
    torch.sub(even, odd, out=out[2])
    torch.add(y[0], y[2], alpha=4, out=even)
    torch.add(y[1], y[3], alpha=4, out=odd)
    torch.add(even, odd, alpha=2, out=out[3])
    torch.sub(even, odd, alpha=2, out=out[4])
