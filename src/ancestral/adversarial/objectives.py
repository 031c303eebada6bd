"""What the two players of a game lower, by name."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from torch import Tensor

from ancestral.adversarial.divergences import DIVERGENCES
from ancestral.adversarial.losses import (
    critic_loss,
    hinge_critic_loss,
    least_squares_critic_loss,
    least_squares_loss,
    non_saturating_loss,
    relativistic_loss,
    saturating_loss,
    smoothed_critic_loss,
    wasserstein_critic_loss,
    wasserstein_loss,
)


@dataclass(frozen=True, slots=True)
class Objective:
    """What the players lower, each for a pair of one real and one generated example, [B].

    Args:
        critic: Outputs for real and for generated examples, [B] each, to the critic's loss.
        generator: The same to the generator's.
        paired: Whether the generator's loss depends on the real examples.
        smoothed: The critic's loss with labels smoothed by a share; None where there are none.
    """

    critic: Callable[[Tensor, Tensor], Tensor]
    generator: Callable[[Tensor, Tensor], Tensor]
    paired: bool = False
    smoothed: Callable[..., Tensor] | None = None

    def with_smoothing(self, share: float) -> "Objective":
        """Return the objective whose labels of real examples are 1 minus a share.

        Raises:
            ValueError: If its critic has no labels, or the share is not in [0, 1).
        """
        if not 0 <= share < 1:
            raise ValueError(f"smoothing must be in [0, 1), got {share}")
        if not share:
            return self
        if self.smoothed is None:
            raise ValueError(
                "smoothing must be 0 but with loss=non-saturating or saturating, whose critic has "
                f"labels, got {share}"
            )
        return Objective(partial(self.smoothed, smoothing=share), self.generator)


def _alone(loss: Callable[[Tensor], Tensor]) -> Callable[[Tensor, Tensor], Tensor]:
    """Return a generator's loss that does not look at the real examples."""
    return lambda _, fake: loss(fake)


OBJECTIVES: dict[str, Objective] = {
    "relativistic": Objective(
        relativistic_loss, lambda real, fake: relativistic_loss(fake, real), paired=True
    ),
    "non-saturating": Objective(
        critic_loss, _alone(non_saturating_loss), smoothed=smoothed_critic_loss
    ),
    "saturating": Objective(critic_loss, _alone(saturating_loss), smoothed=smoothed_critic_loss),
    "least-squares": Objective(least_squares_critic_loss, _alone(least_squares_loss)),
    "hinge": Objective(hinge_critic_loss, _alone(wasserstein_loss)),
    "wasserstein": Objective(wasserstein_critic_loss, _alone(wasserstein_loss)),
    **{
        name: Objective(divergence.critic, _alone(divergence.generator))
        for name, divergence in DIVERGENCES.items()
    },
}
