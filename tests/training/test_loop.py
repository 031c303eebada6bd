import json
import math
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Generator, Tensor, nn

from ancestral.capabilities import Batch, Loss, Player
from ancestral.training import (
    Budget,
    Checkpoints,
    Game,
    Options,
    Progress,
    Report,
    Rows,
    Validation,
    train,
)

N = 50
X = torch.randn(N, 2, generator=Generator().manual_seed(0))
OPTIONS = Options(
    batch_size=16,
    learning_rate=0.01,
    warmup=3,
    ema_decay=0.9,
    max_grad_norm=1.0,
    accumulate=2,
    validate_every=4,
    patience=3,
)


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


class Duel:
    """A small adversarial game with dropout, running statistics, noise and labels."""

    def __init__(self) -> None:
        torch.manual_seed(0)
        self.maker = nn.Sequential(nn.Linear(2, 8), nn.BatchNorm1d(8), nn.Linear(8, 2))
        self.critic = nn.Sequential(nn.Linear(2, 8), nn.Dropout(0.3), nn.Linear(8, 1))

    def fakes(self, n: int, generator: Generator | None) -> Tensor:
        return self.maker(torch.randn(n, 2, generator=generator))

    def critic_loss(self, batch: Batch, generator: Generator | None) -> Loss:
        n = len(batch.x)
        fakes = self.critic(self.fakes(n, generator).detach())
        total = nn.functional.softplus(-self.critic(batch.x)) + nn.functional.softplus(fakes)
        return Loss(total.sum(), n, {"label": batch.given["label"].float().mean()})

    def maker_loss(self, batch: Batch, generator: Generator | None) -> Loss:
        n = len(batch.x)
        return Loss(nn.functional.softplus(-self.critic(self.fakes(n, generator))).sum(), n)

    def game(self, options: Options = OPTIONS) -> Game:
        players = [
            Player(name="critic", module=self.critic, loss=self.critic_loss, updates=2),
            Player(name="maker", module=self.maker, loss=self.maker_loss, betas=(0.5, 0.9)),
        ]
        return Game(players, options, seed=11)

    def validate(self) -> dict[str, float]:
        fakes = self.fakes(64, None)  # Noise of torch's global generator, on purpose.
        return {"gap": (fakes.mean(0) - X.mean(0)).norm().item()}


def noisy(batch: Batch, generator: Generator) -> Batch:
    return replace(batch, x=batch.x + 0.01 * torch.randn(batch.x.shape, generator=generator))


def play(duel: Duel, game: Game, steps: int, state: Progress | None = None) -> Iterator[Report]:
    examples = Rows(X, {"label": torch.arange(N)})
    validation = Validation(run=duel.validate, figure="gap")
    budget = Budget(steps=steps)
    return train(game, examples, budget=budget, validation=validation, state=state, prepare=noisy)


def outcome(report: Report) -> tuple:
    """Everything but the clock."""
    progress = replace(report.progress, seconds=0.0)
    return report.metrics, report.validation, report.best, report.stopped, progress


@pytest.mark.bits
@pytest.mark.parametrize("stops", [[1], [7], [8], [23], [2, 5, 6, 19], list(range(1, 24))])
def test_a_run_killed_at_any_step_ends_with_the_same_bits(stops: list[int], tmp_path: Path) -> None:
    options = replace(OPTIONS, patience=0)
    straight = Duel()
    game = straight.game(options)
    expected = [outcome(report) for report in play(straight, game, 24)]
    final = game.state()

    checkpoints, found, state = Checkpoints(tmp_path), [], None
    for stop in [*stops, 24]:
        duel = Duel()  # As a new process would.
        if (latest := checkpoints.latest()) is not None:
            with torch.no_grad():
                duel.maker[0].weight.add_(1.0)  # What was there before must not matter.
        resumed = duel.game(options)
        if latest is not None:
            resumed.load_state(latest[1])
            state = Progress.from_json(latest[2]["progress"])
        torch.rand(stop)  # The global generator is somewhere else in each process.
        for report in play(duel, resumed, 24, state):
            found.append(outcome(report))
            if report.step == stop:
                checkpoints.save(stop, resumed.state(), {"progress": report.progress.to_json()})
                break
    assert found == expected
    _, tensors, _ = checkpoints.latest()
    assert final.keys() == tensors.keys()
    assert all(torch.equal(tensor, tensors[name]) for name, tensor in final.items())


def test_early_stopping_counts_across_a_resume() -> None:
    figures = [5.0, 4.0, 4.5, 4.25, 4.0, 1.0]

    def reports(state: Progress | None, stop: int) -> list[Report]:
        done = (state.step if state else 0) // 4
        upcoming = iter(figures[done:])
        validation = Validation(run=lambda: {"v": next(upcoming)}, figure="v")
        found = []
        game = Duel().game()
        examples = Rows(X, {"label": torch.arange(N)})
        for report in train(
            game, examples, budget=Budget(steps=40), validation=validation, state=state
        ):
            found.append(report)
            if report.step == stop:
                break
        return found

    straight = reports(None, 0)
    assert straight[-1].stopped == "early"
    assert straight[-1].step == 20
    assert [r.step for r in straight if r.best] == [4, 8]
    first = reports(None, 13)
    resumed = reports(first[-1].progress, 0)
    assert resumed[-1].step == 20
    assert resumed[-1].progress.best == 4.0
    assert reports(straight[-1].progress, 0) == []


def test_higher_can_be_better() -> None:
    figures = iter([1.0, 3.0, 2.0])
    validation = Validation(run=lambda: {"v": next(figures)}, figure="v", higher_is_better=True)
    examples = Rows(X, {"label": torch.arange(N)})
    reports = train(Duel().game(), examples, budget=Budget(steps=12), validation=validation)
    assert [report.best for report in reports if report.validation] == [True, True, False]


def test_no_weights_from_before_a_model_has_settled_outlast_it() -> None:
    figures, settled = iter([1.0, 2.0, 9.0, 5.0, 7.0]), iter([False, False, True, True, True])
    validation = Validation(
        run=lambda: {"v": next(figures)}, figure="v", settled=lambda: next(settled)
    )
    examples = Rows(X, {"label": torch.arange(N)})
    reports = train(Duel().game(), examples, budget=Budget(steps=20), validation=validation)
    kept = [report.best for report in reports if report.validation]
    assert kept == [True, True, True, True, False]


def test_a_figure_that_is_nan_is_never_best() -> None:
    validation = Validation(run=lambda: {"v": math.nan}, figure="v")
    examples = Rows(X, {"label": torch.arange(N)})
    last = list(train(Duel().game(), examples, budget=Budget(steps=5), validation=validation))[-1]
    assert last.progress.best is None
    assert last.progress.bad == 2
    json.dumps(last.progress.to_json(), allow_nan=False)


def test_the_last_step_is_validated_and_says_why_it_is_the_last() -> None:
    duel = Duel()
    reports = list(play(duel, duel.game(), 6))
    assert [report.step for report in reports] == [1, 2, 3, 4, 5, 6]
    assert [report.validation is not None for report in reports] == [False] * 3 + [
        True,
        False,
        True,
    ]
    assert [report.stopped for report in reports] == [None] * 5 + ["completed"]
    # 2 rounds x 2 micro-batches x 16 of 50 examples.
    assert reports[0].epoch == pytest.approx(64 / 50)


def test_epochs_end_when_every_example_was_seen() -> None:
    seen: list[Tensor] = []
    module = nn.Linear(2, 1)

    def loss(batch: Batch, generator: Generator | None) -> Loss:
        seen.append(batch.given["row"])
        return Loss(module(batch.x).square().sum(), len(batch.x))

    game = Game([Player(name="a", module=module, loss=loss)], Options(batch_size=10), seed=0)
    examples = Rows(X, {"row": torch.arange(N)})
    reports = list(train(game, examples, budget=Budget(epochs=2)))
    assert len(reports) == 10
    assert reports[-1].epoch == 2.0
    assert torch.cat(seen).bincount().tolist() == [2] * N


def test_a_budget_in_seconds_ends_by_the_clock_and_counts_what_went_before() -> None:
    duel = Duel()
    game = duel.game(replace(OPTIONS, patience=0))
    examples = Rows(X, {"label": torch.arange(N)})
    validation = Validation(run=duel.validate, figure="gap")
    budget = Budget(seconds=0.3)
    reports = list(train(game, examples, budget=budget, validation=validation))
    assert reports[-1].stopped == "budget"
    assert reports[-1].seconds >= 0.3
    assert reports[-2].seconds < 0.3
    assert reports[-1].validation is not None
    rates = [report.metrics["critic/learning_rate"] for report in reports[3:]]
    assert rates == sorted(rates, reverse=True)  # The cosine follows the clock.
    nearly = Progress(step=1000, seconds=0.3 - 1e-9)
    assert len(list(train(game, examples, budget=budget, state=nearly))) == 1
    assert list(train(game, examples, budget=budget, state=reports[-1].progress)) == []


def test_the_callers_time_is_not_training_time() -> None:
    duel, seconds = Duel(), []
    for report in play(duel, duel.game(), 3):
        time.sleep(0.2)
        seconds.append(report.seconds)
    assert seconds[-1] - seconds[0] < 0.2


def test_images_arrive_channels_last_where_asked() -> None:
    module = nn.Conv2d(1, 1, 3)
    flags = []

    def loss(batch: Batch, generator: Generator | None) -> Loss:
        flags.append(batch.x.is_contiguous(memory_format=torch.channels_last))
        return Loss(module(batch.x).square().sum().float(), len(batch.x))

    options = Options(batch_size=4, channels_last=True)
    game = Game([Player(name="a", module=module, loss=loss)], options, seed=0)
    list(train(game, Rows(torch.randn(8, 3, 5, 5)[:, :1]), budget=Budget(steps=1)))
    assert flags == [True]
