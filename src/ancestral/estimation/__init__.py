"""Estimation: from data to laws, and from densities without a normaliser to draws."""

from ancestral.estimation.chains import Chains, effective_size, r_hat
from ancestral.estimation.conjugate import (
    NormalInverseGamma,
    log_evidence,
    update_beta,
    update_dirichlet,
    update_gamma,
    update_normal,
)
from ancestral.estimation.likelihood import (
    fit_bernoulli,
    fit_categorical,
    fit_exponential,
    fit_multivariate_normal,
    fit_normal,
    fit_poisson,
    log_likelihood,
)
from ancestral.estimation.markov import (
    independent_proposal,
    langevin,
    metropolis_hastings,
    random_walk,
    transition_matrix,
    unadjusted_langevin,
)
from ancestral.estimation.mixture_prior import (
    LearningRateStudy,
    TwoGaussians,
    learning_rate_study,
)
from ancestral.estimation.priors import (
    gaussian_penalty,
    laplace_penalty,
    map_laplace_mean,
    map_normal_mean,
    weight_decay,
)

__all__ = [
    "Chains",
    "LearningRateStudy",
    "NormalInverseGamma",
    "TwoGaussians",
    "effective_size",
    "fit_bernoulli",
    "fit_categorical",
    "fit_exponential",
    "fit_multivariate_normal",
    "fit_normal",
    "fit_poisson",
    "gaussian_penalty",
    "independent_proposal",
    "langevin",
    "laplace_penalty",
    "learning_rate_study",
    "log_evidence",
    "log_likelihood",
    "map_laplace_mean",
    "map_normal_mean",
    "metropolis_hastings",
    "r_hat",
    "random_walk",
    "transition_matrix",
    "unadjusted_langevin",
    "update_beta",
    "update_dirichlet",
    "update_gamma",
    "update_normal",
    "weight_decay",
]
