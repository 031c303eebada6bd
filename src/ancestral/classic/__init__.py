"""Classic models: the data themselves, kernels, mixtures of Gaussians, chains, n-grams, HMMs."""

from ancestral.classic.chains.emissions import CategoricalEmissions
from ancestral.classic.chains.gaussian_emissions import DiagonalGaussianEmissions, GaussianEmissions
from ancestral.classic.chains.hmm import HMM
from ancestral.classic.chains.markov import MarkovChain
from ancestral.classic.chains.ngram import NGram
from ancestral.classic.chains.smoothing import AddK, KneserNey, WittenBell
from ancestral.classic.chains.tagger import Tagger, most_frequent_tags, share_equal
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
