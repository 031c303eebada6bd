"""A transposed convolution into few channels, as one matrix product and sums of shifted maps."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

_STRIDE = 2


class NarrowConvTranspose2d(nn.ConvTranspose2d):
    """``torch.nn.ConvTranspose2d`` of stride 2, with a faster way forward for few channels.

    Convolution libraries compute channels in blocks of sixteen and throw away what was not asked
    for: an image of one channel costs them as much as one of sixteen. Here every tap of the kernel
    is a row of one matrix product, and each of the four phases of the output adds up its taps. The
    gradient is torch's own. Parameters, values and checkpoints are those of the parent class.
    Raises ValueError if kernel and padding would not double the side.
    """

    def __init__(
        self,
        channels_in: int,
        channels_out: int,
        *,
        kernel_size: int,
        padding: int,
        output_padding: int = 0,
    ) -> None:
        if kernel_size < _STRIDE or kernel_size - 2 * padding + output_padding != _STRIDE:
            raise ValueError(
                "kernel_size - 2 padding + output_padding must be 2, got "
                f"{kernel_size} - 2 * {padding} + {output_padding}"
            )
        if output_padding not in (0, 1):
            raise ValueError(f"output_padding must be 0 or 1, got {output_padding}")
        super().__init__(
            channels_in, channels_out, kernel_size, _STRIDE, padding, output_padding=output_padding
        )

    def forward(self, input: Tensor, output_size: list[int] | None = None) -> Tensor:
        """Map x [B, C, H, W] to [B, O, 2 H, 2 W].

        Raises ValueError if an output size is given: it is always double.
        """
        if output_size is not None:
            raise ValueError(f"the side is doubled, got output_size {output_size}")
        x, device = input, input.device.type
        if torch.is_autocast_enabled(device) and x.dtype == torch.float32:
            x = x.to(torch.get_autocast_dtype(device))
        weight = self.weight.to(x.dtype)  # Half precision comes with the input.
        shape = (self.kernel_size[0], int(self.padding[0]), self.output_padding[0])
        y: Tensor = _NarrowTranspose.apply(x, weight, shape)  # pyright: ignore[reportAssignmentType]
        return y if self.bias is None else y + self.bias.to(y.dtype)[:, None, None]


class _NarrowTranspose(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, shape: tuple[int, int, int]) -> Tensor:  # noqa: ANN401
        ctx.save_for_backward(x, weight)
        ctx.shape = shape
        return _transposed(x, weight, padding=shape[1])

    @staticmethod
    @once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride] - the decorator hides ctx
        ctx: Any,  # noqa: ANN401
        *grads: Tensor,
    ) -> tuple[Tensor | None, Tensor | None, None]:
        x, weight = ctx.saved_tensors
        _, padding, extra = ctx.shape
        two = [_STRIDE, _STRIDE]
        geometry = (two, [padding] * 2, [1, 1], True, [extra] * 2, 1)
        wanted = [*ctx.needs_input_grad[:2], False]
        found = torch.ops.aten.convolution_backward(grads[0], x, weight, None, *geometry, wanted)
        return found[0], found[1], None


def _transposed(x: Tensor, weight: Tensor, *, padding: int) -> Tensor:
    """Return the convolution without bias, [B, O, 2 H, 2 W], of x [B, C, H, W] and [C, O, k, k]."""
    batch, channels, height, width = x.shape
    outputs, k = weight.shape[1], weight.shape[2]
    rows = x.permute(0, 2, 3, 1).reshape(-1, channels)
    kernel = weight.permute(2, 3, 1, 0).reshape(-1, channels)
    taps = (kernel @ rows.T).view(k, k, outputs, batch, height, width)
    y = x.new_empty(batch, outputs, 2 * height, 2 * width, dtype=taps.dtype)
    phases = y.view(batch, outputs, height, 2, width, 2)
    for a in (0, 1):
        for b in (0, 1):
            # Tap (t, u) of input (i, j) lands on output (2 i + t - padding, 2 j + u - padding).
            here = [
                (abs(i) + abs(j), t, u, i, j)
                for t, i in _taps(k, padding + a)
                for u, j in _taps(k, padding + b)
            ]
            (_, t, u, _, _), *others = sorted(here)  # The first one stands where it is.
            total = taps[t, u]
            for _, t, u, i, j in others:
                target = total[..., _to(i), _to(j)]
                target += taps[t, u][..., _from(i), _from(j)]
            phases[:, :, :, a, :, b] = total.transpose(0, 1)
    return y


def _taps(k: int, offset: int) -> list[tuple[int, int]]:
    """Return the taps of one phase along one axis, and by how much each moves its input."""
    return [(t, (t - offset) // 2) for t in range(k) if (t - offset) % 2 == 0]


def _to(shift: int) -> slice:
    return slice(max(0, shift), min(0, shift) or None)


def _from(shift: int) -> slice:
    return slice(max(0, -shift), min(0, -shift) or None)
