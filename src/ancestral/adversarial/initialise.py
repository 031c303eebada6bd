"""The start of an adversarial game: a generator that spreads and a critic that sees."""

import torch
from torch import nn


def keep_variance(network: nn.Module) -> None:
    """Draw the weights of all linear layers anew so that the signal keeps its variance.

    ``torch.nn.Linear`` starts with weights of variance 1 / (3 F) for F inputs: each layer with
    ReLU shrinks the signal by sqrt(6), and a generator of a few layers maps all latents to nearly
    one point, from which it must first unfold. Here the variance is 2 / F, and 1 / F in the last
    layer, so that standard normal latents give about unit variance. Biases stay as they are.

    Source: He et al. 2015, Delving Deep into Rectifiers, arXiv:1502.01852, eq. 10.

    Args:
        network: Linear layers in the order of the signal, ReLU or nearly so between them.
    """
    layers = [module for module in network.modules() if isinstance(module, nn.Linear)]
    with torch.no_grad():
        for layer in layers:
            gain = 1.0 if layer is layers[-1] else 2.0
            layer.weight.normal_(std=(gain / layer.in_features) ** 0.5)
