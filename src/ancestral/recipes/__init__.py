"""From a name to a fitted model in a run folder: the only place that wires."""

from ancestral.recipes.fitting import Fitting, fit, resume, start
from ancestral.recipes.plan import Plan, plan
from ancestral.recipes.runs import Run
from ancestral.recipes.table import DEFAULTS, RECIPES, Recipe, recipe_named

__all__ = [
    "DEFAULTS",
    "RECIPES",
    "Fitting",
    "Plan",
    "Recipe",
    "Run",
    "fit",
    "plan",
    "recipe_named",
    "resume",
    "start",
]
