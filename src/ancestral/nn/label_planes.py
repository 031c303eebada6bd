"""A convolution of an image beside one plane per class, without making the planes."""

import torch
from torch import Tensor, nn
from torch.nn import functional


class LabelPlanesConv2d(nn.Module):
    """The convolution of ``[image, one-hot label planes]``, equal to the plain one and cheaper.

    A plane of the true class is constant, so its convolution is a map that depends on the class
    alone, also at the padded borders. The maps of all classes are one small convolution of a
    single plane of ones; each image adds its own.

    Args:
        channels: Channels C of the image.
        outputs: Channels O of the output.
        classes: Number K of classes; 0 for a plain convolution.
        kernel_size: Side k of the kernel.
        stride: Stride.
        padding: Zeros around the image and the planes.

    Example:
        >>> conv = LabelPlanesConv2d(1, 16, classes=10, kernel_size=3, stride=2, padding=1)
        >>> conv(torch.zeros(5, 1, 32, 32), torch.arange(5)).shape
        torch.Size([5, 16, 16, 16])
    """

    def __init__(
        self,
        channels: int,
        outputs: int,
        *,
        classes: int,
        kernel_size: int,
        stride: int = 1,
        padding: int = 0,
    ) -> None:
        super().__init__()
        self.channels, self.classes = channels, classes
        # The parameters, and so the initial weights and checkpoints, are the plain convolution's.
        self.plain = nn.Conv2d(channels + classes, outputs, kernel_size, stride, padding)

    def forward(self, x: Tensor, label: Tensor | None = None) -> Tensor:
        """Convolve x [B, C, H, W] beside the planes of label [B] int64; [B, O, H', W'].

        Raises:
            ValueError: If there are classes and no label.
        """
        plain = self.plain
        if not self.classes:
            return plain(x)
        if label is None:
            raise ValueError(f"a label of {self.classes} classes is needed, got None")
        y = functional.conv2d(
            x, plain.weight[:, : self.channels], None, plain.stride, plain.padding
        )
        maps = self._maps(x).to(y.dtype)
        # Rows of [H' W' O], so that the sum runs over channels-last memory; in place, because a
        # convolution's gradient does not need its output.
        added = maps.permute(0, 2, 3, 1).index_select(0, label)
        return y.add_(added.permute(0, 3, 1, 2))

    def _maps(self, x: Tensor) -> Tensor:
        """Return what the plane of each class and the bias add, [K, O, H', W']."""
        plain, size = self.plain, self.plain.kernel_size
        weight = plain.weight[:, self.channels :].transpose(0, 1).reshape(-1, 1, *size)
        ones = torch.ones(1, 1, *x.shape[-2:], dtype=weight.dtype, device=x.device)
        maps = functional.conv2d(ones, weight, None, plain.stride, plain.padding)
        maps = maps.unflatten(1, (self.classes, -1))[0]
        return maps if plain.bias is None else maps + plain.bias[:, None, None]
