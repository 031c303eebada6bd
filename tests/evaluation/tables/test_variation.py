import itertools
import math

import pytest
import torch
from torch import Generator, Tensor

from ancestral.evaluation.tables.variation import (
    PAIRS,
    dependence,
    joint,
    pairs_of,
    total_variation,
)


def draws(law: list[float], n: int, generator: Generator) -> Tensor:
    return torch.multinomial(torch.tensor(law).double(), n, replacement=True, generator=generator)


def test_the_distance_of_two_known_laws() -> None:
    generator = Generator().manual_seed(0)
    one, two = [0.5, 0.3, 0.2, 0.0], [0.2, 0.3, 0.3, 0.2]
    x, y = (draws(law, 40_000, generator)[:, None] for law in (one, two))
    values, mean = total_variation(x, y, [4], [(0,)])
    assert mean.value == values[0].item() == pytest.approx(0.3, abs=5 * mean.se)
    assert mean.se < 0.005


def test_equal_and_disjoint_tables() -> None:
    x = torch.arange(6)[:, None] % 3
    assert total_variation(x, x, [6], [(0,)])[1].value == 0
    assert total_variation(x, x + 3, [6], [(0,)])[1].value == pytest.approx(1)


def test_pairs_see_what_columns_alone_do_not() -> None:
    generator = Generator().manual_seed(1)
    first = torch.randint(2, (20_000,), generator=generator)
    second = torch.randint(2, (20_000,), generator=generator)
    x, y = torch.stack((first, first), 1), torch.stack((first, second), 1)
    alone = total_variation(x, y, [2, 2], [(0,), (1,)])[1].value
    together = total_variation(x, y, [2, 2], [(0, 1)])[1].value
    assert alone < 0.01
    assert together == pytest.approx(0.5, abs=0.01)  # A quarter of the mass on each wrong cell.


@pytest.mark.parametrize("size", [1, 2])
@pytest.mark.parametrize(("cells", "shift"), [(8, 0.0), (30, 0.0), (8, 0.02), (8, 0.3), (30, 0.05)])
def test_the_standard_error_is_the_spread_over_fresh_draws(
    cells: int, shift: float, size: int
) -> None:
    generator = Generator().manual_seed(2)
    law = torch.ones(cells).double() / cells
    other = law * torch.where(torch.arange(cells) % 2 == 0, 1 + shift, 1 - shift)
    n, m, columns = 600, 400, 4
    groups = list(itertools.combinations(range(columns), size))

    def rows(probabilities: Tensor, count: int) -> Tensor:
        # Columns share a cell half the time: a row counts in all of them alike.
        base = torch.multinomial(probabilities, count, replacement=True, generator=generator)
        own = torch.multinomial(
            probabilities, count * columns, replacement=True, generator=generator
        ).reshape(count, columns)
        keep = torch.rand(count, columns, generator=generator) < 0.5
        return torch.where(keep, base[:, None], own)

    found = [
        total_variation(rows(other, n), rows(law, m), [cells] * columns, groups)[1]
        for _ in range(300)
    ]
    spread = torch.tensor([one.value for one in found]).std().item()
    claimed = sum(one.se for one in found) / len(found)
    assert 0.7 < claimed / spread < 1.3


def test_the_error_of_a_difference_is_less_than_of_two() -> None:
    generator = Generator().manual_seed(3)
    y = draws([0.5, 0.5], 300, generator)[:, None]
    far, near = (draws([1 - p, p], 30_000, generator)[:, None] for p in (0.9, 0.8))
    one, two = (total_variation(x, y, [2], [(0,)])[1] for x in (far, near))
    assert one.deviations is not None
    assert two.deviations is not None
    error = (one.deviations - two.deviations).square().sum().sqrt().item()
    assert error < 0.3 * math.hypot(one.se, two.se)


def test_of_many_columns_some_pairs_are_taken_always_the_same() -> None:
    assert len(pairs_of(20, seed=0)) == 190
    many = pairs_of(60, seed=0)
    assert len(set(many)) == PAIRS
    assert many == pairs_of(60, seed=0) != pairs_of(60, seed=1)


def test_cells_together() -> None:
    x = torch.tensor([[1, 0, 2], [0, 1, 1]])
    assert joint(x, [2, 2, 3], (0, 2)).tolist() == [5, 1]


def test_dependence_of_equal_and_of_independent_columns() -> None:
    generator = Generator().manual_seed(4)
    first, second = torch.randint(5, (2, 5000), generator=generator)
    found = dependence(torch.stack((first, first, second), 1), [5, 5, 5])
    assert found[0, 1] == pytest.approx(1, abs=1e-3)
    assert found[0, 2] < 0.03
    assert torch.equal(found, found.T)
    constant = torch.zeros(50, 2, dtype=torch.int64)
    assert dependence(constant, [1, 1])[0, 1] == 0


def test_too_few_rows() -> None:
    x = torch.zeros(1, 1, dtype=torch.int64)
    with pytest.raises(ValueError, match="need 2 rows"):
        total_variation(x, x, [1], [(0,)])
