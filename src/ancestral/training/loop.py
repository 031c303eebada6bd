"""The one training loop: an iterator of reports that the caller drives."""

import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

import torch
from torch import Generator

from ancestral.capabilities import Batch
from ancestral.training.budget import Budget
from ancestral.training.feed import Feed
from ancestral.training.game import Game
from ancestral.training.order import seed_of
from ancestral.training.progress import Progress
from ancestral.training.ranks import number_of_first

Prepare: TypeAlias = Callable[[Batch, Generator], Batch]
"""Makes a batch anew at every step from fixed examples: dequantisation noise, augmentation."""

Stopped: TypeAlias = Literal["completed", "budget", "early"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Validation:
    """How training is judged on held-out data.

    Args:
        run: Returns figures by name; called with the averaged weights in place, the modules in
            evaluation mode, and torch's global generator seeded by the step.
        figure: The one by which the best weights are chosen.
        higher_is_better: Which way it improves.
        tolerance: Figures that differ by less cannot be told apart: of weights whose figure is so
            near to the best, the latest are kept.
        settled: Whether the model has its last form; until then the latest weights are kept,
            whatever their figure, and none of them once it has.
    """

    run: Callable[[], Mapping[str, float]]
    figure: str
    higher_is_better: bool = False
    tolerance: float = 0.0
    settled: Callable[[], bool] = lambda: True


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What one step did.

    Args:
        step: Its number, from 1, counted from the start of the run.
        epoch: Passes over the training split so far.
        seconds: Training time so far: steps and validation, also from before a resume.
        metrics: Of the players; see :meth:`Game.step`.
        validation: Held-out figures, where this step was validated.
        best: No validation so far was better, or none by more than the tolerance: now is the time
            to keep the weights.
        stopped: Why this is the last report; None otherwise.
        progress: With :meth:`Game.state`, all that is needed to go on from here.
    """

    step: int
    epoch: float
    seconds: float
    metrics: dict[str, float]
    validation: dict[str, float] | None
    best: bool
    stopped: Stopped | None
    progress: Progress

    @property
    def words(self) -> str:
        """The step and the first of the figures, to be shown."""
        numbers = self.validation or self.metrics
        shown = next((f"{name} {value:.4g}" for name, value in numbers.items()), "")
        return f"step {self.step:,}  {shown}"


def train(
    game: Game,
    feed: Feed,
    *,
    budget: Budget,
    validation: Validation | None = None,
    state: Progress | None = None,
    prepare: Prepare | None = None,
) -> Iterator[Report]:
    """Play steps until the budget is spent, and yield a report after each.

    Logging, checkpoints and pictures belong to the caller; the clock stands still meanwhile.
    The caller may stop at any report and later go on from its ``progress`` and the game's state
    of that moment: with a budget in steps or epochs the bits are those of a run that never
    stopped.

    Args:
        game: The players.
        feed: The training split.
        budget: When to end.
        validation: Run every ``validate_every`` steps and after the last one, and where the clock
            ends training, after each tenth of its time; rank 0's counts.
        state: Where to go on from; the game has loaded its own state.
        prepare: Applied to each micro-batch, on the game's device, with a generator of its own.

    Yields:
        One report a step; none where ``state`` is that of a finished run.

    Raises:
        DivergenceError: If a loss is not finite, before the update.
        KeyError: If ``validation.run`` does not return its figure.
    """
    source = Source(game, feed, prepare)
    total = budget.total_steps(len(feed), source.per_step)
    now = state or Progress()
    while _end(game, budget, total, now) is None:
        start, number, found = time.perf_counter(), now.step + 1, None
        share = budget.progress(now.step, total, now.seconds)
        if budget.seconds is not None:
            now = now.paced(number, share)
        metrics = game.step(source.batches(number), number, share)
        done = replace(now, step=number, seconds=_clock(game, budget, start, now.seconds))
        due = number % game.options.validate_every == 0
        due = due or _end(game, budget, total, done) is not None
        if validation is not None and (due or _tenth_ends(budget, share, done)):
            # Sharded weights come together on all ranks at once, so that all must run it.
            mine = game.rank == 0 or game.options.shard
            with game.evaluating(number):
                found = dict(validation.run()) if mine else {validation.figure: 0.0}
            done = done.judged(
                number_of_first(found[validation.figure], game.device),
                higher=validation.higher_is_better,
                tolerance=validation.tolerance,
                settled=validation.settled(),
            )
            done = replace(done, seconds=_clock(game, budget, start, now.seconds))
        now = done
        yield Report(
            step=number,
            epoch=number * source.per_step / len(feed),
            seconds=now.seconds,
            metrics=metrics,
            validation=found,
            best=now.best_step == number,
            stopped=_end(game, budget, total, now),
            progress=now,
        )


class Source:
    """This rank's micro-batches of any step."""

    def __init__(self, game: Game, feed: Feed, prepare: Prepare | None) -> None:
        self.game, self.feed, self.prepare = game, feed, prepare
        self.order = feed.order(game.options.batch_size, game.seed)
        self.per_step = game.rounds * game.options.accumulate * self.order.batch_size
        self.generator = Generator(game.device)

    def batches(self, number: int) -> list[Batch]:
        """Return the micro-batches of step ``number`` (from 1), round after round."""
        size, all_ranks = self.game.per_update, self.game.options.accumulate
        return [
            self._batch(number, update * all_ranks + self.game.rank * size + i)
            for update in range(self.game.rounds)
            for i in range(size)
        ]

    def _batch(self, number: int, micro: int) -> Batch:
        first = (number - 1) * self.game.rounds * self.game.options.accumulate
        batch = _on(self.game.device, self.feed.take(self.order.batch(first + micro)))
        if self.prepare is not None:
            noise = seed_of(self.game.seed, "prepare", number, micro)
            batch = self.prepare(batch, self.generator.manual_seed(noise))
        if self.game.options.channels_last and batch.x.ndim == 4:
            batch = replace(batch, x=batch.x.contiguous(memory_format=torch.channels_last))
        return batch


def _on(device: torch.device, batch: Batch) -> Batch:
    if batch.x.device.type == device.type:
        return batch
    given = {name: value.to(device) for name, value in batch.given.items()}
    return Batch(batch.x.to(device), given)


def _end(game: Game, budget: Budget, total: int | None, now: Progress) -> Stopped | None:
    if game.options.patience and now.bad >= game.options.patience:
        return "early"
    if total is not None:
        return "completed" if now.step >= total else None
    return "budget" if budget.progress(now.step, total, now.seconds) >= 1.0 else None


def _tenth_ends(budget: Budget, share: float, done: Progress) -> bool:
    """Return whether the clock has passed a tenth of its budget in a step: it is validated then."""
    if budget.seconds is None and not budget.pace:
        return False
    after = budget.progress(done.step, budget.steps, done.seconds)
    return math.floor(10 * after + 1e-9) > math.floor(10 * share + 1e-9)


def _clock(game: Game, budget: Budget, start: float, before: float) -> float:
    seconds = before + time.perf_counter() - start
    # Only where the clock decides must the ranks agree on it.
    return seconds if budget.seconds is None else number_of_first(seconds, game.device)
