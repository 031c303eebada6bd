import math

import pytest
import torch
from torch import Generator, Tensor

from ancestral.data import Column
from ancestral.recipes.expecting import expected

COLUMNS = (
    Column(name="size", resolution=0.01, low=0, high=1_000),
    Column(name="price", resolution=0.01, low=0, high=1_000),
    Column(name="kind", type="category", states=("a", "b", "c")),
)


def rows(n: int, seed: int = 0) -> Tensor:
    """Sizes with a long tail, prices in proportion, and the third of the sizes, [n, 3]."""
    generator = Generator().manual_seed(seed)
    z = torch.randn(n, generator=generator, dtype=torch.float64)
    noise = 0.05 * torch.randn(n, generator=generator, dtype=torch.float64)
    size = z.exp()
    return torch.stack((size, 2 * size * (1 + noise), (z > -0.43).double() + (z > 0.43)), dim=1)


def with_gaps(x: Tensor, share: float, seed: int = 1) -> Tensor:
    generator = Generator().manual_seed(seed)
    gone = torch.rand(x.shape, generator=generator, dtype=torch.float64) < share
    return x.masked_fill(gone, math.nan)


def fill(x: Tensor, known: Tensor, columns: tuple[Column, ...] = COLUMNS) -> Tensor:
    return expected(x, known, columns, generator=Generator().manual_seed(0))


def test_tails_are_told_by_what_is_known_and_states_by_numbers() -> None:
    x = rows(1_000)
    gaps = with_gaps(x, 0.15)
    filled = fill(gaps, gaps)
    asked, told = gaps.isnan(), ~gaps.isnan()
    assert torch.equal(filled[told], x[told])
    # Either number tells the other to a twentieth; where both are missing there is the state.
    one = asked[:, 1] & told[:, 0]
    error = (filled - x)[one, 1].square().mean().sqrt() / x[:, 1].std()
    assert error < 0.1
    known = asked[:, 2] & told[:, :2].any(dim=1)
    assert (filled == x)[known, 2].double().mean() > 0.85  # A guess is right for a third.


def test_rows_beyond_what_was_seen_stay_in_its_range() -> None:
    known = rows(200)
    asked = torch.tensor([[900.0, math.nan, 2.0], [math.nan, math.nan, math.nan]]).double()
    filled = fill(asked, known)
    assert bool(filled.isfinite().all())
    assert filled[0, 1] == known[:, 1].max()
    # Where nothing is known there are the means and the commonest state.
    torch.testing.assert_close(filled[1, :2], known[:, :2].mean(0), rtol=0.05, atol=0)
    assert filled[1, 2] == known[:, 2].long().bincount().argmax()


def test_rows_without_gaps_are_the_same() -> None:
    x = rows(20)
    assert torch.equal(fill(x, x), x)
    assert torch.equal(fill(with_gaps(x, 0.3), x), fill(with_gaps(x, 0.3), x))


@pytest.mark.parametrize("n", [1, 2, 30])
def test_columns_that_say_nothing(n: int) -> None:
    columns = (*COLUMNS, Column(name="none", resolution=1, low=0, high=9))
    known = torch.cat((rows(n), torch.full((n, 1), math.nan).double()), dim=1)
    known[:, 2] = 1.0
    asked = known.clone()
    asked[0, :] = math.nan
    filled = fill(asked, known, columns)
    assert bool(filled.isfinite().all())
    assert filled[0, 2] == 1


def test_of_many_states_the_commonest_are_told_apart() -> None:
    states = tuple(f"s{n}" for n in range(60))
    columns = (
        Column(name="n", resolution=1, low=0, high=1),
        Column(name="s", type="category", states=states),
    )
    generator = Generator().manual_seed(0)
    n = torch.arange(600) % 2
    rare = torch.randint(2, 60, (600,), generator=generator)
    s = torch.where(torch.rand(600, generator=generator) < 0.8, n, rare)
    known = torch.stack((n, s), dim=1).double()
    asked = torch.tensor([[0.0, math.nan], [1.0, math.nan]]).double()
    assert fill(asked, known, columns)[:, 1].tolist() == [0, 1]


def test_rare_states_are_not_taken_for_the_commonest() -> None:
    columns = (
        Column(name="n", resolution=1, low=0, high=1),
        Column(name="s", type="category", states=tuple(f"s{n}" for n in range(60))),
    )
    often, rare = torch.arange(32).repeat(20), torch.arange(32, 60).repeat(10)
    s = torch.cat((often, rare, torch.tensor([0, 40])))
    n = s >= 32
    known = torch.stack((n, s), dim=1).double()
    asked = torch.tensor([[1.0, math.nan]]).double()
    assert fill(asked, known, columns)[0, 1] == 40
