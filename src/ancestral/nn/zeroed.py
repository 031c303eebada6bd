"""Layers that begin at zero, so that what they lead into begins as if they were not there."""

from typing import TypeVar

from torch import nn

Layer = TypeVar("Layer", bound=nn.Module)


def zeroed(layer: Layer) -> Layer:
    """Return the layer with all parameters 0.

    Example:
        >>> import torch
        >>> zeroed(nn.Linear(2, 1))(torch.ones(2)).item()
        0.0
    """
    for parameter in layer.parameters():
        nn.init.zeros_(parameter)
    return layer
