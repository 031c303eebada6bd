"""Energy-based models: trained without their normaliser, drawn from by Markov chains."""

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

import torch
from torch import Generator, Tensor, nn

from ancestral.capabilities import Batch, Given, Loss, Player
from ancestral.energy.energies import Energy
from ancestral.energy.replay import ReplayBuffer, contrastive_loss
from ancestral.estimation import (
    annealed_importance,
    langevin,
    log_mean_weight,
    metropolis_hastings,
    tempered,
    unadjusted_langevin,
)
from ancestral.information import Quantity
from ancestral.networks.arguments import check_whole, refuse_unknown
from ancestral.networks.dag import DAG

Objective: TypeAlias = Callable[[Energy, Tensor, Generator | None], Tensor]
"""Energy, data [B, *event] and noise to the loss of each example, [B]."""

_POPULATION, _LEVELS, _MOVES = 1000, 10, 40
"""Fewest draws that are tempered together, levels of the way, and proposals on it by default."""

_CHOICE = 8
"""Draws of the base for each of the population: the first step of the way keeps the best."""


class EBM(nn.Module):
    """An energy-based model that is trained by an objective of its energy alone.

    p(x) = exp(-E(x)) / Z with Z unknown: no ``log_prob``, and no Bayesian network, so that
    ``graph`` is empty. Draws are a population that is tempered from the energy's Gaussian base.

    Source: LeCun et al. 2006, A tutorial on energy-based learning; sampling: Del Moral et al. 2006.

    Args:
        energy: The law up to its normaliser.
        objective: Noise-contrastive estimation, or a score-matching loss; see
            :mod:`ancestral.energy.score_matching`.

    Example:
        >>> from ancestral.energy import NoiseContrastive, vector_network
        >>> energy = Energy(vector_network(2, hidden=(8,)), (2,))
        >>> model = EBM(energy, NoiseContrastive())
        >>> model.sample(5).shape, dict(model.graph), hasattr(model, "log_prob")
        (torch.Size([5, 2]), {}, False)
    """

    def __init__(self, energy: Energy, objective: Objective) -> None:
        super().__init__()
        self.energy, self.objective = energy, objective

    @property
    def graph(self) -> Mapping[str, DAG]:
        """Empty: the factor exp(-E(x)) is no conditional distribution."""
        return {}

    def players(self) -> Sequence[Player]:
        """Return the one player."""
        return (Player(name="ebm", module=self, loss=self._loss),)

    def sample(
        self,
        n: int,
        *,
        given: Given | None = None,
        steps: int = _MOVES,
        generator: Generator | None = None,
    ) -> Tensor:
        """Return n draws of a population at the end of its way, [n, *event].

        Args:
            n: At least 1.
            given: Nothing can be.
            steps: Proposals of Hamiltonian Monte Carlo on the whole way, at least 1.
            generator: Source of randomness; torch's global one if None.

        Raises:
            ValueError: If n or steps is below 1.
            CapabilityError: If anything is given.
        """
        check_whole("n", n)
        check_whole("steps", steps)
        refuse_unknown(given, "ebm")
        count = max(n, _POPULATION)
        levels = min(_LEVELS, steps)
        population = tempered(
            self.energy.path,
            self.energy.base(_CHOICE * count, generator),
            shares=[level / levels for level in range(levels + 1)],
            draws=count,
            moves=round(steps / levels),
            generator=generator,
        )
        return population.draws[
            torch.randperm(count, generator=generator, device=population.draws.device)[:n]
        ]

    def estimate_log_normaliser(
        self,
        *,
        draws: int = 1000,
        levels: int = 100,
        step_size: float = 0.1,
        generator: Generator | None = None,
    ) -> Quantity:
        """Return log Z by annealed importance sampling, nats: an estimate, low in the mean.

        Args:
            draws: Independent chains, at least 2.
            levels: Steps of the way from the base, each with a move of Langevin's, at least 1.
            step_size: Of that move, above 0.
            generator: Source of randomness; torch's global one if None.
        """

        def move(x: Tensor, share: float, generator: Generator | None) -> Tensor:
            def density(at: Tensor) -> Tensor:
                return self.energy.path(at, share)

            by = langevin(density, step_size)
            return metropolis_hastings(density, x, by, steps=1, generator=generator).draws[0]

        start = self.energy.base(draws, generator)
        _, weights = annealed_importance(
            self.energy.path, start, move, shares=_shares(levels), generator=generator
        )
        found = log_mean_weight(weights)
        return Quantity(found.value + self.energy.log_normaliser_of_base, found.se, found.kind)

    def _loss(self, batch: Batch, generator: Generator | None) -> Loss:
        return Loss(self.objective(self.energy, batch.x, generator).sum(), len(batch.x))


class PersistentEBM(nn.Module):
    """An energy-based model that is trained by contrastive divergence with persistent chains.

    Each update moves some of the chains by Langevin steps, lowers the energy of the data and raises
    that of the chains. A draw is a chain that goes on from where training left it. No ``log_prob``,
    and an empty ``graph``.

    Source: Du & Mordatch 2019, arXiv:1903.08689, alg. 1, with noise of the full temperature and
    chains that keep to it.

    Args:
        energy: The law up to its normaliser.
        chains: Number of chains C, at least 1.
        steps: Langevin steps of an update, at least 1.
        step_size: eta of those steps, above 0.
        restart: Share of the chains that begin anew from the base, in [0, 1).
        penalty: Weight of ``f(x)^2``, which keeps the slopes finite, at least 0.

    Example:
        >>> from ancestral.energy import vector_network
        >>> energy = Energy(vector_network(2, hidden=(8,)), (2,))
        >>> PersistentEBM(energy, chains=100).sample(5).shape
        torch.Size([5, 2])
    """

    def __init__(
        self,
        energy: Energy,
        *,
        chains: int = 500,
        steps: int = 15,
        step_size: float = 0.01,
        restart: float = 0.02,
        penalty: float = 0.01,
    ) -> None:
        super().__init__()
        check_whole("steps", steps)
        check_whole("chains", chains)
        if not step_size > 0:
            raise ValueError(f"step_size must be above 0, got {step_size}")
        self.energy = energy
        self.steps, self.step_size, self.penalty = steps, step_size, penalty
        self.chains = ReplayBuffer(energy.base(chains, None), restart=restart)

    @property
    def graph(self) -> Mapping[str, DAG]:
        """Empty: the factor exp(-E(x)) is no conditional distribution."""
        return {}

    def players(self) -> Sequence[Player]:
        """Return the one player; the chains are common to the whole batch."""
        return (Player(name="ebm", module=self, loss=self._loss, couples_examples=True),)

    def sample(
        self,
        n: int,
        *,
        given: Given | None = None,
        steps: int = _MOVES,
        generator: Generator | None = None,
    ) -> Tensor:
        """Return the states of n chains after more steps of MALA, [n, *event].

        Args:
            n: At least 1; more than there are chains begin from the same states.
            given: Nothing can be.
            steps: Metropolis-adjusted Langevin steps, at least 1.
            generator: Source of randomness; torch's global one if None.

        Raises:
            ValueError: If n or steps is below 1.
            CapabilityError: If anything is given.
        """
        check_whole("n", n)
        check_whole("steps", steps)
        refuse_unknown(given, "ebm")
        density = self.energy.log_density
        by = langevin(density, self.step_size)
        start = self.chains.draw(n, generator)
        return metropolis_hastings(
            density, start, by, steps=1, warmup=steps - 1, generator=generator
        ).draws[0]

    def _loss(self, batch: Batch, generator: Generator | None) -> Loss:
        size = len(batch.x)
        rows, states = self.chains.take(size, self.energy.base(size, generator), generator)
        walked = unadjusted_langevin(
            lambda x: self.energy.score(x).detach(),
            states,
            step_size=self.step_size,
            steps=1,
            warmup=self.steps - 1,
            generator=generator,
        ).draws[0]
        if self.training:
            self.chains.put(rows, walked)
        both = torch.cat((batch.x.to(walked), walked))
        real, fake = self.energy(both).split([size, len(walked)])
        tilt = self.energy.tilt(both)
        loss = contrastive_loss(real, fake) + self.penalty * tilt.square().mean()
        metrics = {"gap": (real.mean() - fake.mean()).detach()}
        return Loss(loss * size, size, metrics)


def _shares(levels: int) -> list[float]:
    """Return shares of the way that begin in small steps, where the weights differ most."""
    return [(level / levels) ** 2 for level in range(levels + 1)]
