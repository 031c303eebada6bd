"""What a measure returns: a value and how sure it is."""

import math
from dataclasses import dataclass, field

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Estimate:
    """A measured value with its standard error and, where a test gives one, a p-value.

    Args:
        value: The value.
        se: Its standard error.
        p_value: Of a test.
        deviations: What each unit adds to the error, [M]: ``se`` is the root of the sum of their
            squares. Those of two values over the same units give the error of their difference.
    """

    value: float
    se: float
    p_value: float | None = None
    deviations: Tensor | None = field(default=None, compare=False, repr=False)

    @classmethod
    def by(cls, value: float, deviations: Tensor) -> "Estimate":
        """Return a value whose error is made of these deviations [M]."""
        return cls(value, float(deviations.square().sum().sqrt()), deviations=deviations)


def mean_of(values: Tensor) -> Estimate:
    """Return the mean of independent ``values`` [N] and its standard error, sd / sqrt(N).

    Raises:
        ValueError: If N < 2, when there is no standard error.
    """
    if len(values) < 2:
        raise ValueError(f"need at least 2 values, got {len(values)}")
    values, n = values.to(torch.float64), len(values)
    mean = values.mean()
    return Estimate.by(mean.item(), (values - mean) / math.sqrt(n * (n - 1)))


def ratio_of(total: Tensor, size: Tensor) -> Estimate:
    """Return sum(total) / sum(size) and its standard error over units as they come.

    What stands in one unit (the tokens of a text) is not independent, the units are: the error is
    the root of sum (t_i - r s_i)^2 m / (m - 1), over the sum of sizes, for m units.

    Source: Cochran 1977, Sampling Techniques, sec. 2.11 (ratio estimator).

    Args:
        total: What is counted in each unit, [M].
        size: How large each unit is, [M]; not all 0.
    """
    total, size = total.double(), size.double()
    ratio = (total.sum() / size.sum()).item()
    units = len(total) / max(1, len(total) - 1)
    return Estimate.by(ratio, (total - ratio * size) * math.sqrt(units) / size.sum())


def share_of(hits: Tensor) -> Estimate:
    """Return the share of true entries in ``hits`` [N] (bool) and its binomial standard error.

    The error uses (hits + 1/2) / (N + 1) in place of the share, the mean under Jeffreys' prior, so
    that 0 of N and N of N do not claim to be known without error.
    """
    n, successes = len(hits), int(hits.sum())
    smoothed = (successes + 0.5) / (n + 1)
    return Estimate(successes / n, math.sqrt(smoothed * (1 - smoothed) / n))


def require_rows(name: str, x: Tensor, least: int) -> None:
    """Check that ``x`` is [N, D] with enough finite rows.

    Raises:
        ValueError: If ``x`` is not a matrix, has fewer than ``least`` rows, or is not finite.
    """
    if x.ndim != 2:
        raise ValueError(f"{name} must be [N, D], got shape {tuple(x.shape)}")
    if len(x) < least:
        raise ValueError(f"{name} needs at least {least} rows, got {len(x)}")
    if not x.isfinite().all():
        raise ValueError(f"{name} must be finite, got NaN or infinity")


def require_pair(x: Tensor, y: Tensor, least: int) -> None:
    """Check two sets of points that are to be compared.

    Raises:
        ValueError: As :func:`require_rows`, or if their dimensions differ.
    """
    require_rows("x", x, least)
    require_rows("y", y, least)
    if x.shape[1] != y.shape[1]:
        raise ValueError(f"x and y must have the same columns, got {x.shape[1]} and {y.shape[1]}")
