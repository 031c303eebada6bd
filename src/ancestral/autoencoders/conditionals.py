"""Conditionals whose parameters come from a network: Gaussian encoder, decoders of rows."""

import math
from collections.abc import Sequence
from contextlib import nullcontext

import torch
from torch import Tensor, nn
from torch.distributions import Distribution, Independent, Normal, kl_divergence, register_kl
from torch.types import _size

from ancestral.autoencoders.likelihoods import Bits, Categoricals
from ancestral.networks.nodes import StandardNormalDistribution

_HALF_LOG_TWO_PI = 0.5 * math.log(2 * math.pi)
_FIRST_STD = 0.3


class DiagonalNormal(Normal):
    """A normal vector with independent coordinates that keeps the logarithm of its scale.

    The same as torch's ``Independent(Normal(loc, scale), 1)``. Networks give the logarithm of the
    scale, so densities and the KL to the standard normal need neither a logarithm nor a division
    nor the checks of two constructors; a small training step notices.

    Args:
        loc: Mean, [*B, D].
        log_scale: Logarithm of the standard deviation, [*B, D] or [D].

    Example:
        >>> DiagonalNormal(torch.zeros(3, 2), torch.zeros(2)).log_prob(torch.zeros(3, 2)).shape
        torch.Size([3])
    """

    def __init__(self, loc: Tensor, log_scale: Tensor) -> None:
        Distribution.__init__(self, loc.shape[:-1], loc.shape[-1:], validate_args=False)
        self.loc, self.log_scale = loc, log_scale  # Not expanded: its functions are then cheaper.
        self._scale: Tensor | None = None

    @property
    def scale(self) -> Tensor:
        """Standard deviation, [*B, D]; computed once, where it is first asked for."""
        if self._scale is None:
            # With a graph, whoever asks first: a KL may follow a draw that took no gradient.
            with nullcontext() if torch.is_grad_enabled() else torch.enable_grad():
                self._scale = self.log_scale.exp().expand_as(self.loc)
        return self._scale

    def expand(self, batch_shape: _size, _instance: None = None) -> "DiagonalNormal":
        """Return the same distribution with a wider batch shape."""
        wide = torch.Size(batch_shape) + self.event_shape
        return DiagonalNormal(self.loc.expand(wide), self.log_scale)

    def log_prob(self, value: Tensor) -> Tensor:
        """Return the log-density in nats, [*sample, *B]."""
        standardised = (value - self.loc) * torch.exp(-self.log_scale)
        constant = -self.event_shape[0] * _HALF_LOG_TWO_PI - self.log_scale.sum(-1)
        # A product, not a square: torch's gradient of a square calls ``pow``.
        squares = (standardised * standardised).sum(-1)
        return torch.add(constant, squares, alpha=-0.5)

    def entropy(self) -> Tensor:
        """Return the entropy in nats, [*B]."""
        constant = self.event_shape[0] * (0.5 + _HALF_LOG_TWO_PI)
        return (self.log_scale.sum(-1) + constant).expand(self.batch_shape)


@register_kl(DiagonalNormal, Independent)
def _kl_to_independent(q: DiagonalNormal, p: Independent) -> Tensor:
    """KL(q || p), nats, [*B]. Source: Kingma & Welling 2014, arXiv:1312.6114, app. B."""
    if not isinstance(p.base_dist, StandardNormalDistribution):
        return kl_divergence(Independent(Normal(q.loc, q.scale), 1), p)
    negative = torch.addcmul(
        torch.addcmul(q.log_scale, q.loc, q.loc, value=-0.5), q.scale, q.scale, value=-0.5
    )
    return -0.5 * q.event_shape[0] - negative.sum(-1)


@register_kl(DiagonalNormal, DiagonalNormal)
def _kl_to_diagonal(q: DiagonalNormal, p: DiagonalNormal) -> Tensor:
    """KL(q || p), nats, [*B]."""
    gap = (q.loc - p.loc) * torch.exp(-p.log_scale)
    ratio = q.log_scale - p.log_scale
    return (0.5 * (torch.exp(2 * ratio) + gap * gap - 1) - ratio).sum(-1)


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

    def forward(self, *parents: Tensor) -> DiagonalNormal:
        """Return q(z | parents), batch shape [*B], event shape [L]."""
        mean, log_std = full_precision(self.network(*parents)).chunk(2, dim=-1)
        return DiagonalNormal(mean, log_std)


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
            self.register_buffer("log_std", torch.full((features,), math.log(std)))

    def forward(self, *parents: Tensor) -> DiagonalNormal:
        """Return p(x | parents), batch shape [*B], event shape [D]."""
        mean = full_precision(self.network(*parents))
        return DiagonalNormal(mean, self.log_std)


class BernoulliDecoder(nn.Module):
    """p(x | parents): a Bernoulli each, for what is 0 or 1, logits from a network.

    With ``grey`` it takes numbers in [0, 1], too: its ``log_prob`` then is a cross-entropy, not a
    density.

    Args:
        network: Maps the parents' values to logits [*B, *event].
        event_dims: Dimensions of an event.
        grey: Whether numbers between 0 and 1 are taken.

    Example:
        >>> BernoulliDecoder(nn.Linear(3, 2), event_dims=1)(torch.zeros(5, 3)).event_shape
        torch.Size([2])
    """

    def __init__(self, network: nn.Module, *, event_dims: int, grey: bool = False) -> None:
        super().__init__()
        self.network, self.event_dims, self.grey = network, event_dims, grey

    def forward(self, *parents: Tensor) -> Independent:
        """Return p(x | parents), batch shape [*B], event shape [*event]."""
        logits = full_precision(self.network(*parents))
        return Independent(Bits(logits, grey=self.grey), self.event_dims, validate_args=False)


class CategoricalDecoder(nn.Module):
    """p(x | parents) of rows of cells: the columns are independent given these, each has its head.

    Args:
        network: Maps the parents' values to logits [*B, all cells], one column after the other.
        sizes: Number of cells of each of the D columns.

    Example:
        >>> CategoricalDecoder(nn.Linear(3, 6), [2, 4])(torch.zeros(5, 3)).event_shape
        torch.Size([2])
    """

    def __init__(self, network: nn.Module, sizes: Sequence[int]) -> None:
        super().__init__()
        self.network, self.sizes = network, tuple(sizes)

    def forward(self, *parents: Tensor) -> Categoricals:
        """Return p(x | parents), batch shape [*B], event shape [D]."""
        return Categoricals(full_precision(self.network(*parents)), self.sizes)


def full_precision(x: Tensor) -> Tensor:
    """Return x in float32 where it came out of bfloat16 or float16 arithmetic."""
    return x.float() if x.dtype in (torch.bfloat16, torch.float16) else x
