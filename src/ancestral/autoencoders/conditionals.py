"""Conditional distributions whose parameters come from a network: Gaussian encoder and decoder."""

import math

import torch
from torch import Tensor, nn
from torch.distributions import Distribution, Independent, Normal, register_kl
from torch.types import _size

from ancestral.networks.nodes import StandardNormalDistribution

_HALF_LOG_TWO_PI = 0.5 * math.log(2 * math.pi)
_FIRST_STD = 0.3


class LogScaleNormal(Normal):
    """A normal that keeps the logarithm of its scale, as networks give it.

    The same distribution as :class:`torch.distributions.Normal`; densities and the KL to the
    standard normal need neither a logarithm nor a division, which a small training step notices.

    Args:
        loc: Mean, [*B].
        log_scale: Logarithm of the standard deviation, broadcastable to loc.

    Example:
        >>> LogScaleNormal(torch.zeros(3), torch.zeros(())).log_prob(torch.zeros(3)).shape
        torch.Size([3])
    """

    def __init__(self, loc: Tensor, log_scale: Tensor) -> None:
        # Normal's own constructor checks and broadcasts: as long as a small network's forward.
        Distribution.__init__(self, loc.shape, validate_args=False)
        self.loc, self.log_scale = loc, log_scale  # Not expanded: its functions are then cheaper.
        self.scale = log_scale.exp().expand_as(loc)

    def expand(self, batch_shape: _size, _instance: None = None) -> "LogScaleNormal":
        """Return the same distribution with a wider batch shape."""
        wide = self.__class__.__new__(self.__class__)
        Distribution.__init__(wide, torch.Size(batch_shape), validate_args=False)
        wide.loc, wide.scale = self.loc.expand(batch_shape), self.scale.expand(batch_shape)
        wide.log_scale = self.log_scale
        return wide

    def log_prob(self, value: Tensor) -> Tensor:
        """Return the log-density in nats, [*sample, *B]."""
        standardised = (value - self.loc) * torch.exp(-self.log_scale)
        # Products, not squares: torch's gradient of a square calls ``pow``.
        return torch.addcmul(
            -_HALF_LOG_TWO_PI - self.log_scale, standardised, standardised, value=-0.5
        )


@register_kl(LogScaleNormal, StandardNormalDistribution)
def _kl_to_standard_normal(q: LogScaleNormal, p: StandardNormalDistribution) -> Tensor:
    """KL(q || p) per coordinate, nats. Source: Kingma & Welling 2014, arXiv:1312.6114, app. B."""
    del p
    means = torch.addcmul(-0.5 - q.log_scale, q.loc, q.loc, value=0.5)
    return torch.addcmul(means, q.scale, q.scale, value=0.5)


class GaussianEncoder(nn.Module):
    """q(z | parents) = Normal(mu, diag(sigma^2)), one network that gives mu and log sigma.

    Source: Kingma & Welling 2014, Auto-Encoding Variational Bayes, arXiv:1312.6114, eq. 9.

    Args:
        network: Maps the parents' values to [*B, 2 L]: means, then log standard deviations.

    Example:
        >>> encoder = GaussianEncoder(nn.Linear(2, 6))
        >>> encoder(torch.zeros(5, 2)).event_shape
        torch.Size([3])
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, *parents: Tensor) -> Independent:
        """Return q(z | parents), batch shape [*B], event shape [L]."""
        mean, log_std = full_precision(self.network(*parents)).chunk(2, dim=-1)
        return Independent(LogScaleNormal(mean, log_std), 1, validate_args=False)


class GaussianDecoder(nn.Module):
    """p(x | z) = Normal(mu(z), diag(sigma^2)), its scale fixed or learned, in model units.

    A learned scale is one number a coordinate, the same for all z: what the mean cannot tell of a
    coordinate is its own noise.

    Source: Kingma & Welling 2014, arXiv:1312.6114, app. C.2; a learned shared variance: Rybkin,
    Daniilidis & Levine 2021, sigma-VAE, arXiv:2006.13202.

    Args:
        network: Maps z [*B, L] to means [*B, D].
        features: The dimension D.
        std: The standard deviation; None to learn it, from 0.3: a wider start lets every latent
            fall asleep before the means have learned anything.

    Raises:
        ValueError: If std is not positive.

    Example:
        >>> GaussianDecoder(nn.Linear(3, 2), 2, std=0.1)(torch.zeros(5, 3)).stddev[0]
        tensor([0.1000, 0.1000])
    """

    log_std: Tensor

    def __init__(self, network: nn.Module, features: int, *, std: float | None = None) -> None:
        super().__init__()
        if std is not None and not 0 < std < math.inf:
            raise ValueError(f"decoder_std must be positive and finite, got {std}")
        self.network = network
        if std is None:
            self.log_std = nn.Parameter(torch.full((features,), math.log(_FIRST_STD)))
        else:
            self.register_buffer("log_std", torch.tensor(math.log(std)))

    def forward(self, z: Tensor) -> Independent:
        """Return p(x | z), batch shape [*B], event shape [D]."""
        mean = full_precision(self.network(z))
        return Independent(LogScaleNormal(mean, self.log_std), 1, validate_args=False)


def full_precision(x: Tensor) -> Tensor:
    """Return x in float32 where it came out of bfloat16 or float16 arithmetic."""
    return x.float() if x.dtype in (torch.bfloat16, torch.float16) else x
