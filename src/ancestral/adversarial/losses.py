"""The losses of the adversarial game, on logits.

The critic's logit f(x) = log D(x) - log(1 - D(x)) says how real x looks: D(x) = sigmoid(f(x)) is
the probability of y = 1, real. (Of the least-squares, hinge and Wasserstein games it is a number
without such a meaning.) The sigmoid is left out of the network, so that every loss here
stays finite and exact where log(D) and log(1 - D) of a rounded probability are not.

Every loss is to be LOWERED. In the game's value both terms stand with a plus,
``E log D(x) + E log(1 - D(G(z)))``, and the critic raises it.
"""

from torch import Tensor
from torch.nn.functional import logsigmoid, relu, softplus


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


def least_squares_critic_loss(real: Tensor, fake: Tensor) -> Tensor:
    """Return ``1/2 (f(x) - 1)^2 + 1/2 f(G(z))^2`` of each pair, [B].

    The best critic is p_data / (p_data + p_model), as the cross-entropy's D; pairs that it tells
    apart too well cost it, too, so that its output stays bounded.

    Source: Mao et al. 2017, Least Squares GANs, arXiv:1611.04076, eq. 9.

    Args:
        real: Outputs for real examples, [B].
        fake: Outputs for generated examples, [B].
    """
    return 0.5 * ((real - 1).square() + fake.square())


def least_squares_loss(fake: Tensor) -> Tensor:
    """Return the generator's ``1/2 (f(G(z)) - 1)^2``, [B]; Mao et al. 2017, eq. 9.

    Args:
        fake: Outputs for generated examples, [B].
    """
    return 0.5 * (fake - 1).square()


def hinge_critic_loss(real: Tensor, fake: Tensor) -> Tensor:
    """Return ``max(0, 1 - f(x)) + max(0, 1 + f(G(z)))`` of each pair, [B].

    Pairs beyond the margin, f(x) above 1 and f(G(z)) below -1, move the critic no more.

    Source: Lim & Ye 2017, Geometric GAN, arXiv:1705.02894, eq. 8; Zhang et al. 2019, SAGAN,
    arXiv:1805.08318, eq. 4.

    Args:
        real: Outputs for real examples, [B].
        fake: Outputs for generated examples, [B].
    """
    return relu(1 - real) + relu(1 + fake)


def wasserstein_critic_loss(real: Tensor, fake: Tensor) -> Tensor:
    """Return ``f(G(z)) - f(x)`` of each pair, [B].

    Over critics of slope at most 1 its mean is, at its lowest, minus the Wasserstein-1 distance,
    so the critic must be held back: by clipped weights or by a penalty on its slope.

    Source: Arjovsky, Chintala & Bottou 2017, Wasserstein GAN, arXiv:1701.07875, eq. 2 and 3.

    Args:
        real: Outputs for real examples, [B].
        fake: Outputs for generated examples, [B].
    """
    return fake - real


def wasserstein_loss(fake: Tensor) -> Tensor:
    """Return the generator's ``-f(G(z))``, [B], of the Wasserstein and of the hinge game.

    Args:
        fake: Outputs for generated examples, [B].
    """
    return -fake


def smoothed_critic_loss(real: Tensor, fake: Tensor, *, smoothing: float) -> Tensor:
    """Return :func:`critic_loss` where real examples are real with probability 1 - s, nats, [B].

    One-sided: generated examples keep their label, for else the best critic would hold the
    generator to its own mistakes.

    Source: Salimans et al. 2016, Improved Techniques for Training GANs, arXiv:1606.03498,
    sec. 3.4.

    Args:
        real: Logits of real examples, [B].
        fake: Logits of generated examples, [B].
        smoothing: The probability s, in [0, 1).
    """
    return critic_loss(real, fake) + 0.5 * smoothing * real
