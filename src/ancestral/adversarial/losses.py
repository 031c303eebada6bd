"""The losses of the adversarial game, on logits.

The critic's logit f(x) = log D(x) - log(1 - D(x)) says how real x looks: D(x) = sigmoid(f(x)) is
the probability of y = 1, real. The sigmoid is left out of the network, so that every loss here
stays finite and exact where log(D) and log(1 - D) of a rounded probability are not.

Every loss is to be LOWERED. In the game's value both terms stand with a plus,
``E log D(x) + E log(1 - D(G(z)))``, and the critic raises it.
"""

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor
from torch.nn.functional import logsigmoid, softplus


def game_value(real: Tensor, fake: Tensor) -> Tensor:
    """Return the value of the game: the mean log-likelihood of the critic's labels, in nats.

    ``1/2 (E log D(x) + E log(1 - D(G(z))))``, the expectation of log q(y | x) where half of the
    examples are real (y = 1) and half are generated (y = 0). It is -ln 2 for a critic that knows
    nothing, and -ln 2 + JS(p_data, p_model) for the best possible one.

    Source: Goodfellow et al. 2014, Generative Adversarial Nets, arXiv:1406.2661, eq. 1, theorem 1.

    Args:
        real: Logits of real examples, [B].
        fake: Logits of generated examples, [B'].
    """
    return 0.5 * (logsigmoid(real).mean() + logsigmoid(-fake).mean())


def critic_loss(real: Tensor, fake: Tensor) -> Tensor:
    """Return the critic's loss for each pair of one real and one generated example, nats, [B].

    The binary cross-entropy of the labels, halved; its mean is ``-game_value(real, fake)``.

    Source: Goodfellow et al. 2014, arXiv:1406.2661, algorithm 1.

    Args:
        real: Logits of real examples, [B].
        fake: Logits of generated examples, [B].
    """
    return 0.5 * (softplus(-real) + softplus(fake))


def saturating_loss(fake: Tensor) -> Tensor:
    """Return the generator's minimax loss ``log(1 - D(G(z)))`` for each example, nats, [B].

    Its derivative in the LOGIT is -D: it vanishes where the critic is sure that an example is
    generated, which is everywhere at the start. (In D itself the slope is -1 / (1 - D), near -1.)

    Source: Goodfellow et al. 2014, arXiv:1406.2661, eq. 1 and sec. 3.

    Args:
        fake: Logits of generated examples, [B].
    """
    return -softplus(fake)


def non_saturating_loss(fake: Tensor) -> Tensor:
    """Return the generator's loss ``-log D(G(z))`` for each example, nats, [B].

    Its derivative in the logit is -(1 - D), strongest where the critic rejects the example.

    Source: Goodfellow et al. 2014, arXiv:1406.2661, sec. 3.

    Args:
        fake: Logits of generated examples, [B].
    """
    return softplus(-fake)


def relativistic_loss(better: Tensor, worse: Tensor) -> Tensor:
    """Return ``-log sigmoid(better - worse)`` of each pair, nats, [B].

    The critic lowers it with real examples as the better ones, the generator with its own. A
    generator that leaves a mode out loses the pairs with that mode's examples, whatever it gains
    elsewhere, so that the landscape has no minima of collapse.

    Source: Jolicoeur-Martineau 2019, The relativistic discriminator, arXiv:1807.00734, eq. 7;
    Huang et al. 2024, The GAN is dead; long live the GAN!, arXiv:2501.05441, eq. 2.

    Args:
        better: Logits of the examples that shall look more real, [B].
        worse: Logits of the others, [B].
    """
    return softplus(worse - better)


@dataclass(frozen=True, slots=True)
class Objective:
    """What the players lower, each for a pair of one real and one generated example, [B].

    Args:
        critic: Logits of real and of generated examples, [B] each, to the critic's loss.
        generator: The same to the generator's.
        paired: Whether the generator's loss depends on the real examples.
    """

    critic: Callable[[Tensor, Tensor], Tensor]
    generator: Callable[[Tensor, Tensor], Tensor]
    paired: bool = False


OBJECTIVES: dict[str, Objective] = {
    "relativistic": Objective(
        relativistic_loss, lambda real, fake: relativistic_loss(fake, real), paired=True
    ),
    "non-saturating": Objective(critic_loss, lambda _, fake: non_saturating_loss(fake)),
    "saturating": Objective(critic_loss, lambda _, fake: saturating_loss(fake)),
}
