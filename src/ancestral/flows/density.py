"""The density of draws that a velocity has carried from noise: exact, or by an estimated trace."""

from collections.abc import Callable, Sequence

import torch
from torch import Generator, Tensor
from torch.distributions import Distribution

from ancestral.networks.labels import sum_labels
from ancestral.networks.nodes import Table
from ancestral.networks.ode import (
    Velocity,
    exact_divergence,
    hutchinson_divergence,
    integrate_with_log_det,
    shortening,
)

BACK = (1.0, 0.0)
"""From data to noise."""

SLOWLY_BACK = tuple(reversed(shortening(24, 1.5)))
"""Times of 24 steps from data to noise, shortest at the data: there a velocity that was learned
along paths of noise changes as fast as what is left of the noise."""


def ode_log_prob(
    network: Callable[[Tensor, Tensor, Tensor | None], Tensor],
    x: Tensor,
    base: Distribution,
    labels: Table | None,
    label: Tensor | None,
    *,
    times: Sequence[float] = BACK,
    method: str = "adaptive",
) -> Tensor:
    """Return log p(x | label), or ``log sum_k p(k) p(x | k)`` where none is given, nats, [B].

    Args:
        network: The velocity, given a label [B] or None.
        x: Data at time 1, [B, *event].
        base: Of the noise at time 0, event shape [*event].
        labels: p(label); None without classes.
        label: Labels, [B]; None for all of them, or without classes.
        times: From data to noise; more than the ends of a method of fixed steps.
        method: One of :data:`~ancestral.networks.ode.SOLVERS`; by the adaptive one, with a
            tolerance of 1e-6, an example's density depends on the others that share its steps.
    """

    def of(label: Tensor | None) -> Tensor:
        z, log_det = integrate_with_log_det(
            lambda x, t: network(x, t, label),
            x,
            times,
            divergence=exact_divergence,
            method=method,
        )
        return base.log_prob(z) + log_det

    if labels is None or label is not None:
        return of(label)
    return sum_labels(labels, of, x)


@torch.no_grad()
def estimate_ode_log_prob(
    velocity: Velocity,
    x: Tensor,
    base: Distribution,
    *,
    draws: int = 1,
    tolerance: float = 1e-3,
    generator: Generator | None = None,
) -> Tensor:
    """Return an unbiased estimate of log p(x), nats, [B], from the mean trace of some noises.

    Raises:
        ValueError: If draws < 1.
    """
    if draws < 1:
        raise ValueError(f"draws must be at least 1, got {draws}")
    terms = []
    for _ in range(draws):
        signs = torch.randint(2, x.shape, generator=generator, device=x.device).to(x) * 2 - 1
        z, log_det = integrate_with_log_det(
            velocity, x, BACK, divergence=hutchinson_divergence(signs), tolerance=tolerance
        )
        terms.append(base.log_prob(z) + log_det)
    return torch.stack(terms).mean(0)
