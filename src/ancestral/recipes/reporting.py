"""``report.html`` of a run: its curves, samples, neighbours, networks and how to repeat it."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ancestral import settings
from ancestral.capabilities import CAPABILITIES, HasGraph
from ancestral.data.dataset import Dataset, TextLoading
from ancestral.evaluation import Evaluation, Setting, bench_of
from ancestral.evaluation.bench import Bench
from ancestral.evaluation.report import ModelEntry, Section, write_report
from ancestral.networks.units import InDataUnits
from ancestral.recipes.recipe import resolve
from ancestral.recipes.record import Record
from ancestral.recipes.runs import REPORT, Run
from ancestral.training.budget import Budget

if TYPE_CHECKING:
    from ancestral.recipes.fitting import Fitting


def report_run(run: Run, data: Dataset, entry: ModelEntry) -> Path:
    """Write ``report.html`` into a run folder.

    Raises:
        RunError: If it cannot be written.
    """
    title = f"{run.record.model} on {data.name}"
    return write_report(run.folder / REPORT, title=title, sections=[section_of(run, data, entry)])


def report_fit(fitting: "Fitting") -> Path:
    """Write the report of a fit that has ended and was not measured yet.

    Raises:
        RunError: If it cannot be written.
    """
    run, units = fitting.run, fitting.kept
    bench = bench_of(fitting.plan.data, Setting(seed=run.record.seed))
    return report_run(run, bench.data, model_entry(run, units, bench, bench.show(units)))


def section_of(run: Run, data: Dataset, entry: ModelEntry) -> Section:
    """Return the section of a report on one run."""
    return Section(
        data=data,
        entries=[entry],
        budget=budget_text(run.record.budget),
        repeat=repeat_command(run.record),
    )


def model_entry(run: Run, units: InDataUnits, bench: Bench, evaluation: Evaluation) -> ModelEntry:
    """Return the entry of a run in a report."""
    record, result = run.record, run.record.result
    return ModelEntry(
        name=record.model,
        evaluation=evaluation,
        run=str(run.folder),
        steps=result.steps if record.options is not None else None,
        parameters=result.parameters,
        seconds=result.seconds,
        cpu_seconds=result.cpu_seconds,
        curves=_curves(run),
        graph=units.model.graph if isinstance(units.model, HasGraph) else {},
        pictures=bench.pictures(units),
        density=bench.density(units),
        repeat=repeat_command(record),
        capabilities=capabilities(units),
        notes=_remarks(run),
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
