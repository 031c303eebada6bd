"""What a variational autoencoder raises in training, by those settings of it that a config has."""

from dataclasses import fields
from typing import Any

from ancestral.autoencoders import ImportanceWeightedBound, WeighedBound
from ancestral.autoencoders.objectives import Objective
from ancestral.settings import at_least, require

_WEIGHED = {"beta": 1.0, "warmup": 0.0, "free_nats": 0.0}
"""Settings of the bound whose KL has a weight, and what leaves it as it is."""


def objective_of(config: Any) -> Objective:  # noqa: ANN401 - a dataclass
    """Return the objective of a config with some of ``beta``, ``warmup``, ``free_nats``, ``draws``.

    Of one importance draw it is the ELBO, with the KL in closed form where there is one.
    """
    if getattr(config, "draws", 1) > 1:
        return ImportanceWeightedBound(config.draws)
    names = {item.name for item in fields(config)}
    return WeighedBound(**{name: getattr(config, name) for name in _WEIGHED if name in names})


def check_objective(config: Any) -> None:  # noqa: ANN401 - a dataclass
    """Refuse settings of the objective that are out of range, or of both kinds at once.

    Raises:
        ConfigError: If one is.
    """
    names = {item.name for item in fields(config)}
    least = {"beta": 0, "free_nats": 0, "draws": 1}
    at_least(config, **{name: value for name, value in least.items() if name in names})
    if "warmup" in names:
        require(config, "warmup", 0 <= config.warmup <= 1, "in [0, 1]")
    if "draws" in names and config.draws > 1:
        for name, usual in _WEIGHED.items():
            fits = name not in names or getattr(config, name) == usual
            require(config, name, fits, f"{usual} with several draws")
