"""The adversarial game: two players from any generator and any critic."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import torch
from torch import Generator, Tensor, nn

from ancestral.adversarial.augmentation import augment
from ancestral.adversarial.penalties import unit_slope_penalty, zero_centred_penalty
from ancestral.adversarial.rules import GameRules
from ancestral.capabilities import Batch, Loss, Player

PENALISED_SHARE = 8
"""One in so many real examples of a batch has its slope penalised: the gradient of a gradient
costs more than the rest of the critic's turn, and an eighth of the batch does the same work."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AdversarialGame:
    """What the two players of an adversarial game share.

    Args:
        generate: Draws one generated example for each example of a batch, given what that batch
            gives (a label), with the generator of the noise; [B, *event].
        judge: Logits [B] of examples [B, *event], given a batch's own values; example by example.
            A critic of patches has one for each, [B, *patches], of which the mean loss counts.
        read: What the critic reads of real examples; those that are generated come so.
        rules: What is lowered, what holds the critic back, and who moves how often.
        coupled: Whether a layer of the critic lets the examples of a batch see each other.
        beside: What the generator lowers beside the game's loss, [B], of a batch and of what it has
            made of it.
    """

    generate: Callable[[Batch, Generator | None], Tensor]
    judge: Callable[[Batch], Tensor]
    read: Callable[[Tensor], Tensor] = lambda x: x
    rules: GameRules = field(default_factory=GameRules)
    coupled: bool = False
    beside: Callable[[Batch, Tensor], Tensor] | None = None

    def critic_turn(self, batch: Batch, generator: Generator | None) -> Loss:
        """Return the critic's loss on a batch of real examples and as many generated ones.

        ``accuracy`` is the share of pairs of which the real one looks more real: 1/2 is chance.
        """
        with torch.no_grad():
            fakes = self._seen(self.generate(batch, generator), generator)
        batch = Batch(self._seen(self.read(batch.x), generator), batch.given)
        real, fake = self._judge_both(batch, fakes)
        loss = _each(self.rules.objective.critic(real, fake)).sum()
        if self.rules.penalty and self.rules.regulariser != "clip":
            loss = loss + self.rules.penalty * self._slopes(batch, fakes, generator)
        real, fake = real.detach(), fake.detach()
        more = (real > fake).to(real) + 0.5 * (real == fake)
        metrics = {"real": real.sigmoid(), "fake": fake.sigmoid(), "accuracy": more}
        return Loss(loss, len(batch.x), {name: value.mean() for name, value in metrics.items()})

    def generator_turn(self, batch: Batch, generator: Generator | None) -> Loss:
        """Return the generator's loss on as many new examples as the batch has."""
        fakes, objective = self.generate(batch, generator), self.rules.objective
        fake = self.judge(Batch(self._seen(fakes, generator), batch.given))
        real = fake
        if objective.paired:
            with torch.no_grad():
                real = self.judge(Batch(self._seen(self.read(batch.x), generator), batch.given))
        loss = _each(objective.generator(real, fake))
        if self.beside is not None:
            loss = loss + self.beside(batch, fakes)
        return Loss(loss.sum(), len(batch.x))

    def players(self, generator: nn.Module, critic: nn.Module) -> tuple[Player, Player]:
        """Return the critic and the generator, in the order of their turns."""
        (d_steps, g_steps), turns = self.rules.updates, (self.critic_turn, self.generator_turn)
        if self.rules.regulariser == "clip" and self.rules.penalty:
            turns = tuple(partial(_clipped, critic, self.rules.penalty, turn) for turn in turns)
        play = partial(Player, couples_examples=self.coupled)
        return (
            play(name="critic", module=critic, loss=turns[0], updates=d_steps),
            play(name="generator", module=generator, loss=turns[1], updates=g_steps),
        )

    def _seen(self, x: Tensor, generator: Generator | None) -> Tensor:
        """Return examples as the critic sees them."""
        return augment(x, self.rules.augment, generator)

    def _judge_both(self, batch: Batch, fakes: Tensor) -> tuple[Tensor, Tensor]:
        """Return the logits of real and of generated examples, of the same labels."""
        if self.coupled:
            return self.judge(batch), self.judge(Batch(fakes, batch.given))
        # One pass over both halves: no layer lets examples see each other.
        given = {name: torch.cat((value, value)) for name, value in batch.given.items()}
        real, fake = self.judge(Batch(torch.cat((batch.x, fakes)), given)).chunk(2)
        return real, fake

    def _slopes(self, batch: Batch, fakes: Tensor, generator: Generator | None) -> Tensor:
        """Return the penalty summed over the batch, of slopes estimated from its first examples."""
        whole = self.rules.regulariser == "gradient"
        count = len(batch.x) if whole else -(-len(batch.x) // PENALISED_SHARE)
        given = {name: value[:count] for name, value in batch.given.items()}

        def judge(x: Tensor) -> Tensor:
            return _each(self.judge(Batch(x, given)))

        if whole:
            return unit_slope_penalty(judge, batch.x, fakes, generator).sum()
        where = [batch.x] if self.rules.regulariser == "r1" else [batch.x, fakes]
        at = [zero_centred_penalty(judge, x[:count]).mean() for x in where]
        return torch.stack(at).sum() * len(batch.x)


def _each(values: Tensor) -> Tensor:
    """Return the mean of each example, [B]."""
    return values if values.ndim == 1 else values.flatten(start_dim=1).mean(dim=1)


@torch.no_grad()
def _clip(critic: nn.Module, bound: float) -> None:
    for parameter in critic.parameters():
        parameter.clamp_(-bound, bound)


def _clipped(
    critic: nn.Module,
    bound: float,
    turn: Callable[[Batch, Generator | None], Loss],
    batch: Batch,
    generator: Generator | None,
) -> Loss:
    """Take a turn with the critic's weights brought back within the bound, as after its update.

    Source: Arjovsky et al. 2017, arXiv:1701.07875, algorithm 1.
    """
    _clip(critic, bound)
    return turn(batch, generator)
