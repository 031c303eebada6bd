"""``report.html`` of a run: its curves, samples, neighbours, networks and how to repeat it."""

import shlex
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ancestral import settings
from ancestral.capabilities import CAPABILITIES, HasGraph
from ancestral.data.dataset import Dataset, Loading, TextLoading
from ancestral.data.recorded import modelled
from ancestral.evaluation import Evaluation, Setting, bench_of
from ancestral.evaluation.bench import Bench
from ancestral.evaluation.chosen import Criterion
from ancestral.evaluation.report import ModelEntry, Section, write_report
from ancestral.networks.units import InDataUnits
from ancestral.recipes.recipe import resolve
from ancestral.recipes.record import Record
from ancestral.recipes.runs import REPORT, Run
from ancestral.training.budget import budget_text

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
    run, model = fitting.run, fitting.kept
    bench = bench_of(fitting.plan.data, Setting(seed=run.record.seed))
    return report_run(run, bench.data, model_entry(run, model, bench, bench.show(model)))


def section_of(run: Run, data: Dataset, entry: ModelEntry) -> Section:
    """Return the section of a report on one run."""
    return Section(
        data=data,
        entries=[entry],
        budget=budget_text(run.record.budget),
        repeat=repeat_command(run),
    )


def model_entry(run: Run, model: InDataUnits, bench: Bench, evaluation: Evaluation) -> ModelEntry:
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
        graph=model.network.graph if isinstance(model.network, HasGraph) else {},
        pictures=bench.pictures(model),
        density=bench.density(model),
        repeat=repeat_command(run),
        capabilities=tuple(name for name, kind in CAPABILITIES.items() if model.can(kind)),
        notes=_remarks(run),
    )


def repeat_command(run: Run) -> str:
    """Return the command that repeats a run, with every setting that is not a default.

    A run by the clock is repeated by the steps that it made, at its pace.
    """
    record = run.record
    words = ["ancestral", "fit", record.model, record.data.source]
    if record.budget is not None:
        budget = record.budget
        if budget.epochs is not None:
            words += ["--epochs", f"{budget.epochs:g}"]
        else:
            words += ["--steps", str(budget.steps or record.result.steps)]
        words += ["--pace", str(run.folder)] if run.pace else []
    words += ["--seed", str(record.seed), "--threads", str(record.threads)]
    for key, value in _changed(record).items():
        text = ",".join(map(str, value)) if isinstance(value, list) else str(value)
        words += ["--set", f"{key}={text}"]
    return shlex.join(words)


def _changed(record: Record) -> dict[str, object]:
    """Return the settings that differ from what the recipe would take by itself."""
    from ancestral.recipes.table import recipe_named

    recipe = recipe_named(record.model)
    shape = replace(modelled(record.data.fields), rows=record.data.train)
    found = _differing(record.config, resolve(recipe.config(), shape))
    if record.options is not None:
        options = recipe.options_of(record.config, record.data.kind)
        usual = record.tuning.options(options) if record.tuning else options
        if record.budget is not None and not record.budget.pace:
            per_step = record.options.batch_size * record.options.accumulate
            usual = usual.validated(record.budget.total_steps(record.data.train, per_step))
        found |= _differing(record.options, usual)
    loading = record.data.loading
    names = {"size": "pixels", "seed": "split_seed", **{k: k for k in ("label", "field", "masks")}}
    values = {word: getattr(loading, name) for name, word in names.items()}
    found |= {word: value for word, value in values.items() if value not in (None, 0)}
    if loading.fractions != Loading().fractions:
        found["fractions"] = list(loading.fractions)
    found |= _differing(loading.text, TextLoading())
    found |= {name: part.run for name, part in record.parts.items()}
    if record.tuning is not None:
        tuning = settings.plain(record.tuning)
        found |= {key: tuning[key] for key in ("start", "lora", "lora_alpha")}
    return found


def _differing(own: object, usual: object) -> dict[str, Any]:
    """Return the settings that differ from the usual ones."""
    known = settings.plain(usual)
    return {key: value for key, value in settings.plain(own).items() if value != known[key]}


def _curves(run: Run) -> list[dict[str, Any]]:
    """Return the rows of the metrics, that of the kept weights marked."""
    best = run.record.result.best_step
    return [
        {**row, "best": True} if row.get("validation") and row["step"] == best else row
        for row in run.metrics()
    ]


def _chosen_by(run: Run, choice: Criterion) -> str:
    """Return the name of the figure that chose the weights: another where the model lacks it."""
    other = choice.otherwise
    measured = {name for row in run.metrics() for name in row.get("validation") or ()}
    return other.name if other and other.name in measured else choice.name


def _remarks(run: Run) -> list[str]:
    result, recipe = run.record.result, run.recipe
    notes = [] if run.record.tuning is None else [f"begun at {run.record.tuning.words}"]
    if result.best is not None and recipe.chosen_by is not None:
        value = f"{result.best.value:.4g} {result.best.unit} on the validation split"
        if (options := run.record.options) is not None:
            kind = "averaged" if options.ema_decay > 0 else "raw"
            notes.append(
                f"weights kept: {kind}, of step {result.best_step:,}, chosen by "
                f"{_chosen_by(run, recipe.chosen_by)}: {value}"
            )
        else:
            notes.append(f"{recipe.chosen_by.name}: {value}")
    if result.stopped == "budget" and run.record.options is None:
        notes.append("its time was up before its optimum was found: a repetition may differ")
    if result.stopped == "interrupted":
        notes.append(f"interrupted at step {result.steps:,}; more training may change it")
    return notes
