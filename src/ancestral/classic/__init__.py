"""Classic models: the data themselves, kernels, mixtures, naive Bayes, chains, tables, lines."""

from ancestral.classic.attack import fast_gradient_sign
from ancestral.classic.chains.emissions import CategoricalEmissions
from ancestral.classic.chains.gaussian_emissions import DiagonalGaussianEmissions, GaussianEmissions
from ancestral.classic.chains.hmm import HMM
from ancestral.classic.chains.markov import MarkovChain
from ancestral.classic.chains.ngram import NGram
from ancestral.classic.chains.smoothing import AddK, KneserNey, WittenBell
from ancestral.classic.chains.tagger import Tagger, most_frequent_tags, share_equal
from ancestral.classic.classifier import Classifier
from ancestral.classic.discrete_network import DiscreteNetwork
from ancestral.classic.empirical import Empirical
from ancestral.classic.families import Bernoullis, Categoricals, DiagonalGaussians, Multinomials
from ancestral.classic.few_labels import fit_few_labels
from ancestral.classic.gmm import GaussianMixture
from ancestral.classic.kde import KDE
from ancestral.classic.linear import LinearRegression
from ancestral.classic.logistic import LogisticRegression
from ancestral.classic.mixture import MixtureOf
from ancestral.classic.naive_bayes import NaiveBayes
from ancestral.classic.selection import best_components, best_mixture

__all__ = [
    "HMM",
    "KDE",
    "AddK",
    "Bernoullis",
    "CategoricalEmissions",
    "Categoricals",
    "Classifier",
    "DiagonalGaussianEmissions",
    "DiagonalGaussians",
    "DiscreteNetwork",
    "Empirical",
    "GaussianEmissions",
    "GaussianMixture",
    "KneserNey",
    "LinearRegression",
    "LogisticRegression",
    "MarkovChain",
    "MixtureOf",
    "Multinomials",
    "NGram",
    "NaiveBayes",
    "Tagger",
    "WittenBell",
    "best_components",
    "best_mixture",
    "fast_gradient_sign",
    "fit_few_labels",
    "most_frequent_tags",
    "share_equal",
]
