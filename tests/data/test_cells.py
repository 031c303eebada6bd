import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Generator, Tensor

from ancestral.data.cells import Cells, fit_cells, on_grid
from ancestral.data.columns import Column, Vector
from ancestral.data.fields import Shape
from ancestral.data.model_units import build
from ancestral.errors import DataError


def numbers(low: float, high: float, step: float = 1.0, *, gaps: bool = False) -> Vector:
    form = ",".join(("", str(max(0, round(-math.log10(step))))))
    column = Column(name="n", resolution=step, low=low, high=high, gaps=gaps, form=form)
    return Vector(columns=(column,), mixed=True)


def grid(field: Vector) -> Tensor:
    (column,) = field.columns
    assert column.low is not None
    assert column.high is not None
    assert column.resolution is not None
    count = round((column.high - column.low) / column.resolution) + 1
    return (column.low + torch.arange(count).double() * column.resolution)[:, None]


@settings(max_examples=60, deadline=None)
@given(
    values=st.lists(st.integers(0, 400), min_size=1, max_size=300),
    most=st.integers(1, 40),
    power=st.integers(0, 3),
)
def test_the_values_of_a_cell_have_probabilities_that_add_up_to_one(
    values: list[int], most: int, power: int
) -> None:
    step = 10.0**-power
    field = numbers(0, 400 * step, step)
    x = torch.tensor(values)[:, None].double() * step
    cells = fit_cells(x, field, most=most)
    place, log_mass = cells.located(grid(field))
    assert bool(log_mass.isfinite().all())
    sums = torch.zeros(int(place.max()) + 1, dtype=torch.float64)
    sums.index_add_(0, place[:, 0], log_mass[:, 0].exp())
    torch.testing.assert_close(sums, torch.ones_like(sums))
    assert len(cells.names(0)) == len(sums)


@settings(max_examples=60, deadline=None)
@given(values=st.lists(st.integers(-50, 50), min_size=1, max_size=200), most=st.integers(1, 20))
def test_a_value_drawn_in_a_cell_lies_in_it(values: list[int], most: int) -> None:
    x = torch.tensor(values)[:, None].double()
    cells = fit_cells(x, numbers(-50, 50), most=most)
    y = cells(x)
    again = cells.inverse(y, Generator().manual_seed(0))
    assert torch.equal(cells(again), y)
    assert bool(((again >= -50) & (again <= 50) & (again == again.round())).all())


def test_draws_follow_the_law_inside_the_cell() -> None:
    generator = Generator().manual_seed(0)
    x = torch.randint(0, 60, (400, 1), generator=generator).double()
    x[:150] = 7  # An atom.
    field = numbers(0, 59)
    cells = fit_cells(x, field, most=3)
    place, log_mass = cells.located(grid(field))
    n = 40_000
    for cell in range(int(place.max()) + 1):
        draws = cells.inverse(torch.full((n, 1), cell), generator)[:, 0].long()
        share = draws.bincount(minlength=60).double() / n
        expected = torch.where(place[:, 0] == cell, log_mass[:, 0].exp(), 0.0)
        # Five standard errors of a share of n draws.
        assert bool(((share - expected).abs() < 5 * (expected / n).sqrt() + 1e-9).all())


def test_a_frequent_value_has_a_cell_of_its_own_and_equal_values_are_atoms() -> None:
    x = torch.cat((torch.zeros(600), torch.linspace(1, 400, 400).round())).double()[:, None]
    cells = fit_cells(x, numbers(0, 400), most=10)
    y, log_mass = cells.located(torch.tensor([[0.0], [1.0]]))
    assert y[0] == 0
    assert y[1] == 1
    assert abs(log_mass[0].item()) < 1e-12  # Nothing else is in the cell.


def test_unseen_values_are_possible_and_what_five_rows_have_is_likelier() -> None:
    x = torch.tensor([3.0] * 5 + [5.0] * 4 + [8.0])[:, None].double()
    _, log_mass = fit_cells(x, numbers(0, 9), most=1).located(grid(numbers(0, 9)))
    assert log_mass[3] > log_mass[5] == log_mass[4]


def test_a_missing_cell_is_a_value_where_there_are_gaps_and_unknown_where_there_are_none() -> None:
    columns = (
        Column(name="a", type="category", states=("no", "yes"), gaps=True),
        Column(name="b", type="category", states=("no", "yes")),
    )
    x = torch.tensor([[math.nan, 0.0], [1.0, math.nan]], dtype=torch.float64)
    cells = fit_cells(x, Vector(columns=columns, mixed=True))
    assert cells(x).tolist() == [[0, 0], [2, -1]]
    assert cells.names(0) == ("missing", "no", "yes")
    back = cells.inverse(torch.tensor([[0, 1], [1, 0]]))
    assert back[0].isnan().tolist() == [True, False]
    assert back[1].tolist() == [0, 0]


def test_a_constant_column_has_probability_one_and_is_given_back() -> None:
    cells = fit_cells(torch.full((5, 1), 7.0), numbers(7, 7))
    y, log_det = cells.forward_and_log_det(torch.tensor([[7.0]]))
    assert abs(log_det.item()) < 1e-12
    assert cells.inverse(y).item() == 7


def test_the_grid_is_exact_in_decimals() -> None:
    x = torch.tensor([0.1, 0.2, 0.3, 0.7, 2.9])[:, None].double()
    field = numbers(0.1, 2.9, 0.1)
    cells = fit_cells(x, field)
    drawn = cells.inverse(cells(x.repeat(50, 1)), Generator().manual_seed(0))
    assert bool((drawn == (drawn * 10).round() / 10).all())


def test_it_is_built_again_from_its_spec_and_state() -> None:
    x = torch.randint(0, 50, (100, 1), generator=Generator().manual_seed(0)).double()
    cells = fit_cells(x, numbers(0, 49, gaps=True), most=5)
    again = build(cells.spec())
    again.load_state_dict(cells.state_dict())
    assert isinstance(again, Cells)
    torch.testing.assert_close(again.located(x), cells.located(x))
    assert again.names(0) == cells.names(0)


def test_the_model_sees_a_field_of_states() -> None:
    cells = fit_cells(torch.arange(100).double()[:, None], numbers(0, 99), most=4)
    shape = cells.shape(Shape({"x": cells.field}))
    assert shape.states == (("0 to 24", "25 to 49", "50 to 74", "75 to 99"),)


def test_no_cells_are_refused() -> None:
    with pytest.raises(ValueError, match="most must be at least 1, got 0"):
        fit_cells(torch.zeros(3, 1), numbers(0, 1), most=0)


def test_moments_in_seconds_have_names_of_their_own() -> None:
    start = 1_704_067_200.0  # 2024-01-01.
    x = start + torch.arange(4).double().repeat(20)[:, None]
    column = Column(
        name="t", type="date", resolution=1.0, low=start, high=start + 3, form="%Y-%m-%d %H:%M:%S"
    )
    names = fit_cells(x, Vector(columns=(column,), mixed=True)).names(0)
    assert names == tuple(f"2024-01-01 00:00:0{second}" for second in range(4))


def test_too_wide_a_range_is_refused_by_name() -> None:
    with pytest.raises(DataError, match="column 'n' has too wide a range for steps of 1"):
        fit_cells(torch.tensor([[0.0], [1e30]], dtype=torch.float64), numbers(0, 1e30))


def test_fine_numbers_do_not_all_end_as_the_least_one() -> None:
    generator = Generator().manual_seed(0)
    x = torch.rand(200, 1, generator=generator, dtype=torch.float64) * 1000
    low, high = x.min().item(), x.max().item()
    column = Column(name="n", resolution=1e-6, low=low, high=high)
    cells = fit_cells(x, Vector(columns=(column,), mixed=True))
    drawn = cells.inverse(cells(x), generator)
    inside = drawn[(drawn > low) & (drawn < high)]
    torch.testing.assert_close(inside, (inside * 1e6).round() / 1e6, atol=1e-9, rtol=0)


def test_numbers_are_moved_to_the_nearest_that_may_be_recorded() -> None:
    word = Column(name="word", type="category", states=("a", "b"))
    field = Vector(columns=(*numbers(-1, 2, 0.25).columns, word), mixed=True)
    x = torch.tensor([[0.3, 1.0], [-7.0, 0.0], [9.0, 1.0], [math.nan, math.nan]]).double()
    expected = torch.tensor([[0.25, 1.0], [-1.0, 0.0], [2.0, 1.0], [math.nan, math.nan]]).double()
    torch.testing.assert_close(on_grid(x, field), expected, rtol=0, atol=0, equal_nan=True)
