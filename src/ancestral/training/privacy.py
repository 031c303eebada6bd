"""Training of which one row tells little: differentially private stochastic gradient descent."""

import secrets
import warnings
from dataclasses import dataclass, replace
from typing import Self

import torch
from torch import Generator

from ancestral.capabilities import Batch, Loss, Player
from ancestral.errors import ConfigError
from ancestral.settings import chosen, require
from ancestral.training.budget import Budget
from ancestral.training.options import Options


@dataclass(frozen=True, slots=True, kw_only=True)
class Privacy:
    """How much the weights may tell of any one row: (epsilon, delta)-differential privacy.

    Rows come into a batch independently of one another; the gradient of each is cut to a norm, and
    their sum gets normal noise. Neighbours are data with one row more or less.

    Source: Abadi et al. 2016, Deep Learning with Differential Privacy, arXiv:1607.00133, alg. 1;
    the accountant of opacus: Mironov, Talwar & Zhang 2019, arXiv:1908.10530.

    Args:
        epsilon: Bound on how much likelier one row can make any outcome, its logarithm; above 0.
        delta: Probability of more than that, in (0, 1); None: 1 / N.
        clip: Greatest norm of the gradient of a row, above 0.
        noise: Standard deviation of the noise, in ``clip``; it is found, and cannot be set.
    """

    epsilon: float
    delta: float = chosen("1 / N")
    clip: float = 1.0
    noise: float = chosen()

    def __post_init__(self) -> None:
        require(self, "epsilon", self.epsilon > 0, "above 0")
        require(self, "delta", self.delta is None or 0 < self.delta < 1, "in (0, 1)")
        require(self, "clip", self.clip > 0, "above 0")

    @property
    def words(self) -> str:
        """What is covered, and what is not, for people."""
        return (
            f"the weights are private to epsilon {self.epsilon:g}, delta {self.delta:.2g}: noise "
            f"of {self.noise:.3g} times clip {self.clip:g} a step. NOT covered: states, ranges and "
            "cells of the columns and the laws inside cells, which are of training rows and come "
            "back in samples; validation rows; metrics and reports; whoever knows the seed"
        )

    def planned(self, rows: int, options: Options, budget: Budget) -> Self:
        """Return this with the noise of a training, found by the accountant for all its steps.

        Raises:
            ConfigError: If the steps are not known, opacus is missing, or no noise is enough.
        """
        size = min(rows, options.batch_size)
        steps = budget.total_steps(rows, size)
        if steps is None:
            raise ConfigError("epsilon needs an end that is known before: give --steps or --epochs")
        try:
            from opacus.accountants.utils import get_noise_multiplier
        except ImportError:
            raise ConfigError("epsilon needs opacus: pip install 'ancestral[private]'") from None
        delta = self.delta or 1 / rows
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # That more orders might allow a little less noise.
            try:
                noise = get_noise_multiplier(
                    target_epsilon=self.epsilon,
                    target_delta=delta,
                    sample_rate=size / rows,
                    steps=steps,
                    accountant="rdp",
                    epsilon_tolerance=self.epsilon / 1000,
                )
            except ValueError as error:
                raise ConfigError(f"epsilon {self.epsilon:g}: {error}") from None
        return replace(self, delta=delta, noise=noise)


def secret_seed(seed: int) -> int:
    """Return the seed of a private training: in place of 0, which all know, one that none does.

    The noise is a function of it: who knows it can take the noise away.
    """
    return seed or secrets.randbits(62) + 1


def privately(player: Player, privacy: Privacy, options: Options) -> Player:
    """Return the player that moves by gradients of bounded rows, with noise.

    Raises:
        ConfigError: If it cannot bound them, or a batch is cut into parts.
    """
    if player.clipped is None:
        raise ConfigError(f"epsilon is of models that bound each row's gradient, not {player.name}")
    if options.accumulate != 1:
        raise ConfigError(
            f"accumulate must be 1 where epsilon is set, in one process, got {options.accumulate}"
        )
    clipped, std = player.clipped, privacy.noise * privacy.clip

    def loss(batch: Batch, generator: Generator | None) -> Loss:
        found = clipped(batch, generator, privacy.clip)
        total = found.total
        for weights in player.module.parameters():
            noise = torch.randn(
                weights.shape, generator=generator, dtype=weights.dtype, device=weights.device
            )
            term = std * (weights * noise).sum()
            total = total + (term - term.detach())  # Its gradient is the noise, its value 0.
        return Loss(total, options.batch_size)

    return replace(player, loss=loss)
