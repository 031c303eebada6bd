"""What chains of dependent draws are worth: R-hat, effective sample size, honest errors."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from ancestral.information import Quantity


@dataclass(frozen=True, slots=True)
class Chains:
    """Draws of C chains side by side, [S, C, *event], and the share that each accepted, [C]."""

    draws: Tensor
    acceptance: Tensor

    def r_hat(self) -> Tensor:
        """Return :func:`r_hat` of the draws, [*event]."""
        return r_hat(self.draws)

    def effective_size(self) -> Tensor:
        """Return :func:`effective_size` of the draws, [*event]."""
        return effective_size(self.draws)

    def mean(self, f: Callable[[Tensor], Tensor] | None = None) -> Quantity:
        """Return the mean of f(x), [S, C, *F], or of x; its error is sd / sqrt(effective size)."""
        values = (self.draws if f is None else f(self.draws)).double()
        spread = values.flatten(0, 1).std(dim=0)
        return Quantity(values.mean(dim=(0, 1)), spread / effective_size(values).sqrt(), "estimate")


def r_hat(draws: Tensor) -> Tensor:
    """Return the split potential scale reduction: near 1 if the chains agree, above 1.01 if not.

    Each chain is cut in half, so that one chain that drifts disagrees with itself.

    Source: Gelman et al. 2013, Bayesian Data Analysis, sec. 11.4; Vehtari et al. 2021,
    arXiv:1903.08008, eq. 3 (without ranks).

    Returns:
        For each coordinate of draws [S, C, *event], [*event]; NaN where all draws are equal, +inf
        where every half stands still at its own value.

    Raises:
        ValueError: If S < 4.
    """
    halves = _halves(draws)
    n = len(halves)
    rounding = _rounding(halves)
    within = _above(halves.var(dim=0).mean(dim=0), rounding)
    between = _above(halves.mean(dim=0).var(dim=0), rounding)
    return (((n - 1) / n * within + between) / within).sqrt().reshape(draws.shape[2:])


def effective_size(draws: Tensor) -> Tensor:
    """Return how many independent draws give a mean of the same error.

    Autocorrelations of all lags by Fourier transform, summed while neighbouring pairs are
    positive, and kept from rising (Geyer's initial monotone sequence).

    Source: Geyer 1992, Practical Markov chain Monte Carlo; Vehtari et al. 2021, arXiv:1903.08008,
    eq. 10-13.

    Returns:
        For each coordinate of draws [S, C, *event], [*event], at most S C log10(S C); NaN where
        all draws are equal.

    Raises:
        ValueError: If S < 4.
    """
    halves = _halves(draws)
    n, m = halves.shape[:2]
    centred = halves - halves.mean(dim=0)
    spectrum = torch.fft.rfft(centred, n=2 * n, dim=0).abs().square()
    covariances = torch.fft.irfft(spectrum, n=2 * n, dim=0)[:n].mean(dim=1) / n
    within = covariances[0] * n / (n - 1)
    total = _above(covariances[0] + halves.mean(dim=0).var(dim=0), _rounding(halves))
    correlations = 1 - (within - covariances) / total
    correlations[0] = 1.0
    pairs = correlations[: n // 2 * 2].unflatten(0, (n // 2, 2)).sum(dim=1)
    pairs = pairs.cummin(dim=0).values * (pairs > 0).cumprod(dim=0)
    time = (2 * pairs.sum(dim=0) - 1).clamp(min=1 / math.log10(n * m))
    return (n * m / time.where(total > 0, math.nan)).reshape(draws.shape[2:])


def _rounding(halves: Tensor) -> Tensor:
    """Return the variance, [D], below which draws vary by rounding only."""
    return (1e-13 * halves.abs().amax(dim=(0, 1))).square()


def _above(variance: Tensor, rounding: Tensor) -> Tensor:
    return variance.where(variance > rounding, 0.0)


def _halves(draws: Tensor) -> Tensor:
    """Return both halves of every chain as chains, [S // 2, 2 C, D], float64."""
    if draws.ndim < 2 or len(draws) < 4:
        raise ValueError(f"draws must be [S, C, ...] with S >= 4, got shape {list(draws.shape)}")
    length = len(draws) // 2
    flat = draws.double().reshape(*draws.shape[:2], -1)
    return torch.cat((flat[:length], flat[-length:]), dim=1)
