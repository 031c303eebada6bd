"""Flow matching: learn the velocity that carries noise to data along chosen paths."""

from abc import ABC
from collections.abc import Callable, Iterator, Sequence
from typing import Literal, TypeAlias

import torch
from torch import Generator, Tensor, nn

from ancestral.capabilities import Batch, Given, Loss, Player
from ancestral.flows.density import SLOWLY_BACK, estimate_ode_log_prob, ode_log_prob
from ancestral.flows.optimal_coupling import optimal_coupling
from ancestral.flows.targets import TARGETS, Target, check_target
from ancestral.flows.transport import Transport
from ancestral.networks.gaussian_path import NoiseLevel, straight, variance_preserving
from ancestral.networks.ode import shortening, walk
from ancestral.networks.sampling import even_uniform
from ancestral.nn.guidance import check_guidance, guided

Path: TypeAlias = Literal["straight", "preserving"]
Coupling: TypeAlias = Literal["independent", "optimal"]

PATHS: dict[str, Callable[[Tensor], NoiseLevel]] = {
    "straight": straight,
    "preserving": variance_preserving,
}
COUPLINGS = ("independent", "optimal")


def flow_matching_loss(
    velocity: Callable[[Tensor, Tensor], Tensor], z: Tensor, target: Tensor, t: Tensor
) -> Tensor:
    """Return the squared error of the predicted velocity, per example.

    The least is at the mean velocity of the paths through z.

    Source: Lipman et al. 2023, Flow Matching for Generative Modeling, arXiv:2210.02747, eq. 9 and
    sec. 4.1.

    Args:
        velocity: Maps z [B, *D] and t [B] to a velocity [B, *D].
        z: Points of paths, [B, *D].
        target: Velocities of the paths there, [B, *D]; see :mod:`ancestral.flows.targets`.
        t: Times in [0, 1], [B].

    Returns:
        Mean over D, in squared units of the data, [B]. Not a likelihood.

    Example:
        >>> z, target = torch.zeros(5, 2), torch.ones(5, 2)
        >>> flow_matching_loss(lambda z, t: torch.ones_like(z), z, target, torch.rand(5)).sum()
        tensor(0.)
    """
    return (velocity(z, t) - target).square().flatten(start_dim=1).mean(dim=1)


class Matching(Transport, ABC):
    """What flow matching of vectors and of images share; the arguments are theirs."""

    _power = 1.0
    """By which the steps of a walk get shorter; see :func:`~ancestral.networks.ode.shortening`."""

    def __init__(
        self,
        network: nn.Module,
        event_shape: Sequence[int],
        *,
        classes: int = 0,
        dropped: float = 0.1,
        path: Path = "straight",
        coupling: Coupling = "independent",
        target: Target = "single",
    ) -> None:
        super().__init__(network, event_shape, classes=classes, dropped=dropped)
        if path not in PATHS:
            raise ValueError(f"path must be one of {', '.join(PATHS)}, got {path!r}")
        if coupling not in COUPLINGS:
            raise ValueError(f"coupling must be one of {', '.join(COUPLINGS)}, got {coupling!r}")
        check_target(target)
        if target == "averaged" and coupling == "optimal":
            raise ValueError("target must be single where the coupling is optimal, got averaged")
        self.path, self.coupling, self.target = path, coupling, target

    @torch.no_grad()
    def walk(
        self,
        n: int,
        *,
        given: Given | None = None,
        generator: Generator | None = None,
        steps: int = 50,
        sampler: str = "heun",
        guidance: float = 1.0,
    ) -> Iterator[Tensor]:
        """Yield the states [n, *event] of n draws after each step, the noise first.

        Args:
            n: Number of draws.
            given: ``label`` and ``z``.
            generator: Source of the noise and the labels; torch's global one if None.
            steps: At least 1, of equal length, of images shorter towards the data; of the adaptive
                solver, states that it shows.
            sampler: One of :data:`~ancestral.networks.ode.SOLVERS`.
            guidance: Scale of classifier-free guidance: 0 is without, 1 with the label, above 1
                further away from what is likely without.

        Raises:
            ConfigError: If there is a guidance scale and no label to guide by.
            ValueError: If steps or sampler are out of their range.
        """
        check_guidance(guidance, labelled=bool(self.classes))
        times = shortening(steps, self._power)
        z, label = self._begin(n, given, generator)

        def velocity(x: Tensor, t: Tensor) -> Tensor:
            return guided(self.network, x, t, label, scale=guidance, classes=self.classes)

        yield z
        yield from walk(velocity, z, times, method=sampler)

    def players(self) -> Sequence[Player]:
        """Return the one player: it lowers the error of the velocity."""
        couples = self.coupling == "optimal" or self.target == "averaged"
        return [Player(name="flow", module=self, loss=self._loss, couples_examples=couples)]

    def _loss(self, batch: Batch, generator: Generator | None) -> Loss:
        x_0, x_1, label = self._pairs(batch, generator)
        t, shown = even_uniform(len(x_1), x_1, generator), self._hidden(label, generator)
        z, target = TARGETS[self.target](PATHS[self.path](t), x_0, x_1, label)
        each = flow_matching_loss(lambda z, t: self.network(z, t, shown), z, target, t)
        return Loss(each.sum(), weight=len(x_1))

    def _pairs(
        self, batch: Batch, generator: Generator | None
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        """Return noise and data that belong together, [B, *event], and labels [B]."""
        x_1 = self._own(batch.x)
        x_0, label = self._noise(x_1, generator), self._taken(batch)
        if self.coupling == "optimal":
            x_0 = optimal_coupling(x_0, x_1, label)
        return x_0, x_1, label


class FlowMatching(Matching):
    """Flow matching of vectors, with the density that the velocity carries.

    ``log_prob`` is exact but for the error of the solver: the divergence is not estimated. It
    is the density of draws by an exact solver without guidance, from which draws in few steps
    differ.

    Source: Lipman et al. 2023, arXiv:2210.02747; Liu, Gong & Liu 2023, Flow Straight and Fast,
    arXiv:2209.03003; the density: Chen et al. 2018, arXiv:1806.07366.

    Args:
        network: The velocity: maps z [B, *event], time [B] and label [B] int64 or None to
            [B, *event].
        event_shape: Of x.
        classes: Number K of labels that the network takes; 0 for a model without.
        dropped: Share of the labels that training hides.
        path: ``straight`` (optimal transport), or ``preserving`` the variance.
        coupling: Which noise goes with which example: ``independent``, or ``optimal`` within each
            batch, which costs an assignment a step and makes the paths straighter.
        target: The velocity of a ``single`` path through a point, or ``averaged`` over those of
            the batch, which has the same mean and far less variance in few dimensions.

    Raises:
        ValueError: If an argument is out of its range.

    Example:
        >>> from ancestral.nn import TimedMLP
        >>> model = FlowMatching(TimedMLP(2, hidden=(32, 32)), (2,))
        >>> model.sample(5).shape, model.log_prob(torch.zeros(5, 2)).shape
        (torch.Size([5, 2]), torch.Size([5]))
    """

    def log_prob(self, x: Tensor, *, given: Given | None = None) -> Tensor:
        """Return log p(x | label), or log p(x) with the labels summed out, nats, [B].

        Exact but for the solver: 24 steps of order 5, shortest at the data, by which the density of
        no example depends on the others. It costs 145 evaluations for each coordinate, and as many
        times as there are labels to sum out.
        """
        label, x = self._label(given, len(x)), self._own(x)
        how = {"times": SLOWLY_BACK, "method": "dopri5"}
        return ode_log_prob(self.network, x, self.base(), self.labels, label, **how)


class ImageFlowMatching(Matching):
    """Flow matching of images, without a density.

    The exact trace would cost an evaluation for each pixel, so there is no ``log_prob``;
    :meth:`estimate_log_density` estimates the trace instead.

    Source: Lipman et al. 2023, arXiv:2210.02747; guidance: Ho & Salimans 2022, arXiv:2207.12598.

    Args:
        network: The velocity: maps z [B, *event], time [B] and label [B] int64 or None to
            [B, *event].
        event_shape: Of x, such as (C, H, W).
        classes: Number K of labels that the network takes; 0 for a model without.
        dropped: Share of the labels that training hides.
        path: ``straight`` (optimal transport), or ``preserving`` the variance.
        coupling: Which noise goes with which example: ``independent``, or ``optimal`` within each
            batch.
        target: The velocity of a ``single`` path through a point, or ``averaged`` over those of
            the batch, which has the same mean and far less variance in few dimensions.

    Raises:
        ValueError: If an argument is out of its range.

    Example:
        >>> from ancestral.nn import TimedMLP
        >>> network = TimedMLP((1, 8, 8), hidden=(32, 32), classes=10)
        >>> model = ImageFlowMatching(network, (1, 8, 8), classes=10)
        >>> model.sample(3, given={"label": torch.tensor(7)}).shape
        torch.Size([3, 1, 8, 8])
    """

    _power = 2.0
    """With equal steps the last leaves noise that the eye does not see and a classifier does."""

    def estimate_log_density(
        self,
        x: Tensor,
        *,
        given: Given | None = None,
        draws: int = 1,
        tolerance: float = 1e-3,
        generator: Generator | None = None,
    ) -> Tensor:
        """Return an unbiased estimate of log p(x | label), nats, [B], by Hutchinson's trace.

        Args:
            x: Images, [B, *event].
            given: ``label``, [B] or a scalar; None: of draws without a label.
            draws: Number of noises that are averaged, at least 1.
            tolerance: Of the solver; below it the estimate is biased.
            generator: Source of the noise; torch's global one if None.
        """
        label = self._label(given, len(x))
        velocity = self.network
        return estimate_ode_log_prob(
            lambda z, t: velocity(z, t, label),
            self._own(x),
            self.base(),
            draws=draws,
            tolerance=tolerance,
            generator=generator,
        )
