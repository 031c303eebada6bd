"""Models that draw in steps: paths from noise to data, and what one more evaluation is worth."""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from ancestral.capabilities import Given
from ancestral.evaluation.attempts import Attempts
from ancestral.evaluation.drawing import device_of, generator_of, placed
from ancestral.evaluation.figures import Figure
from ancestral.evaluation.quality import Stage
from ancestral.networks.units import InDataUnits

EVALUATIONS = (1, 2, 5, 10, 20, 50)
"""How often the network is evaluated for a draw."""

FRAMES = 8
"""States that are shown of a path."""


def path_of(model: InDataUnits, n: int, *, seed: int, given: Given | None = None) -> Tensor:
    """Return states of n draws at even steps of their way from noise to data, [S, n, *event]."""
    device = device_of(model)
    how = {"given": placed(given, device), "generator": generator_of(model, seed)}
    states = [state.cpu() for state in model.walk(n, **how)]
    shown = torch.linspace(0, len(states) - 1, FRAMES).round().long().unique().tolist()
    return torch.stack([states[step] for step in shown])


def by_evaluations(
    points: Callable[[int], Tensor], stage: Stage, attempts: Attempts
) -> tuple[tuple[int, Figure], ...]:
    """Return a distance to real data by the number of evaluations of the network.

    Args:
        points: Returns generated points by that number.
        stage: Of one figure.
        attempts: Takes the notes.
    """
    found = []
    for count in EVALUATIONS:
        drawn = attempts(f"samples of {count} evaluations", partial(points, count))
        figures = {} if drawn is None else stage.figures(drawn, attempts)
        found += [(count, figure) for figure in figures.values() if figure is not None]
    return tuple(found)
