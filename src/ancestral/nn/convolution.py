"""Convolution as the matrix it is, its transpose, and the overlaps that draw checkerboards."""

import math
from collections.abc import Sequence
from itertools import product
from typing import Literal

import torch
from torch import Tensor, nn


def convolution_size(size: int, kernel: int, *, stride: int = 1, padding: int = 0) -> int:
    """Return how many outputs a convolution has along an axis: ``(D + 2 P - K) // S + 1``.

    Poolings have as many. What is left over at the end, fewer than S inputs, is not looked at.

    Args:
        size: Inputs D, at least 1.
        kernel: Taps K, at least 1.
        stride: S, at least 1.
        padding: Zeros P on each side, at least 0.

    Raises:
        ValueError: If a number is below its least, or the kernel is longer than D + 2 P.

    Example:
        >>> convolution_size(28, 3, stride=2, padding=1)
        14
    """
    _check(size=size, kernel=kernel, stride=stride)
    if padding < 0 or kernel > size + 2 * padding:
        raise ValueError(
            f"padding must be at least 0 and kernel at most size + 2 padding, got kernel {kernel}, "
            f"size {size}, padding {padding}"
        )
    return (size + 2 * padding - kernel) // stride + 1


def transposed_size(
    size: int, kernel: int, *, stride: int = 1, padding: int = 0, output_padding: int = 0
) -> int:
    """Return how many outputs a transposed convolution has: ``S (D - 1) + K - 2 P + more``.

    ``output_padding``, from 0 to S - 1, tells which of the sizes that the convolution takes to D is
    meant. K = 2 S with P = S / 2, and K = S with P = 0, give S D.

    Raises:
        ValueError: If a number is out of its range, or nothing would be left.

    Example:
        >>> transposed_size(7, 4, stride=2, padding=1), transposed_size(7, 2, stride=2)
        (14, 14)
    """
    _check(size=size, kernel=kernel, stride=stride)
    if padding < 0 or not 0 <= output_padding < stride:
        raise ValueError(
            f"padding must be at least 0 and output_padding from 0 to {stride - 1}, "
            f"got {padding} and {output_padding}"
        )
    found = stride * (size - 1) + kernel - 2 * padding + output_padding
    if found < 1:
        raise ValueError(f"a padding of {padding} leaves {found} outputs")
    return found


def convolution_matrix(
    weight: Tensor, size: Sequence[int], *, stride: int = 1, padding: int = 0
) -> Tensor:
    """Return the matrix A of a convolution, ``A x.flatten()``; of one axis a Toeplitz matrix.

    As in every library the kernel is not flipped, which is cross-correlation. Row j has the kernel
    S places further right than row j - 1. The matrix of the transposed convolution is ``A.mT``.

    Source: Dumoulin & Visin 2016, A guide to convolution arithmetic, arXiv:1603.07285, ch. 4.

    Args:
        weight: As of torch's layers, [O, C, *K].
        size: Of each axis of the input, as many as K has.
        stride: Of all axes, at least 1.
        padding: Zeros on each side of all axes, at least 0.

    Returns:
        [O * outputs, C * inputs].

    Raises:
        ValueError: If the axes are not as many, or a kernel does not fit.

    Example:
        >>> convolution_matrix(torch.tensor([[[1.0, 2.0, 3.0]]]), [5])
        tensor([[1., 2., 3., 0., 0.],
                [0., 1., 2., 3., 0.],
                [0., 0., 1., 2., 3.]])
    """
    axes = weight.ndim - 2
    if axes < 1 or len(size) != axes:
        raise ValueError(
            f"weight must be [O, C, *K] with an axis of K for each of size {[*size]}, "
            f"got {[*weight.shape]}"
        )
    found = weight
    for inputs, kernel in zip(size, weight.shape[2:], strict=True):
        outputs = convolution_size(inputs, kernel, stride=stride, padding=padding)
        tap, output = torch.arange(kernel)[:, None], torch.arange(outputs)
        read = tap + stride * output - padding  # Which input each tap of each output reads.
        reads = (read[:, :, None] == torch.arange(inputs)).to(weight)
        found = torch.einsum("ock...,kji->oc...ji", found, reads)
    # [O, C, J_1, I_1, J_2, I_2, ...]: outputs first, then inputs.
    order = [0, *range(2, 2 + 2 * axes, 2), 1, *range(3, 3 + 2 * axes, 2)]
    return found.permute(order).flatten(axes + 1).flatten(0, axes)


def insert_zeros(x: Tensor, stride: int) -> Tensor:
    """Put S - 1 zeros between neighbours of the last axis of x [*, D], [*, S (D - 1) + 1].

    A convolution of stride 1 over this with the *flipped* kernel and K - 1 - P zeros on each side
    is the transposed convolution of stride S and padding P.

    Raises:
        ValueError: If ``stride`` is below 1.

    Example:
        >>> insert_zeros(torch.tensor([1.0, 2.0, 3.0]), 2)
        tensor([1., 0., 2., 0., 3.])
    """
    _check(stride=stride)
    spread = nn.functional.pad(x[..., None], (0, stride - 1)).flatten(-2)
    return spread[..., : spread.shape[-1] - stride + 1]


def contributions(
    kernel: int, *, stride: int = 1, padding: int = 0, dilation: int = 1
) -> tuple[int, ...]:
    """Return how many inputs reach each output of a transposed convolution, far from the borders.

    Outputs r, r + S, r + 2 S, ... have the same number, the r-th of the S that are returned. They
    are all K / S where S divides K (of a dilation of 1). Else some have one more than others, and
    unless the weights make up for it the output has a pattern of period S, a checkerboard.

    Source: Odena, Dumoulin & Olah 2016, Deconvolution and Checkerboard Artifacts, Distill.

    Args:
        kernel: Taps K, at least 1.
        stride: S, at least 1.
        padding: P, which only shifts the pattern.
        dilation: Distance of the taps, at least 1.

    Raises:
        ValueError: If a number is below its least.

    Example:
        >>> contributions(3, stride=2), contributions(4, stride=2), contributions(5, stride=2)
        ((2, 1), (2, 2), (3, 2))
    """
    _check(kernel=kernel, stride=stride, dilation=dilation)
    phases = (torch.arange(kernel) * dilation - padding) % stride
    return tuple(phases.bincount(minlength=stride).tolist())


def checkerboards(model: nn.Module) -> dict[str, tuple[int, ...]]:
    """Return the transposed convolutions of a model that overlap unevenly, by name.

    The remedies: a kernel that is a multiple of the stride, or an interpolation and then a
    convolution of stride 1.

    Returns:
        Of each, how many taps reach each of the S x S (x S) phases of its output.

    Example:
        >>> checkerboards(nn.Sequential(nn.ConvTranspose2d(8, 1, 3, 2, 1)))
        {'0': (1, 2, 2, 4)}
    """
    found = {}
    for name, layer in model.named_modules():
        if isinstance(layer, nn.ConvTranspose1d | nn.ConvTranspose2d | nn.ConvTranspose3d):
            settings = (layer.kernel_size, layer.stride, layer.padding, layer.dilation)
            each = [
                contributions(k, stride=s, padding=int(p), dilation=d)
                for k, s, p, d in zip(*settings, strict=True)
            ]
            counts = tuple(math.prod(axes) for axes in product(*each))
            if len(set(counts)) > 1:
                found[name] = counts
    return found


Interpolation = Literal["nearest", "linear", "cubic"]
"""The nearest sample, the straight line between two, or the cubic through four."""


def interpolation_matrix(size: int, factor: int, kind: Interpolation = "linear") -> Tensor:
    """Return the matrix that makes ``factor`` samples of each along an axis: no weight is learned.

    In two dimensions it is ``A X B^T``. Sample j of the result lies at ``(j + 0.5) / factor - 0.5``
    among those given; what lies outside has the value at the border, as in torch.

    Source: cubic: Keys 1981, Cubic convolution interpolation, IEEE ASSP 29(6), with torch's
    a = -0.75.

    Args:
        size: Samples D given, at least 1.
        factor: S, at least 1.
        kind: Of interpolation; bilinear and bicubic are ``linear`` and ``cubic`` in both axes.

    Returns:
        float64 [S D, D]; every row sums to 1.

    Raises:
        ValueError: If a number is below 1 or the kind unknown.

    Example:
        >>> interpolation_matrix(2, 2)
        tensor([[1.0000, 0.0000],
                [0.7500, 0.2500],
                [0.2500, 0.7500],
                [0.0000, 1.0000]], dtype=torch.float64)
    """
    _check(size=size, factor=factor)
    places = (torch.arange(size * factor, dtype=torch.float64) + 0.5) / factor - 0.5
    if kind == "nearest":
        places = (torch.arange(size * factor) // factor).double()
    elif kind not in ("linear", "cubic"):
        raise ValueError(f"kind must be 'nearest', 'linear' or 'cubic', got {kind!r}")
    around = places.floor()[:, None] + torch.arange(-1, 3)  # The four nearest, two on each side.
    distance = (places[:, None] - around).abs()
    weights = _keys(distance) if kind == "cubic" else (1 - distance).clamp(min=0)
    found = torch.zeros(len(places), size, dtype=torch.float64)
    return found.scatter_add(1, around.long().clamp(0, size - 1), weights)


def _keys(distance: Tensor, a: float = -0.75) -> Tensor:
    """Return the weight of a sample at a distance from 0 to 2."""
    near = ((a + 2) * distance - (a + 3)) * distance**2 + 1
    return torch.where(distance <= 1, near, a * (((distance - 5) * distance + 8) * distance - 4))


def _check(**numbers: int) -> None:
    for name, number in numbers.items():
        if number < 1:
            raise ValueError(f"{name} must be at least 1, got {number}")
