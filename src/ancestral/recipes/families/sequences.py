"""Hidden Markov models of rows that are sequences: the columns are the steps, in their order."""

from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Generator, Tensor, nn

from ancestral.classic import HMM, CategoricalEmissions, DiagonalGaussianEmissions
from ancestral.data.dataset import Dataset
from ancestral.data.fields import Shape
from ancestral.data.model_units import series
from ancestral.errors import ConfigError
from ancestral.evaluation import chosen as figures
from ancestral.recipes.recipe import Recipe
from ancestral.settings import at_least, chosen

_STATES = (1, 2, 3, 4, 6, 8, 12)
_HELD_OUT = 5  # One sequence in so many judges the number of states.


@dataclass(frozen=True, slots=True, kw_only=True)
class HMMConfig:
    """A hidden Markov model.

    Args:
        emissions: ``gaussian``: each step shows a number; ``categorical``: a state, the same ones
            at each step.
        states: Hidden states, at least 1; None: the number under which a held-out part of the
            training split is most likely.
        restarts: Random starts of Baum-Welch, at least 1; the most likely is kept.
        iterations: Most sweeps of each, at least 1.
    """

    emissions: Literal["gaussian", "categorical"] = "gaussian"
    states: int = chosen()
    restarts: int = 3
    iterations: int = 100

    def __post_init__(self) -> None:
        at_least(self, states=1, restarts=1, iterations=1)


def _model(config: HMMConfig, states: int, *, symbols: int, length: int) -> HMM:
    """Return an HMM, not fitted yet; of numbers there are no symbols."""
    emissions = (
        CategoricalEmissions(states, symbols=symbols)
        if symbols
        else DiagonalGaussianEmissions(states, features=1, least_variance=1e-3)
    )
    return HMM(emissions, restarts=config.restarts, iterations=config.iterations, length=length)


def _hmm(config: HMMConfig, shape: Shape) -> nn.Module:
    symbols = len(shape.states[0]) if shape.states else 0
    return _model(config, config.states, symbols=symbols, length=shape.features)


def _choose_states(config: HMMConfig, y: Tensor, generator: Generator) -> HMMConfig:
    """Return the config with the number of states under which held-out sequences are likeliest."""
    if config.states is not None:
        return config
    held_out = torch.arange(len(y)) % _HELD_OUT == 0
    symbols = 0 if y.is_floating_point() else int(y.max()) + 1
    scores = {}
    if symbols:  # What no other row shows would make every number of states impossible.
        seen = torch.isin(y, y[~held_out]).all(dim=1)
        held_out, left_out = held_out & seen, held_out & ~seen
        y, held_out = y[~left_out], held_out[~left_out]
    if not bool(held_out.any()):
        return replace(config, states=1)
    for states in (k for k in _STATES if k <= (~held_out).sum() * y.shape[1]):
        model = _model(config, states, symbols=symbols, length=y.shape[1])
        model.fit(y[~held_out], generator=generator)
        scores[states] = model.log_prob(y[held_out]).mean().item()
    return replace(config, states=max(scores, key=scores.__getitem__))


def _check_alphabet(config: HMMConfig, data: Dataset) -> None:
    """Refuse columns that are no steps of one sequence: they must share their states."""
    del config
    strange = [name for name, own in zip(data.columns, data.states, strict=False)
               if own != data.states[0]]  # fmt: skip
    if strange:
        raise ConfigError(
            f"the columns of {data.name} must be steps of one sequence, with the same states: "
            f"{strange[0]!r} has others than {data.columns[0]!r}"
        )


RECIPES = (
    Recipe(
        name="hmm",
        paradigm="classic",
        summary="hidden Markov model of rows that are sequences, by Baum-Welch",
        config=HMMConfig,
        build=_hmm,
        kinds=("vectors", "tables"),
        reads=lambda config: {"discrete": config.emissions == "categorical", "missing": False},
        transform=series,
        choose=_choose_states,
        listed={"states": 1},
        check=_check_alphabet,
        chosen_by=figures.LOG_PROB,
    ),
)
