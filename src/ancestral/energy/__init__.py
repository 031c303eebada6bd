"""Energy models: densities known up to their normaliser, and draws by Markov chains."""

from ancestral.energy.annealed_langevin import annealed_langevin
from ancestral.energy.ebm import EBM, PersistentEBM
from ancestral.energy.energies import Energy, Unwhitened, image_network, vector_network
from ancestral.energy.hopfield import Hopfield
from ancestral.energy.markov_field import Ising, MarkovField
from ancestral.energy.noise_contrastive import NoiseContrastive
from ancestral.energy.rbm import MOST_HIDDEN, RBM, SmallRBM
from ancestral.energy.replay import ReplayBuffer, contrastive_loss
from ancestral.energy.schroedinger_bridge import SchroedingerBridge
from ancestral.energy.score_matching import (
    denoising_score_matching_loss,
    posterior_score,
    score_matching_loss,
    sliced_score_matching_loss,
)

__all__ = [
    "EBM",
    "MOST_HIDDEN",
    "RBM",
    "Energy",
    "Hopfield",
    "Ising",
    "MarkovField",
    "NoiseContrastive",
    "PersistentEBM",
    "ReplayBuffer",
    "SchroedingerBridge",
    "SmallRBM",
    "Unwhitened",
    "annealed_langevin",
    "contrastive_loss",
    "denoising_score_matching_loss",
    "image_network",
    "posterior_score",
    "score_matching_loss",
    "sliced_score_matching_loss",
    "vector_network",
]
