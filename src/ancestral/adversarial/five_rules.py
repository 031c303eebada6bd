"""DCGAN's five rules for networks of a stable game, as a list that a built network is held to."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from torch import nn

_CONVOLUTIONS = (nn.Conv2d, nn.ConvTranspose2d)
_WEIGHTED = (nn.Linear, *_CONVOLUTIONS)
_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d)
_POOLS = (nn.MaxPool2d, nn.AvgPool2d, nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool2d, nn.Upsample)
_ACTIVATIONS = (nn.ReLU, nn.LeakyReLU, nn.SiLU, nn.GELU, nn.ELU, nn.Tanh, nn.Sigmoid, nn.Softplus)


@dataclass(frozen=True, slots=True)
class Rule:
    """One of the five rules.

    Args:
        text: What it asks.
        kept: Whether the networks keep it.
    """

    text: str
    kept: bool


def dcgan_rules(generator: nn.Module, critic: nn.Module) -> tuple[Rule, ...]:
    """Return the five rules, and which of them two built networks keep.

    Networks are read as lists of layers, in the order in which they are registered.

    Source: Radford, Metz & Chintala 2016, arXiv:1511.06434, sec. 3 ("Architecture guidelines").

    Args:
        generator: Latents to images.
        critic: Images to logits.

    Example:
        >>> from ancestral.adversarial import ImageCritic, ImageGenerator
        >>> shape = (1, 28, 28)
        >>> G = ImageGenerator(8, shape, width=8, norm="batch")
        >>> [rule.kept for rule in dcgan_rules(G, ImageCritic(shape, width=8, norm="batch"))]
        [True, True, True, True, True]
    """
    g, d = _leaves(generator), _leaves(critic)
    return (
        Rule(
            "batch norm after every layer but the generator's last and the critic's first and last",
            _between(g, range(len(_places(g)) - 1)) and _between(d, range(1, len(_places(d)) - 1)),
        ),
        Rule(
            "convolutions that halve and double the side, no pooling and no resizing",
            not any(isinstance(layer, _POOLS) for layer in (*g, *d)) and _strided(g, d),
        ),
        Rule(
            "no hidden layer that is fully connected: one after the latents, one before the logit",
            not any(isinstance(layer, nn.Linear) for layer in _weighted(g)[1:])
            and not any(isinstance(layer, nn.Linear) for layer in _weighted(d)[:-1]),
        ),
        Rule(
            "ReLU in the generator, tanh at its end: images in [-1, 1]",
            _activations(g)[-1:] == [nn.Tanh] and set(_activations(g)[:-1]) <= {nn.ReLU},
        ),
        Rule("LeakyReLU in the critic", set(_activations(d)) == {nn.LeakyReLU}),
    )


def _leaves(network: nn.Module) -> list[nn.Module]:
    return [module for module in network.modules() if not list(module.children())]


def _places(layers: Sequence[nn.Module]) -> list[int]:
    return [i for i, layer in enumerate(layers) if isinstance(layer, _WEIGHTED)]


def _weighted(layers: Sequence[nn.Module]) -> list[nn.Module]:
    return [layers[i] for i in _places(layers)]


def _activations(layers: Sequence[nn.Module]) -> list[type[nn.Module]]:
    return [type(layer) for layer in layers if isinstance(layer, _ACTIVATIONS)]


def _between(layers: Sequence[nn.Module], wanted: range) -> bool:
    """Return whether batch norms follow the layers of these numbers, and no others."""
    ends = pairwise([*_places(layers), len(layers)])
    normed = [any(isinstance(layer, _NORMS) for layer in layers[a:b]) for a, b in ends]
    first = layers[: _places(layers)[0]]
    at_input = any(isinstance(layer, _NORMS) for layer in first)
    return not at_input and normed == [i in wanted for i in range(len(normed))]


def _strided(g: Sequence[nn.Module], d: Sequence[nn.Module]) -> bool:
    """Return whether transposed convolutions double sides, and strided ones halve them."""
    up = any(isinstance(layer, nn.ConvTranspose2d) and max(layer.stride) > 1 for layer in g)
    down = any(isinstance(layer, nn.Conv2d) and max(layer.stride) > 1 for layer in d)
    return up and down
