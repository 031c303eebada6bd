"""Adversarial networks of images that grow while they are trained."""

from collections.abc import Sequence
from typing import cast

from torch import Generator, Tensor

from ancestral.adversarial.equalised import equalise
from ancestral.adversarial.gan import DecodingNetworks
from ancestral.adversarial.growing_networks import GrowingCritic, GrowingGenerator
from ancestral.adversarial.image_gan import image_game
from ancestral.adversarial.rules import GameRules
from ancestral.capabilities import Batch


class GrowingGAN(DecodingNetworks):
    """A generative adversarial network of images whose players grow from small images to large.

    Both hold the layers of all levels from the start; which of them are used lies in buffers, so
    that a training goes on in the middle of a fade. The game is played at the level's resolution;
    samples have the whole one always. The weights have equalised learning rates.

    Source: Karras et al. 2018, Progressive Growing of GANs, arXiv:1710.10196.

    Args:
        event_shape: Shape [C, S, S] of an image.
        latent: Latent dimensions, at least 1.
        width: Channels at the finest resolution.
        classes: Number of classes K; 0 for none.
        rules: Of the game; the defaults if None.

    Raises:
        ValueError: If an argument is outside its range.

    Example:
        >>> GrowingGAN((1, 28, 28), latent=16, width=8).sample(5).shape
        torch.Size([5, 1, 28, 28])
    """

    def __init__(
        self,
        event_shape: Sequence[int],
        *,
        latent: int,
        width: int,
        classes: int = 0,
        rules: GameRules | None = None,
    ) -> None:
        own = {"width": width, "classes": classes}
        networks = GrowingGenerator(latent, event_shape, **own), GrowingCritic(event_shape, **own)
        p, q = image_game(*networks, event_shape, latent=latent, classes=classes)
        super().__init__(p, q, rules=rules, coupled=True)
        for network in networks:
            equalise(network)

    @property
    def _players(self) -> tuple[GrowingGenerator, GrowingCritic]:
        made, judged = self.generator, self.critic.network
        return cast(GrowingGenerator, made), cast(GrowingCritic, judged)

    def at(self, progress: float) -> None:
        """Let both players take the form of this share of a training, in [0, 1]."""
        for network in self._players:
            network.growth.at(progress)

    @property
    def grown(self) -> bool:
        """Whether the generator has its last form."""
        return self._players[0].growth.whole

    def _read(self, x: Tensor) -> Tensor:
        return self._players[1].seen(x)

    def _generate(self, batch: Batch, generator: Generator | None) -> Tensor:
        return self._players[0].native(self._latents(batch, generator), *self._labels(batch))
