"""The one table of models: the union of the families, and what users have registered."""

import sys
from collections.abc import Callable
from importlib import import_module
from importlib.metadata import entry_points
from importlib.util import module_from_spec, spec_from_file_location
from os import environ
from pathlib import Path

from ancestral.data.described import Kind
from ancestral.errors import ConfigError
from ancestral.recipes.families import (
    adversarial,
    autoencoders,
    classical_autoencoders,
    classifiers,
    density,
    diffusion,
    discrete,
    energy,
    flows,
    image_autoencoders,
    image_gans,
    language,
    masked,
    matching,
    segmentation,
    sequences,
    tabular,
    tarflow,
    translation,
)
from ancestral.recipes.recipe import Recipe
from ancestral.settings import nearest

FAMILIES = (
    density,
    discrete,
    sequences,
    classifiers,
    classical_autoencoders,
    autoencoders,
    image_autoencoders,
    adversarial,
    image_gans,
    translation,
    flows,
    tarflow,
    matching,
    energy,
    language,
    diffusion,
    masked,
    segmentation,
    tabular,
)
"""The modules of ``families/``, in the order in which their models are listed."""

RECIPES: dict[str, Recipe] = {
    recipe.name: recipe for family in FAMILIES for recipe in family.RECIPES
}
"""Every model that ``ancestral fit`` knows."""

DEFAULTS: dict[Kind, tuple[str, ...]] = {
    "vectors": ("kde", "gmm", "nsf", "vae", "gan", "flow-matching", "diffusion", "ebm"),
    "images": ("kde", "gmm", "image-vae", "dcgan", "flow-matching", "diffusion"),
    "tables": ("bayes-net",),
    "mixed": ("independent", "latent-class", "bayes-net", "vae", "tabular-ar"),
    "text": ("bigram", "kneser-ney", "gru", "gpt", "masked-diffusion"),
}
"""The models that ``ancestral compare`` fits if none is named: of each paradigm one or two."""

ENTRY_POINTS, VARIABLE = "ancestral.families", "ANCESTRAL_FAMILIES"
"""Where models of one's own are found: entry points of installed packages, and a list of modules
or files, separated by commas, in the environment. Each has ``RECIPES``, or registers them."""

BUILT_IN = frozenset(RECIPES)
"""The names of the library's own models."""
_opened: set[str] = set()


def register(recipe: Recipe) -> Recipe:
    """Let a model of one's own stand in ``fit``, ``compare`` and the reports; return the recipe.

    Args:
        recipe: Its name must not be that of a model of the library; a second one of a name takes
            the place of the first.

    Raises:
        ConfigError: If it is.
    """
    if recipe.name in BUILT_IN:
        raise ConfigError(f"name must not be that of a model of the library, got {recipe.name!r}")
    RECIPES[recipe.name] = recipe
    return recipe


def name_of(model: str | Recipe) -> str:
    """Return the name of a model; a recipe of one's own is registered.

    Raises:
        ConfigError: If it has the name of a model of the library.
    """
    if isinstance(model, str) or RECIPES.get(model.name) is model:
        return model if isinstance(model, str) else model.name
    return register(model).name


def recipe_named(name: str) -> Recipe:
    """Return a recipe; what users have registered is looked up where the library has none.

    Raises:
        ConfigError: If there is none of that name; the nearest are offered.

    Example:
        >>> recipe_named("vae").paradigm
        'autoencoders'
    """
    if name not in RECIPES:
        open_families()
    if name not in RECIPES:
        raise ConfigError(f"unknown model {name!r}{nearest(name, RECIPES, otherwise=99)}")
    return RECIPES[name]


def open_families() -> None:
    """Import the families of entry points and of the environment, each once.

    Raises:
        ConfigError: If one cannot be imported.
    """
    for point in entry_points(group=ENTRY_POINTS):
        _open(f"{point.name} = {point.value}", point.load)
    for source in filter(None, map(str.strip, environ.get(VARIABLE, "").split(","))):
        _open(source, lambda source=source: _import(source))


def _open(source: str, load: Callable[[], object]) -> None:
    if source in _opened:
        return
    try:
        family = load()
    except Exception as error:  # Whatever a module of the user's raises, the line names it.
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise ConfigError(f"the family {source} cannot be imported: {reason}") from error
    _opened.add(source)
    for recipe in getattr(family, "RECIPES", ()):
        if not isinstance(recipe, Recipe):
            raise ConfigError(f"the family {source}: RECIPES must hold recipes, got {recipe!r}")
        register(recipe)


def _import(source: str) -> object:
    """Return a module by its name, or by its file."""
    path = Path(source).expanduser()
    if path.suffix != ".py":
        return import_module(source)
    spec = spec_from_file_location(f"{VARIABLE.lower()}_{path.stem}", path)
    if spec is None or spec.loader is None or not path.is_file():
        raise FileNotFoundError(f"there is no file {path}")
    module = module_from_spec(spec)
    sys.modules[spec.name] = module  # Dataclasses look their module up there.
    spec.loader.exec_module(module)
    return module
