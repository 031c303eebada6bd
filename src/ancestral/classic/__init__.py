"""Classic models: the data themselves, kernels, mixtures, naive Bayes, chains, tables, lines."""

from ancestral.classic.chains.emissions import CategoricalEmissions
from ancestral.classic.chains.gaussian_emissions import DiagonalGaussianEmissions, GaussianEmissions
from ancestral.classic.chains.hmm import HMM
from ancestral.classic.chains.markov import MarkovChain
from ancestral.classic.chains.ngram import NGram
from ancestral.classic.chains.smoothing import AddK, KneserNey, WittenBell
from ancestral.classic.chains.tagger import Tagger, most_frequent_tags, share_equal
from ancestral.classic.discrete_network import DiscreteNetwork
from ancestral.classic.empirical import Empirical
from ancestral.classic.gmm import GaussianMixture
from ancestral.classic.kde import KDE
from ancestral.classic.selection import best_components

__all__ = [
    "HMM",
    "KDE",
    "AddK",
    "CategoricalEmissions",
    "DiagonalGaussianEmissions",
    "DiscreteNetwork",
    "Empirical",
    "GaussianEmissions",
    "GaussianMixture",
    "KneserNey",
    "MarkovChain",
    "NGram",
    "Tagger",
    "WittenBell",
    "best_components",
    "most_frequent_tags",
    "share_equal",
]
