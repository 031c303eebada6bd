"""Moments of univariate densities in closed form: what the logarithm of another density needs.

Each law knows some of E x^k, E log x, Var log x, E (x - c)^2, E |x - c|, E exp t (x - c), E log(1 -
x^k) and E log(1 + ((x - c) / s)^2). They are computed in float64; a mean that does not exist is
infinite, and one without a closed form raises NotImplementedError.

Source: Johnson, Kotz & Balakrishnan 1994-1995, Continuous Univariate Distributions, 2nd ed.
"""

import math
from typing import Any

import torch
from torch import Tensor
from torch.distributions import Distribution

EULER = 0.57721566490153286


class Moments:
    """Moments of one law; a subclass for each family, its parameters in float64.

    Args:
        p: The law, batch shape [*B]. Every moment has shape [*B].
    """

    def __init__(self, p: Distribution) -> None:
        for name in p.arg_constraints:
            value = getattr(p, name)
            setattr(self, name, value.double() if isinstance(value, Tensor) else value)
        self.low, self.high = bounds(p)

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - a parameter of the law
        raise NotImplementedError(name)

    def power(self, k: Tensor) -> Tensor:
        """Return E x^k of a law of positive numbers, any real k."""
        raise NotImplementedError

    def mean(self) -> Tensor:
        """Return E x."""
        return self.power(self.low.new_ones(()))

    def variance(self) -> Tensor:
        """Return Var x; only where E x is finite."""
        second = self.power(self.low.new_full((), 2))
        return torch.where(second == math.inf, second, second - self.mean().square())

    def log(self) -> Tensor:
        """Return E log x."""
        raise NotImplementedError

    def log_variance(self) -> Tensor:
        """Return Var log x."""
        raise NotImplementedError

    def square(self, c: Tensor | float) -> Tensor:
        """Return E (x - c)^2."""
        mean = self.mean()
        value = self.variance() + (mean - c).square()
        return value.where(mean.isfinite(), math.inf)

    def log_square(self, c: Tensor) -> Tensor:
        """Return E (log x - c)^2."""
        return self.log_variance() + (self.log() - c).square()

    def distance(self, c: Tensor) -> Tensor:
        """Return E |x - c|."""
        mean = self.mean()
        if bool(((c <= self.low) | (mean == math.inf)).all()):
            return mean - c
        if bool((c >= self.high).all()):
            return c - mean
        below = torch.where(c > self.low, self.below(c.clamp(min=self.low)), 0.0)
        return torch.where(mean == math.inf, mean, mean - c + 2 * below)

    def below(self, c: Tensor) -> Tensor:
        """Return E max(c - x, 0), for c inside the support."""
        raise NotImplementedError

    def exponential(self, t: Tensor, c: Tensor) -> Tensor:
        """Return E exp t (x - c)."""
        raise NotImplementedError

    def log_complement(self, k: Tensor) -> Tensor:
        """Return E log(1 - x^k) of a law on [0, 1]."""
        raise NotImplementedError

    def log_heavy(self, c: Tensor | float, s: Tensor) -> Tensor:
        """Return E log(1 + ((x - c) / s)^2)."""
        raise NotImplementedError


def bounds(p: Distribution) -> tuple[Tensor, Tensor]:
    """Return the ends of the support of a univariate law, [*B] or [], float64.

    Raises:
        NotImplementedError: If the law does not say.
    """
    support: Any = p.support
    if support is None or p.event_shape:
        raise NotImplementedError
    ends = (("lower_bound", -math.inf), ("upper_bound", math.inf))
    low, high = (
        torch.as_tensor(getattr(support, name, end), dtype=torch.float64) for name, end in ends
    )
    return low, high


def finite_if(condition: Tensor, value: Tensor) -> Tensor:
    """Return the value, or +inf where the condition does not hold."""
    return torch.where(condition, value, math.inf)
