"""Fit several models to the same data, measure all on the same held-out examples, one report."""

import json
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeAlias

import torch

from ancestral.data.dataset import Dataset
from ancestral.data.sources import load
from ancestral.errors import ConfigError, RunError
from ancestral.evaluation.evaluate import Evaluation
from ancestral.evaluation.figures import figures_to_json
from ancestral.evaluation.report import ModelEntry, Section, write_report
from ancestral.evaluation.setting import Setting
from ancestral.recipes.evaluating import measure
from ancestral.recipes.files import disk_errors, write_text
from ancestral.recipes.fitting import start
from ancestral.recipes.plan import TUNING, Plan, loading_of, plan
from ancestral.recipes.record import FORMAT
from ancestral.recipes.reporting import Shown, budget_text, model_entry, report_run
from ancestral.recipes.runs import REPORT, Run, free_name
from ancestral.recipes.table import DEFAULTS, recipe_named
from ancestral.training.budget import Budget

COMPARISON = "comparison.json"
"""What marks a folder as a comparison's: the answer of ``--json``."""

Progress: TypeAlias = Callable[[str, float, str], None]
"""(what is being done, share of it done, remark)."""


@dataclass(slots=True, kw_only=True)
class Compared:
    """One model of a comparison.

    Args:
        name: Of the recipe.
        run: Its run; None if it failed before there was one.
        evaluation: What was found; None if it failed.
        entry: What the report shows.
        error: The one line of its failure.
    """

    name: str
    run: Run | None = None
    evaluation: Evaluation | None = None
    entry: ModelEntry | None = None
    error: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the model's object in ``compare --json``."""
        result = self.run.record.result if self.run else None
        trained = self.run is not None and self.run.record.options is not None
        return {
            "name": self.name,
            "run": str(self.run.folder) if self.run else None,
            "figures": figures_to_json(self.evaluation.figures) if self.evaluation else {},
            "steps": result.steps if result and trained else None,
            "parameters": result.parameters if result else None,
            "seconds": result.seconds if result else None,
            "cpu_seconds": result.cpu_seconds if result else None,
            "error": self.error,
        }


@dataclass(slots=True, kw_only=True)
class Comparison:
    """What :func:`compare` found.

    Args:
        data: The data.
        budget: In words.
        folder: Where the runs and the report are.
        models: In the order asked for.
        repeat: The command that repeats it.
    """

    data: Dataset
    budget: str
    folder: Path
    models: list[Compared] = field(default_factory=list)
    repeat: str = ""

    @property
    def report(self) -> Path:
        """The page."""
        return self.folder / REPORT

    @property
    def section(self) -> Section:
        """The section of the report."""
        entries = [
            model.entry or ModelEntry(name=model.name, figures={}, error=model.error)
            for model in self.models
        ]
        return Section(data=self.data, entries=entries, budget=self.budget, repeat=self.repeat)

    def to_json(self) -> dict[str, Any]:
        """Return the object that ``compare --json`` prints."""
        return {
            "data": self.data.source,
            "budget": self.budget,
            "models": [model.to_json() for model in self.models],
            "report": str(self.report),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Contest:
    """What is to be compared, all checked before anything is written; see :func:`contest`.

    Args:
        plans: One for each model.
        data: The data of all.
        budget: Of each model that trains.
        folder: Where the runs and the report go.
        repeat: The command that repeats it.
    """

    plans: Sequence[Plan]
    data: Dataset
    budget: Budget
    folder: Path
    repeat: str


def contest(
    data: str,
    *,
    models: Sequence[str] | None = None,
    budget: str | Budget = "30s",
    settings: Mapping[str, object] | None = None,
    seed: int = 0,
    device: str = "cpu",
    out: str | Path | None = None,
) -> Contest:
    """Check what is to be compared and load the data; :func:`hold` does the work.

    Args:
        data: Name, file or folder.
        models: Names of recipes; by the kind of data if None.
        budget: Of each model that trains.
        settings: Of the data: ``size`` (pixels), ``label``, ``fractions``, ``split_seed``; of one
            model: ``MODEL.key``.
        seed: Of everything random.
        device: Where to train.
        out: A folder; ``runs/compare-DATA`` if None, with a number where that exists.

    Raises:
        ConfigError: If a model or a setting is unknown, or a model cannot take such data, or is
            to begin at another run.
        DataError: If the data cannot be read.
    """
    end = Budget.parse(budget) if isinstance(budget, str) else budget
    for name in models or ():
        recipe_named(name)
    if len(set(models or ())) < len(models or ()):
        raise ConfigError(f"models must differ, got {', '.join(models or ())}")
    _refuse_mixed(models or ())
    common, own = _sort(settings or {}, models)
    states = bool(models) and all(recipe_named(name).kinds == ("tables",) for name in models or ())
    gaps = states and any(one.get("missing") == "em" for one in own.values())
    loaded = load(data, replace(loading_of(common), discrete=states, missing=gaps))
    names = list(models or DEFAULTS[loaded.kind])
    plans = [
        plan(
            name,
            loaded,
            settings={**common, **own.get(name, {})},
            budget=end,
            seed=seed,
            device=device,
        )
        for name in names
    ]
    folder = Path(out) if out is not None else free_name(Path("runs") / f"compare-{loaded.name}")
    words = ["ancestral", "compare", data, "--models", ",".join(names)]
    words += ["--epochs", f"{end.epochs:g}"] if end.epochs else []
    words += ["--steps", str(end.steps)] if end.steps else []
    words += ["--budget", budget_text(end)] if end.seconds else []
    words += ["--seed", str(seed)]
    for key, value in (settings or {}).items():
        words += ["--set", f"{key}={value}"]
    return Contest(plans=plans, data=loaded, budget=end, folder=folder, repeat=shlex.join(words))


def hold(
    what: Contest,
    *,
    overwrite: bool = False,
    progress: Progress | None = None,
    choose_threads: bool = False,
) -> Comparison:
    """Fit and measure every model, and write the report; a model that fails stops no other.

    Args:
        what: To compare.
        overwrite: Replace the comparison that is there.
        progress: Told what is being done.
        choose_threads: Measure for each model whether one thread or all are faster.

    Raises:
        RunError: If the folder exists and may not be replaced, or cannot be written.
        KeyboardInterrupt: After Ctrl-C, when the model under way is saved.
    """
    check_free(what.folder, overwrite=overwrite)
    found = Comparison(
        data=what.data,
        budget=budget_text(what.budget),
        folder=what.folder,
        repeat=what.repeat,
    )
    with disk_errors(what.folder):
        what.folder.mkdir(parents=True, exist_ok=True)
    _save(found)
    threads = torch.get_num_threads()
    for one in what.plans:
        model = Compared(name=one.recipe.name)
        found.models.append(model)
        try:
            _compare_one(one, model, what.folder, progress or _silent, choose_threads)
        except Exception as error:  # Whatever breaks one model must not cost the others theirs.
            model.error = " ".join(str(error).split()) or type(error).__name__
            model.entry = None
        torch.set_num_threads(threads)
        _save(found)
    title = f"{len(found.models)} models on {what.data.name}"
    write_report(found.report, title=title, sections=[found.section])
    return found


def compare(
    data: str,
    *,
    models: Sequence[str] | None = None,
    budget: str | Budget = "30s",
    settings: Mapping[str, object] | None = None,
    seed: int = 0,
    device: str = "cpu",
    out: str | Path | None = None,
) -> Comparison:
    """Fit several models, measure all on the same held-out data, write one report.

    The arguments are those of :func:`contest`.

    Raises:
        AncestralError: If something the caller can mend is wrong.
    """
    return hold(
        contest(
            data,
            models=models,
            budget=budget,
            settings=settings,
            seed=seed,
            device=device,
            out=out,
        )
    )


def check_free(folder: Path, *, overwrite: bool) -> None:
    """Check, writing nothing, that a comparison may be put there.

    Raises:
        RunError: If it exists and ``overwrite`` is false, or holds something else.
    """
    if not folder.exists():
        return
    if not overwrite:
        raise RunError(f"{folder} exists; choose another --out, or give --overwrite")
    if not folder.is_dir() or (any(folder.iterdir()) and not (folder / COMPARISON).is_file()):
        raise RunError(
            f"{folder} holds something that is not a comparison; "
            "--overwrite replaces comparisons only"
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


def _compare_one(
    one: Plan, model: Compared, folder: Path, progress: Progress, choose_threads: bool
) -> None:
    name = one.recipe.name
    progress(f"fit {name}", 0.0, "")
    fitting = start(one, folder / name, overwrite=(folder / name).exists())
    if choose_threads:
        fitting.choose_threads()
    for report in fitting:
        progress(f"fit {name}", fitting.share(report), f"step {report.step:,}")
    model.run = fitting.run
    if fitting.stopped == "interrupted":
        raise KeyboardInterrupt
    units = fitting.run.model(device=one.device)
    model.evaluation = measure(
        units,
        one.data,
        setting=Setting(seed=one.seed),
        progress=lambda title, share: progress(f"evaluate {name}", share, title),
    )
    shown = Shown.of(model.evaluation)
    model.entry = model_entry(fitting.run, units, one.data, shown)
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


def _silent(_title: str, _share: float, _note: str) -> None:
    """Tell nobody."""
