import math
from pathlib import Path

import pytest
import torch
from scipy.stats import norm
from torch import Generator, nn

from ancestral.capabilities import Batch, Loss, Player
from ancestral.errors import ConfigError
from ancestral.recipes import Run, plan, resume, start
from ancestral.training import Budget, Options
from ancestral.training.order import PoissonOrder
from ancestral.training.privacy import Privacy, privately, secret_seed

pytest.importorskip("opacus", reason="the extra private is not installed")


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "table.csv"
    rows = [f"{i % 50},{('red', 'blue', '')[i % 3]},{i * 7 % 400}" for i in range(400)]
    path.write_text("\n".join(["size,colour,price", *rows]) + "\n")
    return path


def test_the_noise_of_one_step_on_all_rows_is_that_of_the_gaussian_mechanism() -> None:
    delta = 1e-5
    found = Privacy(epsilon=1.0, delta=delta).planned(100, Options(batch_size=100), Budget(steps=1))
    s = found.noise
    # Its exact delta: Balle & Wang 2018, arXiv:1805.06530, eq. 6; the accountant is an upper bound.
    exact = norm.cdf(0.5 / s - s) - math.e * norm.cdf(-0.5 / s - s)
    assert 0.1 * delta < exact < delta


def test_more_steps_and_less_epsilon_need_more_noise_and_delta_is_one_in_n() -> None:
    def noise(epsilon: float, steps: int) -> float:
        end = Budget(steps=steps)
        return Privacy(epsilon=epsilon).planned(10_000, Options(batch_size=100), end).noise

    assert noise(8.0, 100) < noise(1.0, 100) < noise(1.0, 1000)
    planned = Privacy(epsilon=1.0).planned(10_000, Options(), Budget(epochs=1))
    assert planned.delta == 1e-4
    assert "epsilon 1, delta 0.0001" in planned.words


def test_gradients_are_those_that_are_clipped_plus_noise_of_the_right_size() -> None:
    weights = nn.Linear(100, 100, bias=False).double()
    limits = []

    def clipped(batch: Batch, generator: Generator | None, clip: float) -> Loss:
        limits.append(clip)
        return Loss(3.0 * weights.weight.sum(), len(batch.x))

    def plain(batch: Batch, generator: Generator | None) -> Loss:
        raise AssertionError("the loss without a bound is never asked")

    player = Player(name="model", module=weights, loss=plain, clipped=clipped)
    privacy = Privacy(epsilon=1.0, delta=0.1, clip=0.5, noise=4.0)
    private = privately(player, privacy, Options(batch_size=7))
    loss = private.loss(Batch(torch.zeros(5, 1)), Generator().manual_seed(0))
    assert loss.weight == 7  # The mean number: how many have come is a secret, too.
    assert loss.total.item() == pytest.approx(3.0 * weights.weight.sum().item())
    (gradient,) = torch.autograd.grad(loss.total, [weights.weight])
    assert limits == [0.5]
    assert gradient.mean().item() == pytest.approx(3.0, abs=5 * 2.0 / 100)
    assert gradient.std().item() == pytest.approx(2.0, rel=5 / math.sqrt(2 * 10_000))
    with pytest.raises(ConfigError, match="accumulate must be 1"):
        privately(player, privacy, Options(accumulate=2))


def test_each_example_comes_into_a_batch_with_the_same_chance_independently() -> None:
    order, batches = PoissonOrder(50, 10, seed=0), 4000
    held = torch.zeros(batches, 50, dtype=torch.float64)
    for index in range(batches):
        held[index, order.batch(index)] = 1
    error = math.sqrt(0.2 * 0.8 / batches)
    assert bool(((held.mean(dim=0) - 0.2).abs() < 5 * error).all())
    # Of independent examples the number is binomial: fixed batches would have no variance.
    assert held.sum(dim=1).var().item() == pytest.approx(8.0, abs=5 * 8 * math.sqrt(2 / batches))


def test_a_private_run_records_what_it_promises_and_ends_where_it_was_planned(
    table: Path, tmp_path: Path
) -> None:
    settings = {"epsilon": 2.0, "width": 16, "blocks": 1, "batch_size": 50}
    made = plan("tabular-ar", table, settings=settings, budget=Budget(steps=6))
    assert made.seed > 2**32  # None that anybody could guess.
    for _ in start(made, tmp_path / "run"):
        pass
    record = Run.open(tmp_path / "run").record
    assert record.privacy == made.privacy
    assert record.privacy is not None
    assert record.privacy.noise > 0.3
    assert record.privacy.delta == pytest.approx(1 / record.data.train)
    again = plan("tabular-ar", table, settings=settings, budget=Budget(steps=6), seed=7)
    assert again.seed == 7
    with pytest.raises(ConfigError, match="ends where it was planned"):
        resume(tmp_path / "run", budget=Budget(steps=9))
    with pytest.raises(ConfigError, match="known before: give steps or epochs"):
        plan("tabular-ar", table, settings=settings, budget="5s")
    with pytest.raises(ConfigError, match="unknown setting 'epsilon' of vae"):
        plan("vae", table, settings={"epsilon": 1})
    with pytest.raises(ConfigError, match="clip needs epsilon=NUMBER"):
        plan("tabular-ar", table, settings={"clip": 1})
    with pytest.raises(ConfigError, match="epsilon must be above 0"):
        plan("tabular-ar", table, settings={"epsilon": 0})


def test_a_seed_of_ones_own_is_kept() -> None:
    assert secret_seed(5) == 5
    assert secret_seed(0) != secret_seed(0)
