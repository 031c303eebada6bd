"""The classic models in scikit-learn's manner: ``fit(X, y)``, ``predict``, ``get_params``.

Each is a thin face on a model of :mod:`ancestral.classic`, which is there as ``model_`` after the
fit. Arrays are NumPy's, labels may be any values, numbers are float64.
"""

from ancestral.classic.estimators.classifiers import (
    LogisticClassifier,
    MLPClassifier,
    NaiveBayesClassifier,
)
from ancestral.classic.estimators.densities import GaussianMixtureEstimator, KernelDensityEstimator
from ancestral.classic.estimators.regressors import LinearRegressor, RidgeRegressor

__all__ = [
    "GaussianMixtureEstimator",
    "KernelDensityEstimator",
    "LinearRegressor",
    "LogisticClassifier",
    "MLPClassifier",
    "NaiveBayesClassifier",
    "RidgeRegressor",
]
