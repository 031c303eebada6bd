"""Noise-contrastive estimation: a density as a classifier of data against known noise."""

import math
from typing import TYPE_CHECKING

import torch
from torch import Generator, Tensor, nn
from torch.nn.functional import softplus

if TYPE_CHECKING:
    from ancestral.energy.energies import Energy


class NoiseContrastive(nn.Module):
    """Tells data from draws of the energy's base by ``log p(x) - log base(x) = f(x) - c``.

    The classifier knows that there are ``ratio`` draws of noise for each example. At its optimum it
    is the log-ratio of the two densities, so that c is log(Z / Z_base): an energy is normalised as
    far as it is learned.

    Source: Gutmann & Hyvärinen 2012, Noise-contrastive estimation of unnormalized statistical
    models, eq. 8.

    Args:
        ratio: Draws of noise for each example, at least 1.

    Raises:
        ValueError: If ratio < 1.

    Example:
        >>> NoiseContrastive(ratio=2).log_ratio
        Parameter containing:
        tensor(0., requires_grad=True)
    """

    def __init__(self, *, ratio: int = 2) -> None:
        super().__init__()
        if ratio < 1:
            raise ValueError(f"ratio must be at least 1, got {ratio}")
        self.ratio = ratio
        self.log_ratio = nn.Parameter(torch.zeros(()))

    def forward(self, energy: "Energy", x: Tensor, generator: Generator | None) -> Tensor:
        """Return the cross-entropy of each example and its noise, nats, [B], for x [B, *event]."""
        noise = energy.base(len(x) * self.ratio, generator)
        logits = (
            energy.tilt(torch.cat((x.to(noise), noise))) - self.log_ratio - math.log(self.ratio)
        )
        real, fake = logits.split([len(x), len(noise)])
        return softplus(-real) + softplus(fake).reshape(len(x), self.ratio).sum(dim=1)
