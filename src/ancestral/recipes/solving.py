"""How draws of continuous flows are made: the settings of a solver."""

from dataclasses import dataclass, replace
from typing import Literal, Self

from ancestral.data.fields import Shape
from ancestral.networks.ode import METHODS
from ancestral.nn.guidance import check_guidance
from ancestral.recipes.timed_networks import TimedNetworkConfig
from ancestral.settings import at_least


@dataclass(frozen=True, slots=True, kw_only=True)
class SolverSampling:
    """How a differential equation is solved for a draw.

    Args:
        steps: Steps of equal length from noise to data, at least 1.
        sampler: The solver: ``euler`` evaluates the network once a step, ``heun`` twice, ``rk4``
            four times, ``dopri5`` six times; ``adaptive`` as often as it needs.
    """

    steps: int = 20
    sampler: Literal["euler", "heun", "rk4", "dopri5", "adaptive"] = "heun"

    def __post_init__(self) -> None:
        at_least(self, steps=1)

    def within(self, evaluations: int) -> Self:
        """Return the settings of so many evaluations at most, by Euler where they are few."""
        tableau = METHODS.get(self.sampler, METHODS["heun"])
        if evaluations < tableau.evaluations:
            return replace(self, steps=evaluations, sampler="euler")
        sampler = self.sampler if self.sampler in METHODS else "heun"
        return replace(self, steps=evaluations // tableau.evaluations, sampler=sampler)


@dataclass(frozen=True, slots=True, kw_only=True)
class GuidedSampling(SolverSampling):
    """How a differential equation is solved for a draw, and how far the label guides it.

    Args:
        guidance: Scale of classifier-free guidance, at least 0: 0 is without, 1 with the label,
            above 1 further away from what is likely without.
    """

    guidance: float = 1.0

    def __post_init__(self) -> None:
        SolverSampling.__post_init__(self)
        at_least(self, guidance=0)

    def check(self, config: TimedNetworkConfig, shape: Shape) -> None:
        """Refuse guidance of a model that is given no label."""
        check_guidance(self.guidance, labelled=config.classes(shape) > 0)
