"""Moments of laws on an interval: uniform, beta, Kumaraswamy, continuous Bernoulli."""

# ruff: noqa: D101, D102 - the moments are described once, in expectations.Moments.

import math

import torch
from torch import Tensor
from torch import distributions as laws
from torch.special import digamma, polygamma

from ancestral.information.expectations import EULER, Moments, finite_if


class UniformMoments(Moments):
    def mean(self) -> Tensor:
        return (self.low + self.high) / 2

    def variance(self) -> Tensor:
        return (self.high - self.low).square() / 12

    def power(self, k: Tensor) -> Tensor:
        order, width = k + 1, self.high - self.low
        ends = (self.high.pow(order) - self.low.pow(order)) / (order * width)
        return ends.where(order != 0, (self.high / self.low).log() / width)

    def log(self) -> Tensor:
        return _log_over(self.low, self.high)

    def log_variance(self) -> Tensor:
        middle, r = _relative(self.low, self.high)
        logs = torch.log1p(r), torch.log1p(-r)
        ends = [
            y * (log.square() - 2 * log + 2) for y, log in zip((1 + r, 1 - r), logs, strict=True)
        ]
        lower = torch.where(r < 1, ends[1], 0.0)  # y log^2 y is 0 at 0.
        second = (ends[0] - lower) / (2 * r)
        wide = second - (self.log() - middle.log()).square()
        return torch.where(r > 1e-3, wide, r.square() / 3 + (11 / 60 - 1 / 36) * r.pow(4))

    def below(self, c: Tensor) -> Tensor:
        inner = (c - self.low).square() / (2 * (self.high - self.low))
        return torch.where(c < self.high, inner, c - self.mean())

    def exponential(self, t: Tensor, c: Tensor) -> Tensor:
        half = t * (self.high - self.low) / 2
        return (t * (self.mean() - c)).exp() * torch.where(half == 0, 1.0, half.sinh() / half)

    def log_complement(self, k: Tensor) -> Tensor:
        if bool((k == 1).all()):
            return _log_over(1 - self.high, 1 - self.low)
        if bool(((self.low == 0) & (self.high == 1)).all()):
            return _log_complement_of_uniform(k)
        raise NotImplementedError

    def log_heavy(self, c: Tensor | float, s: Tensor) -> Tensor:
        low, high = (self.low - c) / s, (self.high - c) / s
        ends = [y * torch.log1p(y.square()) - 2 * y + 2 * y.atan() for y in (low, high)]
        return (ends[1] - ends[0]) / (high - low)


def _relative(low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
    """Return the middle m of an interval of positive numbers m (1 - r) to m (1 + r), and r."""
    return (low + high) / 2, (high - low) / (high + low)


def _log_over(low: Tensor, high: Tensor) -> Tensor:
    """Return E log x of Uniform(low, high), low >= 0, without cancellation where it is narrow."""
    middle, r = _relative(low, high)
    wide = (torch.xlogy(1 + r, 1 + r) - torch.xlogy(1 - r, 1 - r)) / (2 * r) - 1
    square = r.square()
    narrow = -square / 6 - square.square() / 20 - square.pow(3) / 42
    return middle.log() + torch.where(r > 0.01, wide, narrow)


def _log_complement_of_uniform(k: Tensor) -> Tensor:
    return -EULER - digamma(1 + 1 / k)


class BetaMoments(Moments):
    def power(self, k: Tensor) -> Tensor:
        a, total = self.concentration1, self.concentration1 + self.concentration0
        gammas = torch.lgamma(a + k) - torch.lgamma(a)
        gammas = gammas + torch.lgamma(total) - torch.lgamma(total + k)
        return finite_if(a + k > 0, gammas.exp())

    def mean(self) -> Tensor:
        return self.concentration1 / (self.concentration1 + self.concentration0)

    def variance(self) -> Tensor:
        total = self.concentration1 + self.concentration0
        return self.concentration1 * self.concentration0 / (total.square() * (total + 1))

    def log(self) -> Tensor:
        return digamma(self.concentration1) - digamma(self.concentration1 + self.concentration0)

    def log_variance(self) -> Tensor:
        a, b = self.concentration1, self.concentration0
        return polygamma(1, a) - polygamma(1, a + b)

    def log_complement(self, k: Tensor) -> Tensor:
        a, b = self.concentration1, self.concentration0
        if bool((k == 1).all()):
            return digamma(b) - digamma(a + b)
        if bool((b == 1).all()):  # x = u^(1/a) with u uniform.
            return _log_complement_of_uniform(k / a)
        raise NotImplementedError


class KumaraswamyMoments(Moments):
    def power(self, k: Tensor) -> Tensor:
        a, b = self.concentration1, self.concentration0
        order = 1 + k / a
        gammas = torch.lgamma(order) + torch.lgamma(1 + b) - torch.lgamma(order + b)
        return finite_if(order > 0, gammas.exp())

    def log(self) -> Tensor:
        return -(EULER + digamma(1 + self.concentration0)) / self.concentration1

    def log_variance(self) -> Tensor:
        spread = math.pi**2 / 6 - polygamma(1, 1 + self.concentration0)
        return spread / self.concentration1.square()

    def log_complement(self, k: Tensor) -> Tensor:
        if bool((k == self.concentration1).all()):
            return -1 / self.concentration0
        if bool((self.concentration0 == 1).all()):
            return _log_complement_of_uniform(k / self.concentration1)
        raise NotImplementedError


class ContinuousBernoulliMoments(Moments):
    def __init__(self, p: laws.ContinuousBernoulli) -> None:
        super().__init__(p)
        self._first, self._second = p.mean.double(), p.variance.double()

    def mean(self) -> Tensor:
        return self._first

    def variance(self) -> Tensor:
        return self._second
