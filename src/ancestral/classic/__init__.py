"""Classic density models: the data themselves, kernels on them, mixtures of Gaussians."""

from ancestral.classic.empirical import Empirical
from ancestral.classic.gmm import GaussianMixture
from ancestral.classic.kde import KDE
from ancestral.classic.selection import best_components

__all__ = ["KDE", "Empirical", "GaussianMixture", "best_components"]
