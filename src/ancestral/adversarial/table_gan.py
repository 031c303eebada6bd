"""The generative adversarial network of mixed tables: one head a column, through draws of cells."""

from collections.abc import Sequence
from typing import Literal, cast

import torch
from torch import Generator, Tensor, nn

from ancestral.adversarial.critic import Critic
from ancestral.adversarial.gan import AdversarialNetworks, latent_node
from ancestral.adversarial.rules import GameRules
from ancestral.capabilities import Batch, Given
from ancestral.networks.bayesian_network import BayesianNetwork
from ancestral.networks.cells import OneHot
from ancestral.networks.nodes import Deterministic, Node, StandardNormal
from ancestral.networks.sampling import draw
from ancestral.nn import MLP

_TEMPERATURE = 0.5
"""Of the gradient of draws."""


class CellGenerator(nn.Module):
    """Latents and noise to rows of cells: the largest of logits plus Gumbel noise, in each column.

    So each cell is a draw from the softmax of its column's logits, and a function of the noise.
    For training the draw is a vector of a single 1 whose gradient is that of the softmax at a
    temperature (straight-through): it is biased.

    Source: Jang, Gu & Poole 2017, Categorical Reparameterization with Gumbel-Softmax,
    arXiv:1611.01144, sec. 2.

    Args:
        network: Maps z [B, L] to logits [B, all cells], one column after the other.
        sizes: Number of cells of each of the D columns.
        temperature: Of the softmax that gives the gradient, above 0.
    """

    def __init__(self, network: nn.Module, sizes: Sequence[int], temperature: float) -> None:
        super().__init__()
        self.network, self.sizes, self.temperature = network, tuple(sizes), temperature

    def vectors(self, z: Tensor, noise: Tensor) -> Tensor:
        """Return rows as vectors [B, all cells], given z [B, L] and normal noise [B, all cells]."""
        parts = []
        for logits in self._noisy(z, noise):
            soft = (logits / self.temperature).softmax(dim=1)
            hard = torch.zeros_like(soft).scatter_(1, logits.argmax(dim=1, keepdim=True), 1.0)
            parts.append(hard + (soft - soft.detach()))
        return torch.cat(parts, dim=1)

    def forward(self, z: Tensor, noise: Tensor) -> Tensor:
        """Return rows of cells, int64 [B, D], given z [B, L] and normal noise [B, all cells]."""
        return torch.stack([part.argmax(dim=1) for part in self._noisy(z, noise)], dim=1)

    def _noisy(self, z: Tensor, noise: Tensor) -> Sequence[Tensor]:
        gumbel = -(-torch.special.log_ndtr(noise)).log()  # Its distribution, by inversion.
        return (self.network(z) + gumbel).split(self.sizes, dim=1)


class TableGAN(AdversarialNetworks):
    """A generative adversarial network of rows of cells.

    ``p = {z, noise, x | z, noise}``: latents go through a network to logits of each column, and
    noise picks a cell of each. ``q = {v | x, y | v}``: the critic reads a row as one vector v, with
    a 1 at the cell of each column.

    Source: Goodfellow et al. 2014, arXiv:1406.2661; for tables: Xu et al. 2019, arXiv:1907.00503.

    Args:
        sizes: Number of cells of each of the D columns.
        latent: Latent dimensions L, at least 1.
        hidden: Widths of the generator's hidden layers; the critic has them in reverse.
        prior: Distribution of z: standard normal, or uniform on [-1, 1].
        rules: Of the game; the defaults if None.

    Raises:
        ValueError: If an argument is outside its range.

    Example:
        >>> gan = TableGAN([2, 3], latent=4)
        >>> gan.sample(5).shape, gan.graph["p"].edges
        (torch.Size([5, 2]), (('z', 'x'), ('noise', 'x')))
    """

    def __init__(
        self,
        sizes: Sequence[int],
        *,
        latent: int = 16,
        hidden: Sequence[int] = (128, 128),
        prior: Literal["normal", "uniform"] = "normal",
        rules: GameRules | None = None,
    ) -> None:
        cells = (sum(sizes),)
        z = latent_node(prior, latent)
        generator = CellGenerator(MLP(latent, *cells, hidden=hidden), sizes, _TEMPERATURE)
        critic = MLP(*cells, 1, hidden=hidden[::-1], activation=lambda: nn.LeakyReLU(0.2))
        x = Node("x", Deterministic(generator), ("z", "noise"), (len(sizes),))
        p = BayesianNetwork([z, Node("noise", StandardNormal(cells), (), cells), x])
        v = Node("v", Deterministic(OneHot(sizes)), ("x",), cells)
        q = BayesianNetwork([v, Node("y", Critic(critic), ("v",))])
        super().__init__(p, q, rules=rules)

    @torch.no_grad()
    def sample(
        self, n: int, *, given: Given | None = None, generator: Generator | None = None
    ) -> Tensor:
        """Draw z and noise, then x = G(z, noise); return n rows of cells, int64 [n, D].

        The latents ``z``, [n, L] or [L], may be given.
        """
        return self.p.sample(n, given=given, generator=generator)["x"]

    def _read(self, x: Tensor) -> Tensor:
        return self.q.nodes["v"].conditional(x)

    def _generate(self, batch: Batch, generator: Generator | None) -> Tensor:
        z = self._latents(batch, generator)
        noise = draw(self.p.nodes["noise"].distribution(()), (len(batch.x),), generator)
        return cast(CellGenerator, self.generator).vectors(z, noise)
