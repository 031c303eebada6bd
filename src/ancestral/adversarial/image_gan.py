"""Adversarial networks of images, by any generator and any critic of them."""

from collections.abc import Sequence

from torch import Size, nn

from ancestral.adversarial.critic import Critic
from ancestral.adversarial.gan import DecodingNetworks, label_node, latent_node
from ancestral.adversarial.image_networks import MinibatchDeviation
from ancestral.adversarial.rules import GameRules
from ancestral.networks.bayesian_network import BayesianNetwork
from ancestral.networks.nodes import Deterministic, Node, StandardNormal

_COUPLING = (nn.BatchNorm2d, MinibatchDeviation)
"""Layers through which the examples of a batch see each other."""


class ImageGAN(DecodingNetworks):
    """A generative adversarial network of images, given the class label where there are classes.

    ``p = {label, z, x | z, label}`` and ``q = {y | x, label}``, without the label where there are
    no classes. x is a function of the others, so that p(x) has no density.

    Source: Radford, Metz & Chintala 2016, Unsupervised Representation Learning with Deep
    Convolutional Generative Adversarial Networks, arXiv:1511.06434.

    Args:
        generator: Maps z [B, L], and label [B] where there are classes, to images [B, C, S, S].
        critic: Maps images, and label, to logits [B, 1].
        event_shape: Shape [C, S, S] of an image.
        latent: Latent dimensions L, at least 1.
        classes: Number of classes K; 0 for none.
        rules: Of the game; the defaults if None.

    Raises:
        ValueError: If an argument is outside its range.

    Example:
        >>> from ancestral.adversarial import ImageCritic, ImageGenerator
        >>> shape = (1, 28, 28)
        >>> networks = ImageGenerator(16, shape, width=8), ImageCritic(shape, width=8)
        >>> ImageGAN(*networks, event_shape=shape, latent=16).sample(5).shape
        torch.Size([5, 1, 28, 28])
    """

    def __init__(
        self,
        generator: nn.Module,
        critic: nn.Module,
        *,
        event_shape: Sequence[int],
        latent: int,
        classes: int = 0,
        rules: GameRules | None = None,
    ) -> None:
        networks = image_game(generator, critic, event_shape, latent=latent, classes=classes)
        layers = [*generator.modules(), *critic.modules()]
        coupled = any(isinstance(layer, _COUPLING) for layer in layers)
        super().__init__(*networks, rules=rules, coupled=coupled)


def image_game(
    generator: nn.Module,
    critic: nn.Module,
    event_shape: Sequence[int],
    *,
    latent: int,
    classes: int,
    noise: int = 0,
) -> tuple[BayesianNetwork, BayesianNetwork]:
    """Return p and q of a game on images.

    Args:
        generator: Maps z, the noise if there is any, and the label if there are classes, to x.
        critic: Maps images, and label, to logits [B, 1].
        event_shape: Shape [C, S, S] of an image.
        latent: Latent dimensions, at least 1.
        classes: Number of classes K; 0 for none.
        noise: Numbers of noise beside the latents.
    """
    given = ("label",) if classes else ()
    roots = [label_node(classes)] if classes else []
    roots += [latent_node("normal", latent)]
    roots += [Node("noise", StandardNormal((noise,)), (), (noise,))] if noise else []
    parents = ("z", *(("noise",) if noise else ()), *given)
    x = Node("x", Deterministic(generator), parents, Size(event_shape))
    q = BayesianNetwork([Node("y", Critic(critic), ("x", *given))])
    return BayesianNetwork([*roots, x]), q
