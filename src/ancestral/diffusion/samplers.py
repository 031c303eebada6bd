"""Samplers: functions of a denoiser and a row of noise levels, each the same few lines for all.

Everything is told in one pair of coordinates, Karras et al.'s: ``y = x + sigma epsilon``, with the
denoiser ``denoise(y, sigma) = E[x | y]``. The chain that keeps the variance has z = alpha y; its
DDIM is Euler's method here, its DDPM the exact posterior between two levels.

A sampler yields y after each step; the last, at level 0, is a draw of x. The number of evaluations
of the denoiser is one a step, of ``heun`` and ``churn`` two but for the last step, of ``langevin``
and ``repaint`` five, too.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import pairwise
from typing import TypeAlias

import torch
from torch import Generator, Tensor

from ancestral.diffusion.levels import check_levels
from ancestral.networks import ode

Denoise: TypeAlias = Callable[[Tensor, Tensor], Tensor]
"""Maps y [B, *event] and its noise level, sigma [B], to the mean of x given y, [B, *event]."""

Sampler: TypeAlias = Callable[..., Iterator[Tensor]]
"""``sampler(denoise, y, levels, generator=)``."""


def exponential(
    denoise: Denoise,
    y: Tensor,
    levels: Sequence[float],
    *,
    order: int = 1,
    noise: float = 0.0,
    repeats: int = 1,
    generator: Generator | None = None,
) -> Iterator[Tensor]:
    """Step by the exact solution for a denoiser that stays as it is, or goes on as it went.

    Order 1 is DDIM without noise and, with noise 1, DDPM: each step is a draw of
    q(y at the next level | y, x = denoised). Order 2 goes on along the line through the last two
    denoised points in log sigma: DPM-Solver++(2M), and with noise 1 its variant for the SDE.

    Source: Song, Meng & Ermon 2021, DDIM, arXiv:2010.02502, eq. 12; Lu et al. 2022,
    DPM-Solver++, arXiv:2211.01095, alg. 2 and app. on the SDE.

    Args:
        denoise: The denoiser.
        y: At the first level, [B, *event].
        levels: Falling to 0, [N + 1].
        order: 1 or 2.
        noise: Share of the posterior's noise that is added, in [0, 1]: DDIM's eta.
        repeats: How often each step is made, with the noise of going back up in between: what is
            known of x then fits what is not (RePaint).
        generator: Source of the noise; torch's global one if None.
    """
    before: tuple[Tensor, float] | None = None
    for now, then in pairwise(levels):
        for number in range(repeats if then else 1):
            if number:
                y = _with_noise(y, math.sqrt(now**2 - then**2), generator)
            x = denoise(y, ode.for_rows(now, y))
            if then == 0:
                y = x
                break
            way, toward = math.log(now / then), x
            if order == 2 and before is not None:
                last, gone = before
                toward = torch.lerp(last, x, 1 + way / (2 * gone))
            before = x, way
            fresh = then * math.sqrt(1 - (then / now) ** 2) * noise
            # The distance to x that is left of the old noise, beside the fresh one.
            y = torch.lerp(toward, y, math.sqrt(then**2 - fresh**2) / now)
            if fresh:
                y = _with_noise(y, fresh, generator)
        yield y


def runge_kutta(
    denoise: Denoise,
    y: Tensor,
    levels: Sequence[float],
    *,
    method: str = "heun",
    generator: Generator | None = None,
) -> Iterator[Tensor]:
    """Solve the probability-flow ODE ``dy / dsigma = (y - denoise) / sigma`` by a tableau.

    The step to level 0, where the slope is not defined, is Euler's: it ends at what is denoised.

    Source: Karras et al. 2022, arXiv:2206.00364, alg. 1 (Heun).

    Args:
        denoise: The denoiser.
        y: At the first level, [B, *event].
        levels: Falling to 0, [N + 1].
        method: One of :data:`ancestral.networks.ode.SOLVERS`.
        generator: Not used: nothing is drawn.
    """
    del generator
    if len(levels) > 2:
        for state in ode.walk(flow(denoise), y, levels[:-1], method=method):
            y = state
            yield y
    yield denoise(y, ode.for_rows(levels[-2], y))


def flow(denoise: Denoise) -> ode.Velocity:
    """Return the velocity of the probability-flow ODE, whose time is the noise level.

    Source: Song et al. 2021, arXiv:2011.13456, eq. 13; Karras et al. 2022, arXiv:2206.00364, eq. 3.
    """

    def velocity(y: Tensor, sigma: Tensor) -> Tensor:
        return (y - denoise(y, sigma)) / sigma.reshape(-1, *[1] * (y.ndim - 1))

    return velocity


def churn(
    denoise: Denoise,
    y: Tensor,
    levels: Sequence[float],
    *,
    amount: float = 40.0,
    generator: Generator | None = None,
) -> Iterator[Tensor]:
    """Before each of Heun's steps go up a little in noise: errors of earlier steps are forgotten.

    Source: Karras et al. 2022, arXiv:2206.00364, alg. 2, without limits on the levels.

    Args:
        denoise: The denoiser.
        y: At the first level, [B, *event].
        levels: Falling to 0, [N + 1].
        amount: S_churn: noise added in all, in steps of which each adds at most sqrt(2) - 1.
        generator: Source of the noise; torch's global one if None.
    """
    rise = min(amount / (len(levels) - 1), math.sqrt(2) - 1)
    for now, then in pairwise(levels):
        high = now * (1 + rise)
        y = _with_noise(y, math.sqrt(high**2 - now**2), generator)
        (y,) = (
            runge_kutta(denoise, y, (high, then), method="heun")
            if then == 0
            else (ode.integrate(flow(denoise), y, (high, then), method="heun"),)
        )
        yield y


def euler_maruyama(
    denoise: Denoise,
    y: Tensor,
    levels: Sequence[float],
    *,
    generator: Generator | None = None,
) -> Iterator[Tensor]:
    """Solve the reverse SDE ``dy = -2 sigma score dsigma + sqrt(2 sigma) dw`` by even steps.

    In steps of sigma^2: the reverse diffusion sampler of exploding variance. The step to level 0
    adds no noise.

    Source: Song et al. 2021, arXiv:2011.13456, eq. 6 and app. D-E.
    """
    for now, then in pairwise(levels):
        x = denoise(y, ode.for_rows(now, y))
        y = torch.lerp(x, y, (then / now) ** 2)
        if then:
            y = _with_noise(y, math.sqrt(now**2 - then**2), generator)
        yield y


def langevin(
    denoise: Denoise,
    y: Tensor,
    levels: Sequence[float],
    *,
    moves: int = 5,
    size: float = 0.2,
    generator: Generator | None = None,
) -> Iterator[Tensor]:
    """Annealed Langevin dynamics: at each next level some steps up the score, with noise.

    A step is ``y + size sigma^2 score + sqrt(2 size - size^2) sigma epsilon``, which leaves noise
    of sigma around one point as it is, whatever the size; the last ends at what is denoised. It
    uses the score alone, no link from one level to the next: ``moves`` evaluations a level.

    Source: Song & Ermon 2019, Generative Modeling by Estimating Gradients of the Data Distribution,
    arXiv:1907.05600, alg. 1.

    Args:
        denoise: The denoiser.
        y: At the first level, [B, *event].
        levels: Falling to 0, [N + 1].
        moves: Steps at each level, at least 1.
        size: Of a step, in units of sigma^2, in (0, 1).
        generator: Source of the noise; torch's global one if None.
    """
    for now, then in pairwise(levels):
        for _ in range(moves if then else 0):
            y = torch.lerp(y, denoise(y, ode.for_rows(then, y)), size)
            y = _with_noise(y, math.sqrt(2 * size - size**2) * then, generator)
        yield y if then else denoise(y, ode.for_rows(now, y))


SAMPLERS: dict[str, Sampler] = {
    "ancestral": partial(exponential, noise=1.0),
    "ddim": exponential,
    "euler": partial(runge_kutta, method="euler"),
    "heun": partial(runge_kutta, method="heun"),
    "dpmpp-2m": partial(exponential, order=2),
    "sde-dpmpp-2m": partial(exponential, order=2, noise=1.0),
    "euler-maruyama": euler_maruyama,
    "churn": churn,
    "langevin": langevin,
    "repaint": partial(exponential, noise=1.0, repeats=5),
}
"""The samplers by name. In these coordinates ``euler`` is ``ddim``."""


def walk(
    sampler: str | Sampler,
    denoise: Denoise,
    levels: Sequence[float],
    shape: Sequence[int],
    *,
    like: Tensor,
    generator: Generator | None = None,
) -> Iterator[Tensor]:
    """Yield noise at the first level, then y after each step, [B, *event]; the last is a draw of x.

    The noise has the variance ``1 + sigma^2`` of data of variance 1: that of the chain's
    Normal(0, I) at its end.

    Args:
        sampler: One of ``SAMPLERS``, or a function like them.
        denoise: The denoiser.
        levels: Falling to 0, [N + 1].
        shape: [B, *event].
        like: Of the dtype and the device of the draws.
        generator: Source of all noise; torch's global one if None.

    Raises:
        ValueError: If there is no such sampler, or the levels do not fall to 0.

    Example:
        >>> normal = lambda y, sigma: y / (1 + sigma[:, None] ** 2)
        >>> path = [*walk("heun", normal, (80.0, 5.0, 0.5, 0.0), (5, 2), like=torch.zeros(()))]
        >>> len(path), path[-1].shape
        (4, torch.Size([5, 2]))
    """
    check_levels(levels)
    if isinstance(sampler, str):
        if sampler not in SAMPLERS:
            raise ValueError(f"sampler must be one of {', '.join(SAMPLERS)}, got {sampler!r}")
        sampler = SAMPLERS[sampler]
    start = torch.randn(tuple(shape), generator=generator, dtype=like.dtype, device=like.device)
    y = start * math.sqrt(1 + levels[0] ** 2)
    yield y
    yield from sampler(denoise, y, levels, generator=generator)


def evaluations(sampler: str, steps: int) -> int:
    """Return how often a sampler evaluates the denoiser in so many steps.

    Example:
        >>> evaluations("dpmpp-2m", 20), evaluations("heun", 10)
        (20, 19)
    """
    if sampler in ("langevin", "repaint"):  # Five a step, and one in the last.
        return 5 * steps - 4
    return 2 * steps - 1 if sampler in ("heun", "churn") else steps


def _with_noise(y: Tensor, scale: float, generator: Generator | None) -> Tensor:
    fresh = torch.randn(y.shape, generator=generator, dtype=y.dtype, device=y.device)
    return y.add(fresh, alpha=scale)
