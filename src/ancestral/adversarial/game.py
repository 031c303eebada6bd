"""The adversarial game: two players from any generator and any critic."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import torch
from torch import Generator, Tensor, nn

from ancestral.adversarial.penalties import zero_centred_penalty
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
        read: What the critic reads of real examples; those that are generated come so.
        rules: What is lowered, what holds the critic back, and who moves how often.
        coupled: Whether a layer of the critic lets the examples of a batch see each other.
    """

    generate: Callable[[Batch, Generator | None], Tensor]
    judge: Callable[[Batch], Tensor]
    read: Callable[[Tensor], Tensor] = lambda x: x
    rules: GameRules = field(default_factory=GameRules)
    coupled: bool = False

    def critic_turn(self, batch: Batch, generator: Generator | None) -> Loss:
        """Return the critic's loss on a batch of real examples and as many generated ones."""
        with torch.no_grad():
            fakes = self.generate(batch, generator)
        batch = Batch(self.read(batch.x), batch.given)
        real, fake = self._judge_both(batch, fakes)
        loss = self.rules.objective.critic(real, fake).sum()
        if self.rules.penalty:
            loss = loss + self.rules.penalty * self._slopes(batch, fakes)
        metrics = {"real": real.detach().sigmoid().mean(), "fake": fake.detach().sigmoid().mean()}
        return Loss(loss, len(batch.x), metrics)

    def generator_turn(self, batch: Batch, generator: Generator | None) -> Loss:
        """Return the generator's loss on as many new examples as the batch has."""
        fakes, objective = self.generate(batch, generator), self.rules.objective
        fake = self.judge(Batch(fakes, batch.given))
        real = fake
        if objective.paired:
            with torch.no_grad():
                real = self.judge(Batch(self.read(batch.x), batch.given))
        return Loss(objective.generator(real, fake).sum(), len(batch.x))

    def players(self, generator: nn.Module, critic: nn.Module) -> tuple[Player, Player]:
        """Return the critic and the generator, in the order of their turns."""
        d_steps, g_steps = self.rules.updates
        play = partial(Player, couples_examples=self.coupled)
        return (
            play(name="critic", module=critic, loss=self.critic_turn, updates=d_steps),
            play(name="generator", module=generator, loss=self.generator_turn, updates=g_steps),
        )

    def _judge_both(self, batch: Batch, fakes: Tensor) -> tuple[Tensor, Tensor]:
        """Return the logits of real and of generated examples, of the same labels."""
        if self.coupled:
            return self.judge(batch), self.judge(Batch(fakes, batch.given))
        # One pass over both halves: no layer lets examples see each other.
        given = {name: torch.cat((value, value)) for name, value in batch.given.items()}
        real, fake = self.judge(Batch(torch.cat((batch.x, fakes)), given)).chunk(2)
        return real, fake

    def _slopes(self, batch: Batch, fakes: Tensor) -> Tensor:
        """Return the penalty summed over the batch, estimated from its first examples."""
        count = -(-len(batch.x) // PENALISED_SHARE)
        given = {name: value[:count] for name, value in batch.given.items()}
        where = [batch.x] if self.rules.regulariser == "r1" else [batch.x, fakes]
        at = [
            zero_centred_penalty(lambda x: self.judge(Batch(x, given)), x[:count]).mean()
            for x in where
        ]
        return torch.stack(at).sum() * len(batch.x)
