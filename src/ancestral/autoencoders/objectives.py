"""What the training of a variational autoencoder raises: the bound, weighed or tightened."""

from collections.abc import Mapping
from typing import Protocol

import torch
from torch import Generator, Tensor

from ancestral.networks.arguments import check_whole
from ancestral.networks.bayesian_network import BayesianNetwork
from ancestral.networks.elbo import Pieces, elbo, elbo_pieces, weighted_bound


class Objective(Protocol):
    """What is raised for a pair of networks, and the bound that goes with it."""

    def at(self, progress: float) -> None:
        """Take the form of this share of the training, in [0, 1]."""
        ...

    def raised(
        self,
        p: BayesianNetwork,
        q: BayesianNetwork,
        values: Mapping[str, Tensor],
        generator: Generator | None,
        *,
        training: bool,
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Return what training raises, [B], and further scalars to report."""
        ...

    def bound(
        self,
        p: BayesianNetwork,
        q: BayesianNetwork,
        values: Mapping[str, Tensor],
        draws: int,
        generator: Generator | None,
    ) -> Tensor:
        """Return an unbiased estimate of a lower bound on log p(x), nats, [B]."""
        ...


class WeighedBound:
    """``reconstruction - beta KL``: at beta 1 the ELBO, at any other a loss and no bound.

    The bound that is reported is the ELBO whatever beta is.

    Source: Higgins et al. 2017, beta-VAE, ICLR; the KL annealed: Bowman et al. 2016,
    arXiv:1511.06349; free bits: Kingma et al. 2016, arXiv:1606.04934, app. C.8.

    Args:
        beta: Weight of the KL, at least 0.
        warmup: Share of the training in which the weight grows from 0 to beta, in [0, 1].
        free_nats: KL of each latent node that an example has for nothing, at least 0.

    Raises:
        ValueError: If an argument is out of its range.

    Example:
        >>> objective = WeighedBound(beta=4.0, warmup=0.5)
        >>> objective.at(0.25)
        >>> objective.weight
        2.0
    """

    def __init__(self, *, beta: float = 1.0, warmup: float = 0.0, free_nats: float = 0.0) -> None:
        for name, value in {"beta": beta, "free_nats": free_nats}.items():
            if not value >= 0:
                raise ValueError(f"{name} must be at least 0, got {value}")
        if not 0 <= warmup <= 1:
            raise ValueError(f"warmup must lie in [0, 1], got {warmup}")
        self.beta, self.warmup, self.free_nats = float(beta), warmup, free_nats
        # A function of the progress alone, told before every step: no checkpoint needs it.
        self.weight = self.beta

    def at(self, progress: float) -> None:
        """Set the weight of the KL for this share of the training, in [0, 1]."""
        self.weight = self.beta * min(1.0, progress / self.warmup if self.warmup else 1.0)

    def raised(
        self,
        p: BayesianNetwork,
        q: BayesianNetwork,
        values: Mapping[str, Tensor],
        generator: Generator | None,
        *,
        training: bool,
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the weighed bound, nats, [B], and the means of its pieces.

        Outside of training the weight is beta, so that losses of any step compare.
        """
        pieces = elbo_pieces(p, q, values, generator=generator)
        kl = pieces.kl
        if self.free_nats:
            kl = {name: part.clamp(min=self.free_nats) for name, part in kl.items()}
        weight = self.weight if training else self.beta
        if weight != 1:
            kl = {name: weight * part for name, part in kl.items()}
        return Pieces(pieces.reconstruction, kl).total, _means(pieces)

    def bound(
        self,
        p: BayesianNetwork,
        q: BayesianNetwork,
        values: Mapping[str, Tensor],
        draws: int,
        generator: Generator | None,
    ) -> Tensor:
        """Return the ELBO, nats, [B]."""
        return elbo(p, q, values, draws=draws, generator=generator)


class ImportanceWeightedBound:
    """``log (1/K) sum_k p(x, z_k) / q(z_k | x)``: a bound that is tighter the more draws it has.

    Source: Burda, Grosse & Salakhutdinov 2016, Importance Weighted Autoencoders,
    arXiv:1509.00519, eq. 8.

    Args:
        draws: Number K of importance draws, at least 1.

    Raises:
        ValueError: If draws is below 1.
    """

    def __init__(self, draws: int) -> None:
        check_whole("draws", draws)
        self.draws = draws

    def at(self, progress: float) -> None:
        """Stay as it is."""

    def raised(
        self,
        p: BayesianNetwork,
        q: BayesianNetwork,
        values: Mapping[str, Tensor],
        generator: Generator | None,
        *,
        training: bool,
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the bound, nats, [B]."""
        del training
        return weighted_bound(p, q, values, draws=self.draws, generator=generator), {}

    def bound(
        self,
        p: BayesianNetwork,
        q: BayesianNetwork,
        values: Mapping[str, Tensor],
        draws: int,
        generator: Generator | None,
    ) -> Tensor:
        """Return the mean of ``draws`` such bounds, nats, [B]."""
        check_whole("draws", draws)
        rounds = [
            weighted_bound(p, q, values, draws=self.draws, generator=generator)
            for _ in range(draws)
        ]
        return torch.stack(rounds).mean(0)


def _means(pieces: Pieces) -> dict[str, Tensor]:
    """Return the means of the pieces, of several latents each one's."""
    many = len(pieces.kl) > 1
    kl = {f"kl_{name}" if many else "kl": part for name, part in pieces.kl.items()}
    parts = {"reconstruction": pieces.reconstruction, **kl}
    return {name: part.detach().mean() for name, part in parts.items()}
