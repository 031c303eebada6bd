"""Markov chain Monte Carlo: Metropolis-Hastings, Langevin, Hamiltonian; many chains at once.

Draws from a density known up to its normaliser. A proposal is a function of the states and a
generator that returns new states and ``log q(x | x') - log q(x' | x)``, 0 if it is symmetric.
"""

from collections.abc import Callable
from typing import TypeAlias

import torch
from torch import Generator, Tensor

from ancestral.errors import DivergenceError
from ancestral.estimation.chains import Chains
from ancestral.information.quantity import real
from ancestral.information.tables import check_simplex

LogDensity: TypeAlias = Callable[[Tensor], Tensor]
"""Maps states [C, *event] to log p + constant, in nats, [C]; -inf where p is 0."""

Proposal: TypeAlias = Callable[[Tensor, Generator | None], tuple[Tensor, Tensor]]
"""Maps states [C, *event] to proposed states and log q(x | x') - log q(x' | x), [C]."""


@torch.no_grad()
def metropolis_hastings(
    log_density: LogDensity,
    start: Tensor,
    proposal: Proposal,
    *,
    steps: int,
    warmup: int = 0,
    generator: Generator | None = None,
) -> Chains:
    """Run chains whose stationary law has the given density, by accepting or refusing proposals.

    A proposal x' is accepted with probability ``min(1, p(x') q(x | x') / p(x) q(x' | x))``, which
    leaves p in detailed balance. A density of NaN counts as 0.

    Source: Metropolis et al. 1953; Hastings 1970, Monte Carlo sampling methods using Markov
    chains.

    Args:
        log_density: Of the target, up to a constant.
        start: First states of C chains, [C, *event]; spread out, so that R-hat can see.
        proposal: See :func:`random_walk`, :func:`langevin`, :func:`hamiltonian`.
        steps: Draws kept of each chain, at least 1.
        warmup: Steps made before, and thrown away.
        generator: Source of randomness; torch's global one if None.

    Returns:
        The draws [steps, C, *event] and the acceptance of each chain, after the warm-up.

    Raises:
        ValueError: If steps < 1, warmup < 0, or a chain starts where the density is 0.

    Example:
        >>> chains = metropolis_hastings(
        ...     lambda x: -x.square() / 2, torch.zeros(4), random_walk(2.4), steps=500)
        >>> chains.draws.shape
        torch.Size([500, 4])
    """
    _check_steps(steps, warmup)
    x = start
    current = log_density(x)
    if not bool((current > -torch.inf).all()):
        chain = int((~(current > -torch.inf)).nonzero()[0])
        raise ValueError(f"start must have a density above 0, got chain {chain} at density 0")
    draws: list[Tensor] = []
    accepted = torch.zeros(len(x), dtype=torch.float64, device=x.device)
    for step in range(-warmup, steps):
        proposed, correction = proposal(x, generator)
        density = log_density(proposed)
        uniform = torch.rand(len(x), generator=generator, dtype=torch.float64, device=x.device)
        accept = uniform.log() < density - current + correction  # False for NaN.
        x = torch.where(accept.reshape(-1, *[1] * (x.ndim - 1)), proposed, x)
        current = torch.where(accept, density, current)
        if step >= 0:
            draws.append(x)  # A list: a proposal of real numbers makes whole ones real.
            accepted += accept
    return Chains(torch.stack(draws), accepted / steps)


def random_walk(scale: float | Tensor) -> Proposal:
    """Return the symmetric proposal x' = x + scale * Normal(0, 1).

    About 0.44 accepted in one dimension and 0.234 in many is best (Roberts, Gelman & Gilks 1997):
    scale 2.4 / sqrt(D) times the target's own, one or one for each coordinate.

    Raises:
        ValueError: If scale is not above 0.
    """
    _check_positive("scale", scale)

    def propose(x: Tensor, generator: Generator | None) -> tuple[Tensor, Tensor]:
        return x + scale * _noise(x, generator), x.new_zeros(len(x))

    return propose


def langevin(log_density: LogDensity, step_size: float) -> Proposal:
    """Return the proposal of MALA: x' = x + (eta / 2) grad log p(x) + sqrt(eta) Normal(0, 1).

    Metropolis-Hastings with it is exact for any eta; about 0.57 accepted is best.

    Source: Roberts & Tweedie 1996, Exponential convergence of Langevin distributions and their
    discrete approximations.

    Raises:
        ValueError: If step_size is not above 0.
    """
    _check_positive("step_size", step_size)

    def propose(x: Tensor, generator: Generator | None) -> tuple[Tensor, Tensor]:
        ahead = step_size / 2 * score(log_density, x)
        noise = step_size**0.5 * _noise(x, generator)
        proposed = x + ahead + noise
        back = step_size / 2 * score(log_density, proposed)
        # The way back needs the noise -(ahead + noise + back).
        squares = noise.square() - (ahead + noise + back).square()
        return proposed, squares.reshape(len(x), -1).sum(dim=1) / (2 * step_size)

    return propose


def hamiltonian(log_density: LogDensity, step_size: float, *, leaps: int = 10) -> Proposal:
    """Return the proposal of HMC: a momentum is drawn, and the state rolls along the energy.

    Leapfrog steps keep volume and can be undone, so that what is accepted by the change of
    ``-log p(x) + |momentum|^2 / 2`` is exact for any step size; about 0.65 accepted is best.

    Source: Duane et al. 1987, Hybrid Monte Carlo; Neal 2011, MCMC using Hamiltonian dynamics,
    arXiv:1206.1901, sec. 2.3 and 4.4.

    Args:
        log_density: Of the target, up to a constant.
        step_size: Time of a leap, above 0, in the units of x.
        leaps: Leapfrog steps of one proposal, at least 1.

    Raises:
        ValueError: If step_size is not above 0, or leaps < 1.
    """
    _check_positive("step_size", step_size)
    if leaps < 1:
        raise ValueError(f"leaps must be at least 1, got {leaps}")

    def propose(x: Tensor, generator: Generator | None) -> tuple[Tensor, Tensor]:
        start = _noise(x, generator)
        momentum = start + step_size / 2 * score(log_density, x)
        for leap in range(1, leaps + 1):
            x = x + step_size * momentum
            share = step_size if leap < leaps else step_size / 2
            momentum = momentum + share * score(log_density, x)
        squares = start.square() - momentum.square()
        return x, squares.reshape(len(x), -1).sum(dim=1) / 2

    return propose


@torch.no_grad()
def unadjusted_langevin(
    gradient: Callable[[Tensor], Tensor],
    start: Tensor,
    *,
    step_size: float,
    steps: int,
    warmup: int = 0,
    generator: Generator | None = None,
) -> Chains:
    """Run x <- x + (eta / 2) grad log p(x) + sqrt(eta) Normal(0, 1), and accept every step.

    Only the gradient is needed, but the stationary law is p up to an error of order eta: for
    Normal(0, 1) its variance is 1 / (1 - eta / 4).

    The gradient maps states [C, *event] to grad log p; the rest is as in
    :func:`metropolis_hastings`.

    Raises:
        ValueError: If step_size is not above 0, steps < 1, or warmup < 0.
        DivergenceError: If a chain runs away; eta is too large for the target.
    """
    _check_steps(steps, warmup)
    _check_positive("step_size", step_size)
    x = real(start)
    draws = x.new_empty(steps, *x.shape)
    for step in range(-warmup, steps):
        x = x + step_size / 2 * gradient(x) + step_size**0.5 * _noise(x, generator)
        if step >= 0:
            draws[step] = x
    if not bool(x.isfinite().all()):
        raise DivergenceError(f"a chain ran away; step_size must be below {step_size}")
    return Chains(draws, torch.ones(len(start), dtype=torch.float64, device=x.device))


def score(log_density: LogDensity, x: Tensor) -> Tensor:
    """Return grad log p(x), [C, *event], by automatic differentiation."""
    with torch.enable_grad():
        x = real(x).detach().requires_grad_()
        (gradient,) = torch.autograd.grad(log_density(x).sum(), x)
    return gradient


def transition_matrix(p: Tensor, proposal: Tensor) -> Tensor:
    """Return the Metropolis-Hastings kernel K of a chain with finitely many states, [N, N].

    Row i holds the law of the next state after i, as row i of the proposal [N, N] does before any
    is refused; p_i K_ij = p_j K_ji.

    Raises:
        ValueError: If p or a row is off the simplex, or the shapes differ.
    """
    check_simplex(p)
    check_simplex(proposal)
    if p.ndim != 1 or proposal.shape != (len(p), len(p)):
        raise ValueError(
            f"p must be [N] and proposal [N, N], got {list(p.shape)} and {list(proposal.shape)}"
        )
    flow = p[:, None] * proposal  # Mass that would move from i to j if all were accepted.
    # From a state of probability 0 everything is accepted.
    accept = torch.where(flow > 0, flow.mT / flow, 1).clamp(max=1)
    moves = proposal * accept
    moves.fill_diagonal_(0)
    return moves + torch.diag(1 - moves.sum(dim=1))


def _noise(x: Tensor, generator: Generator | None) -> Tensor:
    dtype = real(x).dtype
    return torch.randn(x.shape, generator=generator, dtype=dtype, device=x.device)


def _check_steps(steps: int, warmup: int) -> None:
    if steps < 1 or warmup < 0:
        raise ValueError(f"steps must be at least 1 and warmup 0, got {steps} and {warmup}")


def _check_positive(name: str, value: float | Tensor) -> None:
    if not bool((torch.as_tensor(value) > 0).all()):
        raise ValueError(f"{name} must be above 0, got {value}")
