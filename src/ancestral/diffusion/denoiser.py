"""The denoiser: a network, whatever it predicts, as the mean of x given x with noise."""

import torch
from torch import Tensor, nn
from torch.distributions import Normal

from ancestral.networks.gaussian_path import NoiseLevel, Quantity, rows
from ancestral.nn.guidance import guided

_DECADES = 14.0
"""Natural logarithms of the noise that the network's time runs through in one unit."""

_KNOTS = 29
"""Knots of the spread: one for each half of a natural logarithm, from exp(-7) to exp(7)."""


class Denoiser(nn.Module):
    """The mean of x given ``y = x + sigma epsilon``, from a network that predicts what it likes.

    x has variance 1. The network sees ``z = alpha y`` of variance 1 and a time that is linear in
    log sigma. With ``v`` this is the preconditioning of Karras et al. (their F is -v): the skip and
    output factors follow.

    Source: Karras et al. 2022, arXiv:2206.00364, sec. 5 and table 1; Salimans & Ho 2022,
    arXiv:2202.00512, sec. 4 (what can be predicted).

    Args:
        network: Maps z [B, *event], time [B] and label [B] or None to [B, *event].
        prediction: What its output is taken for: ``epsilon``, ``x``, ``v`` or ``score``.
        classes: Number K of labels; 0: none are taken.

    Raises:
        ValueError: If classes is negative.

    Example:
        >>> from ancestral.nn import TimedMLP
        >>> denoiser = Denoiser(TimedMLP(2))
        >>> denoiser(torch.ones(5, 2), torch.ones(5))[0].detach()
        tensor([0.5000, 0.5000])
    """

    def __init__(
        self,
        network: nn.Module,
        *,
        prediction: Quantity = "v",
        classes: int = 0,
    ) -> None:
        super().__init__()
        if classes < 0:
            raise ValueError(f"classes must be at least 0, got {classes}")
        self.network = network
        self.prediction: Quantity = prediction
        self.classes = classes

    def forward(
        self, y: Tensor, sigma: Tensor, label: Tensor | None = None, *, scale: float = 1.0
    ) -> Tensor:
        """Return the mean of x given y, [B, *event].

        Args:
            y: x with noise, [B, *event].
            sigma: Standard deviation of the noise, above 0, [B].
            label: Class labels, int64 [B], K for none; None: none for all.
            scale: Of the guidance by the label; see :func:`~ancestral.nn.guidance.guided`.
        """
        level = NoiseLevel.preserving(sigma)
        z = rows(level.alpha, y) * y
        out = guided(self.network, z, time_of(sigma), label, scale=scale, classes=self.classes)
        return level.convert(out.to(y.dtype), z, have=self.prediction, want="x")


def time_of(sigma: Tensor) -> Tensor:
    """Return what the network sees of a noise level: 0.5 where noise and data are as large.

    It is from 0 to 1 for noise from a thousandth to a thousand times the data.
    """
    return sigma.log() / _DECADES + 0.5


class Spread(nn.Module):
    """How far x is from its denoised mean: a learned standard deviation for each noise level.

    It is in proportion to what it would be were x ~ Normal(0, I), ``sigma / sqrt(1 + sigma^2)``;
    the logarithm of the factor is linear between knots that are even in log sigma.

    Source: Bao et al. 2022, Analytic-DPM, arXiv:2201.06503, theorem 1: the mean squared error is
    the best variance. Here it is the maximum-likelihood one.

    Example:
        >>> Spread()(torch.tensor([1.0])).detach()
        tensor([0.7071])
    """

    def __init__(self) -> None:
        super().__init__()
        self.log_factor = nn.Parameter(torch.zeros(_KNOTS))

    def forward(self, sigma: Tensor) -> Tensor:
        """Return the standard deviation of each x, [B], for noise of sigma [B]."""
        place = (sigma.log() * 2 + (_KNOTS - 1) / 2).clamp(0, _KNOTS - 1)
        low = place.floor().clamp(max=_KNOTS - 2)
        at = low.long()
        factor = torch.lerp(self.log_factor[at], self.log_factor[at + 1], (place - low))
        return sigma * (1 + sigma.square()).rsqrt() * factor.exp()


class Denoised(nn.Module):
    """x given y as a Normal: the denoiser's mean and the level's spread.

    Args:
        denoiser: The mean.
        spread: The standard deviation.
    """

    def __init__(self, denoiser: Denoiser, spread: Spread) -> None:
        super().__init__()
        self.denoiser, self.spread = denoiser, spread

    def forward(self, y: Tensor, sigma: Tensor, label: Tensor | None = None) -> Normal:
        """Return p(x | y, label), batch shape [B, *event]."""
        mean = self.denoiser(y, sigma, label)
        std = rows(self.spread(sigma), mean).expand_as(mean)
        return Normal(mean, std, validate_args=False)
