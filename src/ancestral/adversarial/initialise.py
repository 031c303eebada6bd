"""The start of an adversarial game: a generator that spreads and a critic that sees."""

import math

import torch
from torch import nn


def rescale(network: nn.Module, *, gain: float) -> None:
    """Draw the weights of all linear layers and convolutions anew, with variance ``gain / F``.

    F is the number of inputs of one output: of a transposed convolution, which leaves some places
    of its kernel out at each pixel, the weights in use.

    ``torch.nn.Linear`` starts with variance 1 / (3 F): each layer with ReLU shrinks the signal by
    sqrt(6), and a generator of a few layers maps all latents to nearly one point, from which it
    must first unfold. Gain 2 keeps the signal's power through ReLU, the best start for a critic.
    A generator starts better at gain 1: at 2 it folds the latents, and folds stay as bridges
    between parts of the data. The last layer has gain 1 always; biases stay as they are.

    Source: He et al. 2015, Delving Deep into Rectifiers, arXiv:1502.01852, eq. 10; LeCun et al.
    1998, Efficient BackProp, sec. 4.6 (gain 1).

    Args:
        network: Linear layers and convolutions in the order of the signal.
        gain: Of the hidden layers, positive.
    """
    layers = [module for module in network.modules() if isinstance(module, _LAYERS)]
    with torch.no_grad():
        for layer in layers:
            here = 1.0 if layer is layers[-1] else gain
            layer.weight.normal_(std=(here / fan_in(layer)) ** 0.5)


_LAYERS = (nn.Linear, nn.Conv2d, nn.ConvTranspose2d)


def fan_in(layer: nn.Linear | nn.Conv2d | nn.ConvTranspose2d) -> float:
    """Return how many inputs one output is a sum of, away from the borders."""
    if isinstance(layer, nn.ConvTranspose2d):
        return layer.weight[:, 0].numel() / math.prod(layer.stride)
    return layer.weight[0].numel()
