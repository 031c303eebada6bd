"""Spectral normalisation: no layer stretches any direction by more than 1."""

from torch import nn
from torch.nn.utils.parametrizations import spectral_norm

_LAYERS = (nn.Linear, nn.Conv2d, nn.ConvTranspose2d, nn.Embedding)


def normalise_spectrum(network: nn.Module) -> None:
    """Divide the matrix of every layer by its largest singular value.

    Of linear layers, convolutions and embeddings. The value is followed by one step of power
    iteration at each call in training mode. An embedding of zeros has no such value, and begins
    at small normal numbers instead.

    Source: Miyato et al. 2018, Spectral Normalization for GANs, arXiv:1802.05957, algorithm 1.

    Args:
        network: Changed in place; its layers' weights become functions of parameters.
    """
    for layer in [module for module in network.modules() if isinstance(module, _LAYERS)]:
        if not bool(layer.weight.any()):
            # Of the size of a layer's weights, so that it learns as fast as they do.
            nn.init.normal_(layer.weight, std=layer.weight.shape[1] ** -0.5)
        spectral_norm(layer, dim=1 if isinstance(layer, nn.ConvTranspose2d) else 0)
