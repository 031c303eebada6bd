"""Integrals and sums over two laws of one number, with an error.

Densities: the line is bent so that tails and poles at the ends fall off exponentially, cut where
draws say that the laws are, and integrated adaptively (:func:`scipy.integrate.cubature`). Counts:
summed from the lowest, twice as many each time, until nothing is added.
"""

import math
from collections.abc import Callable, Iterator
from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.integrate import cubature
from torch import Generator, Tensor
from torch.distributions import Distribution

from ancestral.information.laws import bounds, is_discrete, log_prob
from ancestral.information.quantity import Quantity, draw, exact

Terms: TypeAlias = Callable[[Tensor, Tensor], Tensor]
"""Maps log p and log q at points, [K, *B], to what is summed, 0 where both laws are."""

_REACH = 200.0  # e^200 in units of the spread, and as near to an end.
_BATCH = 256
_COUNTS = 1 << 22
_DRAWS = 1001
_SHARES = (0.001, 0.01, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99, 0.999)
_PIECES = 100
_WORST = 1e-4
"""Error, of the size, above which draws are the better answer."""


@torch.no_grad()
def integral(p: Distribution, q: Distribution | None, terms: Terms) -> Quantity:
    """Return the integral of t(p(x), q(x)) dx, or the sum over counts, [*B].

    The terms are t, given the logarithms, with t(a p, a q) = a t(p, q); q is 1 everywhere if None.

    Raises:
        NotImplementedError: If a law is not of one number, or the integral is not found: draws
            must do.
    """
    laws = [p] if q is None else [p, q]
    discrete = {is_discrete(law) for law in laws}
    if discrete == {True}:
        return _sum(laws, terms)
    if discrete == {False}:
        return _Line(laws).integral(terms)
    raise NotImplementedError


def integrate(
    f: Callable[[NDArray[np.float64]], NDArray[np.float64]],
    cuts: NDArray[np.float64],
    tolerance: float,
) -> tuple[Tensor, Tensor]:
    """Return the integral and its error, [*F], of f: [K] -> [K, *F], smooth between the cuts."""
    low, width = cuts[:-1], np.diff(cuts)

    def sides(u: NDArray[np.float64]) -> NDArray[np.float64]:
        # All pieces side by side: one call is worth many, and each is halved where one must be.
        values = f((low + width * u).ravel()).reshape(len(u), len(low), -1)
        return values * width[:, None] / size

    with np.errstate(all="ignore"):
        shape, size = f(cuts[:1]).shape[1:], 1.0
        size = np.abs(sides(np.linspace(0.02, 0.98, 25)[:, None])).mean(axis=0).sum(axis=0) + 1e-290
        within = {"rtol": 0, "atol": tolerance, "max_subdivisions": _PIECES}
        result = cubature(sides, [0.0], [1.0], **within)
    sums = result.estimate.sum(axis=0), np.abs(result.error).sum(axis=0)
    estimate, error = (torch.from_numpy(x * size).reshape(shape) for x in sums)
    return estimate, error


def count_table(p: Distribution) -> tuple[Tensor, Tensor, float]:
    """Return counts of a law, [K], their probabilities, [K], and what all others weigh at most.

    Raises:
        NotImplementedError: If the law is not one of counts, or has too many.
    """
    if is_discrete(p):
        for x, whole in _windows([p]):
            masses = log_prob(p, x).exp()
            if whole or (masses.sum() > 0.5 and masses[len(x) // 2 :].sum() < 1e-14):
                return x, masses, 0.0 if whole else 1e-14
    raise NotImplementedError


def _sum(laws: list[Distribution], terms: Terms) -> Quantity:
    for x, whole in _windows(laws):
        logs = [log_prob(law, x.reshape(-1, *[1] * len(law.batch_shape))) for law in laws]
        values = terms(logs[0], logs[-1] if len(logs) > 1 else torch.zeros_like(logs[0]))
        total, size = values.sum(dim=0), values.abs().sum(dim=0)
        if whole or bool(total.isinf().all()):
            return exact(total)
        last = values[len(x) // 2 :].abs().sum(dim=0)  # What the last doubling added.
        seen = all(bool((log.exp().sum(dim=0) > 1 - 1e-9).all()) for log in logs)
        if seen and bool((last <= 1e-12 * size + 1e-15).all()):
            return Quantity(total, last + 1e-13 * (1 + size), "quadrature")
    raise NotImplementedError


def _windows(laws: list[Distribution]) -> Iterator[tuple[Tensor, bool]]:
    """Give counts that laws may have, [K], twice as many each time, and whether they are all."""
    ends = [bounds(law) for law in laws]
    low, high = min(float(end[0].min()) for end in ends), max(float(end[1].max()) for end in ends)
    size = 64
    while size * max(1, laws[0].batch_shape.numel()) <= _COUNTS and math.isfinite(low):
        x = torch.arange(low, min(low + size, high + 1), dtype=torch.float64)
        yield x, low + size > high
        if low + size > high:
            return
        size *= 2


class _Line:
    """The real line as both laws see it, bent by a coordinate v in [-200, 200].

    ``low + s e^v`` on a half-line, ``low + (high - low) / (1 + e^-v)`` on an interval and
    ``c + s sinh v`` on the whole line.
    """

    def __init__(self, laws: list[Distribution]) -> None:
        if laws[0].batch_shape.numel() > _BATCH:
            raise NotImplementedError
        self.laws = laws
        lows, highs = zip(*(bounds(law) for law in laws), strict=True)
        self.low, self.high = torch.minimum(lows[0], lows[-1]), torch.maximum(highs[0], highs[-1])
        drawn = [draw(law, _DRAWS, Generator().manual_seed(0)) for law in laws]
        self.tolerance = 1e-6 if any(x.dtype != torch.float64 for x in drawn) else 1e-11
        x = torch.cat(drawn).double()
        self.sorted = [part.sort(dim=0).values for part in x.split(_DRAWS)]
        self.centre = x.median(dim=0).values
        # Where there is no mean the median is still a measure.
        self.scale = (x - self.centre).abs().median(dim=0).values.clamp(min=1e-290)
        kinds = self.low.isfinite().unique().tolist(), self.high.isfinite().unique().tolist()
        if len(kinds[0]) + len(kinds[1]) > 2 or not bool(x.isfinite().all()):
            raise NotImplementedError
        self.kind = kinds[0][0], kinds[1][0]
        width = self.high - self.low if all(self.kind) else self.scale
        self.reach = tuple(_reach(end, width) for end in (self.low, self.high))
        self.edges = [*lows, *highs]

    def points(self, v: Tensor) -> tuple[Tensor, Tensor]:
        """Return x and log dx / dv at v, [K, 1...], as [K, *B]."""
        if self.kind == (False, False):
            return self.centre + self.scale * v.sinh(), v.cosh().log() + self.scale.log()
        if self.kind == (True, True):
            width, far = self.high - self.low, torch.sigmoid(-v.abs())
            x = torch.where(v < 0, self.low + width * far, self.high - width * far)
            x = x.clamp(self.low.nextafter(self.high), self.high.nextafter(self.low))
            return x, width.log() + far.log() + torch.log1p(-far)
        sign, end = (1, self.low) if self.kind[0] else (-1, self.high)
        return end + sign * self.scale * v.exp(), v + self.scale.log()

    def cuts(self) -> list[float]:
        """Return where the laws lie and where their supports end, in v, ascending."""
        rows = [part[[int(share * (_DRAWS - 1)) for share in _SHARES]] for part in self.sorted]
        rows += [torch.broadcast_to(end, self.centre.shape)[None] for end in self.edges]
        x = torch.cat(rows)
        if self.kind == (False, False):
            v = ((x - self.centre) / self.scale).asinh()
        elif self.kind == (True, True):
            v = ((x - self.low) / (self.high - x)).log()
        else:
            v = ((x - self.low if self.kind[0] else self.high - x) / self.scale).log()
        inside = v[v.abs() < _REACH]
        return [-60.0, -20.0, -5.0, *inside.flatten().tolist(), 5.0, 20.0, 60.0]

    def integral(self, terms: Terms) -> Quantity:
        """Return the integral of the terms, [*B], or raise NotImplementedError."""

        def f(v: NDArray[np.float64]) -> NDArray[np.float64]:
            x, log_step = self.points(torch.from_numpy(v.reshape(-1, *[1] * self.centre.ndim)))
            # The step goes in before exp does: near a pole or in a tail one is huge, one tiny.
            logs = [log_prob(law, x).double() + log_step for law in self.laws]
            values = terms(logs[0], logs[1] if len(logs) > 1 else log_step.expand(logs[0].shape))
            masses = torch.stack([log.exp() for log in logs], dim=1)
            # Where next to nothing lies, a ratio without bound may be but an underflow.
            values = values.where(values.isfinite() | (masses.amax(dim=1) > 1e-30), math.nan)
            return torch.cat((values[:, None], masses), dim=1).numpy()

        left, right = self.reach if self.kind != (False, True) else self.reach[::-1]
        v = np.concatenate((np.linspace(-left, 0, 201), np.linspace(0, right, 201)[1:]))
        sizes = torch.from_numpy(f(v)).abs()
        (endless, *spilt), (tails, *_) = _ends(sizes, (left, right))
        if any(bool(part.any()) for part in spilt):  # Not even a density falls off in reach.
            raise NotImplementedError
        if bool(endless.all()):
            return exact(torch.full(endless.shape, math.inf, dtype=torch.float64))
        digits = 12 if endless.numel() <= 8 else 1  # Many laws share cuts.
        cuts = np.unique(np.round([-left, *self.cuts(), right], digits).clip(-left, right))
        estimate, error = integrate(
            lambda v: np.nan_to_num(f(v), posinf=0, neginf=0), cuts, self.tolerance
        )
        value, *masses = estimate
        size = sizes[:, 0].nan_to_num(0, 0).sum(dim=0)
        missing = sum((1 - mass).abs() for mass in masses) + tails
        # Beside a kink, as of total variation, two rules may agree by chance.
        error = 10 * error[0] + missing * (1 + size) + 2e-14 * (1 + size)
        if bool((~(error <= _WORST * (1 + size)) & ~endless).any()):
            raise NotImplementedError
        value, error = value.masked_fill(endless, math.inf), error.masked_fill(endless, 0)
        return Quantity(value, error, "quadrature")


def _reach(end: Tensor, width: Tensor) -> float:
    """Return how far v goes towards an end: beside all but 0 float64 has few numbers."""
    near = (width / (end.abs() * 2e-16)).log().where(end.isfinite() & (end != 0), _REACH)
    return max(1.0, min(_REACH, float(near.min())))


def _ends(sizes: Tensor, reach: tuple[float, float]) -> tuple[Tensor, Tensor]:
    """Return where an integral has no bound, and what else is left in its tails, [*B].

    It has none where it is infinite somewhere, where it does not fall off at an end, or where it
    grows until it is no number (NaN), of absolute values spaced over all v, [K, *B].
    """
    endless, tails = sizes.isinf().any(dim=0), torch.zeros(sizes.shape[1:]).double()
    peak = sizes.nan_to_num(0).amax(dim=0)
    quarter = len(sizes) // 4
    for side, end in zip((sizes, sizes.flip(0)), reach, strict=True):
        far, near = side[0].nan_to_num(0), side[quarter].nan_to_num(0)
        stays = (far > 0) & (far >= 0.999 * near)
        endless |= stays & (end == _REACH)
        left = torch.where(stays, math.inf, far * end / 2 / (near / far).log())
        tails += torch.where(far > 0, left, 0.0)
        edge = (side[:-1].isnan() & ~side[1:].isnan())[: len(sizes) // 2]
        inner = side[1 : len(edge) + 1].nan_to_num(0)
        endless |= (edge & (inner > 1e-6 * peak)).any(dim=0)
    return endless, tails
