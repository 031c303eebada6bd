"""Learned priors over latents: a VAE takes any."""

import torch
from torch import Tensor, nn
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
        _check(latent=latent, components=components)
        self.logits = nn.Parameter(torch.zeros(components))
        self.means = nn.Parameter(torch.randn(components, latent))
        # A start narrower than the standard normal lets the components part at once.
        self.log_scales = nn.Parameter(torch.full((components, latent), -0.5))

    def forward(self) -> MixtureSameFamily:
        """Return p(z), event shape [L]."""
        return _mixture(self.logits, self.means, self.log_scales.exp())


class PosteriorMixture(nn.Module):
    """The root node z as the mean of the posteriors of some examples, which are learned.

    The prior of the highest bound is the mean of the posteriors of all the data; here it is that of
    a few examples of no data, as the encoder reads them.

    Source: Tomczak & Welling 2018, VAE with a VampPrior, arXiv:1705.07120, eq. 9.

    Args:
        features: Dimension D of an example, at least 1.
        components: Number K of examples, at least 1.
        binary: Examples are of zeros and ones, the learned ones lie between.

    Raises:
        ValueError: If a count is below 1.

    Example:
        >>> from ancestral.autoencoders import VAE
        >>> model = VAE(2, latent=4, prior=PosteriorMixture(2, components=50))
        >>> model.elbo(torch.zeros(5, 2)).shape
        torch.Size([5])
    """

    def __init__(self, features: int, *, components: int, binary: bool = False) -> None:
        super().__init__()
        _check(features=features, components=components)
        self.binary = binary
        self.examples = nn.Parameter(torch.randn(components, features))
        self._encoder: tuple[nn.Module, ...] = ()

    def read_by(self, encoder: nn.Module) -> None:
        """Take the conditional q(z | x) that reads the examples; its parameters stay its own."""
        self._encoder = (encoder,)

    def forward(self) -> MixtureSameFamily:
        """Return p(z), event shape [L]."""
        (encoder,) = self._encoder
        posteriors = encoder(self.examples.sigmoid() if self.binary else self.examples)
        even = posteriors.mean.new_zeros(len(self.examples))
        return _mixture(even, posteriors.mean, posteriors.stddev)


def _check(**counts: int) -> None:
    for name, count in counts.items():
        if count < 1:
            raise ValueError(f"{name} must be at least 1, got {count}")


def _mixture(logits: Tensor, means: Tensor, scales: Tensor) -> MixtureSameFamily:
    """Return a mixture of diagonal Gaussians, means and scales [K, L]."""
    return MixtureSameFamily(
        Categorical(logits=logits, validate_args=False),
        Independent(Normal(means, scales, validate_args=False), 1, validate_args=False),
        validate_args=False,
    )
