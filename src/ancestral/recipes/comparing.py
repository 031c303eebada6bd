"""Fit several models to the same data, measure all on the same held-out examples, one report."""

import json
import shlex
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import torch

from ancestral.data.dataset import Dataset
from ancestral.data.files import check_free, disk_errors, free_name, write_text
from ancestral.data.memory import Data, load_any
from ancestral.errors import AncestralError, ConfigError
from ancestral.evaluation import Evaluation, Setting, bench_of, evaluate
from ancestral.evaluation.bench import Bench
from ancestral.evaluation.report import write_report
from ancestral.networks.units import InDataUnits
from ancestral.recipes.comparison import Compared, Comparison, name_of_run
from ancestral.recipes.fitting import start
from ancestral.recipes.plan import TUNING, Plan, plan, reads_of
from ancestral.recipes.reading import loading_of, reading
from ancestral.recipes.recipe import Recipe
from ancestral.recipes.reporting import model_entry, report_run
from ancestral.recipes.runs import RECORD, Run
from ancestral.recipes.table import DEFAULTS, name_of, recipe_named
from ancestral.settings import build
from ancestral.telling import Lines, watched
from ancestral.training.budget import Budget, budget_text
from ancestral.training.metrics import FORMAT

COMPARISON = "comparison.json"
"""What marks a folder as a comparison's: the answer of ``--json``."""

_MEASURING = tuple(field.name for field in fields(Setting) if field.name != "seed")

check_folder = partial(check_free, what="comparison", mark=COMPARISON)
"""Check, writing nothing, that a comparison may be put there."""

Progress: TypeAlias = Callable[[str, float, str], None]
"""(what is being done, share of it done, remark)."""


def contest(
    data: Data,
    *,
    models: Sequence[str | Recipe | Run] | None = None,
    budget: str | Budget = "30s",
    settings: Mapping[str, object] | None = None,
    seed: int = 0,
    device: str = "cpu",
    out: str | Path | None = None,
) -> Comparison:
    """Check what is to be compared and load the data; :func:`hold` does the work.

    Args:
        data: Name, file or folder; an array, a tensor or a data frame.
        models: Names of recipes, recipes of one's own, and runs of these data or their folders,
            which are measured as they are; by the kind of data if None.
        budget: Of each model that trains.
        settings: Of the data: ``size`` (pixels), ``label``, ``fractions``, ``split_seed``; of the
            measuring, fields of :class:`~ancestral.evaluation.Setting`: ``samples``, ``target``;
            of one model: ``MODEL.key``, and of a run how it is sampled, by the name of its folder.
        seed: Of everything random.
        device: Where to train.
        out: A folder; ``runs/compare-DATA`` if None, with a number where that exists.

    Raises:
        ConfigError: If a model or a setting is unknown, or a model cannot take such data, or is
            to begin at another run, or a run is of other data.
        RunError: If there is no such run.
        DataError: If the data cannot be read.
    """
    end = Budget.parse(budget) if isinstance(budget, str) else budget
    chosen = [_run_or_recipe(model) for model in models or ()]
    recipes = [one for one in chosen if isinstance(one, Recipe)]
    runs = [one for one in chosen if isinstance(one, Run)]
    names = [name_of_run(one) if isinstance(one, Run) else one.name for one in chosen]
    if len(set(names)) < len(names):
        raise ConfigError(f"models must differ in name, got {', '.join(names)}")
    _refuse_mixed([*recipes, *(run.recipe for run in runs)])
    asked = [recipe.name for recipe in recipes]
    common, own = _sort(settings or {}, asked if models else None, [name_of_run(r) for r in runs])
    sampling = {name_of_run(run): own.pop(name_of_run(run), {}) for run in runs}
    measuring = {key: common.pop(key) for key in _MEASURING if key in common}
    setting = build(Setting, measuring, base=Setting(seed=seed))
    if runs and not common:
        loading = runs[0].record.data.loading
    else:
        loading = reading(loading_of(common), _reads(asked, own))
    loaded = load_any(data, loading)
    for run in runs:
        _check_run(run, loaded)
        run.recipe.sampled_with(run.record.sampling, sampling[name_of_run(run)])
    begin = partial(plan, data=loaded, loading=loading, budget=end, seed=seed, device=device)
    entrants = [
        one if isinstance(one, Run) else begin(one.name, settings=own.get(one.name, {}))
        for one in chosen or [recipe_named(name) for name in DEFAULTS[loaded.kind]]
    ]
    folder = Path(out) if out is not None else free_name(Path("runs") / f"compare-{loaded.name}")
    source = data if isinstance(data, str) else loaded.source
    listed = [str(one.folder) if isinstance(one, Run) else one.recipe.name for one in entrants]
    found = Comparison(
        entrants=entrants,
        data=loaded,
        seed=seed,
        end=end,
        folder=folder,
        repeat=_command(source, listed, end, seed, settings or {}),
        device=device,
        sampling=sampling,
        setting=setting,
    )
    bench_of(loaded, setting)  # A target that is not there is said before anything is fitted.
    return found


def _command(
    source: str, models: Sequence[str], end: Budget, seed: int, settings: Mapping[str, object]
) -> str:
    """Return the command that repeats a comparison."""
    words = ["ancestral", "compare", source, "--models", ",".join(models)]
    words += ["--epochs", f"{end.epochs:g}"] if end.epochs else []
    words += ["--steps", str(end.steps)] if end.steps else []
    words += ["--budget", budget_text(end)] if end.seconds else []
    words += ["--seed", str(seed)]
    for key, value in settings.items():
        words += ["--set", f"{key}={value}"]
    return shlex.join(words)


def hold(
    what: Comparison,
    *,
    overwrite: bool = False,
    progress: Progress | None = None,
    choose_threads: bool = False,
) -> Comparison:
    """Fit what is not a run yet and measure all; a model that fails stops no other.

    The report of the comparison is written, and that of each run that it makes.

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
    told = progress or _silent
    for one, name in zip(what.entrants, what.names, strict=True):
        model = Compared(name=name)
        what.models.append(model)
        try:
            if isinstance(one, Run):
                _measure_one(one, what, bench, model, told)
            else:
                _compare_one(one, bench, model, what.folder, told, choose_threads)
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
    models: Sequence[str | Recipe | Run] | None = None,
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


def _run_or_recipe(model: str | Recipe | Run) -> Run | Recipe:
    """Return the recipe of a name, or the run of a folder, which a name cannot be.

    Raises:
        ConfigError: If there is no such recipe.
        RunError: If there is no such run.
    """
    if isinstance(model, Run):
        return model
    if isinstance(model, str) and ("/" in model or (Path(model) / RECORD).is_file()):
        return Run.open(model)
    return recipe_named(name_of(model))


def _check_run(run: Run, data: Dataset) -> None:
    """Refuse a run that may have learned what is held out here.

    Raises:
        ConfigError: If it is of other data, or went on from another run.
    """
    mine = run.record.data
    if mine.fingerprint != data.fingerprint:
        raise ConfigError(
            f"models: {run.folder} was fitted to other data, or to other columns or splits of "
            f"them: {mine.source} has fingerprint {mine.fingerprint[:12]}, {data.source} "
            f"{data.fingerprint[:12]}"
        )
    if run.record.tuning is not None:
        raise ConfigError(
            f"models: {run.folder} began at {run.record.tuning.start}, which may have learned "
            f"what is held out here: evaluate it alone"
        )


def _refuse_mixed(recipes: Sequence[Recipe]) -> None:
    """Refuse models of p(label | x) beside models of x: their likelihoods are of other things.

    Raises:
        ConfigError: If there are both.
    """
    of_labels = [recipe.name for recipe in recipes if recipe.conditional]
    if of_labels and len(of_labels) < len(recipes):
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
    found = _evaluated(fitting.kept, one.data, bench, name, progress)
    entry = model_entry(fitting.run, fitting.kept, bench, found)
    model.entry = replace(entry, whole_seconds=time.monotonic() - begun)
    report_run(fitting.run, one.data, model.entry)


def _measure_one(
    run: Run, what: Comparison, bench: Bench, model: Compared, progress: Progress
) -> None:
    begun, model.run = time.monotonic(), run
    fitted = run.model(device=what.device, sampling=what.sampling[model.name])
    found = _evaluated(fitted, what.data, bench, model.name, progress)
    seconds = run.record.result.seconds + time.monotonic() - begun
    entry = model_entry(run, fitted, bench, found)
    model.entry = replace(entry, name=model.name, whole_seconds=seconds)


def _evaluated(
    fitted: InDataUnits, data: Dataset, bench: Bench, name: str, progress: Progress
) -> Evaluation:
    told = partial(_turned, progress, f"evaluate {name}")
    return evaluate(fitted, data, bench=bench, progress=told)


def _sort(
    settings: Mapping[str, object], models: Sequence[str] | None, runs: Sequence[str]
) -> tuple[dict[str, object], dict[str, dict[str, object]]]:
    """Return the settings of the data, and those of each model and of each run."""
    common: dict[str, object] = {}
    own: dict[str, dict[str, object]] = {}
    for name, value in settings.items():
        model, dot, key = name.partition(".")
        if not dot:
            common[name] = value
            continue
        if run := next((one for one in runs if one.replace("-", "_") == model), None):
            own.setdefault(run, {})[key] = value
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


def _turned(progress: Progress, what: str, title: str, share: float) -> None:
    progress(what, share, title)


def _silent(*_: object) -> None:
    """Tell nobody."""
