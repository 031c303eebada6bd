"""``ancestral fit``: train a model into a run folder, or go on with one."""

import signal
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from ancestral.cli import console
from ancestral.cli.options import Common, Ending, Folder, Pairs
from ancestral.errors import ConfigError
from ancestral.telling import watched

if TYPE_CHECKING:
    from ancestral.recipes import Fitting, Run
    from ancestral.recipes.record import Record
    from ancestral.training.budget import Budget


TOLD = 5.0
"""An estimator that takes more seconds than this says so beforehand."""


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Settings:
    """What can be set.

    Parameters
    ----------
    set_
        A setting, key=value; again for more. A wrong key lists the nearest.
    structure
        Of bayes-net, where its edges come from: hill-climb, chow-liu or a network file; the same as
        --set structure=...
    """

    set_: Annotated[Pairs, Parameter(name="--set")] = None
    structure: str | None = None

    def read(self) -> dict[str, str]:
        """Return the settings by name.

        Raises:
            ConfigError: If one is not key=value, or the structure is said in two ways.
        """
        from ancestral.settings import parse_pairs

        found = parse_pairs(self.set_ or ())
        if self.structure is None:
            return found
        if (other := found.get("structure", self.structure)) != self.structure:
            raise ConfigError(
                f"--structure {self.structure} and --set structure={other} must agree: give one"
            )
        return {**found, "structure": self.structure}


def fit(
    model: str | None = None,
    data: str | None = None,
    /,
    *,
    settings: Settings = Settings(),
    resume: Path | None = None,
    ending: Ending = Ending(),  # noqa: B008 - frozen
    folder: Folder = Folder(),  # noqa: B008 - frozen
    common: Common = Common(),  # noqa: B008 - frozen
) -> int:
    """Fit a model to data.

    Parameters
    ----------
    model
        Name of a model: ancestral models.
    data
        A name, a file or a folder.
    resume
        Go on with this run; nothing else is needed.
    """
    from ancestral.data.files import check_free
    from ancestral.recipes import plan, start
    from ancestral.training.ranks import join, one_of_node_first

    common.apply()
    end = ending.read()
    join(common.device_or_default)
    if resume is not None:
        _refuse_with_resume(model, data, settings, folder)
        return _resume(resume, end, common)
    if folder.out is not None:
        check_free(folder.out, overwrite=folder.overwrite)
    with one_of_node_first():
        chosen = plan(
            *_both(model, data),
            settings=settings.read(),
            budget=end,
            seed=common.seed_or_default,
            device=common.device_or_default,
        )
    if end is not None and chosen.budget is None and chosen.limit is None:
        console.say(f"{chosen.recipe.name} is fitted at once: the end that was given is not used")
    fitting = start(chosen, folder.out, overwrite=folder.overwrite)
    if common.threads is None:
        fitting.choose_threads()
    return _drive(fitting, common)


def _both(model: str | None, data: str | None) -> tuple[str, str]:
    if model is None or data is None:
        missing = "MODEL and DATA" if model is None else "DATA"
        raise ConfigError(f"fit needs {missing}, or --resume RUN")
    return model, data


def _resume(folder: Path, end: "Budget | None", common: Common) -> int:
    import torch

    from ancestral.recipes import Run, resume
    from ancestral.recipes.record import is_finished

    run = Run.open(folder)
    if common.threads is None:  # The bits depend on their number.
        torch.set_num_threads(run.record.threads)
    if common.seed not in (None, run.record.seed):
        raise ConfigError(
            f"--seed must be left out with --resume, or be the run's own {run.record.seed}, "
            f"got {common.seed}"
        )
    if is_finished(run.record, end):
        steps = run.record.result.steps
        console.say(f"{folder} is finished, {steps:,} steps, and is left as it is")
        return _answer(run, common)
    return _drive(resume(folder, budget=end, device=common.device), common)


def _refuse_with_resume(
    model: str | None, data: str | None, settings: Settings, folder: Folder
) -> None:
    given = {"MODEL": model, "DATA": data, "--set": settings.set_, "--out": folder.out}
    given |= {"--structure": settings.structure, "--overwrite": folder.overwrite}
    for name, value in given.items():
        if value:
            raise ConfigError(f"{name} must be left out with --resume: run.toml has all of it")


def _say_what(fitting: "Fitting") -> None:
    """Say aloud what was inferred about the data, and what is going to happen."""
    data, chosen = fitting.plan.data, fitting.plan
    sizes = f"{data.training_examples:,} / {len(data.validation):,} / {len(data.test):,}"
    console.say(f"{data.name}: {data.field.words}, {sizes} for training, validation, test")
    for note in data.notes:
        console.tell(note, "  ")
    if data.stream is not None and not chosen.trains:
        console.say(
            f"  {chosen.recipe.name} is fitted to {len(data.train):,} examples of the stream"
        )
    if chosen.tuning is not None and fitting.model is not None:
        from ancestral.nn.low_rank import trainable

        count = sum(value.numel() for value in trainable(fitting.model.network).values())
        console.say(f"  begun at {chosen.tuning.words}: {count:,} numbers")
    if chosen.privacy is not None:
        console.tell(chosen.privacy.words, "  ")
    if not chosen.trains and not fitting.finished:
        about, _ = chosen.recipe.forecast(chosen.config, data)
        if about > TOLD:
            console.say(f"  about {about:,.0f} s on one thread, if no --budget ends it before")
    where = f"fitting {chosen.recipe.name} into {fitting.run.folder}"
    if fitting.position.step:
        console.say(f"{where}, from step {fitting.position.step:,}")
    else:
        console.say(where)
    _say_unused(fitting)


def _say_unused(fitting: "Fitting") -> None:
    """Say which fields of the data the model leaves alone; an estimator is asked when fitted."""
    data, name = fitting.plan.data, fitting.plan.recipe.name
    for field in fitting.plan.unused(fitting.model):
        what = (
            f"the label {fitting.plan.loading.label or ''}".strip() if field == "label" else field
        )
        others = {"vectors": "naive-bayes and cgan do", "images": "image-vae and cgan do"}
        hint = f"; {others[data.kind]}" if field == "label" and data.kind in others else ""
        console.say(f"  {name} does not model {what}: its samples have none{hint}")


def _drive(fitting: "Fitting", common: Common) -> int:
    from ancestral.recipes.fitting import how_to_resume
    from ancestral.recipes.reporting import report_fit
    from ancestral.training.ranks import is_first, leave

    if not is_first():
        for _ in fitting:
            pass
        leave()
        return 0 if fitting.stopped != "interrupted" else 128 + signal.SIGINT
    _say_what(fitting)
    try:
        with console.Bar(f"fit {fitting.plan.recipe.name}") as bar, watched(bar.move):
            for report in fitting:
                bar.move(fitting.share(report), report.words)
    except KeyboardInterrupt:
        folder = fitting.run.folder
        console.say(f"stopped at once; go on with: ancestral fit --resume {folder}")
        return 128 + (fitting.interrupts.number or signal.SIGINT)
    leave()
    if fitting.game is None:
        _say_unused(fitting)
    if fitting.stopped != "interrupted":
        report_fit(fitting)
        for line in fitting.said:
            console.tell(line)
        return _answer(fitting.run, common)
    _answer(fitting.run, common)
    console.say(how_to_resume(fitting.run))
    return 128 + (fitting.interrupts.number or signal.SIGINT)


def _answer(run: "Run", common: Common) -> int:
    from ancestral.recipes.keeping import busy_elsewhere

    result = run.record.result
    if busy := busy_elsewhere(run.record):
        console.say(busy)
    if not common.json:
        _show(run.record, run.folder)
        return 0
    console.emit(
        {
            "run": str(run.folder),
            "steps": result.steps,
            "seconds": result.seconds,
            "cpu_seconds": result.cpu_seconds,
            "best": result.best and result.best.to_json(),
            "stopped": result.stopped,
        }
    )
    return 0


def _show(record: "Record", folder: Path) -> None:
    from ancestral.evaluation.report.table import count, duration, value_text

    result = record.result
    rows = [("run", str(folder)), ("stopped", result.stopped or "-")]
    if record.options is not None:
        rows.append(("steps", count(result.steps)))
    rows += [
        ("parameters", count(result.parameters)),
        ("training time", duration(result.seconds)),
        ("processor time", duration(result.cpu_seconds)),
    ]
    if result.best is not None:
        value, unit = value_text(result.best)
        rows.append(("best on validation", f"{value} {unit} ({result.best.kind})"))
    if (folder / "report.html").is_file():
        rows.append(("report", str(folder / "report.html")))
    console.facts(rows)
