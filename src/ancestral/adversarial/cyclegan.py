"""Two kinds of images made from each other, learned without pairs: CycleGAN."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Literal, TypeAlias

import torch
from torch import Generator, Tensor, nn

from ancestral.adversarial.critic import Critic
from ancestral.adversarial.game import AdversarialGame
from ancestral.adversarial.rules import GameRules
from ancestral.adversarial.view import View
from ancestral.capabilities import Batch, Given, Loss, LossFunction, Player
from ancestral.networks.arguments import IMAGE, check_number, check_whole
from ancestral.networks.dag import DAG

Direction: TypeAlias = Literal["a-to-b", "b-to-a"]
"""From images of the folder ``a``, the field ``image``, to those of ``b``, x; or back."""

_WHO = "cyclegan"


class CycleGAN(nn.Module):
    """Two networks, ``{image, x | image}`` and ``{x, image | x}``, each a function with a critic.

    Beside their games the two functions lower the mean absolute difference of an image to what it
    becomes there and back, and to what the function that makes such images makes of it. They are
    one player, for each needs the other; the critics are two.

    Source: Zhu et al. 2017, Unpaired Image-to-Image Translation using Cycle-Consistent Adversarial
    Networks, arXiv:1703.10593, eq. 3 and sec. 5.2 (identity).

    Args:
        there: Maps images of kind a, [B, C, H, W] on [-1, 1], to those of kind b, before a tanh.
        back: The other way.
        critics: Of kind b, and of kind a: images to logits [B, P, 1].
        view: What is seen of the images: channels and levels, those of both kinds, and crops.
        cycle: Weight of the difference there and back, at least 0.
        identity: Weight of the difference to what is of the kind already, at least 0.
        rules: Of both games; least squares without a penalty if None.

    Raises:
        ValueError: If an argument is outside its range.

    Example:
        >>> from ancestral.adversarial import PatchCritic, View
        >>> from ancestral.nn import Translator
        >>> there, back = (Translator(1, outputs=1, widths=(8, 16), blocks=1) for _ in range(2))
        >>> critics = PatchCritic(1, width=8), PatchCritic(1, width=8)
        >>> model = CycleGAN(there, back, critics, view=View(channels=(1, 1)))
        >>> model.sample(5, given={"image": torch.zeros(1, 30, 20)}, direction="b-to-a").shape
        torch.Size([5, 1, 30, 20])
    """

    def __init__(
        self,
        there: nn.Module,
        back: nn.Module,
        critics: tuple[nn.Module, nn.Module],
        *,
        view: View,
        cycle: float = 10.0,
        identity: float = 5.0,
        rules: GameRules | None = None,
    ) -> None:
        super().__init__()
        check_number("cycle", cycle)
        check_number("identity", identity)
        self.generators = nn.ModuleDict({"there": there, "back": back})
        self.critics = nn.ModuleDict(dict(zip(("b", "a"), map(Critic, critics), strict=True)))
        self.view = view
        self.weights = cycle, identity
        rules = rules or GameRules(loss="least-squares", penalty=0.0)
        self.games = (
            self._game("there", "back", "b", rules),
            self._game("back", "there", "a", rules),
        )

    @property
    def graph(self) -> Mapping[str, DAG]:
        """The two networks: ``p`` from a to b, and ``q`` back."""
        return {"p": DAG({IMAGE: (), "x": (IMAGE,)}), "q": DAG({"x": (), IMAGE: ("x",)})}

    @property
    def needs(self) -> Sequence[str]:
        """The image: it has no law here."""
        return (IMAGE,)

    @torch.no_grad()
    def sample(
        self,
        n: int,
        *,
        given: Given | None = None,
        generator: Generator | None = None,
        direction: Direction = "a-to-b",
    ) -> Tensor:
        """Return what n images become, [n, C, H, W], levels on [-1, 1]; nothing is drawn.

        Args:
            n: At least 1.
            given: ``image``, [n, C, H, W], or [C, H, W] for all, in grey levels.
            generator: Not used.
            direction: Of what kind the images are, and what they become.

        Raises:
            ValueError: If n < 1, or the image is missing.
            CapabilityError: If something else is given.
        """
        del generator
        check_whole("n", n)
        image = self.view.image(given, n, _WHO)
        return self._made("there" if direction == "a-to-b" else "back", image)

    @torch.no_grad()
    def restore(self, x: Tensor) -> Tensor:
        """Return the images that x [B, C, H, W], on [-1, 1], become on the way back, in levels."""
        return self.view.grey_levels(self._made("back", x))

    def players(self) -> Sequence[Player]:
        """Return the critic of kind b, that of kind a, and both generators as one player."""
        pairs = [
            game.players(self.generators[name], self.critics[kind])
            for game, name, kind in zip(self.games, ("there", "back"), ("b", "a"), strict=True)
        ]
        (critic_b, there), (critic_a, back) = pairs
        turns = {"critic_b": (critic_b.loss, None), "critic_a": (None, critic_a.loss)}
        both = replace(there, name="generators", module=self.generators)
        return (
            *(
                replace(one, name=name, loss=partial(self._turn, turns[name]))
                for name, one in (("critic_b", critic_b), ("critic_a", critic_a))
            ),
            replace(both, loss=partial(self._turn, (there.loss, back.loss))),
        )

    def _turn(
        self,
        turns: tuple[LossFunction | None, LossFunction | None],
        batch: Batch,
        generator: Generator | None,
    ) -> Loss:
        """Return the sum of the losses of a turn in the game of b, and of one in that of a."""
        image, x = self.view.apart(batch, generator, _WHO)
        batches = Batch(x, {IMAGE: image}), Batch(image, {IMAGE: x})
        losses = [
            turn(own, generator)
            for turn, own in zip(turns, batches, strict=True)
            if turn is not None
        ]
        total = torch.stack([loss.total for loss in losses]).sum()
        return Loss(total, losses[0].weight, losses[0].metrics)

    def _game(self, name: str, other: str, kind: str, rules: GameRules) -> AdversarialGame:
        """Return the game of a generator, whose examples come with images of the other kind."""

        def generate(batch: Batch, _: Generator | None) -> Tensor:
            return self._made(name, batch.given[IMAGE])

        def judge(batch: Batch) -> Tensor:
            critic = self.critics[kind]
            return critic.logits(batch.x) if isinstance(critic, Critic) else critic(batch.x)

        def beside(batch: Batch, made: Tensor) -> Tensor:
            (cycle, identity), found = self.weights, made.new_zeros(len(made))
            if cycle:
                found = found + cycle * _apart(self._made(other, made), batch.given[IMAGE])
            if identity:
                found = found + identity * _apart(self._made(name, batch.x), batch.x)
            return found

        return AdversarialGame(generate=generate, judge=judge, rules=rules, beside=beside)

    def _made(self, name: str, image: Tensor) -> Tensor:
        return torch.tanh(self.generators[name](image))


def _apart(x: Tensor, y: Tensor) -> Tensor:
    """Return the mean absolute difference of each image, [B]."""
    return (x - y).abs().flatten(start_dim=1).mean(dim=1)
