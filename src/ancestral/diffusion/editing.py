"""Editing: draws of which a linear part is known, by imposing it on what is denoised.

Whatever the sampler, the known part of the state is then the known values with noise of the level,
and at the end the values themselves: known pixels keep every bit. The rest is drawn beside them, so
that it fits them; ``repaint`` goes back and forth between levels, which makes it fit better.

The law is that of the conditional only in the limit: one pass lets the known part see no more of
the rest than the denoiser shows.
"""

from collections.abc import Callable
from typing import TypeAlias

import torch
from torch import Tensor
from torch.nn import functional

from ancestral.diffusion.samplers import Denoise

Impose: TypeAlias = Callable[[Tensor], Tensor]
"""Maps denoised examples [B, *event] to the nearest ones that agree with what is known."""


def imposed(denoise: Denoise, impose: Impose) -> Denoise:
    """Return a denoiser whose output agrees with what is known.

    Source: Lugmayr et al. 2022, RePaint, arXiv:2201.09865, eq. 8 (pixels); Wang, Yu & Zhang 2022,
    Denoising Diffusion Null-Space Models, arXiv:2212.00490, eq. 13 (any linear part).
    """
    return lambda y, sigma: impose(denoise(y, sigma))


def known_pixels(known: Tensor, mask: Tensor) -> Impose:
    """Return what imposes values where a mask says so: inpainting and outpainting.

    Args:
        known: Values, [B, *event], anything where they are not known.
        mask: Where they are known, bool, broadcastable to [B, *event].

    Example:
        >>> impose = known_pixels(torch.ones(1, 3), torch.tensor([True, False, False]))
        >>> impose(torch.zeros(2, 3))[0]
        tensor([1., 0., 0.])
    """
    return lambda x: torch.where(mask, known.to(x.dtype), x)


def known_grey(grey: Tensor) -> Impose:
    """Return what imposes the mean over the channels, [B, 1, H, W]: colouring."""
    return lambda x: x + (grey - x.mean(dim=1, keepdim=True))


def known_blocks(small: Tensor, factor: tuple[int, int]) -> Impose:
    """Return what imposes the means of blocks of pixels: super-resolution.

    Args:
        small: The means, [B, C, H, W].
        factor: Height and width of a block in pixels.

    Example:
        >>> impose = known_blocks(torch.ones(1, 1, 2, 2), (2, 2))
        >>> impose(torch.zeros(1, 1, 4, 4)).mean()
        tensor(1.)
    """

    def impose(x: Tensor) -> Tensor:
        missing = small - functional.avg_pool2d(x, factor)
        return x + missing.repeat_interleave(factor[0], -2).repeat_interleave(factor[1], -1)

    return impose
