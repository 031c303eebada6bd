"""The adversarial game: two players from any generator and any critic."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

import torch
from torch import Generator, Tensor, nn

from ancestral.adversarial.losses import critic_loss, non_saturating_loss, saturating_loss
from ancestral.adversarial.penalties import zero_centred_penalty
from ancestral.capabilities import Batch, Loss, Player

GeneratorLoss: TypeAlias = Literal["non-saturating", "saturating"]
"""What the generator lowers: -log D, or the minimax game's own log(1 - D)."""

GENERATOR_LOSSES: dict[str, Callable[[Tensor], Tensor]] = {
    "non-saturating": non_saturating_loss,
    "saturating": saturating_loss,
}

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
        loss: What the generator lowers.
        penalty: Weight of the penalty on the critic's slope at real examples (R1), at least 0.
        updates: Updates of the critic and of the generator in one iteration, each at least 1.

    Raises:
        ValueError: If an argument is outside its range.
    """

    generate: Callable[[Batch, Generator | None], Tensor]
    judge: Callable[[Batch], Tensor]
    read: Callable[[Tensor], Tensor] = lambda x: x
    loss: GeneratorLoss = "non-saturating"
    penalty: float = 0.0
    updates: tuple[int, int] = (1, 1)

    def __post_init__(self) -> None:
        if self.loss not in GENERATOR_LOSSES:
            names = ", ".join(GENERATOR_LOSSES)
            raise ValueError(f"loss must be one of {names}, got {self.loss!r}")
        if not self.penalty >= 0:
            raise ValueError(f"penalty must be at least 0, got {self.penalty}")
        if len(self.updates) != 2 or min(self.updates) < 1:
            raise ValueError(f"updates must be two numbers of at least 1, got {self.updates}")

    def critic_turn(self, batch: Batch, generator: Generator | None) -> Loss:
        """Return the critic's loss on a batch of real examples and as many generated ones."""
        with torch.no_grad():
            fakes = self.generate(batch, generator)
        batch = Batch(self.read(batch.x), batch.given)
        # One pass over both halves: no layer lets examples see each other.
        given = {name: torch.cat((value, value)) for name, value in batch.given.items()}
        real, fake = self.judge(Batch(torch.cat((batch.x, fakes)), given)).chunk(2)
        loss = critic_loss(real, fake).sum()
        if self.penalty:
            loss = loss + self.penalty * self._slope(batch)
        metrics = {"real": real.detach().sigmoid().mean(), "fake": fake.detach().sigmoid().mean()}
        return Loss(loss, len(batch.x), metrics)

    def generator_turn(self, batch: Batch, generator: Generator | None) -> Loss:
        """Return the generator's loss on as many new examples as the batch has."""
        fakes = self.generate(batch, generator)
        logits = self.judge(Batch(fakes, batch.given))
        return Loss(GENERATOR_LOSSES[self.loss](logits).sum(), len(batch.x))

    def players(self, generator: nn.Module, critic: nn.Module) -> tuple[Player, Player]:
        """Return the critic and the generator, in the order of their turns."""
        d_steps, g_steps = self.updates
        return (
            Player(name="critic", module=critic, loss=self.critic_turn, updates=d_steps),
            Player(name="generator", module=generator, loss=self.generator_turn, updates=g_steps),
        )

    def _slope(self, batch: Batch) -> Tensor:
        """Penalty summed over the batch, estimated from its first examples."""
        count = -(-len(batch.x) // PENALISED_SHARE)
        given = {name: value[:count] for name, value in batch.given.items()}
        penalty = zero_centred_penalty(lambda x: self.judge(Batch(x, given)), batch.x[:count])
        return penalty.mean() * len(batch.x)
