"""Fit what is fitted at once, by a closed form or EM, within the time that it is given."""

import math
import time
from dataclasses import dataclass

from torch import Generator, nn

from ancestral.capabilities import Fits
from ancestral.data.transforms import Transform
from ancestral.errors import ConfigError
from ancestral.recipes.feeding import on_device
from ancestral.recipes.plan import Plan
from ancestral.recipes.recipe import Config
from ancestral.recipes.record import Result
from ancestral.telling import time_left, watched
from ancestral.training.order import seed_of
from ancestral.training.weights import count_parameters


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimated:
    """A model that was fitted at once.

    Args:
        model: In model units.
        config: Its settings, those too that were chosen from the data.
        result: What is recorded; stopped by ``budget`` where the time was up before the optimum.
    """

    model: nn.Module
    config: Config
    result: Result


def estimate(plan_: Plan, transform: Transform) -> Estimated:
    """Fit the model of a plan to the training split.

    Raises:
        ConfigError: If the model has no ``fit``, the settings do not fit the data, or it cannot
            keep within its time.
    """
    _, least = plan_.recipe.forecast(plan_.config, plan_.data)
    if plan_.limit is not None and least > max(plan_.limit, 1.0):
        raise ConfigError(
            f"budget must be at least about {least:,.0f}s for {plan_.recipe.name} on "
            f"{plan_.data.features:,} features, got {plan_.limit:g}s; smaller images, "
            "--set pixels=16, take less"
        )
    wall, cpu = time.perf_counter(), time.process_time()
    generator = Generator(plan_.device).manual_seed(seed_of(plan_.seed, "fit"))
    with watched(seconds=plan_.limit or math.inf):
        examples = on_device(plan_.data, plan_.device)
        y = transform(examples.x, generator)
        config = plan_.config
        if plan_.recipe.choose is not None:
            config = plan_.recipe.choose(config, y, generator)
        model = plan_.build(transform, config).to(plan_.device)
        if not isinstance(model, Fits):
            raise ConfigError(
                f"{plan_.recipe.name} has neither fit nor players that can be called so"
            )
        model.fit(y, given=examples.given or None, generator=generator)
        late = time_left() <= 0
    result = Result(
        status="finished",
        stopped="budget" if late else "completed",
        seconds=time.perf_counter() - wall,
        cpu_seconds=time.process_time() - cpu,
        parameters=count_parameters(model),
    )
    return Estimated(model=model, config=config, result=result)
