"""Ordinary differential equations: solvers, and the density that a velocity carries along.

A velocity is a function ``velocity(x, t)`` of points x [B, *D] and their times t [B]. A solver
follows ``dx/dt = velocity(x, t)`` through a sequence of times, forwards or backwards; a method is
a tableau of numbers. Everything can be differentiated through.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeAlias

import torch
from torch import Tensor
from torch.func import vmap

from ancestral.errors import DivergenceError
from ancestral.networks.sampling import last_of
from ancestral.nn.forward_mode import directional

Velocity: TypeAlias = Callable[[Tensor, Tensor], Tensor]
"""Maps points [B, *D] and times [B] to velocities [B, *D]."""

Divergence: TypeAlias = Callable[[Velocity, Tensor, Tensor], tuple[Tensor, Tensor]]
"""Maps a velocity, points and times to the velocities [B, *D] and their divergences [B]."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tableau:
    """An explicit Runge-Kutta method of s stages.

    Args:
        order: The error of a whole way falls with the step to this power.
        nodes: When each stage after the first is evaluated, in steps.
        stages: Weights of the stages before each of those.
        weights: Of all stages, in the step that is made.
        lower: Of all stages, in a step of lower order: the difference estimates the error. Empty
            where there is none. The last stage is then where the step ends, and so the first of
            the next step.
    """

    order: int
    nodes: tuple[float, ...] = ()
    stages: tuple[tuple[float, ...], ...] = ()
    weights: tuple[float, ...]
    lower: tuple[float, ...] = ()

    @property
    def evaluations(self) -> int:
        """Evaluations of the velocity in one step."""
        return len(self.weights) - bool(self.lower)


METHODS: dict[str, Tableau] = {
    "euler": Tableau(order=1, weights=(1.0,)),
    "heun": Tableau(order=2, nodes=(1.0,), stages=((1.0,),), weights=(0.5, 0.5)),
    "rk4": Tableau(
        order=4,
        nodes=(0.5, 0.5, 1.0),
        stages=((0.5,), (0.0, 0.5), (0.0, 0.0, 1.0)),
        weights=(1 / 6, 1 / 3, 1 / 3, 1 / 6),
    ),
    "dopri5": Tableau(
        order=5,
        nodes=(1 / 5, 3 / 10, 4 / 5, 8 / 9, 1.0, 1.0),
        stages=(
            (1 / 5,),
            (3 / 40, 9 / 40),
            (44 / 45, -56 / 15, 32 / 9),
            (19372 / 6561, -25360 / 2187, 64448 / 6561, -212 / 729),
            (9017 / 3168, -355 / 33, 46732 / 5247, 49 / 176, -5103 / 18656),
            (35 / 384, 0.0, 500 / 1113, 125 / 192, -2187 / 6784, 11 / 84),
        ),
        weights=(35 / 384, 0.0, 500 / 1113, 125 / 192, -2187 / 6784, 11 / 84, 0.0),
        lower=(
            *(5179 / 57600, 0.0, 7571 / 16695, 393 / 640),
            *(-92097 / 339200, 187 / 2100, 1 / 40),
        ),
    ),
}
"""The methods with fixed steps. Source: Hairer, Norsett & Wanner 1993, Solving Ordinary
Differential Equations I, sec. II.1; Dormand & Prince's pair of orders 5 and 4: sec. II.5."""

SOLVERS = (*METHODS, "adaptive")
"""Names of what :func:`integrate` knows: ``adaptive`` is ``dopri5`` with steps by its error."""

_MOST_STEPS = 10_000


def even(steps: int, start: float = 0.0, end: float = 1.0) -> tuple[float, ...]:
    """Return the times of equal steps from start to end, both included.

    Raises:
        ValueError: If there is no step.
    """
    if steps < 1:
        raise ValueError(f"steps must be at least 1, got {steps}")
    return tuple(start + (end - start) * number / steps for number in range(steps + 1))


def shortening(steps: int, power: float) -> tuple[float, ...]:
    """Return the times of steps from 0 to 1, each shorter than the one before: 1 - (1 - s)^power.

    Args:
        steps: Their number, at least 1.
        power: 1 of equal steps, above 1 of shorter ones at the data.

    Raises:
        ValueError: If there is no step.

    Example:
        >>> shortening(4, 2.0)
        (0.0, 0.4375, 0.75, 0.9375, 1.0)
    """
    return tuple(1 - (1 - s) ** power for s in even(steps))


def integrate(
    velocity: Velocity,
    x: Tensor,
    times: Sequence[float],
    *,
    method: str = "heun",
    tolerance: float = 1e-6,
) -> Tensor:
    """Return where each point is at the last of the times.

    Args:
        velocity: The field that is followed.
        x: Points at the first time, [B, *D].
        times: The ends of the steps, in order, at least two; the adaptive method makes its own
            steps between them.
        method: One of ``SOLVERS``.
        tolerance: Of the adaptive method: the error allowed in one step, in units of x and
            relative to it; root mean square over the coordinates of the worst point.

    Raises:
        ValueError: If there are fewer than two times or no such method.
        DivergenceError: If the adaptive method cannot keep to its tolerance.

    Example:
        >>> x = integrate(lambda x, t: -x, torch.ones(1, 1), even(10), method="rk4")
        >>> round(x.item(), 4)
        0.3679
    """
    return last_of(walk(velocity, x, times, method=method, tolerance=tolerance))


def walk(
    velocity: Velocity,
    x: Tensor,
    times: Sequence[float],
    *,
    method: str = "heun",
    tolerance: float = 1e-6,
) -> Iterator[Tensor]:
    """Yield where the points are at each of the times after the first; as :func:`integrate`."""
    if len(times) < 2:
        raise ValueError(f"steps must be at least 1, got {len(times) - 1}")
    if method not in SOLVERS:
        raise ValueError(f"method must be one of {', '.join(SOLVERS)}, got {method!r}")
    if method == "adaptive":
        yield from _adapt(velocity, x, times, tolerance)
        return
    tableau, first = METHODS[method], None
    for start, end in pairwise(times):
        slopes = _slopes(tableau, velocity, x, start, end - start, first)
        x = x.add(_weighted(tableau.weights, slopes), alpha=end - start)
        first = slopes[-1] if tableau.lower else None
        yield x


def integrate_with_log_det(
    velocity: Velocity,
    x: Tensor,
    times: Sequence[float],
    *,
    divergence: Divergence,
    method: str = "adaptive",
    tolerance: float = 1e-6,
) -> tuple[Tensor, Tensor]:
    """Return the points at the last time and log |det| of the Jacobian of the way, nats, [B].

    The density changes along the way by ``d log p(x(t)) / dt = -div velocity``. It is as exact as
    the divergence and the solver.

    Source: Chen et al. 2018, Neural Ordinary Differential Equations, arXiv:1806.07366, eq. 8;
    Grathwohl et al. 2019, FFJORD, arXiv:1810.01367.

    Args:
        velocity: The field that is followed.
        x: Points at the first time, [B, *D].
        times: As of :func:`integrate`.
        divergence: :func:`exact_divergence`, or :func:`hutchinson_divergence` of some noise.
        method: As of :func:`integrate`.
        tolerance: As of :func:`integrate`; it holds for the logarithm, too.

    Example:
        >>> way = integrate_with_log_det(
        ...     lambda x, t: -x, torch.ones(1, 2), (0.0, 1.0), divergence=exact_divergence
        ... )
        >>> round(way[1].item(), 4)
        -2.0
    """
    event = x.shape[1:]

    def slope(state: Tensor, t: Tensor) -> Tensor:
        value, trace = divergence(velocity, state[:, :-1].unflatten(1, event), t)
        return torch.cat((value.flatten(start_dim=1), trace[:, None]), dim=1)

    state = torch.cat((x.flatten(start_dim=1), x.new_zeros(len(x), 1)), dim=1)
    state = integrate(slope, state, times, method=method, tolerance=tolerance)
    return state[:, :-1].unflatten(1, event), state[:, -1]


def exact_divergence(velocity: Velocity, x: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
    """Return velocities [B, *D] and the exact trace of each Jacobian [B], by forward mode.

    It costs as much as one evaluation a coordinate. No point may see another.
    """
    axes = torch.eye(x[0].numel(), dtype=x.dtype, device=x.device).unflatten(1, x.shape[1:])

    def along(axis: Tensor) -> tuple[Tensor, Tensor]:
        value, slope = directional(lambda at: velocity(at, t), (x,), (axis.expand_as(x),))
        return value, (slope * axis).flatten(start_dim=1).sum(1)

    # The value is one for all axes; torch's types know numbers alone.
    value, slopes = vmap(along, out_dims=(None, 0))(axes)  # pyright: ignore[reportArgumentType]
    return value, slopes.sum(0)


def hutchinson_divergence(noise: Tensor) -> Divergence:
    """Return an unbiased estimate of the divergence by one evaluation: ``noise . J noise``.

    The noise, [B, *D], has independent coordinates of mean 0 and variance 1 (signs have the least
    variance) and is kept along the way, so that the way's log-determinant is unbiased, too.

    Source: Hutchinson 1990, A stochastic estimator of the trace of the influence matrix;
    Grathwohl et al. 2019, FFJORD, arXiv:1810.01367, sec. 3.1.
    """

    def divergence(velocity: Velocity, x: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
        value, slope = directional(lambda at: velocity(at, t), (x,), (noise,))
        return value, (slope * noise).flatten(start_dim=1).sum(1)

    return divergence


def _slopes(
    tableau: Tableau,
    velocity: Velocity,
    x: Tensor,
    t: float,
    h: float,
    first: Tensor | None = None,
) -> list[Tensor]:
    """Return the velocity at each stage of a step of h; the first may be known."""
    slopes = [velocity(x, for_rows(t, x)) if first is None else first]
    for node, weights in zip(tableau.nodes, tableau.stages, strict=True):
        at = x.add(_weighted(weights, slopes), alpha=h)
        slopes.append(velocity(at, for_rows(t + node * h, x)))
    return slopes


def for_rows(t: float, x: Tensor) -> Tensor:
    """Return a number as one for each row of x [B, *D], [B], without a copy of it for each."""
    return x.new_full((), t).expand(len(x))


def _weighted(weights: Sequence[float], slopes: Sequence[Tensor]) -> Tensor:
    used = [(weight, slope) for weight, slope in zip(weights, slopes, strict=True) if weight]
    if len(used) == 1 and used[0][0] == 1:
        return used[0][1]
    total = used[0][0] * used[0][1]
    for weight, slope in used[1:]:
        total = total.add(slope, alpha=weight)
    return total


def _adapt(
    velocity: Velocity, x: Tensor, times: Sequence[float], tolerance: float
) -> Iterator[Tensor]:
    """Yield the points at each time after the first, by steps that keep to the tolerance."""
    tableau = METHODS["dopri5"]
    error_weights = [a - b for a, b in zip(tableau.weights, tableau.lower, strict=True)]
    t, first = times[0], velocity(x, for_rows(times[0], x))
    h = _first_step(x, first, times[-1] - t, tolerance)
    tries = 0
    for end in times[1:]:
        while t != end:
            step = end - t if abs(h) >= abs(end - t) else h
            if (tries := tries + 1) > _MOST_STEPS or t + step == t:
                raise DivergenceError(
                    f"the solver cannot keep to a tolerance of {tolerance:g}: the velocity is not "
                    "finite, or changes too fast; take a method with fixed steps"
                )
            slopes = _slopes(tableau, velocity, x, t, step, first)
            ahead = x.add(_weighted(tableau.weights, slopes), alpha=step)
            error = step * _weighted(error_weights, slopes)
            ratio = _worst(error, torch.maximum(x.abs(), ahead.abs()), tolerance)
            if ratio <= 1:
                t, x, first = (end if step == end - t else t + step), ahead, slopes[-1]
            # A step is at most ten times the one before it, at least a fifth; 0.9 leaves room.
            factor = min(10.0, max(0.2, 0.9 * max(ratio, 1e-10) ** -0.2))
            if ratio > 1 or step == h:
                h = step * factor
        yield x


@torch.no_grad()
def _worst(error: Tensor, size: Tensor, tolerance: float) -> float:
    """Return the largest error of a point in units of what is allowed; NaN counts as infinite."""
    scaled = (error / (tolerance * (1 + size))).flatten(start_dim=1)
    return scaled.square().mean(1).max().sqrt().nan_to_num(nan=math.inf, posinf=math.inf).item()


def _first_step(x: Tensor, slope: Tensor, whole: float, tolerance: float) -> float:
    """Return a first step of which Euler's error is about small enough, at most the whole way."""
    steepest = _worst(slope, x.abs(), tolerance)
    size = 1.0 if steepest == 0 else 0.01 / (steepest * tolerance)
    return math.copysign(min(abs(whole), size), whole)
