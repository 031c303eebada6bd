"""Moments of laws of positive numbers: gamma, log-normal, Weibull, Pareto, half-normal."""

# ruff: noqa: D101, D102 - the moments are described once, in expectations.Moments.

import math

import torch
from torch import Tensor
from torch import distributions as laws
from torch.special import digamma, polygamma

from ancestral.information.expectations import EULER, Moments, finite_if


class GammaMoments(Moments):
    def __init__(self, p: laws.Gamma) -> None:
        super().__init__(p)
        self.concentration, self.rate = p.concentration.double(), p.rate.double()  # Chi2 has df.

    def power(self, k: Tensor) -> Tensor:
        gammas = torch.lgamma(self.concentration + k) - torch.lgamma(self.concentration)
        return finite_if(self.concentration + k > 0, (gammas - k * self.rate.log()).exp())

    def mean(self) -> Tensor:
        return self.concentration / self.rate

    def variance(self) -> Tensor:
        return self.concentration / self.rate.square()

    def log(self) -> Tensor:
        return digamma(self.concentration) - self.rate.log()

    def log_variance(self) -> Tensor:
        return polygamma(1, self.concentration)

    def below(self, c: Tensor) -> Tensor:
        a, x = self.concentration, self.rate * c
        shares = [torch.special.gammainc(order, x) for order in torch.broadcast_tensors(a, a + 1)]
        return c * shares[0] - self.mean() * shares[1]

    def exponential(self, t: Tensor, c: Tensor) -> Tensor:
        ratio = t / self.rate
        value = (-self.concentration * torch.log1p(-ratio) - t * c).exp()
        return finite_if(ratio < 1, value)


class ExponentialMoments(GammaMoments):
    def __init__(self, p: laws.Exponential) -> None:
        super().__init__(laws.Gamma(torch.ones_like(p.rate), p.rate, validate_args=False))


class InverseGammaMoments(Moments):
    def power(self, k: Tensor) -> Tensor:
        gammas = torch.lgamma(self.concentration - k) - torch.lgamma(self.concentration)
        return finite_if(self.concentration > k, (gammas + k * self.rate.log()).exp())

    def mean(self) -> Tensor:
        return finite_if(self.concentration > 1, self.rate / (self.concentration - 1))

    def variance(self) -> Tensor:
        a = self.concentration
        return finite_if(a > 2, (self.rate / (a - 1)).square() / (a - 2))

    def log(self) -> Tensor:
        return self.rate.log() - digamma(self.concentration)

    def log_variance(self) -> Tensor:
        return polygamma(1, self.concentration)

    def below(self, c: Tensor) -> Tensor:
        a, x = torch.broadcast_tensors(self.concentration, self.rate / c)
        less = torch.special.gammaincc((a - 1).clamp(min=1e-300), x)
        return c * torch.special.gammaincc(a, x) - self.rate / (a - 1) * less


class LogNormalMoments(Moments):
    def power(self, k: Tensor) -> Tensor:
        return (k * self.loc + (k * self.scale).square() / 2).exp()

    def variance(self) -> Tensor:
        square = self.scale.square()
        return torch.expm1(square) * (2 * self.loc + square).exp()

    def log(self) -> Tensor:
        return self.loc

    def log_variance(self) -> Tensor:
        return self.scale.square()

    def below(self, c: Tensor) -> Tensor:
        z = (c.log() - self.loc) / self.scale
        return c * torch.special.ndtr(z) - self.mean() * torch.special.ndtr(z - self.scale)


class WeibullMoments(Moments):
    def power(self, k: Tensor) -> Tensor:
        order = 1 + k / self.concentration
        return finite_if(order > 0, (k * self.scale.log() + torch.lgamma(order)).exp())

    def log(self) -> Tensor:
        return self.scale.log() - EULER / self.concentration

    def log_variance(self) -> Tensor:
        return math.pi**2 / 6 / self.concentration.square()

    def below(self, c: Tensor) -> Tensor:
        order, x = torch.broadcast_tensors(
            1 + 1 / self.concentration, (c / self.scale).pow(self.concentration)
        )
        return -c * torch.expm1(-x) - self.mean() * torch.special.gammainc(order, x)


class ParetoMoments(Moments):
    def power(self, k: Tensor) -> Tensor:
        return finite_if(self.alpha > k, self.alpha * self.scale.pow(k) / (self.alpha - k))

    def variance(self) -> Tensor:
        a = self.alpha
        return finite_if(a > 2, a * (self.scale / (a - 1)).square() / (a - 2))

    def log(self) -> Tensor:
        return self.scale.log() + 1 / self.alpha

    def log_variance(self) -> Tensor:
        return 1 / self.alpha.square()

    def below(self, c: Tensor) -> Tensor:
        a, ratio = self.alpha, self.scale / c
        part = a / (a - 1) * self.scale * (1 - ratio.pow(a - 1))
        return c * (1 - ratio.pow(a)) - part


class HalfNormalMoments(Moments):
    def power(self, k: Tensor) -> Tensor:
        order = (k + 1) / 2
        size = k * (self.scale.log() + math.log(2) / 2) + torch.lgamma(order)
        return finite_if(order > 0, (size - math.log(math.pi) / 2).exp())

    def mean(self) -> Tensor:
        return math.sqrt(2 / math.pi) * self.scale

    def variance(self) -> Tensor:
        return (1 - 2 / math.pi) * self.scale.square()

    def log(self) -> Tensor:
        return self.scale.log() - (EULER + math.log(2)) / 2

    def log_variance(self) -> Tensor:
        return torch.full_like(self.scale, math.pi**2 / 8)

    def below(self, c: Tensor) -> Tensor:
        z = c / self.scale
        return c * torch.erf(z / math.sqrt(2)) + self.mean() * torch.expm1(-z.square() / 2)

    def exponential(self, t: Tensor, c: Tensor) -> Tensor:
        return torch.special.erfcx(-t * self.scale / math.sqrt(2)) * (-t * c).exp()


class HalfCauchyMoments(Moments):
    def power(self, k: Tensor) -> Tensor:
        value = self.scale.pow(k) / (math.pi / 2 * k).cos()
        return finite_if(k.abs() < 1, value)

    def log(self) -> Tensor:
        return self.scale.log()

    def log_variance(self) -> Tensor:
        return torch.full_like(self.scale, math.pi**2 / 4)
