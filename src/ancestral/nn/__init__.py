"""Layers: no probability, no training."""

from ancestral.nn.mlp import MLP

__all__ = ["MLP"]
