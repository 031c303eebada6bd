"""Evaluate one model on held-out data: every figure that it can give, and None for the rest."""

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, TypeAlias

import torch
from torch import Tensor

from ancestral.capabilities import Samples, SamplesMeans
from ancestral.data.dataset import Dataset
from ancestral.evaluation import drawing, likelihood
from ancestral.evaluation.attempts import Attempts
from ancestral.evaluation.figures import Figure
from ancestral.evaluation.labels import evaluate_labels
from ancestral.evaluation.measures import Estimate
from ancestral.evaluation.quality import Bench, Fresh, Stage, stages
from ancestral.evaluation.setting import LEAST, Setting
from ancestral.networks.units import InDataUnits

if TYPE_CHECKING:
    from ancestral.evaluation.text.passages import Passages

Progress: TypeAlias = Callable[[str, float], None]
"""(what is being done, share done so far)."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Evaluation:
    """What was found.

    Args:
        figures: By name; None where the model cannot give the number.
        samples: Samples to look at, in user units [N, *event]; [0, *event] if the model failed.
        given: What those samples were conditioned on, ``{"label": [N]}`` or empty.
        means: Means of p(x | z) to look at, in user units [N, *event], or None.
        nearest: The training examples nearest to the first 10 samples, [10, *event].
        definitions: One sentence for each figure, with the sizes used.
        notes: What went wrong, one sentence each; to be shown beside the figures.
        seconds: Wall-clock time.
        passages: Of text: samples to read, in place of ``samples``.
        confusion: Of labels: true ones by row, likeliest ones by column, int64 [K, K].
    """

    figures: Mapping[str, Figure | None]
    samples: Tensor
    given: Mapping[str, Tensor]
    means: Tensor | None
    nearest: Tensor
    definitions: Mapping[str, str]
    notes: tuple[str, ...]
    seconds: float
    passages: "Passages | None" = None
    confusion: Tensor | None = None


def evaluate(
    model: InDataUnits,
    data: Dataset,
    *,
    setting: Setting | None = None,
    fresh: Fresh | None = None,
    progress: Progress | None = None,
) -> Evaluation:
    """Measure a model against the test split, which training never saw.

    Every figure of sample quality carries its floor: real examples in the place of the generated
    ones, as many. A step at which the model breaks (samples that are not finite, a density that
    fails) costs its figures and leaves a note; the rest is still measured. The same seed gives
    the same figures.

    Args:
        model: In the units of ``data``.
        data: The test split judges; training and validation stand in for the generated
            examples where a floor is measured, and training is the memorisation test's suspect.
        setting: Sizes; the defaults if None.
        fresh: New draws of a toy set, whose vectors are then taken as standardised.
        progress: Told what is being done.
    """
    began = time.perf_counter()
    setting, progress = setting or Setting(), progress or _silent
    attempts = Attempts()
    bench = Bench.of(data, setting, fresh)
    training = model.model.training
    model.model.eval()
    try:
        with torch.no_grad():
            progress("held-out likelihood", 0.0)
            figures = likelihood.likelihoods(model, data, bench.sizes, setting, attempts)
            labelled = evaluate_labels(model, data, attempts, seed=setting.seed)
            progress("sampling", 0.3)
            drawn, means = _draw(model, data, bench, attempts)
            shown = attempts("samples to show", lambda: _show(model, data, bench, drawn))
    finally:
        model.model.train(training)
    qualities, texts = {}, {}
    if model.can(Samples):
        qualities, texts = _qualities(bench, data, (drawn, means), attempts, progress)
    figures |= {**labelled.figures, **qualities}
    texts |= likelihood.definitions(model, data, bench.sizes, setting.draws)
    texts |= labelled.definitions
    samples, given, nearest = shown or (data.train.x[:0], {}, data.train.x[:0])
    return Evaluation(
        figures=figures,
        samples=samples,
        given=given,
        means=None if means is None else means[: drawing.SHOWN[data.kind]],
        nearest=nearest,
        definitions={name: texts[name] for name in figures if name in texts},
        notes=tuple(attempts.notes),
        seconds=time.perf_counter() - began,
        confusion=labelled.confusion,
    )


def _silent(_title: str, _share: float) -> None:
    """Tell nobody."""


def _draw(
    model: InDataUnits, data: Dataset, bench: Bench, attempts: Attempts
) -> tuple[Tensor | None, Tensor | None]:
    """Return the samples to measure, and means, in user units, where the model has them."""
    if not model.can(Samples):
        return None, None
    n, seed = bench.sizes.samples, bench.setting.seed
    drawn = attempts("samples", lambda: drawing.draw(model, data, n, seed=seed))
    if not bench.setting.means or not model.can(SamplesMeans):
        return drawn, None
    return drawn, attempts("means", lambda: drawing.draw(model, data, n, seed=seed, means=True))


def _show(
    model: InDataUnits, data: Dataset, bench: Bench, drawn: Tensor | None
) -> tuple[Tensor, Mapping[str, Tensor], Tensor] | None:
    """Return samples to look at, what is given of them, and their nearest training examples."""
    if drawn is None:
        return None
    samples, given = drawing.show(model, data, drawn, seed=bench.setting.seed)
    return samples, given, drawing.nearest_training(samples, data, bench.space)


def _qualities(
    bench: Bench,
    data: Dataset,
    made: tuple[Tensor | None, Tensor | None],
    attempts: Attempts,
    progress: Progress,
) -> tuple[dict[str, Figure | None], dict[str, str]]:
    """Take every measure of samples and means, with its floor; return also what each one means."""
    drawn, means = made
    found: dict[str, Figure | None] = {}
    texts: dict[str, str] = {}
    todo = stages(bench)
    enough = _enough(bench, attempts) and _whole(data, attempts)
    for number, stage in enumerate(todo):
        progress(stage.title, 0.4 + 0.6 * number / len(todo))
        floor = _measured(stage, stage.stand_in if enough else None, "floor of ", attempts)
        estimates = _measured(stage, _points(bench, drawn) if enough else None, "", attempts)
        found |= {name: _figure(stage, name, estimates, floor) for name in stage.units}
        texts |= stage.definitions
        if means is None or not stage.of_means:
            continue
        estimates = _measured(stage, _points(bench, means) if enough else None, "means: ", attempts)
        for name in stage.of_means:
            found[f"{name}_means"] = _figure(stage, name, estimates, floor)
            texts[f"{name}_means"] = f"Of means of p(x | z) instead of draws. {texts[name]}"
    return found, texts


def _enough(bench: Bench, attempts: Attempts) -> bool:
    """Return whether there are examples enough to measure samples, with a note if not."""
    train, test = bench.sizes.samples, bench.sizes.references
    if min(train, test) >= LEAST:
        return True
    attempts.notes.append(
        f"sample quality: needs at least {LEAST} training and {LEAST} test examples, "
        f"got {train:,} and {test:,}"
    )
    return False


def _whole(data: Dataset, attempts: Attempts) -> bool:
    """Return whether no cell of a table is missing, with a note if one is."""
    if data.kind != "tables":
        return True
    rows = sum(int((part.x < 0).any(dim=1).sum()) for part in (data.train, data.test))
    if rows:
        attempts.notes.append(
            "sample quality: samples are whole rows, and cells are missing in "
            f"{rows:,} of {len(data.train) + len(data.test):,} rows"
        )
    return not rows


def _points(bench: Bench, x: Tensor | None) -> Tensor | None:
    return None if x is None else bench.space(x)


def _measured(
    stage: Stage, points: Tensor | None, what: str, attempts: Attempts
) -> dict[str, Estimate] | None:
    """Return the stage's estimates of some points, None with a note where it fails."""
    if points is None:
        return None
    return attempts(f"{what}{stage.title}", partial(_finite, stage, points))


def _finite(stage: Stage, points: Tensor) -> dict[str, Estimate]:
    found = stage.measure(points)
    for name, estimate in found.items():
        if not (math.isfinite(estimate.value) and math.isfinite(estimate.se)):
            raise ArithmeticError(f"{name} is {estimate.value} +- {estimate.se}")
    return found


def _figure(
    stage: Stage,
    name: str,
    estimates: Mapping[str, Estimate] | None,
    floor: Mapping[str, Estimate] | None,
) -> Figure | None:
    if estimates is None:
        return None
    found = estimates[name]
    least = None if floor is None else floor[name].value
    return Figure(found.value, found.se, stage.units[name], "estimate", least, found.p_value)
