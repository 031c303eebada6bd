"""Classic models: the data themselves, kernels, mixtures, naive Bayes, regression, classifiers."""

from ancestral.classic.classifier import Classifier
from ancestral.classic.empirical import Empirical
from ancestral.classic.families import Bernoullis, Categoricals, DiagonalGaussians, Multinomials
from ancestral.classic.gmm import GaussianMixture
from ancestral.classic.kde import KDE
from ancestral.classic.linear import LinearRegression
from ancestral.classic.logistic import LogisticRegression
from ancestral.classic.mixture import MixtureOf
from ancestral.classic.naive_bayes import NaiveBayes
from ancestral.classic.selection import best_components

__all__ = [
    "KDE",
    "Bernoullis",
    "Categoricals",
    "Classifier",
    "DiagonalGaussians",
    "Empirical",
    "GaussianMixture",
    "LinearRegression",
    "LogisticRegression",
    "MixtureOf",
    "Multinomials",
    "NaiveBayes",
    "best_components",
]
