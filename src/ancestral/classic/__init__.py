"""Classic models: the data themselves, kernels, mixtures, naive Bayes, regression, classifiers."""

from ancestral.classic.empirical import Empirical
from ancestral.classic.families import Bernoullis, Categoricals, DiagonalGaussians, Multinomials
from ancestral.classic.gmm import GaussianMixture
from ancestral.classic.kde import KDE
from ancestral.classic.mixture import MixtureOf
from ancestral.classic.naive_bayes import NaiveBayes
from ancestral.classic.selection import best_components

__all__ = [
    "KDE",
    "Bernoullis",
    "Categoricals",
    "DiagonalGaussians",
    "Empirical",
    "GaussianMixture",
    "MixtureOf",
    "Multinomials",
    "NaiveBayes",
    "best_components",
]
