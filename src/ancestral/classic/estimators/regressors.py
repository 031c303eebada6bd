"""Regressors: linear regression and ridge."""

from typing import Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, RegressorMixin

from ancestral.classic.estimators.crossing import (
    Array,
    array,
    new_examples,
    rows,
    tensor,
    value_errors,
)
from ancestral.classic.linear import LinearRegression


class _Linear(RegressorMixin, BaseEstimator):
    """What both share: the fit by a penalty, and the mean of p(y | x)."""

    model_: LinearRegression

    def predict(self, X: ArrayLike) -> Array:
        """Return the mean of y for each row of X [N, D], [N]."""
        x = rows(self, X)
        return array(self.model_(x).mean)

    def _fit(
        self, x: ArrayLike, y: ArrayLike, penalty: float, intercept: bool, weight: ArrayLike | None
    ) -> Self:
        found, values, weight = new_examples(self, x, y, weight)
        weights = None if weight is None else tensor(weight)
        with value_errors():
            model = LinearRegression(found.shape[1], penalty=penalty, intercept=intercept)
            target = tensor(np.asarray(values, dtype=np.float64))
            self.model_ = model.fit(tensor(found), target, weights=weights)
        self.coef_ = array(self.model_.weight)
        self.intercept_ = float(self.model_.bias)
        return self


class LinearRegressor(_Linear):
    """:class:`~ancestral.classic.linear.LinearRegression` for scikit-learn, without a penalty.

    Args:
        fit_intercept: Whether the line may miss the origin.

    Example:
        >>> X = np.arange(6.0).reshape(3, 2)
        >>> LinearRegressor().fit(X, [1.0, 2.0, 3.0]).predict(X).round(6).tolist()
        [1.0, 2.0, 3.0]
    """

    def __init__(self, *, fit_intercept: bool = True) -> None:
        self.fit_intercept = fit_intercept

    def fit(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Fit by least squares to X [N, D] and y [N], weighted by [N]; return self."""
        return self._fit(X, y, 0.0, self.fit_intercept, sample_weight)


class RidgeRegressor(_Linear):
    """:class:`~ancestral.classic.linear.LinearRegression` for scikit-learn, with a penalty.

    Args:
        alpha: The penalty on the squared weights, at least 0.
        fit_intercept: Whether the line may miss the origin.

    Example:
        >>> X = np.arange(6.0).reshape(3, 2)
        >>> RidgeRegressor(alpha=2.0).fit(X, [1.0, 2.0, 3.0]).coef_.shape
        (2,)
    """

    def __init__(self, alpha: float = 1.0, *, fit_intercept: bool = True) -> None:
        self.alpha = alpha
        self.fit_intercept = fit_intercept

    def fit(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Fit by penalised least squares to X [N, D] and y [N], weighted by [N]; return self."""
        return self._fit(X, y, self.alpha, self.fit_intercept, sample_weight)
