"""From a recipe, a config and the record of the data to a model in its first state."""

import torch
from torch import nn

from ancestral.errors import ConfigError
from ancestral.recipes.configs import Config
from ancestral.recipes.record import DataRecord
from ancestral.recipes.table import Recipe
from ancestral.training.order import global_randomness, seed_of


def build_model(recipe: Recipe, config: Config, data: DataRecord, seed: int) -> nn.Module:
    """Return a model in its first state, which is a function of the seed.

    Raises:
        ConfigError: If the settings do not fit the data.
    """
    with global_randomness(torch.device("cpu")) as shared:
        shared.manual_seed(seed_of(seed, "initial weights"))
        try:
            return recipe.build(config, data.shape)
        except ValueError as error:
            raise ConfigError(f"{recipe.name}: {error}") from error
