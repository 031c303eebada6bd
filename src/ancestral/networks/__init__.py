"""Bayesian networks: the one mechanism behind every model of the library.

Read in this order: ``dag`` (structure), ``nodes`` (conditionals), ``bayesian_network`` (joint
density, ancestral sampling), ``elbo`` (latents), ``chain`` and ``chain_elbo`` (nodes tied over
time), ``exact`` (exact discrete inference), ``approximate`` (estimates), ``linear_gaussian``,
``formats`` (files), and ``learning`` (tables and structures from data, imported by its own name).
"""

from ancestral.networks.annealed import AnnealedGaussianChain, GaussianDenoiser
from ancestral.networks.approximate import (
    Estimate,
    gibbs,
    likelihood_weighting,
    loopy_belief_propagation,
    plain_evidence,
    rejection,
)
from ancestral.networks.bayesian_network import BayesianNetwork
from ancestral.networks.chain import Chain, Homogeneous
from ancestral.networks.chain_elbo import chain_elbo, chain_terms
from ancestral.networks.dag import DAG
from ancestral.networks.elbo import (
    Pieces,
    elbo,
    elbo_pieces,
    estimate_log_prob,
    weighted_bound,
)
from ancestral.networks.exact import (
    Cost,
    Explanation,
    Inference,
    Posterior,
    RowPosteriors,
    expected_counts,
    joint,
    query,
)
from ancestral.networks.formats import parse_bif, read_bif, read_network, write_network
from ancestral.networks.gaussian_path import NoiseLevel, straight, variance_preserving
from ancestral.networks.latent import interpolate, slerp
from ancestral.networks.linear_gaussian import (
    GaussianPosterior,
    fit_linear_gaussian,
    gaussian_query,
)
from ancestral.networks.nodes import Deterministic, LinearGaussian, Node, StandardNormal, Table
from ancestral.networks.noising import (
    DenoisingStep,
    FixedSchedule,
    GreyNormal,
    LearnedSchedule,
    VariancePreservingStep,
    cosine_schedule,
    linear_schedule,
)
from ancestral.networks.point_mass import PointMass
from ancestral.networks.sampling import draw
from ancestral.networks.student import student_network

__all__ = [
    "DAG",
    "AnnealedGaussianChain",
    "BayesianNetwork",
    "Chain",
    "Cost",
    "DenoisingStep",
    "Deterministic",
    "Estimate",
    "Explanation",
    "FixedSchedule",
    "GaussianDenoiser",
    "GaussianPosterior",
    "GreyNormal",
    "Homogeneous",
    "Inference",
    "LearnedSchedule",
    "LinearGaussian",
    "Node",
    "NoiseLevel",
    "Pieces",
    "PointMass",
    "Posterior",
    "RowPosteriors",
    "StandardNormal",
    "Table",
    "VariancePreservingStep",
    "chain_elbo",
    "chain_terms",
    "cosine_schedule",
    "draw",
    "elbo",
    "elbo_pieces",
    "estimate_log_prob",
    "expected_counts",
    "fit_linear_gaussian",
    "gaussian_query",
    "gibbs",
    "interpolate",
    "joint",
    "likelihood_weighting",
    "linear_schedule",
    "loopy_belief_propagation",
    "parse_bif",
    "plain_evidence",
    "query",
    "read_bif",
    "read_network",
    "rejection",
    "slerp",
    "straight",
    "student_network",
    "variance_preserving",
    "weighted_bound",
    "write_network",
]
