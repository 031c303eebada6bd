"""scikit-learn's own checks of what an estimator must be."""

import pytest
from sklearn.base import BaseEstimator
from sklearn.utils.estimator_checks import parametrize_with_checks

from ancestral.classic.estimators import (
    GaussianMixtureEstimator,
    KernelDensityEstimator,
    LinearRegressor,
    LogisticClassifier,
    MLPClassifier,
    NaiveBayesClassifier,
    RidgeRegressor,
)

ESTIMATORS = [
    GaussianMixtureEstimator(),
    GaussianMixtureEstimator(2, covariance_type="diag"),
    KernelDensityEstimator(),
    KernelDensityEstimator(bandwidth="scott", kernel="exponential"),
    LinearRegressor(),
    RidgeRegressor(),
    NaiveBayesClassifier(),
    NaiveBayesClassifier("bernoulli"),
    NaiveBayesClassifier("multinomial"),
    NaiveBayesClassifier("categorical"),
    LogisticClassifier(),
    MLPClassifier((8,), iterations=50),
]


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
@parametrize_with_checks(ESTIMATORS)
def test_check_estimator(estimator: BaseEstimator, check: object) -> None:
    check(estimator)  # pyright: ignore[reportCallIssue]
