"""From a name to a fitted model in a run folder: the only place that wires."""

from ancestral.networks.latent import Latents
from ancestral.recipes.comparing import Comparison, compare
from ancestral.recipes.editing import edit_images
from ancestral.recipes.evaluating import Evaluated, evaluate_run
from ancestral.recipes.exporting import EXPORTS, ExportFormat, export_run
from ancestral.recipes.fitting import Fitting, fit, resume, start
from ancestral.recipes.frames import impute, sample
from ancestral.recipes.from_images import segment_images, translate_images
from ancestral.recipes.networks import open_network
from ancestral.recipes.paths import encode_run, interpolate_run
from ancestral.recipes.plan import Plan, plan
from ancestral.recipes.recipe import Recipe
from ancestral.recipes.runs import Run
from ancestral.recipes.sampling import sample_run
from ancestral.recipes.table import DEFAULTS, RECIPES, recipe_named, register

__all__ = [
    "DEFAULTS",
    "EXPORTS",
    "RECIPES",
    "Comparison",
    "Evaluated",
    "ExportFormat",
    "Fitting",
    "Latents",
    "Plan",
    "Recipe",
    "Run",
    "compare",
    "edit_images",
    "encode_run",
    "evaluate_run",
    "export_run",
    "fit",
    "impute",
    "interpolate_run",
    "open_network",
    "plan",
    "recipe_named",
    "register",
    "resume",
    "sample",
    "sample_run",
    "segment_images",
    "start",
    "translate_images",
]
