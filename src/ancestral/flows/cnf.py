"""The continuous normalising flow, trained by maximum likelihood through its solver."""

from collections.abc import Iterator, Sequence
from typing import Literal, TypeAlias

import torch
from torch import Generator, Tensor, nn

from ancestral.capabilities import Batch, Given, Loss
from ancestral.flows.density import ode_log_prob
from ancestral.flows.transport import Transport
from ancestral.networks.ode import (
    even,
    exact_divergence,
    hutchinson_divergence,
    integrate_with_log_det,
    walk,
)

Trace: TypeAlias = Literal["exact", "hutchinson"]
TRACES = ("exact", "hutchinson")


class CNF(Transport):
    """A continuous normalising flow: ``dz/dt = network(z, t)`` carries z ~ Normal(0, I) to x.

    Training lowers -log p(x | label) by a solver of fixed steps, through which gradients flow;
    ``log_prob`` is by the adaptive one with the exact trace.

    Source: Chen et al. 2018, Neural Ordinary Differential Equations, arXiv:1806.07366, sec. 4;
    Grathwohl et al. 2019, FFJORD, arXiv:1810.01367 (the estimated trace); Finlay et al. 2020, How
    to Train Your Neural ODE, arXiv:2002.02798, eq. 8 (the kinetic energy).

    Args:
        network: The velocity, smooth: maps z [B, *event], time [B] and label [B] int64 or None to
            [B, *event].
        event_shape: Of x.
        classes: Number K of labels that the network takes; 0 for a model without.
        trace: In training ``exact``, by one evaluation for each coordinate, or ``hutchinson``, an
            unbiased estimate by one.
        steps: Steps of the Runge-Kutta method of order 4 in training, at least 1.
        energy: Weight of the mean squared velocity along the way, at least 0: straight ways need
            few steps.

    Raises:
        ValueError: If an argument is out of its range.

    Example:
        >>> from ancestral.nn import TimedMLP
        >>> model = CNF(TimedMLP(2, hidden=(32, 32)), (2,))
        >>> model.sample(5).shape, model.log_prob(torch.zeros(5, 2)).shape
        (torch.Size([5, 2]), torch.Size([5]))
    """

    def __init__(
        self,
        network: nn.Module,
        event_shape: Sequence[int],
        *,
        classes: int = 0,
        trace: Trace = "exact",
        steps: int = 4,
        energy: float = 0.0,
    ) -> None:
        super().__init__(network, event_shape, classes=classes, dropped=0.0)
        if trace not in TRACES:
            raise ValueError(f"trace must be one of {', '.join(TRACES)}, got {trace!r}")
        if steps < 1:
            raise ValueError(f"steps must be at least 1, got {steps}")
        if not energy >= 0:
            raise ValueError(f"energy must be at least 0, got {energy}")
        self.trace, self.steps, self.energy = trace, steps, energy

    @torch.no_grad()
    def walk(
        self,
        n: int,
        *,
        given: Given | None = None,
        generator: Generator | None = None,
        steps: int = 20,
        sampler: str = "rk4",
    ) -> Iterator[Tensor]:
        """Yield the states [n, *event] of n draws after each step, the noise first.

        Args:
            n: Number of draws.
            given: ``label`` and ``z``.
            generator: Source of the noise and the labels; torch's global one if None.
            steps: Steps of equal length, at least 1; of the adaptive solver, states that it shows.
            sampler: One of :data:`~ancestral.networks.ode.SOLVERS`.
        """
        times = even(steps)
        z, label = self._begin(n, given, generator)
        yield z
        yield from walk(lambda x, t: self.network(x, t, label), z, times, method=sampler)

    def log_prob(self, x: Tensor, *, given: Given | None = None) -> Tensor:
        """Return log p(x | label), or log p(x) with the labels summed out, nats, [B].

        Exact within the solver's tolerance of 1e-6 a step.
        """
        label = self._label(given, len(x))
        return ode_log_prob(self.network, self._own(x), self.base(), self.labels, label)

    def _loss(self, batch: Batch, generator: Generator | None) -> Loss:
        x = self._own(batch.x)
        label = self._taken(batch)
        divergence = exact_divergence
        if self.trace == "hutchinson":
            signs = torch.randint(2, x.shape, generator=generator, device=x.device).to(x) * 2 - 1
            divergence = hutchinson_divergence(signs)
        energies: list[Tensor] = []

        def velocity(z: Tensor, t: Tensor) -> Tensor:
            return self.network(z, t, label)

        def followed(of: object, z: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
            del of
            value, trace = divergence(velocity, z, t)
            energies.append(value.square().flatten(start_dim=1).mean(dim=1))
            return value, trace

        z, log_det = integrate_with_log_det(
            velocity, x, even(self.steps, 1.0, 0.0), divergence=followed, method="rk4"
        )
        loss = -(self.base().log_prob(z) + log_det)
        kinetic = torch.stack(energies).mean(0)
        metrics = {"nats": loss.detach().mean(), "energy": kinetic.detach().mean()}
        return Loss((loss + self.energy * kinetic).sum(), weight=len(x), metrics=metrics)
