"""Bayesian networks: the one mechanism behind every model of the library.

Read in this order: ``dag`` (structure), ``nodes`` (conditionals), ``bayesian_network`` (joint
density, ancestral sampling), ``elbo`` (latents), ``elimination`` (exact discrete inference).
"""

from ancestral.networks.bayesian_network import BayesianNetwork
from ancestral.networks.dag import DAG
from ancestral.networks.elbo import elbo, estimate_log_prob
from ancestral.networks.latent import interpolate, slerp
from ancestral.networks.nodes import Deterministic, LinearGaussian, Node, StandardNormal, Table
from ancestral.networks.sampling import draw

__all__ = [
    "DAG",
    "BayesianNetwork",
    "Deterministic",
    "LinearGaussian",
    "Node",
    "StandardNormal",
    "Table",
    "draw",
    "elbo",
    "estimate_log_prob",
    "interpolate",
    "slerp",
]
