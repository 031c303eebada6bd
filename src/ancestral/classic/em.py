"""Expectation-maximisation for Gaussian mixtures, as two matrix products a sweep.

The log of a weighted Gaussian is linear in the features ``[1, x, x_i x_j]``. So one product of
coefficients [K, F] with features [F, N] gives all log-joints (E step), and one product of the
responsibilities [K, N] with the same features gives all sufficient statistics (M step).
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from ancestral.classic.covariance import FORMS, Form
from ancestral.telling import beat, time_left

_TILE = 1 << 18  # Numbers in the features of one tile, so that its passes stay in cache.
_KEPT = 1 << 24  # Features are computed once if there are at most these many (128 MiB).
_LOG2_E = math.log2(math.e)
_LEAST_COUNT = 1e-30  # Of a component that lost all its points; it keeps a finite log-weight.


@dataclass(frozen=True, slots=True)
class Mixture:
    """Parameters of a mixture: weights [K], means [K, D], and covariances by eigenvectors.

    ``variances`` [K, D] are the eigenvalues, ``axes`` [K, D, D] hold the eigenvectors as columns.
    """

    weights: Tensor
    means: Tensor
    variances: Tensor
    axes: Tensor

    @property
    def covariances(self) -> Tensor:
        """The covariance matrices, [K, D, D]."""
        return (self.axes * self.variances[:, None, :]) @ self.axes.mT


class Design:
    """The features of a data set, tile by tile, each [F, n]; a tile lives until the next one.

    Args:
        x: Data, [N, D], float64, best centred and scaled to about unit variance.
        form: Of the covariances: which products of columns are needed.
        weights: How often each row counts, [N], above 0; None: each once.
    """

    def __init__(
        self, x: Tensor, form: Form = FORMS["full"], weights: Tensor | None = None
    ) -> None:
        self.x, self.form, self.weights = x, form, weights
        self.total = float(len(x) if weights is None else weights.sum())
        self.pairs = form.pairs(x.shape[1]).to(x.device)
        self._width = 1 + x.shape[1] + self.pairs.shape[1]
        self._rows = max(256, _TILE // self._width)
        self._kept: list[Tensor] | None = None
        if self._width * len(x) <= _KEPT:
            self._kept = [self._fill(rows, self._empty()) for rows in x.split(self._rows)]

    def __iter__(self) -> Iterator[Tensor]:
        if self._kept is not None:
            yield from self._kept
            return
        memory = self._empty()
        for rows in self.x.split(self._rows):
            yield self._fill(rows, memory)

    def weighted(self) -> Iterator[tuple[Tensor, Tensor | None]]:
        """Yield each tile with the weights of its rows, [n], or None."""
        start = 0
        for features in self:
            end = start + features.shape[1]
            yield features, None if self.weights is None else self.weights[start:end]
            start = end

    def _empty(self) -> Tensor:
        return self.x.new_empty(self._width * min(self._rows, len(self.x)))

    def _fill(self, rows: Tensor, memory: Tensor) -> Tensor:
        """Write [1, x, x_i x_j for the form's pairs] of rows [n, D] into memory, as [F, n]."""
        count, features = rows.shape
        tile = memory[: self._width * count].view(self._width, count)
        tile[0] = 1
        columns = tile[1 : 1 + features].copy_(rows.T)
        start = 1 + features
        if self.pairs.shape[1] == features:
            torch.mul(columns, columns, out=tile[start:])
            return tile
        for i in range(features):  # Products of whole rows: no index is looked up.
            end = start + features - i
            torch.mul(columns[i:], columns[i], out=tile[start:end])
            start = end
        return tile


def expectation(design: Design, mixture: Mixture) -> tuple[float, Tensor]:
    """Return the mean log-likelihood (nats) and the sufficient statistics [K, F] of one E step.

    The statistics are the sums of the features, weighted by each component's responsibilities.
    """
    coefficients = _coefficients(mixture, design.pairs) * _LOG2_E
    statistics = torch.zeros_like(coefficients)
    total = 0.0
    for features, weights in design.weighted():
        joint = coefficients @ features
        top = joint.amax(dim=0)
        joint.sub_(top).exp2_()
        evidence = joint.sum(dim=0)
        values = top + evidence.log2()
        joint.div_(evidence)
        if weights is not None:
            values.mul_(weights)
            joint.mul_(weights)
        total += float(values.sum())
        statistics += joint @ features.T
    return total / _LOG2_E / design.total, statistics


def assigned(design: Design, cluster: Tensor, components: int) -> Tensor:
    """Return the sufficient statistics [K, F] of a hard assignment [N]."""
    every = torch.arange(components, device=cluster.device)[:, None]
    statistics: Tensor | None = None
    start = 0
    for features, weights in design.weighted():
        own = (cluster[start : start + features.shape[1]] == every).to(features)
        own = own if weights is None else own.mul_(weights)
        start += features.shape[1]
        statistics = own @ features.T if statistics is None else statistics + own @ features.T
    if statistics is None:
        raise ValueError("there are no examples")
    return statistics


def maximisation(
    statistics: Tensor, design: Design, *, least_variance: float, before: Mixture | None = None
) -> Mixture:
    """Return the mixture of highest expected log-likelihood, from the statistics of an E step.

    Allowed are covariances whose eigenvalues are at least ``least_variance``. Raising the smaller
    eigenvalues of the weighted covariance to it IS the constrained maximum, so the log-likelihood
    of EM still never decreases; adding a ridge would not keep that promise. A component without
    points keeps its place in ``before``.
    """
    pairs, features = design.pairs, design.x.shape[1]
    counts = statistics[:, 0].clamp_min(_LEAST_COUNT)
    moments = statistics[:, 1:] / counts[:, None]
    means = moments[:, :features]
    second = moments.new_zeros(len(counts), features, features)
    second[:, pairs[0], pairs[1]] = moments[:, features:]
    second[:, pairs[1], pairs[0]] = moments[:, features:]
    weights = counts / counts.sum()
    scatter = second - means[:, :, None] * means[:, None, :]
    if before is not None and bool((empty := statistics[:, 0] < 1e-12).any()):
        means = torch.where(empty[:, None], before.means, means)
        scatter = torch.where(empty[:, None, None], before.covariances, scatter)
    variances, axes = design.form.decompose(scatter, weights)
    return Mixture(weights, means, variances.clamp_min(least_variance), axes)


def climb(
    design: Design, mixture: Mixture, *, least_variance: float, tolerance: float, iterations: int
) -> tuple[Mixture, list[float]]:
    """Run EM until the mean log-likelihood rises by less than ``tolerance``, or time is up.

    Return the last mixture, and the mean log-likelihood (nats) at the start of each iteration;
    where it converged, the last of these is the mixture's own.

    Source: Dempster, Laird & Rubin 1977, Maximum likelihood from incomplete data via EM.
    """
    history: list[float] = []
    for _ in range(iterations):
        beat()
        value, statistics = expectation(design, mixture)
        history.append(value)
        if len(history) > 1 and (value - history[-2] < tolerance or time_left() <= 0):
            break
        mixture = maximisation(statistics, design, least_variance=least_variance, before=mixture)
    return mixture, history


def _coefficients(mixture: Mixture, pairs: Tensor) -> Tensor:
    """Return the [K, F] coefficients of ``log w_k + log Normal(x; k)`` on the features."""
    precision = (mixture.axes / mixture.variances[:, None, :]) @ mixture.axes.mT
    linear = (precision @ mixture.means[:, :, None])[:, :, 0]
    features = mixture.means.shape[1]
    constant = (
        mixture.weights.log()
        - 0.5 * (linear * mixture.means).sum(dim=1)
        - 0.5 * mixture.variances.log().sum(dim=1)
        - 0.5 * features * math.log(2 * math.pi)
    )
    # Each pair i < j stands for two equal entries of the matrix.
    doubled = torch.where(pairs[0] == pairs[1], -0.5, -1.0).to(precision)
    quadratic = precision[:, pairs[0], pairs[1]] * doubled
    return torch.cat((constant[:, None], linear, quadratic), dim=1)
