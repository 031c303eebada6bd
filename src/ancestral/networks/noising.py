"""Noise that keeps the variance, and its reverse: the steps that diffusion chains share."""

import math

import torch
from torch import Tensor, nn
from torch.distributions import Distribution, Independent, Normal
from torch.nn import functional
from torch.types import _size

from ancestral.networks.arguments import check_whole


class FixedSchedule(nn.Module):
    """The shares of the data's variance that are kept at t = 0..T, given once.

    Args:
        kept: From 1, falling, above 0, float64 [T + 1].

    Raises:
        ValueError: If they are no such numbers.

    Example:
        >>> cosine_schedule(4)().round(decimals=2)
        tensor([1.0000, 0.9000, 0.6500, 0.3500, 0.1000], dtype=torch.float64)
    """

    kept: Tensor

    def __init__(self, kept: Tensor) -> None:
        super().__init__()
        if kept.ndim != 1 or len(kept) < 2 or float(kept[0]) != 1:
            raise ValueError(f"kept must begin with 1 and hold a share for each step, got {kept}")
        if not bool((kept.diff() < 0).all()) or not float(kept[-1]) > 0:
            raise ValueError(f"kept must fall and stay above 0, got {kept}")
        self.steps = len(kept) - 1
        self.register_buffer("kept", kept.double(), persistent=False)

    def forward(self) -> Tensor:
        """Return the shares, float64 [T + 1]."""
        return self.kept


def cosine_schedule(steps: int, *, lowest: float = 0.0) -> FixedSchedule:
    """Return shares that fall as a squared cosine.

    Source: Nichol & Dhariwal 2021, arXiv:2102.09672, eq. 17, whose s is 0 here: the first level
    is that of one step.

    Args:
        steps: Number of steps T, at least 1.
        lowest: Noise in units of the data at t = 1; 0: that of one even step. Of values that are
            recorded in steps, noise far below a step tells nothing and costs the bound much.
    """
    check_whole("steps", steps)
    angle = torch.arange(steps + 1, dtype=torch.float64) / (steps + 1) * torch.pi / 2
    if lowest and steps > 1:
        angle[1:] = torch.linspace(math.atan(lowest), angle[-1].item(), steps)
    return FixedSchedule(angle.cos().square())


def linear_schedule(steps: int) -> FixedSchedule:
    """Return shares of which each step takes a part that grows evenly, 1e-4 to 0.02 of 1000.

    Of T steps each takes 1000 / T times as much, so that as little is left at the end.

    Source: Ho, Jain & Abbeel 2020, arXiv:2006.11239, sec. 4.

    Raises:
        ValueError: If steps is below 21: a step would take more than there is.
    """
    check_whole("steps", steps, least=21)
    taken = torch.linspace(1e-4, 0.02, steps, dtype=torch.float64) * (1000 / steps)
    kept = torch.cat((torch.ones(1, dtype=torch.float64), (1 - taken).cumprod(0)))
    return FixedSchedule(kept)


class LearnedSchedule(nn.Module):
    """Shares whose log-odds fall by learned amounts; it begins as the cosine.

    Source: Kingma et al. 2021, Variational Diffusion Models, arXiv:2107.00630, sec. 3.2 and app. H:
    the monotone function is piecewise linear here, a piece a step.

    Args:
        steps: Number of steps T, at least 2.
        lowest: Of the cosine at which it begins.

    Example:
        >>> schedule = LearnedSchedule(10)
        >>> torch.allclose(schedule(), cosine_schedule(10)(), atol=1e-6)
        True
    """

    def __init__(self, steps: int, *, lowest: float = 0.0) -> None:
        super().__init__()
        check_whole("steps", steps, least=2)
        self.steps = steps
        log_odds = -cosine_schedule(steps, lowest=lowest)()[1:].logit()
        pieces = log_odds.diff()
        # The inverse of the softplus, in a form that does not overflow.
        raw = pieces + torch.log(-torch.expm1(-pieces))
        self.first = nn.Parameter(log_odds[0].float())
        self.raw = nn.Parameter(raw.float())

    def forward(self) -> Tensor:
        """Return the shares, float64 [T + 1], differentiable in the parameters."""
        rises = functional.softplus(self.raw.double()).cumsum(0)
        first = self.first.double()
        log_odds = first + torch.cat((rises.new_zeros(1), rises))
        return torch.cat((rises.new_ones(1), torch.sigmoid(-log_odds)))


class VariancePreservingStep(nn.Module):
    """``q(z_t | z_t-1) = Normal(sqrt(r_t) z_t-1, 1 - r_t)``: noise that keeps the variance at 1.

    ``kept`` holds the share of the data's variance that is left at t = 0..T, the product of the
    r_t: 1 at first and nearly 0 at last.

    Source: Ho, Jain & Abbeel 2020, arXiv:2006.11239, eq. 2, 4 and 6-7.

    Args:
        schedule: The shares, or the number of steps T of a :func:`cosine_schedule`.
        event_shape: Shape of one state.

    Example:
        >>> step = VariancePreservingStep(4, (2,))
        >>> step.jump(torch.ones(3, 2), torch.tensor([1, 2, 4])).mean[:, 0]
        tensor([0.9511, 0.8090, 0.3090])
    """

    def __init__(self, schedule: nn.Module | int, event_shape: tuple[int, ...]) -> None:
        super().__init__()
        self.schedule = cosine_schedule(schedule) if isinstance(schedule, int) else schedule
        self._tail = (1,) * len(event_shape)

    @property
    def kept(self) -> Tensor:
        """The shares at t = 0..T, float64 [T + 1]."""
        return self.schedule()

    def forward(self, z: Tensor, t: Tensor) -> Normal:
        """Return q(z_t | z_t-1), for z_t-1 [*B, *event] and t [*B]."""
        before, now = self.shares(t)
        ratio = now / before
        return _normal(ratio.sqrt() * z, 1 - ratio, z)

    def jump(self, start: Tensor, t: Tensor) -> Normal:
        """Return q(z_t | z_0)."""
        _, now = self.shares(t)
        return _normal(now.sqrt() * start, 1 - now, start)

    def posterior(self, z: Tensor, start: Tensor, t: Tensor) -> Normal:
        """Return q(z_t-1 | z_t, z_0)."""
        of_start, of_z, variance = self.posterior_factors(t)
        return _normal(of_start * start + of_z * z, variance, z)

    def posterior_factors(self, t: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return of q(z_t-1 | z_t, z_0) the factors of z_0 and z_t, and the variance."""
        before, now = self.shares(t)
        ratio = now / before
        of_start = before.sqrt() * (1 - ratio) / (1 - now)
        of_z = ratio.sqrt() * (1 - before) / (1 - now)
        return of_start, of_z, (1 - before) * (1 - ratio) / (1 - now)

    def shares(self, t: Tensor) -> tuple[Tensor, Tensor]:
        """Return the shares that are kept at t - 1 and at t, [*B, 1, ...], float64."""
        kept = self.kept
        before, now = (kept[at].reshape(*t.shape, *self._tail) for at in (t - 1, t))
        return before, now

    def ratio(self, t: Tensor) -> Tensor:
        """Return the noise at t in units of the data, sqrt((1 - kept) / kept), float64 [*B]."""
        kept = self.kept[t]
        return ((1 - kept) / kept).sqrt()


class DenoisingStep(nn.Module):
    """``p(z_t-1 | z_t)``: the posterior of q, averaged over what a denoiser says of x.

    With ``x | z_t ~ Normal(m, s^2)`` it is ``E_x q(z_t-1 | z_t, x)``, a Gaussian again; at t = 1,
    where the posterior is a point, it is that of the denoiser itself. So it is the exact reverse
    where the denoiser's law is; with s = 0 it is the one of Ho et al. with the smaller variance.

    Source: Ho, Jain & Abbeel 2020, arXiv:2006.11239, eq. 6-7; Bao et al. 2022, Analytic-DPM,
    arXiv:2201.06503, theorem 1 (the best s).

    Args:
        noise: The step of q.
        denoiser: Called with ``y = x + sigma epsilon`` [R, *event], sigma [R] and the chain's
            inputs; returns the Normal of x given y.
        levels: x are that many grey levels, evenly on [-1, 1], of which p(x | z_1) has a mass
            each; 0: x are real numbers.

    Example:
        >>> class Zeros(nn.Module):
        ...     def forward(self, y, sigma):
        ...         return Normal(torch.zeros_like(y), torch.ones_like(y))
        >>> step = DenoisingStep(VariancePreservingStep(4, (2,)), Zeros())
        >>> step(torch.ones(3, 2), torch.tensor([1, 2, 4])).mean[:, 0]
        tensor([0.0000, 0.2351, 0.3804])
    """

    def __init__(
        self, noise: VariancePreservingStep, denoiser: nn.Module, *, levels: int = 0
    ) -> None:
        super().__init__()
        self.noise, self.denoiser, self.levels = noise, denoiser, levels

    def forward(self, z: Tensor, t: Tensor, *inputs: Tensor) -> Normal:
        """Return p(z_t-1 | z_t) for z_t [R, *event], t [R] from 1 to T."""
        alpha = self.noise.shares(t)[1].sqrt()
        sigma = self.noise.ratio(t).to(z.dtype)
        x = self.denoiser((z / alpha).to(z.dtype), sigma, *inputs)
        base = x.base_dist if isinstance(x, Independent) else x
        of_start, of_z, variance = self.noise.posterior_factors(t)
        mean = of_start * base.loc + of_z * z
        variance = variance + (of_start * base.scale).square()
        if not self.levels:
            return _normal(mean, variance, z)
        return GreyNormal(mean.to(z), variance.sqrt().to(z), (t == 1).view_as(alpha), self.levels)


class GreyNormal(Normal):
    """A Normal that, where ``grey``, is read at grey levels: the mass of the level's cell.

    The levels lie evenly on [-1, 1]; the tails belong to the first and the last. Draws are those of
    the Normal: the nearest level is the one that is meant.

    Source: Ho, Jain & Abbeel 2020, arXiv:2006.11239, eq. 13.

    Args:
        loc: Means, [*B].
        scale: Standard deviations, [*B].
        grey: Where it is, bool, broadcastable to [*B].
        levels: Number of levels, at least 2.
    """

    def __init__(self, loc: Tensor, scale: Tensor, grey: Tensor, levels: int) -> None:
        super().__init__(loc, scale, validate_args=False)
        self.grey, self.levels = grey, levels

    def expand(self, batch_shape: _size, _instance: Distribution | None = None) -> "GreyNormal":
        """Return the same for more rows."""
        loc, scale = self.loc.expand(batch_shape), self.scale.expand(batch_shape)
        return GreyNormal(loc, scale, self.grey, self.levels)

    def log_prob(self, value: Tensor) -> Tensor:
        """Return log-densities, or of grey levels log-masses, nats, [*sample, *B]."""
        half = 1 / (self.levels - 1)
        off = (value - self.loc) / self.scale
        away, wide = off.abs(), half / self.scale
        # From the nearer tail, where the difference of two masses keeps its digits.
        low = torch.special.log_ndtr(wide - away)
        high = torch.special.log_ndtr(-wide - away)
        inside = low + torch.log(-torch.expm1((high - low).clamp(max=-1e-7)))
        outside = torch.special.log_ndtr(wide - value.sign() * off)
        whole = torch.where(value.abs() > 1 - half, outside, inside)
        return torch.where(self.grey, whole, super().log_prob(value))


def _normal(mean: Tensor, variance: Tensor, like: Tensor) -> Normal:
    std = variance.sqrt().expand_as(mean)
    return Normal(mean.to(like), std.to(like), validate_args=False)


def term_chances(kept: Tensor, *, first: float = 0.1) -> Tensor:
    """Return P(t) for t = 1..T in proportion to what a step changes of the log signal-to-noise.

    The terms of the bound are of about that size, so that terms drawn by it, and divided by it,
    differ least. That of t = 1, which has no such size, gets the chance ``first``.

    Args:
        kept: The shares kept at t = 0..T, [T + 1].
        first: In (0, 1).
    """
    if len(kept) == 2:
        return torch.ones_like(kept[1:])
    falls = -kept[1:].logit().diff()
    return torch.cat((falls.new_tensor([first]), (1 - first) * falls / falls.sum()))
