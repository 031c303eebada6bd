"""What a training run leaves on the disk while it goes: rows, checkpoints, the best weights."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

from ancestral.errors import RunError
from ancestral.evaluation.figures import Figure
from ancestral.networks.units import InDataUnits
from ancestral.recipes.record import Record, Result, Stopped
from ancestral.recipes.runs import (
    ADAPTER,
    CHECKPOINT,
    METRICS,
    Run,
    save_record,
    save_weights,
)
from ancestral.training.adapter_files import save_adapters
from ancestral.training.checkpoint import Checkpoints, SpreadCheckpoints
from ancestral.training.game import Game
from ancestral.training.loop import Report
from ancestral.training.metrics import FORMAT, MetricsFile, check_format
from ancestral.training.parts import WEIGHTS
from ancestral.training.progress import Progress
from ancestral.training.ranks import is_first, number_of_first, world

CHECKPOINT_SECONDS = 5.0
"""Time between checkpoints: at most about so much work is lost to a kill."""

_SHARE = 20.0  # Saving large models takes at most one part in twenty of the time.
_ALL_ROWS = 100  # Steps of which each has its row; later every tenth, or one a second.
_EVERY = 10


@dataclass(frozen=True, slots=True)
class Position:
    """Where a training goes on from: nothing, or what a checkpoint said."""

    progress: Progress | None = None
    best: Figure | None = None
    cpu_seconds: float = 0.0

    @property
    def step(self) -> int:
        """Steps made."""
        return self.progress.step if self.progress else 0


class Keeper:
    """Writes the run folder of a training that is under way.

    Args:
        run: The folder.
        model: The model and its transform.
        game: The players.
        best: The figure of the best weights so far, when resuming.
        cpu_seconds: Processor time so far, when resuming.
        progress: Where it stood, when resuming.
    """

    def __init__(
        self,
        run: Run,
        model: InDataUnits,
        game: Game,
        *,
        best: Figure | None = None,
        cpu_seconds: float = 0.0,
        progress: Progress | None = None,
    ) -> None:
        self.run, self.model, self.game = run, model, game
        self.best = best
        self.report: Report | None = None
        self._progress = progress or Progress()
        self._cpu = time.process_time() - cpu_seconds
        self._checkpoints = checkpoints_of(run.folder, game)
        self._metrics = None
        if is_first():
            self._metrics = MetricsFile(run.folder / METRICS, keep=self._progress.step)
        self._row_at = self._saved_at = time.monotonic()
        self._pause = CHECKPOINT_SECONDS
        self._saved_step = self._progress.step

    def __enter__(self) -> Self:
        """Return the keeper; its files are open."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the files."""
        if self._metrics is not None:
            self._metrics.close()

    def keep(self, report: Report, figure: Figure | None) -> None:
        """Write what is due after a step.

        Args:
            report: Of the step.
            figure: What its validation found, if there was one.

        Raises:
            RunError: If the disk is full; what was there before is intact.
        """
        self.report, self._progress = report, report.progress
        now = time.monotonic()
        if self._metrics is not None and self._row_due(report, now):
            self._row_at = now
            self._metrics.write(_row(report))
        if report.best:
            self.best = figure
            self.save_weights(report.step)
        due = report.validation is not None or now - self._saved_at >= self._pause
        if self.game.options.shard:  # All write, so all must agree.
            due = bool(number_of_first(due, self.game.device))
        if due:
            self.checkpoint()

    def checkpoint(self) -> None:
        """Write a generation, unless the last one is of this step.

        Raises:
            RunError: If it cannot be written; the older generations are intact.
        """
        report = self.report
        if report is None or report.step == self._saved_step:
            return
        begun = time.monotonic()
        words = _words(report.progress, self.best, self.cpu_seconds)
        self._checkpoints.save(report.step, self.game.state(), words)
        self._saved_at, self._saved_step = time.monotonic(), report.step
        self._pause = max(CHECKPOINT_SECONDS, _SHARE * (self._saved_at - begun))

    def save_weights(self, step: int) -> None:
        """Write the present weights, averaged where there is an average, as those to keep."""
        averaged = self.game.options.ema_decay > 0
        words = {"step": step, "weights": "averaged" if averaged else "raw"}
        with self.game.averaged():
            save_weights(self.run, self.model.network, self.model.transform, words)
            if (tuning := self.run.record.tuning) is not None:
                save_adapters(self.run.folder / ADAPTER, self.model.network, tuning.start)

    def end(self) -> Run:
        """Write the last checkpoint and the result; return the run as it now stands."""
        self.checkpoint()
        missing = self._progress.best_step == 0 or not (self.run.folder / WEIGHTS).is_file()
        if number_of_first(missing, self.game.device):
            self.save_weights(self._progress.step)
        stopped = self._stopped()
        result = replace(
            self.run.record.result,
            status="interrupted" if stopped == "interrupted" else "finished",
            stopped=stopped,
            steps=self._progress.step,
            seconds=self._progress.seconds,
            cpu_seconds=self.cpu_seconds,
            best=self.best,
            best_step=self._progress.best_step,
            pace=self._progress.pace,
            error=None,
        )
        return store(self.run, result)

    @property
    def cpu_seconds(self) -> float:
        """Processor time of this training, of resumed parts too."""
        return time.process_time() - self._cpu

    def _stopped(self) -> Stopped:
        if self.report is not None:
            return self.report.stopped or "interrupted"
        # Killed between the last checkpoint and the end: nothing was left to do.
        if self.game.options.patience and self._progress.bad >= self.game.options.patience:
            return "early"
        budget = self.run.record.budget
        return "budget" if budget is not None and budget.seconds is not None else "completed"

    def _row_due(self, report: Report, now: float) -> bool:
        return (
            report.validation is not None
            or report.stopped is not None
            or report.step <= _ALL_ROWS
            or report.step % _EVERY == 0
            or now - self._row_at >= 1.0
        )


def checkpoints_of(folder: Path, game: Game) -> Checkpoints | SpreadCheckpoints:
    """Return where a run keeps the generations of its state."""
    kind = SpreadCheckpoints if game.options.shard else Checkpoints
    return kind(folder / CHECKPOINT)


def save_beginning(folder: Path, game: Game) -> None:
    """Write the state before the first step as a generation.

    Raises:
        RunError: If it cannot be written.
    """
    checkpoints_of(folder, game).save(0, game.state(), _words(Progress(), None, 0.0))


def _words(progress: Progress, best: Figure | None, cpu_seconds: float) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "progress": progress.to_json(),
        "best": best and best.to_json(),
        "cpu_seconds": cpu_seconds,
    }


def store(run: Run, result: Result) -> Run:
    """Write a new result into ``run.toml``; return the run.

    Raises:
        RunError: If it cannot be written.
    """
    return save_record(run.folder, replace(run.record, result=result))


def _row(report: Report) -> Mapping[str, Any]:
    row: dict[str, Any] = {
        "step": report.step,
        "epoch": round(report.epoch, 4),
        "seconds": round(report.seconds, 4),
        "metrics": report.metrics,
    }
    if report.validation is not None:
        row["validation"] = report.validation
    return row


def position_of(run: Run, game: Game) -> Position:
    """Return where a run goes on from; the game is given the state of its last checkpoint.

    Raises:
        RunError: If there is none and the run began at another's weights.
        DamagedFileError: If it is damaged.
    """
    checkpoints, words = checkpoints_of(run.folder, game), None
    if isinstance(checkpoints, SpreadCheckpoints):
        words = checkpoints.load(game.state())
    elif (found := checkpoints.latest()) is not None:
        _, tensors, words = found
        check_format(words.get("format"), run.folder / CHECKPOINT)
        game.load_state(tensors)
    if words is None and run.record.tuning is not None:
        raise RunError(f"{run.folder} has no checkpoint to go on from: begin it again")
    if words is None:
        return Position()
    best = words["best"]
    return Position(
        progress=Progress.from_json(words["progress"]),
        best=Figure.from_json(best) if best else None,
        cpu_seconds=words["cpu_seconds"],
    )


def busy_elsewhere(record: Record) -> str | None:
    """Return the line that says that other programs had the processor; None where they had not."""
    wall, processor = record.result.seconds, record.result.cpu_seconds
    if record.device != "cpu" or wall < 1.0 or processor > 0.8 * wall or world()[1] > 1:
        return None
    return (
        f"the processor was busy elsewhere: {wall:.1f} s of training had {processor:.1f} s of it; "
        "on a machine at rest the same budget makes more steps"
    )
