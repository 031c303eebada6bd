"""How good a model is, on data that it never saw, with units and standard errors."""

from ancestral.evaluation.evaluate import evaluate
from ancestral.evaluation.figures import Figure, figures_to_json
from ancestral.evaluation.kinds import bench_of
from ancestral.evaluation.result import Evaluation, counts_to_json
from ancestral.evaluation.setting import Setting

__all__ = [
    "Evaluation",
    "Figure",
    "Setting",
    "bench_of",
    "counts_to_json",
    "evaluate",
    "figures_to_json",
]
