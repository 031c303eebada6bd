"""f-divergences as games: what the critic raises is a lower bound of the divergence."""

import math
from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor
from torch.nn.functional import logsigmoid, softplus

from ancestral.information import (
    CHI_SQUARE,
    HELLINGER,
    JENSEN_SHANNON,
    KL,
    REVERSE_KL,
    FDivergence,
)


@dataclass(frozen=True, slots=True)
class DivergenceGame:
    """A game about ``D(p_data || p_model)``, with a critic of any output.

    For every critic v, ``E_data g(v) - E_model f*(g(v))`` is at most the divergence, where the
    activation g maps the critic's output into the domain of the conjugate f*; the two are equal
    for ``g(v) = f'(p_data / p_model)``.

    Source: Nowozin, Cseke & Tomioka 2016, f-GAN, arXiv:1606.00709, eq. 4 to 6 and table 2.

    Args:
        divergence: D.
        activation: g.
        conjugate: f*(g(v)) of the critic's output v, finite and exact for all of them.
    """

    divergence: FDivergence
    activation: Callable[[Tensor], Tensor]
    conjugate: Callable[[Tensor], Tensor]

    def critic(self, real: Tensor, fake: Tensor) -> Tensor:
        """Return the critic's loss of each pair, [B]: its mean is minus the bound.

        Args:
            real: Outputs for real examples, [B].
            fake: Outputs for generated examples, [B].
        """
        return self.conjugate(fake) - self.activation(real)

    def generator(self, fake: Tensor) -> Tensor:
        """Return what the generator lowers of its examples, [B].

        ``-g(v)`` in place of ``-f*(g(v))``, whose slope vanishes where the critic is sure; the
        source's section 3.2.
        """
        return -self.activation(fake)


DIVERGENCES: dict[str, DivergenceGame] = {
    "kl": DivergenceGame(KL, lambda v: v, KL.conjugate),
    "reverse-kl": DivergenceGame(REVERSE_KL, lambda v: -(-v).exp(), lambda v: v - 1),
    "pearson": DivergenceGame(CHI_SQUARE, lambda v: v, CHI_SQUARE.conjugate),
    "hellinger": DivergenceGame(HELLINGER, lambda v: (1 - (-v).exp()) / 2, lambda v: v.expm1() / 2),
    "js": DivergenceGame(
        JENSEN_SHANNON,
        lambda v: (math.log(2) + logsigmoid(v)) / 2,
        lambda v: (softplus(v) - math.log(2)) / 2,
    ),
}
"""By the name of the loss."""
