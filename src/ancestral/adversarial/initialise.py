"""The start of an adversarial game: a generator that spreads and a critic that sees."""

import torch
from torch import nn


def rescale(network: nn.Module, *, gain: float) -> None:
    """Draw the weights of all linear layers anew, with variance ``gain / F`` for F inputs.

    ``torch.nn.Linear`` starts with variance 1 / (3 F): each layer with ReLU shrinks the signal by
    sqrt(6), and a generator of a few layers maps all latents to nearly one point, from which it
    must first unfold. Gain 2 keeps the signal's power through ReLU, the best start for a critic.
    A generator starts better at gain 1: at 2 it folds the latents, and folds stay as bridges
    between parts of the data. The last layer has gain 1 always; biases stay as they are.

    Source: He et al. 2015, Delving Deep into Rectifiers, arXiv:1502.01852, eq. 10; LeCun et al.
    1998, Efficient BackProp, sec. 4.6 (gain 1).

    Args:
        network: Linear layers in the order of the signal.
        gain: Of the hidden layers, positive.
    """
    layers = [module for module in network.modules() if isinstance(module, nn.Linear)]
    with torch.no_grad():
        for layer in layers:
            here = 1.0 if layer is layers[-1] else gain
            layer.weight.normal_(std=(here / layer.in_features) ** 0.5)
