"""Moments of laws on the whole line: normal, Laplace, Gumbel, Student, Cauchy."""

# ruff: noqa: D101, D102 - the moments are described once, in expectations.Moments.

import math

import torch
from torch import Tensor

from ancestral.information.expectations import EULER, Moments, finite_if


class NormalMoments(Moments):
    def mean(self) -> Tensor:
        return self.loc

    def variance(self) -> Tensor:
        return self.scale.square()

    def distance(self, c: Tensor) -> Tensor:
        z = (self.loc - c) / self.scale
        bell = math.sqrt(2 / math.pi) * (-z.square() / 2).exp()
        return self.scale * (bell + z * torch.erf(z / math.sqrt(2)))

    def exponential(self, t: Tensor, c: Tensor) -> Tensor:
        return (t * (self.loc - c) + (t * self.scale).square() / 2).exp()


class LaplaceMoments(Moments):
    def mean(self) -> Tensor:
        return self.loc

    def variance(self) -> Tensor:
        return 2 * self.scale.square()

    def distance(self, c: Tensor) -> Tensor:
        gap = (self.loc - c).abs()
        return gap + self.scale * (-gap / self.scale).exp()

    def exponential(self, t: Tensor, c: Tensor) -> Tensor:
        width = (self.scale * t).square()
        return finite_if(width < 1, (t * (self.loc - c)).exp() / (1 - width))


class GumbelMoments(Moments):
    def mean(self) -> Tensor:
        return self.loc + EULER * self.scale

    def variance(self) -> Tensor:
        return (math.pi * self.scale).square() / 6

    def exponential(self, t: Tensor, c: Tensor) -> Tensor:
        order = 1 - self.scale * t
        return finite_if(order > 0, (t * (self.loc - c) + torch.lgamma(order)).exp())


class StudentTMoments(Moments):
    def mean(self) -> Tensor:
        return finite_if(self.df > 1, self.loc)

    def variance(self) -> Tensor:
        return finite_if(self.df > 2, self.scale.square() * self.df / (self.df - 2))

    def distance(self, c: Tensor) -> Tensor:
        if not bool(((c == self.loc) | (self.df <= 1)).all()):
            raise NotImplementedError
        gammas = torch.lgamma((self.df + 1) / 2) - torch.lgamma(self.df / 2)
        mean = 2 * self.scale * (self.df / math.pi).sqrt() * gammas.exp() / (self.df - 1)
        return finite_if(self.df > 1, mean)

    def exponential(self, t: Tensor, c: Tensor) -> Tensor:
        return torch.full_like(t + c + self.loc, math.inf)


class CauchyMoments(Moments):
    def mean(self) -> Tensor:
        return torch.full_like(self.loc, math.inf)

    def variance(self) -> Tensor:
        return self.mean()

    def distance(self, c: Tensor) -> Tensor:
        return torch.full_like(self.loc + c, math.inf)

    def exponential(self, t: Tensor, c: Tensor) -> Tensor:
        return torch.full_like(self.loc + c + t, math.inf)
