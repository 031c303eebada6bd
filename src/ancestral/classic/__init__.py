"""Classic density models: the data themselves, kernels, mixtures of Gaussians, tables."""

from ancestral.classic.discrete_network import DiscreteNetwork
from ancestral.classic.empirical import Empirical
from ancestral.classic.gmm import GaussianMixture
from ancestral.classic.kde import KDE
from ancestral.classic.selection import best_components

__all__ = ["KDE", "DiscreteNetwork", "Empirical", "GaussianMixture", "best_components"]
