"""Probability and information: what is known of laws, and how far they are from each other.

Laws are torch distributions or tensors of probabilities. Read ``shannon`` first; a
:class:`Quantity` says whether it is exact or an estimate with a standard error.
"""

from ancestral.information.coding import huffman_code, huffman_lengths
from ancestral.information.divergences import (
    CHI_SQUARE,
    HELLINGER,
    JENSEN_SHANNON,
    KL,
    REVERSE_KL,
    TOTAL_VARIATION,
    FDivergence,
    jensen_shannon,
    jensen_shannon_distance,
    mutual_information,
)
from ancestral.information.moments import covariance, monte_carlo, pearson, variance
from ancestral.information.normals import (
    affine_normal,
    box_muller,
    conditional_normal,
    marginal_normal,
    sum_of_normals,
)
from ancestral.information.parabola import ParabolicDensity
from ancestral.information.projection import closest_normal
from ancestral.information.quantity import Quantity
from ancestral.information.shannon import Law, cross_entropy, entropy, kl, self_information
from ancestral.information.tables import (
    chain_factors,
    chain_product,
    check_simplex,
    conditional,
    expectation,
    independent,
    marginal,
    posterior,
)
from ancestral.information.transport import wasserstein, wasserstein_of_samples

__all__ = [
    "CHI_SQUARE",
    "HELLINGER",
    "JENSEN_SHANNON",
    "KL",
    "REVERSE_KL",
    "TOTAL_VARIATION",
    "FDivergence",
    "Law",
    "ParabolicDensity",
    "Quantity",
    "affine_normal",
    "box_muller",
    "chain_factors",
    "chain_product",
    "check_simplex",
    "closest_normal",
    "conditional",
    "conditional_normal",
    "covariance",
    "cross_entropy",
    "entropy",
    "expectation",
    "huffman_code",
    "huffman_lengths",
    "independent",
    "jensen_shannon",
    "jensen_shannon_distance",
    "kl",
    "marginal",
    "marginal_normal",
    "monte_carlo",
    "mutual_information",
    "pearson",
    "posterior",
    "self_information",
    "sum_of_normals",
    "variance",
    "wasserstein",
    "wasserstein_of_samples",
]
