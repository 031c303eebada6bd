"""Approximate answers where exact ones do not fit: each says how far off it may be.

Read in this order: ``estimate`` (the result), ``evidence`` (soft evidence and interventions, for
all methods), ``weighting`` (independent draws), ``gibbs_sampling``
over ``chains`` (dependent draws), ``loopy`` (no draws).
"""

from ancestral.networks.approximate.chains import effective_sample_size, split_r_hat
from ancestral.networks.approximate.estimate import Estimate, check_targets
from ancestral.networks.approximate.evidence import PlainEvidence, plain_evidence
from ancestral.networks.approximate.gibbs_sampling import GibbsSampler, gibbs
from ancestral.networks.approximate.loopy import loopy_belief_propagation
from ancestral.networks.approximate.weighting import likelihood_weighting, rejection

__all__ = [
    "Estimate",
    "GibbsSampler",
    "PlainEvidence",
    "check_targets",
    "effective_sample_size",
    "gibbs",
    "likelihood_weighting",
    "loopy_belief_propagation",
    "plain_evidence",
    "rejection",
    "split_r_hat",
]
