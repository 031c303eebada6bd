"""The adversarial network whose generator is steered by styles."""

from collections.abc import Sequence
from typing import cast

import torch
from torch import Generator, Tensor

from ancestral.adversarial.equalised import equalise
from ancestral.adversarial.gan import DecodingNetworks
from ancestral.adversarial.image_gan import image_game
from ancestral.adversarial.image_networks import ImageCritic
from ancestral.adversarial.rules import GameRules
from ancestral.adversarial.style_networks import StyleGenerator
from ancestral.capabilities import Batch, Given
from ancestral.networks.bayesian_network import BayesianNetwork
from ancestral.networks.sampling import draw

_DRAWS = 4_096
"""Of the latents, of which the mean style is taken."""


class StyleGAN(DecodingNetworks):
    """A generative adversarial network of images whose latents become styles of the layers.

    ``p = {label, z, noise, x | z, noise, label}``, without the label where there are no classes:
    the style w is a function of z and the label, and each layer of the generator reads w and a
    plane of noise. In training some images have two styles, of two draws of z, so that layers do
    not rely on each other's. ``decode`` makes an image without the noise.

    Source: Karras et al. 2019, A Style-Based Generator Architecture for GANs, arXiv:1812.04948;
    Karras et al. 2020, Analyzing and Improving the Image Quality of StyleGAN, arXiv:1912.04958.

    Args:
        event_shape: Shape [C, S, S] of an image.
        latent: Latent dimensions L, at least 1, and those of w.
        width: Channels at the finest resolution; the critic's after the first halving.
        classes: Number of classes K; 0 for none.
        mixing: Share of the images of a training that have two styles, in [0, 1].
        rules: Of the game; the defaults if None.

    Raises:
        ValueError: If an argument is outside its range.

    Example:
        >>> StyleGAN((1, 28, 28), latent=16, width=8).sample(5).shape
        torch.Size([5, 1, 28, 28])
    """

    def __init__(
        self,
        event_shape: Sequence[int],
        *,
        latent: int,
        width: int,
        classes: int = 0,
        mixing: float = 0.9,
        rules: GameRules | None = None,
    ) -> None:
        if not 0 <= mixing <= 1:
            raise ValueError(f"mixing must be in [0, 1], got {mixing}")
        generator = StyleGenerator(latent, event_shape, width=width, classes=classes)
        critic = ImageCritic(event_shape, width=width, classes=classes)
        own = {"latent": latent, "classes": classes, "noise": generator.noise}
        super().__init__(*image_game(generator, critic, event_shape, **own), rules=rules)
        self.mixing = mixing
        equalise(generator)

    @property
    def styled(self) -> StyleGenerator:
        """The generator."""
        return cast(StyleGenerator, self.generator)

    def _generate(self, batch: Batch, generator: Generator | None) -> Tensor:
        first, second = (
            self.styled.same(
                self.styled.mapping(self._latents(batch, generator), *self._labels(batch))
            )
            for _ in range(2)
        )
        where = {"generator": generator, "device": batch.x.device}
        layers = torch.arange(first.shape[1], device=batch.x.device)
        cut = torch.randint(1, len(layers), (len(batch.x),), **where)
        mixed = torch.rand(len(batch.x), **where) < self.mixing
        other = mixed[:, None] & (layers >= cut[:, None])
        noise = draw(self.p.nodes["noise"].distribution(()), (len(batch.x),), generator)
        return self.styled.synthesise(torch.where(other[..., None], second, first), noise)

    def mean_style(self, label: Tensor | None = None) -> Tensor:
        """Return the mean of w, [1, L], or of each label [B] its own, [B, L]."""
        z = self.draw_latents(_DRAWS, generator=self._same_noise())
        if label is None:
            return self.styled.mapping(z).mean(0, keepdim=True)
        classes, place = label.unique(return_inverse=True)
        means = [self.styled.mapping(z, one.expand(len(z))).mean(0) for one in classes]
        return torch.stack(means)[place]

    @torch.no_grad()
    def sample_truncated(
        self,
        n: int,
        truncation: float,
        *,
        given: Given | None = None,
        generator: Generator | None = None,
    ) -> Tensor:
        """Return n draws [n, *event] whose styles are shrunk to their mean, of the label's class.

        Source: Karras et al. 2019, arXiv:1812.04948, appendix B.

        Args:
            n: Number of draws.
            truncation: psi: 1 leaves the styles as they are, 0 makes each the mean.
            given: As of ``sample``.
            generator: Of the draws.
        """
        roots = BayesianNetwork([node for node in self.p.nodes.values() if not node.parents])
        values = roots.sample(n, given=given, generator=generator)
        label = (values["label"],) if self.classes else ()
        w = torch.lerp(
            self.mean_style(*label), self.styled.mapping(values["z"], *label), truncation
        )
        return self.styled.synthesise(self.styled.same(w), values["noise"])

    def _same_noise(self) -> Generator:
        return Generator(self.styled.constant.device).manual_seed(0)
