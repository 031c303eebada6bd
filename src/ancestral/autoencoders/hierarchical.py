"""Variational autoencoders with several layers of latents."""

from collections.abc import Sequence

from ancestral.autoencoders.conditionals import GaussianDecoder, GaussianEncoder
from ancestral.autoencoders.vae import reader
from ancestral.autoencoders.variational import WithBound, WithMeans
from ancestral.networks.nodes import Node, StandardNormal
from ancestral.nn.mlp import MLP


def latent_layers(
    latents: Sequence[int], *, hidden: Sequence[int]
) -> tuple[list[Node], list[Node]]:
    """Return the nodes of layers of latents z, z2, ... of p, and those of q but for z.

    In p each layer depends on the one above it, in q on the one below; the highest is Normal(0, I).

    Args:
        latents: Dimensions of the layers, z first, one or more.
        hidden: Widths of the networks between them.
    """
    names = ["z", *(f"z{layer}" for layer in range(2, len(latents) + 1))]
    p, q = [], []
    for i in range(1, len(latents)):
        low, high = latents[i - 1], latents[i]
        down = GaussianEncoder(MLP(high, 2 * low, hidden=hidden))
        p.append(Node(names[i - 1], down, (names[i],), (low,)))
        up = GaussianEncoder(MLP(low, 2 * high, hidden=hidden))
        q.append(Node(names[i], up, (names[i - 1],), (high,)))
    top = (latents[-1],)
    return [*p, Node(names[-1], StandardNormal(top), (), top)], q


class HierarchicalVAE(WithMeans, WithBound):
    """A VAE whose prior is one, too: ``p = {z3, z2 | z3, z | z2, x | z}``, here of three layers.

    ``q = {z | x, z2 | z, z3 | z2}`` goes the other way, so that z is all that the decoder sees:
    ``encode`` and ``decode`` are of z. All conditionals of latents are diagonal Gaussians.

    Source: Rezende, Mohamed & Wierstra 2014, arXiv:1401.4082, sec. 2; Burda, Grosse &
    Salakhutdinov 2016, arXiv:1509.00519, sec. 2 and 5 (two layers, inferred from the bottom up).

    Args:
        features: Dimension D of x, at least 1.
        latents: Dimensions of the layers, the one next to x first.
        hidden: Widths of the encoder's hidden layers; the decoder has them in reverse, and those
            between layers of latents have the last of them.
        decoder_std: Standard deviation of p(x | z) in model units; None to learn one a coordinate.
        classes: Number K of labels, which encoder and decoder see; 0 for an unconditional model.

    Raises:
        ValueError: If there is no layer, or a width or decoder_std is not positive.

    Example:
        >>> import torch
        >>> model = HierarchicalVAE(2, latents=(4, 2), hidden=(32,))
        >>> model.graph["p"].parents("z"), model.graph["q"].parents("z2")
        (('z2',), ('z',))
        >>> model.elbo(torch.zeros(5, 2)).shape
        torch.Size([5])
    """

    def __init__(
        self,
        features: int,
        *,
        latents: Sequence[int] = (16, 8),
        hidden: Sequence[int] = (128, 64, 32),
        decoder_std: float | None = None,
        classes: int = 0,
    ) -> None:
        if not latents:
            raise ValueError("latents must be one or more numbers, got none")
        label = ("label",) if classes else ()
        means = reader(latents[0], features, tuple(hidden)[::-1], classes=classes)
        decoder = GaussianDecoder(means, features, std=decoder_std)
        encoder = GaussianEncoder(reader(features, 2 * latents[0], hidden, classes=classes))
        above, below = latent_layers(latents, hidden=tuple(hidden)[-1:])
        p = [Node("x", decoder, ("z", *label), (features,)), *above]
        q = [Node("z", encoder, ("x", *label), (latents[0],)), *below]
        super().__init__(p, q, classes=classes)
