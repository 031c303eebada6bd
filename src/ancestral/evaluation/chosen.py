"""Figures that choose the weights, on the validation split."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Chosen:
    """A figure by which weights can be chosen."""

    name: str
    higher_is_better: bool


ELBO = Chosen("elbo", True)
LOG_PROB = Chosen("log_prob", True)
LOSS = Chosen("loss", False)
SLICED_WASSERSTEIN = Chosen("sliced_wasserstein", False)
BITS_PER_CHAR = Chosen("bits_per_char", False)
LABEL_LOG_PROB = Chosen("label_log_prob", True)
