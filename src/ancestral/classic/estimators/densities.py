"""Estimators of a density: the Gaussian mixture and the kernel density estimate."""

from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, DensityMixin
from sklearn.utils.validation import check_is_fitted
from torch.distributions import Categorical

from ancestral.classic.bandwidth import Rule
from ancestral.classic.covariance import Covariance
from ancestral.classic.estimators.crossing import (
    Array,
    RandomState,
    array,
    generator,
    new_rows,
    new_weighted_rows,
    rows,
    tensor,
    value_errors,
)
from ancestral.classic.gmm import GaussianMixture
from ancestral.classic.kde import KDE
from ancestral.classic.radial import KernelName
from ancestral.networks.arguments import check_whole
from ancestral.networks.sampling import draw


class _Density(DensityMixin, BaseEstimator):
    """What both densities share: the model's log-density and its draws."""

    model_: Any
    n_features_in_: int

    def score_samples(self, X: ArrayLike) -> Array:
        """Return the log-density of each row of X [N, D], nats, [N]."""
        x = rows(self, X)
        return array(self.model_.log_prob(x))

    def score(self, X: ArrayLike, y: object = None) -> float:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Return the mean log-density of the rows of X [N, D], nats."""
        del y
        return float(np.mean(self.score_samples(X)))


class GaussianMixtureEstimator(_Density):
    """:class:`~ancestral.classic.gmm.GaussianMixture` for scikit-learn.

    Args:
        n_components: Number of Gaussians.
        covariance_type: ``"full"``, ``"tied"``, ``"diag"`` or ``"spherical"``.
        least_variance: Least variance of a component, relative to the data's; None to choose it.
        tol: EM ends when the mean log-likelihood rises by less than this, nats.
        max_iter: Most sweeps of EM.
        n_init: Starts, of which the best is kept.
        random_state: Seed of the starts.

    Example:
        >>> X = np.random.default_rng(0).normal(size=(100, 2))
        >>> GaussianMixtureEstimator(3, random_state=0).fit(X).predict_proba(X).shape
        (100, 3)
    """

    def __init__(
        self,
        n_components: int = 1,
        *,
        covariance_type: Covariance = "full",
        least_variance: float | None = 1e-6,
        tol: float = 1e-4,
        max_iter: int = 200,
        n_init: int = 1,
        random_state: RandomState = None,
    ) -> None:
        self.n_components = n_components
        self.covariance_type: Covariance = covariance_type
        self.least_variance = least_variance
        self.tol = tol
        self.max_iter = max_iter
        self.n_init = n_init
        self.random_state = random_state

    def fit(self, X: ArrayLike, y: object = None, sample_weight: ArrayLike | None = None) -> Self:
        """Run EM on the rows of X [N, D], weighted by [N]; return self.

        The starts see the weighted rows as a set: their order, and whether a row is repeated or
        weighted, make no difference.
        """
        del y
        x, weight = new_weighted_rows(self, X, sample_weight)
        order = np.lexsort(x.T)
        with value_errors():
            self.model_ = GaussianMixture(
                x.shape[1],
                components=self.n_components,
                covariance=self.covariance_type,
                least_variance=self.least_variance,
                tolerance=self.tol,
                iterations=self.max_iter,
                restarts=self.n_init,
            ).fit(
                tensor(x[order]),
                generator=generator(self.random_state),
                weights=tensor(weight[order]),
            )
        factors = self.model_.gaussians.scale_tril
        self.weights_ = array(self.model_.weights)
        self.means_ = array(self.model_.gaussians.means)
        self.covariances_ = _in_form(array(factors @ factors.mT), self.covariance_type)
        history = self.model_.history
        self.n_iter_, self.lower_bound_ = len(history), history[-1]
        self.converged_ = len(history) > 1 and history[-1] - history[-2] < self.tol
        return self

    def bic(self, X: ArrayLike) -> float:
        """Return the Bayesian information criterion on X [N, D], nats; lower is better."""
        values = self.score_samples(X)
        return float(-2 * values.sum() + self._parameters() * np.log(len(values)))

    def aic(self, X: ArrayLike) -> float:
        """Return Akaike's information criterion on X [N, D], nats; lower is better."""
        return float(-2 * self.score_samples(X).sum() + 2 * self._parameters())

    def _parameters(self) -> int:
        """Return how many numbers are free: weights but one, means and covariances."""
        count, columns = self.means_.shape
        square = columns * (columns + 1) // 2
        form = {"full": count * square, "tied": square, "diag": count * columns}
        return count - 1 + count * columns + form.get(self.covariance_type, count)

    def predict_proba(self, X: ArrayLike) -> Array:
        """Return the posterior of the component of each row of X [N, D], [N, K]."""
        x = rows(self, X)
        return array(self.model_.responsibilities(x))

    def predict(self, X: ArrayLike) -> NDArray[np.int64]:
        """Return the likeliest component of each row of X [N, D], [N]."""
        return self.predict_proba(X).argmax(axis=1)

    def sample(self, n_samples: int = 1) -> tuple[Array, NDArray[np.int64]]:
        """Return draws [n_samples, D] and the component of each, [n_samples]."""
        check_is_fitted(self)
        check_whole("n", n_samples)
        source = generator(self.random_state)
        weights = Categorical(probs=self.model_.weights, validate_args=False)
        z = draw(weights, (n_samples,), source)
        x = self.model_.sample(n_samples, given={"z": z}, generator=source)
        return array(x), z.numpy()


def _in_form(matrices: Array, covariance: Covariance) -> Array:
    """Return covariances [K, D, D] as scikit-learn has them: [D, D], [K, D] or [K] where fewer."""
    if covariance == "tied":
        return matrices[0]
    if covariance == "full":
        return matrices
    diagonals = np.diagonal(matrices, axis1=1, axis2=2).copy()
    return diagonals if covariance == "diag" else diagonals[:, 0]


class KernelDensityEstimator(_Density):
    """:class:`~ancestral.classic.kde.KDE` for scikit-learn.

    Args:
        bandwidth: Width of the kernels, > 0, ``"scott"``, ``"silverman"``, or None: the one under
            which left-out rows are most likely. A rule is multiplied by the root of the mean
            variance of the columns, and by one over the kernel's standard deviation;
            scikit-learn's is neither: N^(-1/(D+4)) in any units.
        kernel: ``"gaussian"``, ``"tophat"``, ``"epanechnikov"``, ``"exponential"``, ``"linear"``
            or ``"cosine"``.
        random_state: Seed of the choice of the bandwidth, for many rows, and of draws.

    Example:
        >>> X = np.random.default_rng(0).normal(size=(100, 2))
        >>> KernelDensityEstimator(bandwidth="scott").fit(X).score_samples(X).shape
        (100,)
    """

    def __init__(
        self,
        *,
        bandwidth: float | Rule | None = None,
        kernel: KernelName = "gaussian",
        random_state: RandomState = None,
    ) -> None:
        self.bandwidth: float | Rule | None = bandwidth
        self.kernel: KernelName = kernel
        self.random_state = random_state

    def fit(self, X: ArrayLike, y: object = None) -> Self:
        """Keep the rows of X [N, D] and choose the bandwidth; return self."""
        del y
        x = new_rows(self, X)
        with value_errors():
            self.model_ = KDE(x.shape[1], bandwidth=self.bandwidth, kernel=self.kernel).fit(
                tensor(x), generator=generator(self.random_state)
            )
        self.bandwidth_ = float(self.model_.width)
        return self

    def sample(self, n_samples: int = 1) -> Array:
        """Return draws, [n_samples, D]."""
        check_is_fitted(self)
        return array(self.model_.sample(n_samples, generator=generator(self.random_state)))
