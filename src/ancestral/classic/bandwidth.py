"""How wide the kernels of a density estimate should be."""

import math
from typing import Literal, TypeAlias

import torch
from scipy.optimize import minimize_scalar
from torch import Generator, Tensor

from ancestral.classic.kernels import log_kernel_mean
from ancestral.errors import DataError
from ancestral.telling import beat, time_left

Rule: TypeAlias = Literal["scott", "silverman"]

_EVALUATIONS = 15  # About so many, by which progress is told.
_PAIRS = 8_000_000  # Kernel values in one evaluation of the leave-one-out likelihood.


def rule_of_thumb(x: Tensor, rule: Rule) -> float:
    """Return the bandwidth that would be best for Gaussian data [N, D], in data units.

    N^(-1/(D+4)) by Scott, (N (D+2) / 4)^(-1/(D+4)) by Silverman, times the root of the mean
    variance of the columns. Raises DataError if all rows are equal.

    Source: Scott 1992, Multivariate Density Estimation, eq. 6.42; Silverman 1986, Density
    Estimation, eq. 4.14.
    """
    n, features = x.shape
    scale = float(x.double().var(dim=0, correction=0).mean().sqrt())
    if not scale > 0:
        raise DataError(
            f"choosing a bandwidth needs at least 2 distinct rows, got {n} equal to each other; "
            "give --set bandwidth=NUMBER"
        )
    count = n if rule == "scott" else n * (features + 2) / 4
    return scale * count ** (-1 / (features + 4))


def leave_one_out(x: Tensor, *, generator: Generator | None = None) -> float:
    """Return the bandwidth of highest leave-one-out likelihood of x [N, D], to 1%, in data units.

    Copies of a row are left out with it: repeated rows would otherwise predict each other ever
    better as the width falls to 0. With many rows, the likelihood is averaged over a random part of
    them (at least 256, so that one evaluation costs about 8e6 kernels), always against all. Brent's
    search begins at Scott's rule; where it may take no longer, the best width so far is returned.
    Raises DataError if there are not 2 distinct rows.

    Source: Habbema, Hermans & van den Broek 1974; Duin 1976 (cross-validated likelihood).
    """
    start = rule_of_thumb(x, "scott")
    distinct = torch.unique(x.double(), dim=0)
    count = min(len(distinct), max(256, _PAIRS // len(distinct)))
    picked = torch.randperm(len(distinct), generator=generator)[:count]
    points = distinct[picked]

    costs: dict[float, float] = {}

    def cost(log_width: float) -> float:
        if costs and time_left() <= 0:
            raise TimeoutError
        width = math.exp(log_width)
        costs[width] = -float(log_kernel_mean(points, distinct, width, leave_out=picked).mean())
        beat(min(0.95, len(costs) / _EVALUATIONS))
        return costs[width]

    bracket = (math.log(start / 2), math.log(start))
    try:
        found = minimize_scalar(cost, bracket=bracket, method="brent", options={"xtol": 3e-3})
    except TimeoutError:
        return min(costs, key=lambda width: costs[width])
    return math.exp(found.x)
