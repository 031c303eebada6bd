"""Gaussian emissions of a hidden Markov model, with full or diagonal covariances."""

import math
from abc import ABC, abstractmethod

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.linalg import solve_triangular
from torch import Generator, Tensor, nn

from ancestral.classic.chains.recursions import Array
from ancestral.classic.chains.sequences import Values, device_of, normals
from ancestral.classic.gaussians import Gaussians
from ancestral.classic.seeding import cluster_centres, nearest_centre
from ancestral.errors import DataError
from ancestral.networks.arguments import check_whole, to_numpy

_LOG_2PI = math.log(2 * math.pi)


class _Emissions(nn.Module, ABC):
    """What both kinds share: the means, the scale of the data, and where the states start."""

    means: Tensor
    scale: Tensor

    def __init__(self, states: int, *, features: int, least_variance: float) -> None:
        super().__init__()
        for name, count in {"states": states, "features": features}.items():
            check_whole(name, count)
        if not 0 < least_variance <= 1:
            raise ValueError(f"least_variance must be in (0, 1], got {least_variance}")
        self.states, self.event_shape = states, (features,)
        self.least_variance = least_variance
        self.register_buffer("means", torch.zeros(states, features, dtype=torch.float64))
        self.register_buffer("scale", torch.ones(features, dtype=torch.float64))

    @abstractmethod
    def log_likelihood(self, x: Values) -> Array:
        """Return log p(x_t | z_t), nats, [K, T, n], for x [T, n, D]."""

    @abstractmethod
    def statistics(self, x: Values, weights: Array) -> Array:
        """Return sufficient statistics of x [T, n, D] under weights [K, T, n]."""

    @abstractmethod
    def maximise(self, statistics: Array, *, alpha: float = 0.0) -> None:
        """Set the most likely parameters."""

    def check(self, x: Tensor, *, whole: bool) -> Values:
        """Return x [N, T, D] as float64.

        Raises ValueError if x is not [N, T, D]; DataError if a value is infinite.
        """
        del whole
        features = self.event_shape[0]
        if x.ndim != 3 or x.shape[2] != features:
            raise ValueError(f"x must have shape [N, T, {features}], got {list(x.shape)}")
        values = to_numpy(x).astype(np.float64)
        if np.isinf(values).any():
            raise DataError("every value must be finite, or NaN where it is missing, got infinity")
        return values

    def likelihood(self, x: Values) -> tuple[Array, Array]:
        """Return p(x_t | z_t) divided by its largest over z_t, and the log of that, [T, n]."""
        found = self.log_likelihood(x)
        top = found.max(axis=0)
        found -= top
        with np.errstate(under="ignore"):
            return np.exp(found, out=found), top

    def reset(self, x: Values, counts: Array | None = None) -> None:
        """Give every state the mean and the variances of the data [M, D]."""
        mean, scale = _location(x, counts)
        self.scale.copy_(scale)
        self.means.copy_(mean.expand_as(self.means))

    def start(self, x: Values, generator: Generator | None, counts: Array | None = None) -> None:
        """Put the states where k-means finds clusters in x [M, D]."""
        self.maximise(self.statistics(*_clusters(self, x, generator, counts)))

    def extra_repr(self) -> str:
        """Tell the sizes in ``repr``."""
        return f"states={self.states}, features={self.event_shape[0]}"


class GaussianEmissions(_Emissions):
    """Every state shows a Gaussian vector with its own mean and full covariance.

    A row of NaN is a missing observation. A row with some NaN has its other entries' marginal
    density; ``fit`` refuses it (with :class:`DiagonalGaussianEmissions` it does not).

    Args:
        states: Number K of hidden states, at least 1.
        features: Dimension D of an observation, at least 1.
        least_variance: Least variance of a state in any direction, relative to the data's
            columns, in (0, 1].

    Raises:
        ValueError: If an argument is out of its range.

    Example:
        >>> GaussianEmissions(3, features=2).covariances.shape
        torch.Size([3, 2, 2])
    """

    covariances: Tensor

    def __init__(self, states: int, *, features: int, least_variance: float = 1e-6) -> None:
        super().__init__(states, features=features, least_variance=least_variance)
        eye = torch.eye(features, dtype=torch.float64)
        self.register_buffer("covariances", eye.repeat(states, 1, 1))

    def check(self, x: Tensor, *, whole: bool) -> Values:
        """Return x [N, T, D] as float64; where ``whole``, rows must be all NaN or not at all.

        Raises:
            ValueError: If x is not [N, T, D].
            DataError: If a value is infinite, or a row that must be whole is not.
        """
        values = super().check(x, whole=whole)
        gaps = np.isnan(values)
        if whole and (gaps.any(axis=2) & ~gaps.all(axis=2)).any():
            raise DataError(
                "full covariances learn from rows that are whole or all NaN, got a row with some "
                "NaN; take DiagonalGaussianEmissions"
            )
        return values

    def log_likelihood(self, x: Values) -> Array:
        """Return log p(x_t | z_t), nats, [K, T, n], for x [T, n, D]."""
        rows = x.reshape(-1, x.shape[-1])
        observed = ~np.isnan(rows)
        found = np.empty((self.states, len(rows)))
        if observed.all():
            self._fill(found, rows, slice(None), np.arange(rows.shape[1]))
        else:
            patterns, which = np.unique(observed, axis=0, return_inverse=True)
            for number, pattern in enumerate(patterns):
                self._fill(found, rows, which.ravel() == number, np.flatnonzero(pattern))
        return found.reshape(self.states, *x.shape[:-1])

    def reset(self, x: Values, counts: Array | None = None) -> None:
        """Give every state the mean and the variances of the data [M, D]."""
        super().reset(x, counts)
        self.covariances.copy_(torch.diag(self.scale.square()).expand_as(self.covariances))

    def statistics(self, x: Values, weights: Array) -> Array:
        """Return counts, first and second moments about the present means, [K, 1 + D + D^2]."""
        rows, flat = x.reshape(-1, x.shape[-1]), weights.reshape(self.states, -1)
        known = ~np.isnan(rows[:, 0])
        if not known.all():
            rows, flat = rows[known], flat[:, known]
        found = []
        for weight, mean in zip(flat, to_numpy(self.means), strict=True):
            away = rows - mean
            pulled = away * weight[:, None]
            second = pulled.T @ away
            found.append(np.concatenate(([weight.sum()], pulled.sum(axis=0), second.ravel())))
        return np.stack(found)

    def maximise(self, statistics: Array, *, alpha: float = 0.0) -> None:
        """Set weighted means and covariances; a state without examples stays as it is.

        Raising the smaller eigenvalues to the least variance IS the constrained maximum, so EM
        still never goes down.
        """
        del alpha  # Counts of symbols are smoothed, moments are not.
        some = statistics[:, 0] > 1e-12
        features = self.event_shape[0]
        moments = statistics[some, 1:] / statistics[some, :1]
        shift = moments[:, :features]
        second = moments[:, features:].reshape(-1, features, features)
        scale = to_numpy(self.scale)
        relative = second - shift[:, :, None] * shift[:, None, :]
        relative /= scale[:, None] * scale
        variances, axes = np.linalg.eigh((relative + relative.swapaxes(1, 2)) / 2)
        variances = np.maximum(variances, self.least_variance)
        whole = (axes * variances[:, None, :]) @ axes.swapaxes(1, 2) * (scale[:, None] * scale)
        states = torch.from_numpy(some)
        self.means[states] += torch.from_numpy(shift).to(self.means)
        self.covariances[states] = torch.from_numpy(whole).to(self.covariances)

    def draw(self, z: NDArray[np.int64], generator: Generator | None) -> Tensor:
        """Draw a vector for each state [M], [M, D]."""
        noise = normals((len(z), *self.event_shape), generator)
        triangles = np.linalg.cholesky(to_numpy(self.covariances))
        away = (triangles[z] @ noise[:, :, None])[:, :, 0]
        return torch.from_numpy(to_numpy(self.means)[z] + away)

    def conditional(self) -> nn.Module:
        """Return p(x | z) as a module of Gaussians."""
        return _gaussians(self.means, self.covariances)

    def _fill(
        self, found: Array, rows: Array, where: slice | NDArray[np.bool_], columns: NDArray[np.int_]
    ) -> None:
        """Write the log-density of some columns of some rows, under every state."""
        part = rows[where][:, columns]
        for k in range(self.states):
            mean, whole = to_numpy(self.means[k]), to_numpy(self.covariances[k])
            triangle = np.linalg.cholesky(whole[np.ix_(columns, columns)])
            away = (part - mean[columns]).T
            white = solve_triangular(triangle, away, lower=True, check_finite=False)
            volume = np.log(np.diagonal(triangle)).sum() + 0.5 * len(columns) * _LOG_2PI
            found[k, where] = -0.5 * np.square(white).sum(axis=0) - volume


class DiagonalGaussianEmissions(_Emissions):
    """Every state shows a Gaussian vector with its own mean and variances, entries independent.

    NaN entries are missing observations, one by one.

    Args:
        states: Number K of hidden states, at least 1.
        features: Dimension D of an observation, at least 1.
        least_variance: Least variance of a state, relative to the data's column, in (0, 1].

    Raises:
        ValueError: If an argument is out of its range.

    Example:
        >>> DiagonalGaussianEmissions(3, features=2).variances.shape
        torch.Size([3, 2])
    """

    variances: Tensor

    def __init__(self, states: int, *, features: int, least_variance: float = 1e-6) -> None:
        super().__init__(states, features=features, least_variance=least_variance)
        self.register_buffer("variances", torch.ones(states, features, dtype=torch.float64))

    def log_likelihood(self, x: Values) -> Array:
        """Return log p(x_t | z_t), nats, [K, T, n], for x [T, n, D]."""
        found = np.empty((self.states, *x.shape[:-1]))
        for k in range(self.states):
            mean, variance = to_numpy(self.means[k]), to_numpy(self.variances[k])
            terms = np.square(x - mean) / variance + (np.log(variance) + _LOG_2PI)
            found[k] = -0.5 * np.nansum(terms, axis=-1)
        return found

    def reset(self, x: Values, counts: Array | None = None) -> None:
        """Give every state the mean and the variances of the data [M, D]."""
        super().reset(x, counts)
        self.variances.copy_(self.scale.square().expand_as(self.variances))

    def statistics(self, x: Values, weights: Array) -> Array:
        """Return counts and two moments about the present means, by column, [K, 3, D]."""
        rows, flat = x.reshape(-1, x.shape[-1]), weights.reshape(self.states, -1)
        known = ~np.isnan(rows)
        found = []
        for weight, mean in zip(flat, to_numpy(self.means), strict=True):
            away = np.where(known, rows - mean, 0.0)
            found.append(np.stack((weight @ known, weight @ away, weight @ np.square(away))))
        return np.stack(found)

    def maximise(self, statistics: Array, *, alpha: float = 0.0) -> None:
        """Set weighted means and variances; where there are no examples they stay."""
        del alpha  # Counts of symbols are smoothed, moments are not.
        some = statistics[:, 0] > 1e-12
        count = np.where(some, statistics[:, 0], 1.0)
        shift = np.where(some, statistics[:, 1] / count, 0.0)
        variances = statistics[:, 2] / count - np.square(shift)
        least = self.least_variance * np.square(to_numpy(self.scale))
        kept = np.where(some, np.maximum(variances, least), to_numpy(self.variances))
        self.means += torch.from_numpy(shift).to(self.means)
        self.variances.copy_(torch.from_numpy(kept))

    def draw(self, z: NDArray[np.int64], generator: Generator | None) -> Tensor:
        """Draw a vector for each state [M], [M, D]."""
        noise = normals((len(z), *self.event_shape), generator)
        away = np.sqrt(to_numpy(self.variances))[z] * noise
        return torch.from_numpy(to_numpy(self.means)[z] + away)

    def conditional(self) -> nn.Module:
        """Return p(x | z) as a module of Gaussians."""
        return _gaussians(self.means, torch.diag_embed(self.variances))


def _clusters(
    emissions: _Emissions,
    x: Values,
    generator: Generator | None,
    counts: Array | None,
) -> tuple[Values, Array]:
    """Set the scale and the means from x [M, D]; return x [M, 1, D] and who belongs where.

    What belongs to a state counts as often as ``counts`` [M] says. Raises DataError if fewer whole
    rows are observed than there are states.
    """
    known = ~np.isnan(x).any(axis=1)
    whole, each = x[known], None if counts is None else counts[known]
    if len(whole) < emissions.states:
        raise DataError(
            f"fitting {emissions.states} states needs as many whole observations, got {len(whole)}"
        )
    emissions.reset(x, counts)
    mean, scale = to_numpy(emissions.means[0]), to_numpy(emissions.scale)
    scaled = torch.from_numpy((whole - mean) / scale).to(device_of(generator))
    weights = None if each is None else torch.from_numpy(each).to(scaled)
    centres = cluster_centres(scaled, emissions.states, weights=weights, generator=generator)
    emissions.means.copy_(torch.from_numpy(to_numpy(centres) * scale + mean))
    cluster = to_numpy(nearest_centre(scaled, centres))
    belongs = (cluster == np.arange(emissions.states)[:, None]).astype(np.float64)
    belongs = belongs if each is None else belongs * each
    return whole[:, None], belongs[:, :, None]


def _gaussians(means: Tensor, covariances: Tensor) -> Gaussians:
    conditional = Gaussians(*means.shape).to(means)
    conditional.means.copy_(means)
    conditional.scale_tril.copy_(torch.linalg.cholesky(covariances))
    return conditional


def _location(x: Values, counts: Array | None) -> tuple[Tensor, Tensor]:
    """Return mean and standard deviation, [D], of what is observed in each column of x [M, D]."""
    known = ~np.isnan(x)
    each = known if counts is None else known * counts[:, None]
    total = each.sum(axis=0)
    count = np.where(total > 0, total, 1.0)
    mean = (np.where(known, x, 0.0) * each).sum(axis=0) / count
    away = np.where(known, x - mean, 0.0)
    scale = np.sqrt((np.square(away) * each).sum(axis=0) / count)
    # A constant column has no scale of its own.
    return torch.from_numpy(mean), torch.from_numpy(np.where(scale > 0, scale, 1.0))
