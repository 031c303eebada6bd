"""Learned priors over latents: a VAE takes any."""

import torch
from torch import nn
from torch.distributions import Categorical, Independent, MixtureSameFamily, Normal


class GaussianMixturePrior(nn.Module):
    """The root node z as a learned mixture of diagonal Gaussians.

    A standard normal prior gives mass to the seams between parts of the data that the encoder keeps
    apart; decoded, that mass lies off the data. A mixture learns where the posteriors are.

    Source: Dilokthanakul et al. 2016, arXiv:1611.02648; Tomczak & Welling 2018, VAE with a
    VampPrior, arXiv:1705.07120, sec. 2 (the prior of highest bound is the mean posterior).

    Args:
        latent: Dimension L of z, at least 1.
        components: Number of Gaussians K, at least 1.

    Raises:
        ValueError: If a count is below 1.

    Example:
        >>> GaussianMixturePrior(2, components=50)().sample((3,)).shape
        torch.Size([3, 2])
    """

    def __init__(self, latent: int, *, components: int) -> None:
        super().__init__()
        for name, count in {"latent": latent, "components": components}.items():
            if count < 1:
                raise ValueError(f"{name} must be at least 1, got {count}")
        self.logits = nn.Parameter(torch.zeros(components))
        self.means = nn.Parameter(torch.randn(components, latent))
        # A start narrower than the standard normal lets the components part at once.
        self.log_scales = nn.Parameter(torch.full((components, latent), -0.5))

    def forward(self) -> MixtureSameFamily:
        """Return p(z), event shape [L]."""
        return MixtureSameFamily(
            Categorical(logits=self.logits, validate_args=False),
            Independent(
                Normal(self.means, self.log_scales.exp(), validate_args=False),
                1,
                validate_args=False,
            ),
            validate_args=False,
        )
