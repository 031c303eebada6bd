"""Estimation: from data to laws, and from densities without a normaliser to draws."""

from ancestral.estimation.annealing import annealed_importance, log_mean_weight, tempered
from ancestral.estimation.chains import Chains, effective_size, r_hat
from ancestral.estimation.markov import (
    hamiltonian,
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
from ancestral.estimation.parameters import (
    fit_bernoulli,
    fit_normal,
    gaussian_penalty,
    laplace_penalty,
    log_evidence,
    log_likelihood,
    map_laplace_mean,
    map_normal_mean,
    update_beta,
    update_normal,
    weight_decay,
)

__all__ = [
    "Chains",
    "LearningRateStudy",
    "TwoGaussians",
    "annealed_importance",
    "effective_size",
    "fit_bernoulli",
    "fit_normal",
    "gaussian_penalty",
    "hamiltonian",
    "langevin",
    "laplace_penalty",
    "learning_rate_study",
    "log_evidence",
    "log_likelihood",
    "log_mean_weight",
    "map_laplace_mean",
    "map_normal_mean",
    "metropolis_hastings",
    "r_hat",
    "random_walk",
    "tempered",
    "transition_matrix",
    "unadjusted_langevin",
    "update_beta",
    "update_normal",
    "weight_decay",
]
