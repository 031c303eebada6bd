from pathlib import Path

import pytest
import torch

from ancestral import settings
from ancestral.capabilities import (
    Fits,
    HasBound,
    HasDensity,
    Infills,
    LanguageModel,
    Samples,
    Trains,
)
from ancestral.data import Loading, load
from ancestral.data.dataset import TextLoading
from ancestral.data.grey_bins import GreyBins
from ancestral.errors import ConfigError
from ancestral.evaluation import chosen
from ancestral.networks.units import InDataUnits
from ancestral.recipes import DEFAULTS, RECIPES, plan, recipe_named
from ancestral.training import Budget

PAIRS = [
    (name, kind)
    for name, recipe in RECIPES.items()
    for kind in recipe.kinds
    if not recipe.needed_parts  # Those stand on other runs.
]


@pytest.mark.parametrize(("name", "kind"), PAIRS)
def test_every_recipe_is_what_it_says(
    name: str,
    kind: str,
    states_csv: Path,
    verses_txt: Path,
    groups_csv: Path,
    cells: Path,
    negatives: Path,
) -> None:
    recipe = RECIPES[name]
    labelled = name in {"classifier", "cgan"} and kind == "vectors"
    loading = Loading(
        discrete=kind == "tables",
        mixed=True if kind == "mixed" else None,
        label="group" if labelled else None,
        text=TextLoading(tokenizer="word", window=16),
    )
    own = {
        "vectors": str(groups_csv) if labelled else "moons",
        "images": str(cells if name == "segment" else negatives) if recipe.needs else "digits",
        "text": str(verses_txt),
    }
    if name == "hmm" and kind == "tables":  # Its columns are steps, with the same states.
        lines = [f"{i % 2},{i // 2 % 2}" for i in range(40)]
        states_csv.write_text("\n".join(["monday,tuesday", *lines]) + "\n")
    data = load(own.get(kind, str(states_csv)), loading)
    made = plan(name, data)
    config = settings.build(recipe.config, recipe.listed, base=made.config)
    transform = made.transform()
    model = made.build(transform, config)
    assert recipe.name == name
    assert isinstance(model, Samples) != recipe.conditional
    assert recipe.trains == isinstance(model, Trains) != isinstance(model, Fits)
    assert (made.options is not None) == (made.budget is not None) == recipe.trains
    if recipe.chosen_by is chosen.BITS_PER_CHAR:  # Exact, or a bound.
        assert isinstance(model, HasDensity) != isinstance(model, HasBound)
    # There it comes by the way.
    elif recipe.chosen_by not in (chosen.LOSS, chosen.SQUARED_ERROR, chosen.IOU, chosen.DIFFERENCE):
        assert (recipe.chosen_by is chosen.LOG_PROB) == isinstance(model, HasDensity)
        assert (recipe.chosen_by is chosen.ELBO) == isinstance(model, HasBound)
    # Model units and back are the user's own, at the data's own shape and type.
    x = data.train.x[:5]
    back = transform.inverse(transform(x, torch.Generator().manual_seed(0)))
    assert back.dtype == x.dtype
    if isinstance(transform, GreyBins):  # The levels inside a bin are drawn anew.
        back, x = transform(back), transform(x)
    torch.testing.assert_close(back, x, atol=1e-5, rtol=0)
    assert isinstance(model, LanguageModel | Infills) == (kind == "text")
    if (
        recipe.trains and kind != "text" and not recipe.conditional
    ):  # Texts are as long as they are.
        units = InDataUnits(model, transform)
        given = units.required(data.train[:3].given)
        assert units.sample(3, given=given).shape == (3, *data.event_shape)


@pytest.mark.parametrize(("setting", "value"), [("decoder_std", 0.1), ("frequencies", 3)])
def test_settings_of_numbers_are_refused_where_columns_are_cells(
    setting: str, value: float, states_csv: Path
) -> None:
    with pytest.raises(ConfigError, match=f"{setting} must be left out of mixed tables"):
        plan("vae", states_csv, settings={setting: value})


def test_defaults_can_model_their_kind() -> None:
    for kind, names in DEFAULTS.items():
        assert all(kind in RECIPES[name].kinds for name in names)
        least = {"tables": 1, "text": 2, "mixed": 2}.get(kind, 3)
        assert len({RECIPES[name].paradigm for name in names}) >= least


def test_default_budgets_are_by_steps_so_that_they_resume_exactly() -> None:
    for recipe in RECIPES.values():
        for budget in recipe.budget.values():
            assert isinstance(budget, Budget)
            assert budget.steps is not None


def test_unknown_names_offer_the_nearest() -> None:
    with pytest.raises(ConfigError, match="unknown model 'gam'; did you mean ngram or gmm or gan"):
        recipe_named("gam")
    with pytest.raises(ConfigError, match="there are empirical, kde"):
        recipe_named("zzzzz")
