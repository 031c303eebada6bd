"""Fit several models to the same data, measure all on the same held-out examples, one report."""

import json
import shlex
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import torch

from ancestral.data.dataset import Dataset
from ancestral.data.files import check_free, disk_errors, free_name, write_text
from ancestral.data.memory import Data, load_any
from ancestral.errors import AncestralError, ConfigError
from ancestral.evaluation import (
    Evaluation,
    Setting,
    bench_of,
    counts_to_json,
    evaluate,
    figures_to_json,
)
from ancestral.evaluation.bench import Bench
from ancestral.evaluation.report import ModelEntry, Section, write_report
from ancestral.recipes.fitting import start
from ancestral.recipes.plan import TUNING, Plan, plan, reads_of
from ancestral.recipes.reading import loading_of, reading
from ancestral.recipes.recipe import Recipe
from ancestral.recipes.reporting import model_entry, report_run
from ancestral.recipes.runs import REPORT, Run
from ancestral.recipes.table import DEFAULTS, name_of, recipe_named
from ancestral.telling import Lines, watched
from ancestral.training.budget import Budget, budget_text
from ancestral.training.metrics import FORMAT

COMPARISON = "comparison.json"
"""What marks a folder as a comparison's: the answer of ``--json``."""

check_folder = partial(check_free, what="comparison", mark=COMPARISON)
"""Check, writing nothing, that a comparison may be put there."""

Progress: TypeAlias = Callable[[str, float, str], None]
"""(what is being done, share of it done, remark)."""


@dataclass(slots=True, kw_only=True)
class Compared:
    """One model of a comparison.

    Args:
        name: Of the recipe.
        run: Its run; None if it failed before there was one.
        entry: What the report shows; None if it failed.
        error: The one line of its failure.
    """

    name: str
    run: Run | None = None
    entry: ModelEntry | None = None
    error: str | None = None

    @property
    def evaluation(self) -> Evaluation | None:
        """What was found; None if it failed."""
        return self.entry and self.entry.evaluation

    def to_json(self) -> dict[str, Any]:
        """Return the model's object in ``compare --json``."""
        result = self.run.record.result if self.run else None
        trained = self.run is not None and self.run.record.options is not None
        return {
            "name": self.name,
            "run": str(self.run.folder) if self.run else None,
            "figures": figures_to_json(self.evaluation.figures) if self.evaluation else {},
            "by_evaluations": counts_to_json(self.evaluation) if self.evaluation else [],
            "steps": result.steps if result and trained else None,
            "parameters": result.parameters if result else None,
            "seconds": result.seconds if result else None,
            "cpu_seconds": result.cpu_seconds if result else None,
            "whole_seconds": self.entry.whole_seconds if self.entry else None,
            "error": self.error,
        }


@dataclass(slots=True, kw_only=True)
class Comparison:
    """What is to be compared, and what :func:`hold` has found of it.

    Args:
        plans: One for each model.
        data: The data of all.
        seed: Of everything random.
        end: Of the training of each model that trains.
        folder: Where the runs and the report are.
        repeat: The command that repeats it.
        target: Of mixed tables, the column that is told from the others; see
            :class:`~ancestral.evaluation.Setting`.
        models: Those measured so far, in the order asked for.
    """

    plans: Sequence[Plan]
    data: Dataset
    seed: int
    end: Budget
    folder: Path
    repeat: str
    target: str | None = None
    models: list[Compared] = field(default_factory=list)

    @property
    def budget(self) -> str:
        """The end of each training in words."""
        return budget_text(self.end)

    @property
    def setting(self) -> Setting:
        """How large the measuring is."""
        return Setting(seed=self.seed, target=self.target)

    @property
    def report(self) -> Path:
        """The page."""
        return self.folder / REPORT

    @property
    def section(self) -> Section:
        """The section of the report."""
        entries = [
            model.entry or ModelEntry(name=model.name, error=model.error) for model in self.models
        ]
        return Section(
            data=self.data,
            entries=entries,
            budget=self.budget,
            limit=self.end.seconds,
            repeat=self.repeat,
        )

    @property
    def failed(self) -> bool:
        """Whether no model could be measured."""
        return all(model.error is not None for model in self.models)

    def to_json(self) -> dict[str, Any]:
        """Return the object that ``compare --json`` prints."""
        return {
            "data": self.data.source,
            "budget": self.budget,
            "models": [model.to_json() for model in self.models],
            "report": str(self.report),
        }


def contest(
    data: Data,
    *,
    models: Sequence[str | Recipe] | None = None,
    budget: str | Budget = "30s",
    settings: Mapping[str, object] | None = None,
    seed: int = 0,
    device: str = "cpu",
    out: str | Path | None = None,
) -> Comparison:
    """Check what is to be compared and load the data; :func:`hold` does the work.

    Args:
        data: Name, file or folder; an array, a tensor or a data frame.
        models: Names of recipes, or recipes of one's own; by the kind of data if None.
        budget: Of each model that trains.
        settings: Of the data: ``size`` (pixels), ``label``, ``fractions``, ``split_seed``; of the
            measuring: ``target``; of one model: ``MODEL.key``.
        seed: Of everything random.
        device: Where to train.
        out: A folder; ``runs/compare-DATA`` if None, with a number where that exists.

    Raises:
        ConfigError: If a model or a setting is unknown, or a model cannot take such data, or is
            to begin at another run.
        DataError: If the data cannot be read.
    """
    end = Budget.parse(budget) if isinstance(budget, str) else budget
    asked = [recipe_named(name_of(model)).name for model in models or ()]
    if len(set(asked)) < len(asked):
        raise ConfigError(f"models must differ, got {', '.join(asked)}")
    _refuse_mixed(asked)
    common, own = _sort(settings or {}, asked if models else None)
    target = common.pop("target", None)
    loading = reading(loading_of(common), _reads(asked, own))
    loaded = load_any(data, loading)
    names = asked or list(DEFAULTS[loaded.kind])
    begin = partial(plan, data=loaded, loading=loading, budget=end, seed=seed, device=device)
    plans = [begin(name, settings=own.get(name, {})) for name in names]
    folder = Path(out) if out is not None else free_name(Path("runs") / f"compare-{loaded.name}")
    source = data if isinstance(data, str) else loaded.source
    words = ["ancestral", "compare", source, "--models", ",".join(names)]
    words += ["--epochs", f"{end.epochs:g}"] if end.epochs else []
    words += ["--steps", str(end.steps)] if end.steps else []
    words += ["--budget", budget_text(end)] if end.seconds else []
    words += ["--seed", str(seed)]
    for key, value in (settings or {}).items():
        words += ["--set", f"{key}={value}"]
    found = Comparison(
        plans=plans,
        data=loaded,
        seed=seed,
        end=end,
        folder=folder,
        repeat=shlex.join(words),
        target=None if target is None else str(target),
    )
    bench_of(loaded, found.setting)  # A target that is not there is said before anything is fitted.
    return found


def hold(
    what: Comparison,
    *,
    overwrite: bool = False,
    progress: Progress | None = None,
    choose_threads: bool = False,
) -> Comparison:
    """Fit and measure every model, and write the report; a model that fails stops no other.

    Args:
        what: To compare; what is found is put into it.
        overwrite: Replace the comparison that is there.
        progress: Told what is being done.
        choose_threads: Measure for each model whether one thread or all are faster.

    Raises:
        RunError: If the folder exists and may not be replaced, or cannot be written.
        KeyboardInterrupt: After Ctrl-C, when the model under way is saved.
    """
    check_folder(what.folder, overwrite=overwrite)
    with disk_errors(what.folder):
        what.folder.mkdir(parents=True, exist_ok=True)
    _save(what)
    bench, threads = bench_of(what.data, what.setting), torch.get_num_threads()
    for one in what.plans:
        model = Compared(name=one.recipe.name)
        what.models.append(model)
        try:
            _compare_one(one, bench, model, what.folder, progress or _silent, choose_threads)
        except Exception as error:  # Whatever breaks one model must not cost the others theirs.
            said = error.line if isinstance(error, AncestralError) else str(error)
            model.error = " ".join(said.split()) or type(error).__name__
            model.entry = None
        torch.set_num_threads(threads)
        _save(what)
    title = f"{len(what.models)} models on {what.data.name}"
    write_report(what.report, title=title, sections=[what.section])
    return what


def compare(  # noqa: PLR0913 - a door: everything that can be asked for
    data: Data,
    *,
    models: Sequence[str | Recipe] | None = None,
    budget: str | Budget = "30s",
    settings: Mapping[str, object] | None = None,
    seed: int = 0,
    device: str = "cpu",
    out: str | Path | None = None,
    overwrite: bool = False,
    progress: bool = False,
) -> Comparison:
    """Fit several models, measure all on the same held-out data, write one report.

    The arguments are those of :func:`contest`; ``overwrite``: replace what is in ``out``;
    ``progress``: tell on standard error how far it is.

    Raises:
        AncestralError: If something the caller can mend is wrong.
    """
    return hold(
        contest(
            data, models=models, budget=budget, settings=settings, seed=seed, device=device, out=out
        ),
        overwrite=overwrite,
        progress=Lines().turn if progress else None,
    )


def _refuse_mixed(names: Sequence[str]) -> None:
    """Refuse models of p(label | x) beside models of x: their likelihoods are of other things.

    Raises:
        ConfigError: If there are both.
    """
    of_labels = [name for name in names if recipe_named(name).conditional]
    if of_labels and len(of_labels) < len(names):
        raise ConfigError(
            f"models must be of one kind: {of_labels[0]} gives p(label | x), the others model x; "
            "leave it out, or compare it alone"
        )


def _reads(names: Sequence[str], own: Mapping[str, Mapping[str, object]]) -> dict[str, Any]:
    """Return what all models ask of the reader; nothing where they do not ask for the same.

    Raises:
        ConfigError: If a setting of a model is unknown or out of range.
    """
    of_each = {name: reads_of(recipe_named(name), own.get(name, {})) for name in (*names, *own)}
    needs = [of_each[name] for name in names]
    if not needs or any(set(one) != set(needs[0]) for one in needs):
        return {}
    return {key: any(one[key] for one in needs) or None for key in needs[0]}


def _compare_one(
    one: Plan, bench: Bench, model: Compared, folder: Path, progress: Progress, choose_threads: bool
) -> None:
    name, begun = one.recipe.name, time.monotonic()
    progress(f"fit {name}", 0.0, "")
    fitting = start(one, folder / name, overwrite=(folder / name).exists())
    if choose_threads:
        fitting.choose_threads()
    with watched(lambda share: progress(f"fit {name}", share, "")):
        for report in fitting:
            progress(f"fit {name}", fitting.share(report), report.words)
    model.run = fitting.run
    if fitting.stopped == "interrupted":
        raise KeyboardInterrupt
    fitted = fitting.kept
    found = evaluate(
        fitted,
        one.data,
        bench=bench,
        progress=lambda title, share: progress(f"evaluate {name}", share, title),
    )
    entry = model_entry(fitting.run, fitted, bench, found)
    model.entry = replace(entry, whole_seconds=time.monotonic() - begun)
    report_run(fitting.run, one.data, model.entry)


def _sort(
    settings: Mapping[str, object], models: Sequence[str] | None
) -> tuple[dict[str, object], dict[str, dict[str, object]]]:
    """Return the settings of the data, and those of each model."""
    common: dict[str, object] = {}
    own: dict[str, dict[str, object]] = {}
    for name, value in settings.items():
        model, dot, key = name.partition(".")
        if not dot:
            common[name] = value
            continue
        model = model.replace("_", "-")
        recipe = recipe_named(model)
        if recipe.tunes and key in TUNING:  # The other run may have learned what is held out here.
            raise ConfigError(
                f"{name} must be left out: all models of a comparison begin anew; fit with {key}, "
                f"then evaluate that run"
            )
        if models is not None and model not in models:
            raise ConfigError(f"{name}={value} is of a model that is not compared")
        own.setdefault(model, {})[key] = value
    return common, own


def _save(found: Comparison) -> None:
    text = json.dumps({"format": FORMAT, **found.to_json()}, indent=1)
    write_text(found.folder / COMPARISON, text + "\n")


def _silent(*_: object) -> None:
    """Tell nobody."""
