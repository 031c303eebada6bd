"""Families of p(x | z) whose columns are independent given a discrete parent z.

Seen with z they make naive Bayes, without it a mixture fitted by EM. Each family is estimated
from weights: one row a state of z, one weight an example, which are 0 and 1 where z is known and
responsibilities where it is not. All parameters are float64.
"""

import math
from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.distributions import Distribution, Independent, Normal

from ancestral.classic.arguments import check_event
from ancestral.errors import DataError
from ancestral.networks.arguments import check_number, check_whole
from ancestral.networks.nodes import Node, Table

_LEAST_COUNT = 1e-300  # Of a state without weight: it keeps finite parameters.


class Family(Protocol):
    """The conditional p(x | z) for every state of z."""

    states: int
    features: int

    def __call__(self, z: Tensor) -> Distribution:
        """Return p(x | z), batch shape [*B], event shape [D], for states z [*B]."""
        ...

    def log_prob(self, x: Tensor) -> Tensor:
        """Return log p(x | z) for every state, nats, [B, K], for x [B, D]."""
        ...

    def estimate(self, x: Tensor, weights: Tensor) -> None:
        """Set the parameters from examples x [N, D] with weights [N, K]."""
        ...

    def check(self, x: Tensor) -> None:
        """Check that x [B, D] can have come from the family.

        Raises ValueError if the shape is not [B, D]; DataError if a value cannot.
        """
        ...

    def nodes(self, parent: str) -> list[Node]:
        """Return the nodes of x under the parent: one a column, or one vector."""
        ...


class TableFamily(Family, Protocol):
    """A family of probability tables, whose smoothing is a Dirichlet prior."""

    def log_prior(self) -> Tensor:
        """Return the log of the prior density of the parameters, up to a constant, nats."""
        ...


def check_sizes(states: int, features: int, smoothing: float) -> None:
    """Check what every family takes.

    Raises ValueError if there is no state or no column, or the smoothing is negative or not finite.
    """
    for name, value in (("states", states), ("features", features)):
        check_whole(name, value)
    check_number("smoothing", smoothing)


class DiagonalGaussians(nn.Module):
    """Independent normals: ``p(x | z) = prod_d Normal(x_d; m_zd, s_zd^2)``.

    Args:
        states: Number K of states of z, at least 1.
        features: Number D of columns, at least 1.
        smoothing: What is added to every variance, relative to the largest variance of a column;
            it keeps a column that is constant given z from infinite density.

    Example:
        >>> DiagonalGaussians(3, 2).log_prob(torch.zeros(5, 2)).shape
        torch.Size([5, 3])
    """

    means: Tensor
    variances: Tensor

    def __init__(self, states: int, features: int, *, smoothing: float = 1e-9) -> None:
        super().__init__()
        check_sizes(states, features, smoothing)
        self.states, self.features, self.smoothing = states, features, smoothing
        self.register_buffer("means", torch.zeros(states, features, dtype=torch.float64))
        self.register_buffer("variances", torch.ones(states, features, dtype=torch.float64))

    def forward(self, z: Tensor) -> Distribution:
        """Return p(x | z), batch shape [*B], for states z [*B]."""
        normal = Normal(self.means[z], self.variances[z].sqrt(), validate_args=False)
        return Independent(normal, 1, validate_args=False)

    def log_prob(self, x: Tensor) -> Tensor:
        """Return log p(x | z) for every state, nats, [B, K], for x [B, D]."""
        self.check(x)
        x = x.to(self.means.dtype)
        # State by state: expanded into one product, the squares would cancel.
        squares = [
            ((x - mean) / deviation).square().sum(dim=1)
            for mean, deviation in zip(self.means, self.variances.sqrt(), strict=True)
        ]
        volumes = self.variances.log().sum(dim=1) + self.features * math.log(2 * math.pi)
        return -0.5 * (torch.stack(squares, dim=1) + volumes)

    def estimate(self, x: Tensor, weights: Tensor) -> None:
        """Set means and variances (divisor: the sum of weights) from x [N, D], weights [N, K]."""
        x, weights = x.to(self.means), weights.to(self.means)
        counts = weights.sum(dim=0).clamp_min(_LEAST_COUNT)[:, None]
        shares = weights.sum(dim=1) / weights.sum()
        centre = shares @ x
        shifted = x - centre
        means = weights.T @ shifted / counts
        squares = [w @ (shifted - mean).square() for w, mean in zip(weights.T, means, strict=True)]
        variances = torch.stack(squares) / counts
        floor = self.smoothing * float((shares @ shifted.square()).max())
        if not bool((variances + floor > 0).all()):
            raise DataError(
                "a column is constant within a label, whose density would be infinite; "
                "set smoothing above 0"
            )
        self.means.copy_(means + centre)
        self.variances.copy_(variances + floor)

    def check(self, x: Tensor) -> None:
        """Check that x is [B, D]."""
        check_event(x, (self.features,))

    def nodes(self, parent: str) -> list[Node]:
        """Return one node a column."""
        return [
            Node(f"x{d}", _Normals(self.means[:, d], self.variances[:, d]), (parent,))
            for d in range(self.features)
        ]


class _Normals(nn.Module):
    """One column of :class:`DiagonalGaussians`, as a node."""

    def __init__(self, means: Tensor, variances: Tensor) -> None:
        super().__init__()
        self.means, self.deviations = means, variances.sqrt()

    def forward(self, z: Tensor) -> Normal:
        """Return p(x_d | z), batch shape [*B], for states z [*B]."""
        return Normal(self.means[z.long()], self.deviations[z.long()], validate_args=False)


class Bernoullis(nn.Module):
    """Independent bits: ``p(x | z) = prod_d r_zd^x_d (1 - r_zd)^(1 - x_d)``, x in {0, 1}.

    Args:
        states: Number K of states of z, at least 1.
        features: Number D of columns, at least 1.
        smoothing: Added to the count of ones and to that of zeros: a Beta prior. With 0, what was
            never seen under a state has probability 0.

    Example:
        >>> Bernoullis(3, 2).log_prob(torch.ones(5, 2)).exp()[0].tolist()
        [0.25, 0.25, 0.25]
    """

    probabilities: Tensor

    def __init__(self, states: int, features: int, *, smoothing: float = 1.0) -> None:
        super().__init__()
        check_sizes(states, features, smoothing)
        self.states, self.features, self.smoothing = states, features, smoothing
        half = torch.full((states, features), 0.5, dtype=torch.float64)
        self.register_buffer("probabilities", half)

    def forward(self, z: Tensor) -> Distribution:
        """Return p(x | z), batch shape [*B], for states z [*B]."""
        bits = torch.distributions.Bernoulli(self.probabilities[z], validate_args=False)
        return Independent(bits, 1, validate_args=False)

    def log_prob(self, x: Tensor) -> Tensor:
        """Return log p(x | z) for every state, nats, [B, K], for x [B, D]; -inf if impossible."""
        self.check(x)
        x = x.to(self.probabilities)
        return log_product(x, self.probabilities) + log_product(1 - x, 1 - self.probabilities)

    def estimate(self, x: Tensor, weights: Tensor) -> None:
        """Set the probabilities from x [N, D] with weights [N, K]."""
        x, weights = x.to(self.probabilities), weights.to(self.probabilities)
        ones = weights.T @ x + self.smoothing
        totals = weights.sum(dim=0)[:, None] + 2 * self.smoothing
        self.probabilities.copy_(shares(ones, totals, 0.5))

    def log_prior(self) -> Tensor:
        """Return the log of the Beta(1 + smoothing, 1 + smoothing) priors, up to a constant."""
        return log_dirichlet(
            torch.stack((self.probabilities, 1 - self.probabilities)), self.smoothing
        )

    def check(self, x: Tensor) -> None:
        """Check that x is [B, D] of 0 and 1."""
        check_event(x, (self.features,))
        if not bool(((x == 0) | (x == 1)).all()):
            worst = x[(x != 0) & (x != 1)].flatten()[0].item()
            raise DataError(f"every value must be 0 or 1, got {worst:g}")

    def nodes(self, parent: str) -> list[Node]:
        """Return one table a column."""
        tables = torch.stack((1 - self.probabilities, self.probabilities), dim=2)
        return [Node(f"x{d}", Table(tables[:, d]), (parent,)) for d in range(self.features)]


class Categoricals(nn.Module):
    """Independent categories: ``p(x | z) = prod_d t_d[z, x_d]``, x_d in {0, ..., S_d - 1}.

    Args:
        states: Number K of states of z, at least 1.
        sizes: Number S_d of categories of each column, each at least 1.
        smoothing: Added to the count of every category: a Dirichlet prior. With 0, what was never
            seen under a state has probability 0.

    Example:
        >>> Categoricals(3, (2, 4)).log_prob(torch.ones(5, 2)).exp()[0]
        tensor([0.1250, 0.1250, 0.1250], dtype=torch.float64)
    """

    probabilities: Tensor

    def __init__(self, states: int, sizes: Sequence[int], *, smoothing: float = 1.0) -> None:
        super().__init__()
        check_sizes(states, len(sizes), smoothing)
        for size in sizes:
            check_whole("sizes", size)
        self.states, self.features, self.smoothing = states, len(sizes), smoothing
        self.sizes = tuple(sizes)
        # The tables lie side by side, [K, S_1 + ... + S_D].
        even = torch.cat([torch.full((size,), 1 / size, dtype=torch.float64) for size in sizes])
        self.register_buffer("probabilities", even.expand(states, -1).clone())

    def forward(self, z: Tensor) -> Distribution:
        """Return p(x | z), batch shape [*B], for states z [*B]."""
        widest = max(self.sizes)
        tables = self.probabilities.split(self.sizes, dim=1)
        padded = [nn.functional.pad(table, (0, widest - table.shape[1])) for table in tables]
        logits = torch.stack(padded, dim=1).log()[z]
        categories = torch.distributions.Categorical(logits=logits, validate_args=False)
        return Independent(categories, 1, validate_args=False)

    def log_prob(self, x: Tensor) -> Tensor:
        """Return log p(x | z) for every state, nats, [B, K], for x [B, D]; -inf if impossible."""
        self.check(x)
        return log_product(self._one_hot(x), self.probabilities)

    def estimate(self, x: Tensor, weights: Tensor) -> None:
        """Set the tables from x [N, D] with weights [N, K]."""
        counts = weights.to(self.probabilities).T @ self._one_hot(x) + self.smoothing
        tables = counts.split(self.sizes, dim=1)
        found = [shares(t, t.sum(dim=1, keepdim=True), 1 / t.shape[1]) for t in tables]
        self.probabilities.copy_(torch.cat(found, dim=1))

    def log_prior(self) -> Tensor:
        """Return the log of the Dirichlet(1 + smoothing) priors, up to a constant."""
        return log_dirichlet(self.probabilities, self.smoothing)

    def check(self, x: Tensor) -> None:
        """Check that x is [B, D] of whole numbers below the sizes."""
        check_event(x, (self.features,))
        sizes = torch.tensor(self.sizes, device=x.device)
        wrong = (x < 0) | (x >= sizes) | (x != x.long())
        if bool(wrong.any()):
            row, column = wrong.nonzero()[0].tolist()
            rule = f"column {column} must hold whole numbers from 0 to {self.sizes[column] - 1}"
            raise DataError(f"{rule}, got {x[row, column].item():g}")

    def nodes(self, parent: str) -> list[Node]:
        """Return one table a column."""
        tables = self.probabilities.split(self.sizes, dim=1)
        return [Node(f"x{d}", Table(table), (parent,)) for d, table in enumerate(tables)]

    def _one_hot(self, x: Tensor) -> Tensor:
        starts = torch.tensor((0, *self.sizes[:-1]), device=x.device).cumsum(0)
        hot = self.probabilities.new_zeros(len(x), self.probabilities.shape[1])
        return hot.scatter_(1, x.long() + starts, 1.0)


class Multinomials(nn.Module):
    """Counts given their total: ``p(x | z, n) = n! / prod_d x_d! prod_d t_zd^x_d``, n = sum_d x_d.

    Fractional counts (tf-idf) pass; the factorials are then gamma functions.

    Args:
        states: Number K of states of z, at least 1.
        features: Number D of columns, at least 1.
        smoothing: Added to the total of every column: a Dirichlet prior. With 0, what was never
            seen under a state has probability 0.
        total: Counts in a draw, at least 1.

    Example:
        >>> Multinomials(3, 2).log_prob(torch.ones(5, 2)).exp()[0].tolist()
        [0.5, 0.5, 0.5]
    """

    probabilities: Tensor

    def __init__(
        self, states: int, features: int, *, smoothing: float = 1.0, total: int = 100
    ) -> None:
        super().__init__()
        check_sizes(states, features, smoothing)
        check_whole("total", total)
        self.states, self.features = states, features
        self.smoothing, self.total = smoothing, total
        even = torch.full((states, features), 1 / features, dtype=torch.float64)
        self.register_buffer("probabilities", even)

    def forward(self, z: Tensor) -> Distribution:
        """Return p(x | z, n), batch shape [*B], for states z [*B]; draws have n = ``total``."""
        table = self.probabilities[z.long()]
        return torch.distributions.Multinomial(self.total, table, validate_args=False)

    def log_prob(self, x: Tensor) -> Tensor:
        """Return log p(x | z, n) for every state, nats, [B, K], for x [B, D]."""
        self.check(x)
        x = x.to(self.probabilities)
        ways = torch.lgamma(x.sum(dim=1) + 1) - torch.lgamma(x + 1).sum(dim=1)
        return log_product(x, self.probabilities) + ways[:, None]

    def estimate(self, x: Tensor, weights: Tensor) -> None:
        """Set the probabilities from x [N, D] with weights [N, K]."""
        counts = weights.to(self.probabilities).T @ x.to(self.probabilities) + self.smoothing
        self.probabilities.copy_(shares(counts, counts.sum(1, keepdim=True), 1 / self.features))

    def log_prior(self) -> Tensor:
        """Return the log of the Dirichlet(1 + smoothing) prior, up to a constant."""
        return log_dirichlet(self.probabilities, self.smoothing)

    def check(self, x: Tensor) -> None:
        """Check that x is [B, D] and not negative."""
        check_event(x, (self.features,))
        if bool((x < 0).any()):
            raise DataError(f"every count must be at least 0, got {x.min().item():g}")

    def nodes(self, parent: str) -> list[Node]:
        """Return one node: its columns share their total."""
        return [Node("x", self, (parent,), (self.features,))]


def log_product(counts: Tensor, probabilities: Tensor) -> Tensor:
    """Return ``sum_f counts[b, f] log probabilities[k, f]``, [B, K], where 0 log 0 is 0."""
    impossible = probabilities <= 0
    result = counts @ probabilities.log().masked_fill(impossible, 0.0).T
    if bool(impossible.any()):
        seen = (counts > 0).to(counts) @ impossible.to(counts).T
        result = result.masked_fill(seen > 0, -torch.inf)
    return result


def shares(counts: Tensor, totals: Tensor, empty: float) -> Tensor:
    """Return counts / totals, and ``empty`` where there is nothing to count."""
    return torch.where(totals > 0, counts / totals.clamp_min(_LEAST_COUNT), empty)


def log_dirichlet(probabilities: Tensor, smoothing: float) -> Tensor:
    """Return the log-density of Dirichlet(1 + smoothing) priors, up to a constant."""
    if not smoothing:
        return probabilities.new_zeros(())
    return smoothing * probabilities.log().sum()
