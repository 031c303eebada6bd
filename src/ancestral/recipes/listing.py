"""What there is: the models by paradigm, what each can do and what can be set."""

from dataclasses import asdict, dataclass
from typing import Any

from ancestral import settings
from ancestral.capabilities import CAPABILITIES
from ancestral.data.columns import Column, Vector
from ancestral.data.described import Kind
from ancestral.data.fields import Image, Shape, Tokens, X, labelled
from ancestral.recipes.recipe import Recipe, build_model, resolve
from ancestral.recipes.table import RECIPES, open_families

_COLUMNS = tuple(Column(name=name, type="category", states=("0", "1")) for name in "xy")

EXAMPLES: dict[Kind, Shape] = {
    "vectors": Shape(labelled(Vector.of_numbers("xy"), "01")),
    "images": Shape(labelled(Image(channels=1, height=8, width=8, levels=17), "01")),
    "tables": Shape({"x": Vector.of_states("xy", ("01", "01"))}),
    "mixed": Shape({"x": Vector(columns=_COLUMNS, mixed=True)}),
    "text": Shape({"x": Tokens(vocabulary=10, window=8)}),
}
"""The smallest data of each kind."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelInfo:
    """One model.

    Args:
        name: What to write in place of MODEL.
        paradigm: Its family.
        summary: One sentence.
        kinds: Data that it can model.
        capabilities: What it can do, found out by asking an instance.
        chosen_by: The validation figure that chooses its weights.
        settings: Its own settings and their defaults.
    """

    name: str
    paradigm: str
    summary: str
    kinds: tuple[str, ...]
    capabilities: tuple[str, ...]
    chosen_by: str | None
    settings: dict[str, Any]

    def to_json(self) -> dict[str, Any]:
        """Return the object in ``models --json``."""
        return {{"kinds": "data"}.get(name, name): value for name, value in asdict(self).items()}


def list_models() -> list[ModelInfo]:
    """Return all models, in the order of their paradigms.

    Example:
        >>> [info.name for info in list_models() if "density" in info.capabilities]
        ['kde', 'gmm', 'naive-bayes', 'bayes-net', 'hmm', 'realnvp', 'maf', ...]
    """
    open_families()
    return [_info(recipe) for recipe in RECIPES.values()]


def _info(recipe: Recipe) -> ModelInfo:
    config, fields = recipe.config(), EXAMPLES[recipe.kinds[0]].fields
    shape = Shape({**dict.fromkeys(recipe.needs, fields[X]), **fields})
    instance = resolve(settings.build(recipe.config, recipe.listed), shape)
    model = build_model(recipe, instance, shape, 0, {})
    return ModelInfo(
        name=recipe.name,
        paradigm=recipe.paradigm,
        summary=recipe.summary,
        kinds=recipe.kinds,
        capabilities=tuple(name for name, kind in CAPABILITIES.items() if isinstance(model, kind)),
        chosen_by=recipe.chosen_by and recipe.chosen_by.name,
        settings=settings.plain(config),
    )
