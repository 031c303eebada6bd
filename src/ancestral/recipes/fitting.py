"""Fit a plan into a run folder: an iterator of reports that can be stopped, killed and resumed."""

import math
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import torch
from torch import nn

from ancestral.capabilities import Changes, Grows, Trains
from ancestral.data.files import check_free, free_name
from ancestral.data.memory import Data
from ancestral.data.transforms import Transform
from ancestral.errors import AncestralError, ConfigError, RunError
from ancestral.evaluation.chosen import Judge
from ancestral.networks.units import InDataUnits
from ancestral.recipes.estimating import estimate
from ancestral.recipes.feeding import Fed, feed_of
from ancestral.recipes.keeping import Keeper, Position, position_of, save_beginning, store
from ancestral.recipes.plan import Plan, plan
from ancestral.recipes.recipe import Recipe
from ancestral.recipes.record import Record, Result, Stopped, is_finished, versions
from ancestral.recipes.reporting import report_fit
from ancestral.recipes.runs import (
    Run,
    discarding,
    make_folder,
    save_record,
    save_tokenizer,
    save_weights,
)
from ancestral.telling import PATIENCE, Lines, watched
from ancestral.training.budget import Budget
from ancestral.training.game import Game
from ancestral.training.interrupts import Interrupts
from ancestral.training.loop import Report, Validation, train
from ancestral.training.order import seed_of
from ancestral.training.privacy import privately
from ancestral.training.progress import Progress
from ancestral.training.ranks import one_line_if_lost, sums_over_ranks, world
from ancestral.training.threads import faster_threads
from ancestral.training.weights import count_parameters


@dataclass(slots=True)
class Fitting:
    """A fit that is under way; made by :func:`start` and :func:`resume`.

    Iterate over it to train: it yields the reports of the loop, writes ``metrics.jsonl``,
    checkpoints and the best weights, and leaves a whole run folder however it ends. Ctrl-C is
    answered between two steps: the state is saved and the iteration ends.

    Args:
        plan: What is fitted.
        run: The folder; its record is brought up to date as the fit goes.
        transform: User units to model units.
        model: The model and its transform; of an estimator None before it is fitted.
        game: The players; None for an estimator.
        position: Where to go on from.
        made: Folders that the fit has made, the run's own first; none if it is resumed.

    Attributes:
        said: What is to be said of the samples of the weights that are kept, a sentence each.
    """

    plan: Plan
    run: Run
    transform: Transform
    model: InDataUnits | None = None
    game: Game | None = None
    position: Position = field(default_factory=Position)
    made: tuple[Path, ...] = ()
    interrupts: Interrupts = field(default_factory=Interrupts)
    said: list[str] = field(default_factory=list)
    _fed: Fed | None = None
    _stop: bool = False

    @property
    def finished(self) -> bool:
        """Whether nothing is left to do."""
        return self.run.record.result.status == "finished"

    @property
    def stopped(self) -> Stopped | None:
        """Why the fit ended; None before."""
        return self.run.record.result.stopped

    @property
    def kept(self) -> InDataUnits:
        """The model with the weights that are kept; after a training they are in the folder."""
        if self.game is not None or self.model is None:
            return self.run.model(device=self.plan.device)
        self.model.network.eval()
        return self.model

    def share(self, report: Report) -> float:
        """Return how much of the budget is spent after a report, in [0, 1]."""
        budget, options = self.plan.budget, self.plan.options
        if budget is None or options is None:
            return 1.0
        examples = self.plan.data.training_examples
        per_step = min(options.batch_size, examples) * options.accumulate
        total = budget.total_steps(examples, per_step)
        return budget.progress(report.step, total, report.seconds)

    def stop(self) -> None:
        """Ask to end after the current step, as Ctrl-C does; for another thread."""
        self._stop = True

    def choose_threads(self) -> None:
        """Measure whether one thread or all are faster, go on with those, and record the number.

        The setting is the process's own, so that a program chooses, not the library.
        """
        if self.game is None or self.model is None or self.finished:
            return
        self._fed = feed_of(self.plan, self.model)
        threads = faster_threads(self.game, *self._fed)
        torch.set_num_threads(threads)
        self.run = save_record(self.run.folder, replace(self.run.record, threads=threads))

    def __iter__(self) -> Iterator[Report]:
        """Train, and yield a report after each step; an estimator yields none.

        An estimator that fails has nothing to go on from: its new folder is removed.

        Raises:
            DivergenceError: If a number was not finite; the last checkpoint is intact.
            RunError: If the disk is full; the last checkpoint is intact.
        """
        if self.finished:
            return
        try:
            if self.game is None or self.model is None:
                with discarding(self.made):
                    self._estimate()
            else:
                with one_line_if_lost(self.run.folder):
                    yield from self._train(self.game, self.model)
        except AncestralError as error:
            if self.run.folder.is_dir():
                result = replace(self.run.record.result, status="failed", error=error.line)
                # The disk may be full, and torchrun may ask to end: this error is the one to tell.
                with self.interrupts, suppress(RunError):
                    self.run = store(self.run, result)
            raise

    def _estimate(self) -> None:
        found = estimate(self.plan, self.transform)
        self.model = _in_units(self.plan, found.model, self.transform)
        judge = _judge(self.plan, self.model)
        if judge is not None:
            judge()
        with self.interrupts, self.interrupts.held():
            save_weights(self.run, found.model, self.transform, {"step": 0})
            result = replace(found.result, best=judge and judge.figure)
            record = replace(self.run.record, config=found.config)
            self.run = store(Run(self.run.folder, record), result)

    def _train(self, game: Game, model: InDataUnits) -> Iterator[Report]:
        judge = _judge(self.plan, model)
        at = self.position
        with (
            self.interrupts,
            Keeper(
                self.run,
                model,
                game,
                best=at.best,
                cpu_seconds=at.cpu_seconds,
                progress=at.progress,
            ) as keeper,
        ):
            fed, self._fed = self._fed or feed_of(self.plan, model), None
            for report in _reports(self.plan, fed, game, judge, at.progress):
                with self.interrupts.held():
                    keeper.keep(report, judge and judge.figure)
                if judge is not None and report.best and report.validation:
                    self.said = judge.said
                try:
                    yield report
                except GeneratorExit:  # The caller turned away: as good as Ctrl-C.
                    self._stop = True
                if sums_over_ranks([self._stop or self.interrupts.asked], game.device)[0]:
                    break
            with self.interrupts.held():
                self.run = keeper.end()


def start(plan: Plan, out: str | Path | None = None, *, overwrite: bool = False) -> Fitting:
    """Make the run folder of a plan, and return the fit, not yet begun.

    Args:
        plan: What to fit.
        out: The folder; ``runs/MODEL-DATA`` if None, with a number where that exists.
        overwrite: Replace the run that is there.

    Raises:
        RunError: If the folder exists, or cannot be written.
        ConfigError: If the settings do not fit the data or the device; nothing is written.
    """
    name = f"{plan.recipe.name}-{plan.data.name}"
    folder = free_name(Path("runs") / name) if out is None else Path(out)
    check_free(folder, overwrite=overwrite)
    if plan.tuning is not None and folder.resolve() == Path(plan.tuning.start).resolve():
        raise RunError(f"out must not be the run of start, got {folder} for both")
    if plan.options is not None:
        plan = replace(plan, options=plan.options.shared_by(world()[1]))
    elif world()[1] > 1:
        raise ConfigError(
            f"{plan.recipe.name} is fitted at once, by one process: leave out torchrun"
        )
    transform = plan.transform().to(plan.device)
    model = _players_model(plan, transform)
    record = Record(
        model=plan.recipe.name,
        seed=plan.seed,
        device=plan.device,
        threads=torch.get_num_threads(),
        versions=versions(),
        data=plan.data_record,
        config=plan.config,
        options=plan.options,
        budget=plan.budget,
        transform=transform.spec(),
        sampling=plan.sampling,
        parts=plan.parts,
        tuning=plan.tuning,
        privacy=plan.privacy,
        result=Result(parameters=count_parameters(model.network) if model else 0),
    )
    game = model and _game(plan, model.network)
    made = make_folder(folder, overwrite=overwrite)
    with discarding(made):  # What is left half made is no run, and could not be replaced.
        if plan.data.corpus is not None:
            save_tokenizer(folder, plan.data.corpus.tokenizer)
        run = save_record(folder, record)
        if plan.tuning is not None and game is not None:
            save_beginning(folder, game)  # Without it the other run would be needed to go on.
    return Fitting(plan, run, transform, model, game, made=made)


def resume(
    folder: str | Path, *, budget: str | Budget | None = None, device: str | None = None
) -> Fitting:
    """Return the fit of a run folder, from its last checkpoint; a finished one is left as it is.

    Args:
        folder: The run.
        budget: A new end, counted from the run's beginning; the recorded one if None.
        device: Where to go on; the recorded one if None.

    Raises:
        RunError: If it is not a run or its data have changed.
        DamagedFileError: If the newest checkpoint is damaged.
    """
    run = Run.open(folder)
    record = run.record
    end = (Budget.parse(budget) if isinstance(budget, str) else budget) or record.budget
    if record.privacy is not None and end != record.budget:
        raise ConfigError("a private training ends where it was planned to: leave out the new end")
    finished = is_finished(record, end)
    plan_ = Plan(
        recipe=run.recipe,
        config=record.config,
        options=record.options,
        budget=end,
        seed=record.seed,
        device=device or record.device,
        data=run.data(),
        loading=record.data.loading,
        sampling=record.sampling,
        parts=record.parts,
        tuning=record.tuning,
        privacy=record.privacy,
    )
    if finished:
        model = run.model()
        return Fitting(plan_, run, model.transform, model)
    run.metrics()  # A damaged file is found before anything is written.
    transform = plan_.transform().to(plan_.device)
    model = _players_model(plan_, transform)
    game = model and _game(plan_, model.network)
    position = position_of(run, game) if game is not None else Position()
    result = replace(record.result, status="running", stopped=None, error=None)
    record = replace(record, budget=end, device=plan_.device, result=result)
    return Fitting(plan_, save_record(run.folder, record), transform, model, game, position)


def fit(  # noqa: PLR0913 - a door: everything that can be asked for
    model: str | Recipe,
    data: Data,
    *,
    settings: Mapping[str, object] | None = None,
    budget: str | Budget | None = None,
    seed: int = 0,
    device: str = "cpu",
    out: str | Path | None = None,
    overwrite: bool = False,
    progress: bool = False,
) -> Run:
    """Fit a model to data and return the run; :func:`start` with :func:`plan` shows each step.

    Args:
        model: Name of a recipe, or a recipe of one's own.
        data: Name, file or folder; data that are loaded already; an array, a tensor or a data
            frame.
        settings: Of the model, the training and the data, by name.
        budget: ``"60s"`` or a :class:`~ancestral.training.Budget`; the recipe's own if None.
        seed: Of everything random in the training.
        device: Where to train.
        out: The run folder; ``runs/MODEL-DATA`` if None, with a number where that exists.
        overwrite: Replace the run that is there.
        progress: Tell on standard error how far it is, a line every tenth or every 30 seconds.

    Raises:
        AncestralError: If something the caller can mend is wrong.
        KeyboardInterrupt: After Ctrl-C, when everything is saved.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     run = fit("gmm", "moons", settings={"components": 4}, out=f"{folder}/run")
        ...     run.model().sample(3).shape
        torch.Size([3, 2])
    """
    chosen = plan(model, data, settings=settings, budget=budget, seed=seed, device=device)
    fitting = start(chosen, out, overwrite=overwrite)
    lines = Lines(patience=PATIENCE if progress else math.inf)
    title = f"fit {chosen.recipe.name}"
    with watched(partial(lines.turn, title)):
        for report in fitting:
            lines.turn(title, fitting.share(report), report.words)
    if fitting.stopped == "interrupted":
        raise KeyboardInterrupt(how_to_resume(fitting.run))
    report_fit(fitting)
    return fitting.run


def how_to_resume(run: Run) -> str:
    """Return the line that says how to go on with an interrupted run."""
    steps = run.record.result.steps
    return f"stopped and saved at step {steps}; go on with: ancestral fit --resume {run.folder}"


def _in_units(plan_: Plan, model: nn.Module, transform: Transform) -> InDataUnits:
    return plan_.recipe.in_units(model, transform, plan_.sampling)


def _players_model(plan_: Plan, transform: Transform) -> InDataUnits | None:
    """Return the model in its first state, if it is to be trained; an estimator waits for data."""
    if not plan_.trains:
        return None
    return _in_units(plan_, plan_.build(transform).to(plan_.device), transform)


def _game(plan_: Plan, model: nn.Module) -> Game:
    if plan_.options is None or not isinstance(model, Trains):
        raise ConfigError(f"{plan_.recipe.name} has options of a training, but no players")
    at = model.at if isinstance(model, Changes) else None
    players, privacy = model.players(), plan_.privacy
    if privacy is not None:
        players = [privately(player, privacy, plan_.options) for player in players]
    return Game(players, plan_.options, seed=plan_.seed, device=plan_.device, at=at)


def _judge(plan_: Plan, model: InDataUnits) -> Judge | None:
    choice = plan_.recipe.chosen_by
    if choice is None:
        return None
    seed = seed_of(plan_.seed, "validation noise")
    return choice.judge(model, plan_.data, seed=seed, device=plan_.device)


def _reports(
    plan_: Plan, fed: Fed, game: Game, judge: Judge | None, progress: Progress | None
) -> Iterator[Report]:
    (feed, prepare), budget = fed, plan_.budget
    if budget is None:
        raise TypeError("training needs a budget")
    validation = judge and Validation(
        run=judge,
        figure=judge.choice.name,
        higher_is_better=judge.choice.higher_is_better,
        tolerance=judge.tolerance,
        settled=lambda: not isinstance(net := judge.model.network, Grows) or net.grown,
    )
    return train(game, feed, budget=budget, validation=validation, state=progress, prepare=prepare)
