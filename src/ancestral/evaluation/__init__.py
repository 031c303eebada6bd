"""How good a model is, on data that it never saw, with units and standard errors."""

from ancestral.evaluation.figures import Figure, figures_to_json

__all__ = ["Figure", "figures_to_json"]
