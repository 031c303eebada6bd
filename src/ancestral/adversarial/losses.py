"""The losses of the adversarial game, on logits.

The critic's logit f(x) = log D(x) - log(1 - D(x)) says how real x looks: D(x) = sigmoid(f(x)) is
the probability of y = 1, real. The sigmoid is left out of the network, so that every loss here
stays finite and exact where log(D) and log(1 - D) of a rounded probability are not.

Every loss is to be LOWERED. In the game's value both terms stand with a plus,
``E log D(x) + E log(1 - D(G(z)))``, and the critic raises it.
"""

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
