"""Classifier guidance: a denoiser that is drawn towards what a classifier knows."""

from collections.abc import Callable
from typing import TypeAlias

import torch
from torch import Tensor

from ancestral.diffusion.samplers import Denoise
from ancestral.networks.gaussian_path import rows

Knows: TypeAlias = Callable[[Tensor, Tensor], Tensor]
"""Maps data with noise y [B, *event] and sigma [B] to log p(label | y), nats, [B]."""


def classifier_guided(denoise: Denoise, knows: Knows, *, scale: float = 1.0) -> Denoise:
    """Return the denoiser whose score is ``score + scale * gradient of log p(label | y)``.

    With scale 1 and an exact classifier of noisy data it is the denoiser given the label, by
    Bayes' rule; with more, draws are more typical of the label and less different.

    Source: Dhariwal & Nichol 2021, Diffusion Models Beat GANs on Image Synthesis,
    arXiv:2105.05233, sec. 4; Song et al. 2021, arXiv:2011.13456, sec. 5.

    Args:
        denoise: The mean of x given y, without the label.
        knows: The log-probability of the label, given data with noise.
        scale: 0 leaves the denoiser as it is.

    Example:
        >>> towards_one = classifier_guided(lambda y, s: y, lambda y, s: -(y - 1).square().sum(1))
        >>> towards_one(torch.zeros(5, 2), torch.ones(5))[0]
        tensor([2., 2.])
    """
    if scale == 0:
        return denoise

    def guided(y: Tensor, sigma: Tensor) -> Tensor:
        with torch.enable_grad():
            at = y.detach().requires_grad_()
            (slope,) = torch.autograd.grad(knows(at, sigma).sum(), at)
        return denoise(y, sigma) + scale * rows(sigma, y).square() * slope

    return guided


def through_denoised(denoise: Denoise, classify: Callable[[Tensor], Tensor]) -> Knows:
    """Return what a classifier of clean data knows of noisy data: what it says of the denoised.

    It is exact where there is no noise, and too sure of itself where there is much.

    Source: Chung et al. 2023, Diffusion Posterior Sampling, arXiv:2209.14687, eq. 11; Bansal et al.
    2023, Universal Guidance, arXiv:2302.07121, sec. 3.1.

    Args:
        denoise: The denoiser.
        classify: Maps clean data [B, *event] to the log-probability of a label, [B].
    """
    return lambda y, sigma: classify(denoise(y, sigma))
