"""From a density one can draw from to one that is known up to its normaliser, by small steps.

A path of densities has ``log p_b(x) + constant`` for each share b of the way, from 0 to 1.
"""

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

import torch
from torch import Generator, Tensor

from ancestral.estimation.markov import hamiltonian, metropolis_hastings
from ancestral.information import Quantity

Path: TypeAlias = Callable[[Tensor, float], Tensor]
"""Maps states [C, *event] and a share of the way in [0, 1] to log p_b + constant, nats, [C]."""

Move: TypeAlias = Callable[[Tensor, float, Generator | None], Tensor]
"""Maps states and a share to new states, and leaves p_b as it is."""

_ACCEPTED = 0.65
"""Share of the proposals of HMC that is accepted where it moves farthest."""


@torch.no_grad()
def annealed_importance(
    path: Path,
    start: Tensor,
    move: Move,
    *,
    shares: Sequence[float],
    generator: Generator | None = None,
) -> tuple[Tensor, Tensor]:
    """Carry draws of p_0 along a path; return them at its end with their log weights.

    The mean of the weights is an unbiased estimate of Z_1 / Z_0, and so the mean of their logarithm
    is below log(Z_1 / Z_0): a log-likelihood by it is too HIGH in the mean.

    Source: Neal 2001, Annealed importance sampling, arXiv:physics/9803008, sec. 2.

    Args:
        path: The densities, up to constants that may differ.
        start: Independent draws of p_0, [C, *event].
        move: One step, or some, of a chain that leaves p_b as it is.
        shares: Of the way, rising from 0 to 1.
        generator: Source of randomness; torch's global one if None.

    Returns:
        The states [C, *event] and the log weights, float64 [C].

    Raises:
        ValueError: If shares do not rise from 0 to 1.

    Example:
        >>> states, log_weights = annealed_importance(
        ...     lambda x, b: -(1 + b) * x.square() / 2, torch.randn(1000), lambda x, b, g: x,
        ...     shares=[0.0, 1.0])
        >>> log_weights.shape
        torch.Size([1000])
    """
    _check_shares(shares)
    x, log_weights = start, torch.zeros(len(start), dtype=torch.float64, device=start.device)
    for before, share in itertools.pairwise(shares):
        log_weights = log_weights + (path(x, share) - path(x, before)).double()
        x = move(x, share, generator)
    return x, log_weights


def log_mean_weight(log_weights: Tensor) -> Quantity:
    """Return the logarithm of the mean weight, from [C] logarithms, and its standard error.

    Raises:
        ValueError: If C < 2.
    """
    count = len(log_weights)
    if count < 2:
        raise ValueError(f"draws must be at least 2, got {count}")
    value = log_weights.logsumexp(dim=0) - math.log(count)
    return Quantity(value, (log_weights - value).exp().std() / count**0.5, "estimate")


@dataclass(frozen=True, slots=True)
class Population:
    """Draws [C, *event] at the end of a path, an estimate of log(Z_1 / Z_0), the last step size."""

    draws: Tensor
    log_ratio: Tensor
    step_size: float


@torch.no_grad()
def tempered(
    path: Path,
    start: Tensor,
    *,
    shares: Sequence[float],
    draws: int | None = None,
    moves: int = 10,
    step_size: float = 0.1,
    generator: Generator | None = None,
) -> Population:
    """Carry a population along a path: weigh, draw again by the weights, move by HMC.

    Where mass must go from one mode to another it goes by the weights, which no chain of short
    steps could do. The step size follows the share that is accepted. Draws of one population depend
    on each other a little.

    Source: Del Moral, Doucet & Jasra 2006, Sequential Monte Carlo samplers, sec. 3.

    Args:
        path: The densities, up to constants that may differ.
        start: Independent draws of p_0, [S, *event].
        shares: Of the way, rising from 0 to 1.
        draws: Size C of the population; None: S. Where S is larger, the first weights choose among
            more: draws of p_0 cost little, and few of them go far.
        moves: Proposals of HMC after each step, at least 1.
        step_size: The first one, above 0.
        generator: Source of randomness; torch's global one if None.

    Raises:
        ValueError: If shares do not rise from 0 to 1, or moves < 1.
    """
    _check_shares(shares)
    if moves < 1:
        raise ValueError(f"moves must be at least 1, got {moves}")
    x, total = start, torch.zeros((), dtype=torch.float64, device=start.device)
    for before, share in itertools.pairwise(shares):
        log_weights = (path(x, share) - path(x, before)).double()
        total = total + log_weights.logsumexp(dim=0) - math.log(len(x))
        x = x[_by_weights(log_weights, draws or len(start), generator)]
        density = partial(_at, path, share)
        for _ in range(moves):
            leaps = hamiltonian(density, step_size, leaps=5)
            chains = metropolis_hastings(density, x, leaps, steps=1, generator=generator)
            x = chains.draws[-1]
            step_size *= math.exp(float(chains.acceptance.mean()) - _ACCEPTED)
    return Population(x, total, step_size)


def _at(path: Path, share: float, x: Tensor) -> Tensor:
    return path(x, share)


def _by_weights(log_weights: Tensor, count: int, generator: Generator | None) -> Tensor:
    """Draw indices by the weights, with one random number for all (systematic)."""
    ends = log_weights.softmax(dim=0).cumsum(dim=0)
    shift = torch.rand((), generator=generator, dtype=ends.dtype, device=ends.device)
    places = (torch.arange(count, device=ends.device) + shift) / count
    return torch.searchsorted(ends / ends[-1], places).clamp(max=len(ends) - 1)


def _check_shares(shares: Sequence[float]) -> None:
    rising = all(a < b for a, b in itertools.pairwise(shares))
    if len(shares) < 2 or shares[0] != 0 or shares[-1] != 1 or not rising:
        raise ValueError(f"shares must rise from 0 to 1, got {list(shares)}")
