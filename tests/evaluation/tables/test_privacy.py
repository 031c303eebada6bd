import math

import pytest
import torch
from torch import Generator, Tensor

from ancestral.evaluation.measures.neighbours import Index
from ancestral.evaluation.tables.privacy import Nearer, copies, membership


def gauss(n: int, generator: Generator, d: int = 2) -> Tensor:
    return torch.randn(n, d, generator=generator, dtype=torch.float64)


def test_copies_are_equal_cell_by_cell_gaps_and_signs_of_zero_too() -> None:
    rows = torch.tensor([[1.0, math.nan], [0.0, 2.0], [3.0, 4.0]]).double()
    samples = torch.tensor([[1.0, math.nan], [-0.0, 2.0], [3.0, 4.001], [math.nan, 1.0]]).double()
    assert copies(samples, rows).value == 0.5
    assert [copies(one[None], rows).value for one in samples] == [1, 1, 0, 0]


def test_copies_lean_to_the_training_rows_and_fresh_rows_do_not() -> None:
    generator = Generator().manual_seed(0)
    train, held_out, fresh = (gauss(400, generator) for _ in range(3))
    nearer = Nearer(Index(train), Index(held_out))
    of_copies, of_fresh = nearer(train), nearer(fresh)
    assert of_copies.value == 1
    assert of_copies.p_value is not None
    assert of_copies.p_value < 1e-6
    assert of_fresh.value == pytest.approx(0.5, abs=4 * of_fresh.se)
    assert nearer(held_out).value == 0


def test_rows_as_far_from_both_count_half() -> None:
    states = torch.eye(3).double()
    assert Nearer(Index(states), Index(states.flip(0)))(states).value == 0.5


@pytest.mark.parametrize("share", [0.0, 0.3])
def test_the_standard_error_is_the_spread_over_fresh_draws(share: float) -> None:
    generator = Generator().manual_seed(1)
    found = []
    for _ in range(200):
        train, held_out, samples = (gauss(150, generator) for _ in range(3))
        copied = torch.rand(150, 1, generator=generator) < share
        samples = torch.where(copied, train[torch.randperm(150, generator=generator)], samples)
        found.append(Nearer(Index(train), Index(held_out))(samples))
    spread = torch.tensor([one.value for one in found]).std().item()
    assert 0.7 < sum(one.se for one in found) / len(found) / spread < 1.3
    if share == 0:
        low = sum((one.p_value or 0) < 0.05 for one in found)
        assert low <= 22  # 10 are expected; 22 are four standard deviations more.


def test_a_density_that_remembers_tells_training_rows() -> None:
    assert membership(torch.zeros(300), torch.full((300,), -5.0)).value == 1


def test_one_that_learned_what_holds_for_new_rows_does_not() -> None:
    generator = Generator().manual_seed(2)
    found = []
    for _ in range(200):
        train, held_out = (gauss(100, generator, 1)[:, 0] for _ in range(2))
        found.append(membership(-train.square(), -held_out.square()))
    values = torch.tensor([one.value for one in found])
    assert values.mean().item() == pytest.approx(0.5, abs=4 * values.std().item() / 200**0.5)
    assert 0 < sum((one.p_value or 0) < 0.05 for one in found) <= 22  # 10 are expected.
