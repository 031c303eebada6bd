"""``report.html`` of a run: its curves, samples, neighbours, networks and how to repeat it."""

import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeAlias

import torch
from torch import Tensor

from ancestral.capabilities import CAPABILITIES, HasDensity, HasGraph, Samples, Tightens
from ancestral.data.dataset import Dataset, TextLoading
from ancestral.data.sources import fresh
from ancestral.evaluation import drawing
from ancestral.evaluation.evaluate import Evaluation
from ancestral.evaluation.figures import Figure
from ancestral.evaluation.report import ModelEntry, Section, write_report
from ancestral.evaluation.space import Space
from ancestral.evaluation.text import Passages, show_text
from ancestral.networks.units import InDataUnits
from ancestral.recipes import settings
from ancestral.recipes.recipe import resolve
from ancestral.recipes.record import Record
from ancestral.recipes.runs import REPORT, Run
from ancestral.recipes.text_pictures import pictures_of
from ancestral.training.budget import Budget

DensityKind: TypeAlias = Literal["exact", "bound", "estimate"]

_DENSITY_CHUNK = 10_000
_DENSITY_DRAWS = 32


def is_toy(data: Dataset) -> bool:
    """Return whether the data can be drawn anew, in fixed standardised units."""
    return fresh(data.source, 1, seed=0) is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What a report shows of a model beside its record.

    Args:
        figures: By name.
        samples: Draws, [N, *event].
        given: What they were conditioned on.
        nearest: Training examples nearest to the first of them.
        notes: Remarks.
        passages: Generated texts.
        confusion: How often each label is taken for each, [K, K].
    """

    figures: Mapping[str, Figure | None] = field(default_factory=dict)
    samples: Tensor | None = None
    given: Mapping[str, Tensor] = field(default_factory=dict)
    nearest: Tensor | None = None
    notes: Sequence[str] = ()
    passages: Passages | None = None
    confusion: Tensor | None = None

    @classmethod
    def of(cls, evaluation: Evaluation) -> "Shown":
        """Return what an evaluation found."""
        some = len(evaluation.samples) > 0
        return cls(
            figures=evaluation.figures,
            samples=evaluation.samples if some else None,
            given=evaluation.given,
            nearest=evaluation.nearest if some else None,
            notes=evaluation.notes,
            passages=evaluation.passages,
            confusion=evaluation.confusion,
        )

    @classmethod
    @torch.no_grad()
    def draw(cls, units: InDataUnits, data: Dataset, *, seed: int) -> "Shown":
        """Return samples only, where there are any, without measuring anything."""
        if not units.can(Samples):
            return cls()
        try:
            if data.kind == "text":
                return cls(passages=show_text(units, data, seed=seed))
            drawn = drawing.draw(units, data, drawing.SHOWN[data.kind], seed=seed)
            samples, given = drawing.show(units, data, drawn, seed=seed)
        except (ArithmeticError, ValueError) as error:
            return cls(notes=(f"no samples: {error}",))
        nearest = drawing.nearest_training(samples, data, Space.of(data, standard=is_toy(data)))
        return cls(samples=samples, given=given, nearest=nearest)


def report_run(run: Run, data: Dataset, entry: ModelEntry) -> Path:
    """Write ``report.html`` into a run folder.

    Raises:
        RunError: If it cannot be written.
    """
    title = f"{run.record.model} on {data.name}"
    return write_report(run.folder / REPORT, title=title, sections=[section_of(run, data, entry)])


def report_fit(run: Run, data: Dataset, *, device: str = "cpu") -> Path:
    """Write the report of a run that was fitted and not measured yet.

    Raises:
        RunError: If it cannot be written.
    """
    units = run.model(device=device)
    shown = Shown.draw(units, data, seed=run.record.seed)
    return report_run(run, data, model_entry(run, units, data, shown))


def section_of(run: Run, data: Dataset, entry: ModelEntry) -> Section:
    """Return the section of a report on one run."""
    return Section(
        data=data,
        entries=[entry],
        budget=budget_text(run.record.budget),
        repeat=repeat_command(run.record),
    )


def model_entry(run: Run, units: InDataUnits, data: Dataset, shown: Shown) -> ModelEntry:
    """Return the entry of a run in a report."""
    record, result = run.record, run.record.result
    density, kind = _density(units, data)
    return ModelEntry(
        name=record.model,
        figures=shown.figures,
        run=str(run.folder),
        steps=result.steps if record.options is not None else None,
        parameters=result.parameters,
        seconds=result.seconds,
        cpu_seconds=result.cpu_seconds,
        curves=_curves(run),
        graph=units.model.graph if isinstance(units.model, HasGraph) else {},
        samples=shown.samples,
        sample_labels=shown.given.get("label"),
        nearest=shown.nearest,
        passages=shown.passages,
        confusion=shown.confusion,
        pictures=pictures_of(units, data),
        log_density=density,
        log_density_kind=kind,
        repeat=repeat_command(record),
        capabilities=capabilities(units),
        notes=(*_remarks(run), *shown.notes),
    )


def capabilities(units: InDataUnits) -> tuple[str, ...]:
    """Return the names of what the model can do."""
    return tuple(name for name, kind in CAPABILITIES.items() if units.can(kind))


def budget_text(budget: Budget | None) -> str:
    """Return a budget in words."""
    if budget is None:
        return ""
    if budget.seconds is not None:
        return f"{budget.seconds:g}s"
    return f"{budget.steps} steps" if budget.steps is not None else f"{budget.epochs:g} epochs"


def repeat_command(record: Record) -> str:
    """Return the command that repeats a run, with every setting that is not a default.

    A run by the clock is repeated by the steps that it made.
    """
    words = ["ancestral", "fit", record.model, record.data.source]
    if record.budget is not None:
        budget = record.budget
        if budget.epochs is not None:
            words += ["--epochs", f"{budget.epochs:g}"]
        else:
            words += ["--steps", str(budget.steps or record.result.steps)]
    words += ["--seed", str(record.seed), "--threads", str(record.threads)]
    for key, value in _changed(record).items():
        text = ",".join(map(str, value)) if isinstance(value, list) else str(value)
        words += ["--set", f"{key}={text}"]
    return shlex.join(words)


def _changed(record: Record) -> dict[str, object]:
    """Return the settings that differ from what the recipe would take by itself."""
    from ancestral.recipes.table import recipe_named

    recipe = recipe_named(record.model)
    usual = settings.plain(resolve(recipe.config(), record.data.shape))
    found = {
        key: value for key, value in settings.plain(record.config).items() if value != usual[key]
    }
    if record.options is not None:
        options = recipe.options_of(record.config, record.data.kind)
        usual = settings.plain(record.tuning.options(options) if record.tuning else options)
        chosen = settings.plain(record.options)
        found |= {key: value for key, value in chosen.items() if value != usual[key]}
    loading = record.data.loading
    if loading.size is not None:
        found["pixels"] = loading.size
    if loading.label is not None:
        found["label"] = loading.label
    if loading.field is not None:
        found["field"] = loading.field
    if loading.seed:
        found["split_seed"] = loading.seed
    usual = settings.plain(TextLoading())
    found |= {k: v for k, v in settings.plain(loading.text).items() if v != usual[k]}
    found |= {name: part.run for name, part in record.parts.items()}
    if record.tuning is not None:
        tuning = settings.plain(record.tuning)
        found |= {key: tuning[key] for key in ("start", "lora", "lora_alpha")}
    return found


def _curves(run: Run) -> list[dict[str, Any]]:
    """Return the rows of the metrics, that of the kept weights marked."""
    best = run.record.result.best_step
    return [
        {**row, "best": True} if row.get("validation") and row["step"] == best else row
        for row in run.metrics()
    ]


def _remarks(run: Run) -> list[str]:
    result, recipe = run.record.result, run.recipe
    notes = [] if run.record.tuning is None else [f"begun at {run.record.tuning.words}"]
    if result.best is not None and recipe.chosen_by is not None:
        value = f"{result.best.value:.4g} {result.best.unit} on the validation split"
        if (options := run.record.options) is not None:
            kind = "averaged" if options.ema_decay > 0 else "raw"
            notes.append(
                f"weights kept: {kind}, of step {result.best_step:,}, chosen by "
                f"{recipe.chosen_by.name}: {value}"
            )
        else:
            notes.append(f"{recipe.chosen_by.name}: {value}")
    if result.stopped == "interrupted":
        notes.append(f"interrupted at step {result.steps:,}; more training may change it")
    return notes


def _density(
    units: InDataUnits, data: Dataset
) -> tuple[Callable[[Tensor], Tensor] | None, DensityKind]:
    """Return log p(x) of two-dimensional data for a picture, and what it is."""
    if tuple(data.event_shape) != (2,):
        return None, "exact"
    if units.can(HasDensity):
        return _in_chunks(lambda x: units.log_prob(x)), "exact" if units.exact else "bound"
    if units.can(Tightens):
        return _in_chunks(lambda x: units.estimate_log_prob(x, draws=_DENSITY_DRAWS)), "estimate"
    return None, "exact"


def _in_chunks(score: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    @torch.no_grad()
    def density(x: Tensor) -> Tensor:
        return torch.cat([score(part).double().cpu() for part in x.split(_DENSITY_CHUNK)])

    return density
