import math

import pytest
import torch
from torch import Generator, Tensor

from ancestral.data.columns import Column
from ancestral.evaluation.tables.trees import LEAST_DETECTED, Features, Task, detection

COLUMNS = (
    Column(name="a", gaps=True),
    Column(name="b", type="category", states=("x", "y", "z")),
    Column(name="c", type="truth", states=("no", "yes"), gaps=True),
)


def law(n: int, generator: Generator, *, shift: float = 0.0, gaps: float = 0.1) -> Tensor:
    a = torch.randn(n, generator=generator, dtype=torch.float64)
    b = torch.randint(3, (n,), generator=generator).double()
    odds = torch.sigmoid(2 * a + 2 * b - 2)
    c = (torch.rand(n, generator=generator, dtype=torch.float64) < odds).double()
    missing = torch.rand(n, generator=generator) < gaps
    return torch.stack((torch.where(missing, math.nan, a + shift), b, c), dim=1)


@pytest.fixture
def features() -> Features:
    return Features(COLUMNS, law(1000, Generator().manual_seed(9)))


def test_features_keep_gaps_and_group_rare_states() -> None:
    states = tuple(map(str, range(400)))
    column = Column(name="c", type="category", states=states)
    train = torch.arange(400).repeat_interleave(torch.arange(400) + 1)[:, None].double()
    read = Features([column], train)(torch.tensor([[399.0], [150.0], [149.0], [0.0], [math.nan]]))
    assert read[:4, 0].tolist() == [0, 249, 250, 250]
    assert math.isnan(read[4, 0])


def test_one_law_cannot_be_told_apart(features: Features) -> None:
    generator = Generator().manual_seed(0)
    found = detection(law(800, generator), law(900, generator), features)
    assert found.value == pytest.approx(0.5, abs=4 * found.se)
    assert found.se < 0.03


@pytest.mark.parametrize("rows", [LEAST_DETECTED, 1000])
def test_separate_clouds_are_seen_however_few(features: Features, rows: int) -> None:
    generator = Generator().manual_seed(1)
    x, y = law(rows, generator, shift=20), law(rows, generator)
    assert detection(x, y, features).value > 0.9


def test_another_rate_of_gaps_is_seen(features: Features) -> None:
    generator = Generator().manual_seed(2)
    found = detection(law(1000, generator, gaps=0.6), law(1000, generator), features)
    # Half of the pairs of rows differ in whether the number is missing.
    assert found.value == pytest.approx(0.75, abs=0.03)


def test_too_few_rows_are_refused(features: Features) -> None:
    few = law(LEAST_DETECTED - 1, Generator().manual_seed(3))
    with pytest.raises(ValueError, match="at least 50 rows of each kind, got 49"):
        detection(few, few, features)


@pytest.mark.slow
@pytest.mark.parametrize(("rows", "shift"), [(60, 0.0), (400, 0.0), (100, 1.5)])
def test_the_error_of_detection_is_the_spread_over_fresh_draws(rows: int, shift: float) -> None:
    generator = Generator().manual_seed(4)
    features = Features(COLUMNS, law(1000, generator))
    found = [
        detection(law(rows, generator, shift=shift), law(rows, generator), features, seed=i)
        for i in range(40)
    ]
    spread = torch.tensor([one.value for one in found]).std().item()
    assert 0.7 < sum(one.se for one in found) / len(found) / spread < 1.3


def test_what_samples_teach_of_each_kind_of_target(features: Features) -> None:
    generator = Generator().manual_seed(5)
    train, test = law(2000, generator), law(1500, generator)
    noise = torch.stack([z[torch.randperm(2000, generator=generator)] for z in train.T], dim=1)
    for target, unit, chance, least in (
        (2, "probability", 0.5, 0.8),
        (1, "share", 0.34, 0.42),
        (0, "R²", 0.0, 0.2),
    ):
        task = Task(features, target, test)
        real, useless = task.utility(train), task.utility(noise)
        assert task.unit == unit
        assert real.value > least > useless.value
        assert useless.value < chance + 0.05
        assert 0 < real.se < 0.05


def test_a_target_that_teaches_nothing_is_refused(features: Features) -> None:
    generator = Generator().manual_seed(6)
    train, test = law(100, generator), law(100, generator)
    train[:, 2] = 1
    with pytest.raises(ValueError, match="training rows hold fewer than two values of 'c'"):
        Task(features, 2, test).utility(train)


@pytest.mark.parametrize("target", [0, pytest.param(1, marks=pytest.mark.slow), 2])
def test_the_error_of_utility_is_the_spread_over_fresh_test_rows(target: int) -> None:
    generator = Generator().manual_seed(7)
    train = law(400, generator)
    features = Features(COLUMNS, train)
    found = [Task(features, target, law(300, generator)).utility(train) for _ in range(40)]
    spread = torch.tensor([one.value for one in found]).std().item()
    assert 0.7 < sum(one.se for one in found) / len(found) / spread < 1.35
