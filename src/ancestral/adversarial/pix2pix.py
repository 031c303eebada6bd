"""An image from an image, learned from pairs: pix2pix."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial

import torch
from torch import Generator, Tensor, nn

from ancestral.adversarial.critic import Critic
from ancestral.adversarial.game import AdversarialGame
from ancestral.adversarial.rules import GameRules
from ancestral.adversarial.view import View
from ancestral.capabilities import Batch, Given, Loss, LossFunction, Player
from ancestral.networks.arguments import IMAGE, check_number, check_whole
from ancestral.networks.dag import DAG


class Pix2Pix(nn.Module):
    """``p = {image, x | image}`` with x a function of the image, and ``q = {y | image, x}``.

    The critic sees pairs of an image and what was made of it; beside its game the generator lowers
    the mean absolute difference to the x that belongs to the image. There is no density of x, and
    no noise: each image becomes one x.

    Source: Isola et al. 2017, Image-to-Image Translation with Conditional Adversarial Networks,
    arXiv:1611.07004.

    Args:
        generator: Maps images [B, C, H, W], levels on [-1, 1], to [B, O, H, W] before a tanh.
        critic: Maps pairs, [B, C + O, H, W], to logits [B, P, 1].
        view: What is seen of a pair: channels C of the image and O of x, levels, and crops.
        weight: Of the absolute difference, at least 0.
        rules: Of the game; the defaults if None.

    Raises:
        ValueError: If an argument is outside its range.

    Example:
        >>> from ancestral.adversarial import PatchCritic, View
        >>> from ancestral.nn import PlainUNet
        >>> generator = PlainUNet(1, outputs=3, widths=(8, 16))
        >>> model = Pix2Pix(generator, PatchCritic(4, width=8), view=View(channels=(1, 3)))
        >>> model.sample(5, given={"image": torch.zeros(1, 30, 20)}).shape
        torch.Size([5, 3, 30, 20])
    """

    def __init__(
        self,
        generator: nn.Module,
        critic: nn.Module,
        *,
        view: View,
        weight: float = 100.0,
        rules: GameRules | None = None,
    ) -> None:
        super().__init__()
        check_number("weight", weight)
        self.generator, self.critic = generator, Critic(critic)
        self.view = view
        self.game = AdversarialGame(
            generate=self._generate,
            judge=lambda batch: self.critic.logits(batch.x),
            rules=rules or GameRules(loss="non-saturating", penalty=0.0),
            beside=lambda batch, made: weight * self._difference(made, batch.x),
        )

    @property
    def graph(self) -> Mapping[str, DAG]:
        """The network of the model and the one of the critic."""
        return {
            "p": DAG({IMAGE: (), "x": (IMAGE,)}),
            "q": DAG({IMAGE: (), "x": (), "y": (IMAGE, "x")}),
        }

    @property
    def needs(self) -> Sequence[str]:
        """The image: it has no law here."""
        return (IMAGE,)

    @torch.no_grad()
    def sample(
        self, n: int, *, given: Given | None = None, generator: Generator | None = None
    ) -> Tensor:
        """Return what n images become, [n, O, H, W], levels on [-1, 1]; nothing is drawn.

        Args:
            n: At least 1.
            given: ``image``, [n, C, H, W], or [C, H, W] for all, in grey levels.
            generator: Not used.

        Raises:
            ValueError: If n < 1, or the image is missing.
            CapabilityError: If something else is given.
        """
        del generator
        check_whole("n", n)
        return torch.tanh(self.generator(self.view.image(given, n, "pix2pix")))

    def players(self) -> Sequence[Player]:
        """Return the critic, then the generator."""
        players = self.game.players(self.generator, self.critic)
        return tuple(replace(one, loss=partial(self._turn, one.loss)) for one in players)

    def _turn(self, turn: LossFunction, batch: Batch, generator: Generator | None) -> Loss:
        """Take a turn of the game, whose examples are pairs [B, C + O, H, W]."""
        image, x = self.view.together(batch, generator, "pix2pix")
        return turn(Batch(torch.cat((image, x), dim=1)), generator)

    def _difference(self, made: Tensor, pairs: Tensor) -> Tensor:
        """Return the mean absolute difference of x, [B]; the images of the pairs are the same."""
        first = self.view.channels[0]
        return (made[:, first:] - pairs[:, first:]).abs().flatten(start_dim=1).mean(dim=1)

    def _generate(self, batch: Batch, generator: Generator | None) -> Tensor:
        del generator
        image = batch.x[:, : self.view.channels[0]]
        return torch.cat((image, torch.tanh(self.generator(image))), dim=1)
