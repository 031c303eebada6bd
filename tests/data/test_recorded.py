"""How numbers were recorded: decimals, steps, what recurs; and what models make of it."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from ancestral.data import load
from ancestral.data.column_transforms import Recorded, Varying
from ancestral.data.columns import Column, Vector
from ancestral.data.model_units import build, flat, noiseless, series
from ancestral.data.recorded import grid_of, recorded, varying
from ancestral.data.toys import TOYS
from ancestral.data.transforms import Affine


def normal(n: int = 400, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=n)


@pytest.mark.parametrize(
    ("values", "decimals", "step", "recurs"),
    [
        (np.round(normal(), 1), 1, 0.1, True),
        (np.round(normal() * 20), 0, 1.0, True),
        (np.round(normal() * 20) * 5, 0, 5.0, True),
        (np.round(normal() * 100) / 20, 2, 0.05, True),
        (np.arange(400) / 8, 3, 0.125, False),
        (np.round(normal(), 6), 6, 1e-6, False),
        (normal(), None, None, False),
        (np.where(normal() > 0, 0.0, normal(seed=1)), None, None, True),
        # Standardised whole numbers: the step is no round decimal.
        ((np.round(normal() * 4) - 0.123456789) / 3.987654321, None, 1 / 3.987654321, True),
        (np.round(normal(), 1).astype(np.float32).astype(np.float64), None, 0.1, True),
        (np.full(400, 7.0), 0, None, True),
    ],
)
def test_the_grid_of_a_column(
    values: np.ndarray, decimals: int | None, step: float | None, recurs: bool
) -> None:
    grid = grid_of(values)
    assert (grid.decimals, grid.recurs) == (decimals, recurs)
    assert grid.step == (step and pytest.approx(step, rel=1e-5))
    assert (grid.low, grid.high) == (values.min(), values.max())


def test_how_likely_a_number_is_an_old_one_by_chance() -> None:
    assert grid_of(normal()).filled == 0
    assert grid_of(np.round(normal(), 4)).filled < 0.05
    assert grid_of(np.round(normal(), 1)).filled > 0.9


def test_numbers_too_large_for_their_units_have_no_grid() -> None:
    assert grid_of(normal() * 1e300).decimals is None


@pytest.mark.parametrize("name", TOYS)
def test_nothing_changes_at_full_precision(name: str) -> None:
    data = load(name)
    assert all(column == Column(name=column.name) for column in data.field.columns)
    assert data.notes == ()
    assert isinstance(flat(data), Affine)


@pytest.fixture
def people(tmp_path: Path) -> Path:
    random = np.random.default_rng(0)
    path = tmp_path / "people.csv"
    rows = zip(random.integers(18, 90, 300), random.normal(30, 9, 300).round(2),
               random.normal(size=300).tolist(), [7] * 300, strict=True)  # fmt: skip
    path.write_text("age,price,fine,same\n" + "".join(f"{a},{p},{f},{s}\n" for a, p, f, s in rows))
    return path


def test_what_was_found_is_said(people: Path) -> None:
    data = load(str(people))
    same, steps, samples = data.notes
    assert same.endswith("given back: same 7")
    assert "age 1" in steps
    assert "fine" not in steps
    assert samples == "samples are rounded as the file is and kept in its range, but for fine"
    age, _, fine, same = data.field.columns
    assert (age.low, age.high, age.resolution, age.form) == (18, 89, 1, "0")
    assert fine == Column(name="fine")
    assert same.constant
    assert varying(data.field).names == ("age", "price", "fine")


def test_columns_that_are_described_already_stay_as_they_are() -> None:
    field = Vector(columns=(Column(name="a", resolution=0.5),))
    assert recorded(field, [torch.arange(20.0)[:, None] % 3]) == (field, ())


def test_numbers_are_spread_over_their_step_and_come_back(people: Path) -> None:
    data = load(str(people))
    data = replace(data, fields={"x": varying(data.field)}, train=data.train)
    data = replace(data, train=type(data.train)(data.train.x[:, :3]))
    transform = flat(data)
    y, log_det = transform.forward_and_log_det(data.train.x)
    again = build(transform.spec())
    again.load_state_dict(transform.state_dict())
    assert not transform.exact
    assert not again.exact
    assert torch.equal(again.inverse(y)[:, :2], data.train.x[:, :2])
    assert (y.mean(dim=0).abs() < 0.1).all()
    assert (y.std(dim=0, correction=0) - 1 < 0.05).all()
    inner = transform.parts[0]
    spread = inner(data.train.x) - data.train.x
    assert spread[:, 0].abs().max() <= 0.5
    assert spread[:, 0].std().item() == pytest.approx(12**-0.5, rel=0.1)
    assert bool((spread[:, 2] == 0).all())
    assert torch.equal(log_det, -transform.parts[1].std.log().sum().expand(len(y)))
    assert noiseless(data).exact
    assert not series(data).exact


def test_the_mean_density_of_a_cell_is_bounded_below() -> None:
    # A density that is all in the middle of each cell gains nothing: it pays off the middle.
    one = torch.ones(1)
    transform = Recorded(one, -one, 0 * one, one)
    x = torch.zeros(20_000, 1, dtype=torch.float64)
    y, _ = transform.forward_and_log_det(x, torch.Generator().manual_seed(0))
    for width in (1.0, 0.1, 0.01):
        law = torch.distributions.Normal(0.0, width)
        bound = law.log_prob(y).mean().item()
        assert bound <= (law.cdf(torch.tensor(0.5)) - law.cdf(torch.tensor(-0.5))).log().item()


def test_what_is_not_finite_stays_so() -> None:
    one = torch.ones(3)
    found = Recorded(one, one, 0 * one, one).inverse(torch.tensor([[math.nan, math.inf, 9.0]]))
    assert found[0, 0].isnan()
    assert found[0, 1:].tolist() == [math.inf, 1.0]


def test_a_column_of_one_value_has_probability_one_and_nothing_else_any() -> None:
    transform = Varying(torch.tensor([True, False, True]), torch.tensor([0.0, 7.0, 0.0]))
    x = torch.tensor([[1.0, 7.0, 2.0], [1.0, 7.5, 2.0]], dtype=torch.float64)
    y, log_det = transform.forward_and_log_det(x)
    assert y.tolist() == [[1.0, 2.0], [1.0, 2.0]]
    assert log_det.tolist() == [0.0, -math.inf]
    assert transform.inverse(y).tolist() == [[1.0, 7.0, 2.0]] * 2
    assert build(transform.spec()).values.shape == (3,)


def test_atoms_at_full_precision_are_spread_over_a_millionth_of_the_range() -> None:
    x = torch.from_numpy(np.where(normal() > 0, 0.0, normal(seed=1)))[:, None]
    field, notes = recorded(Vector.of(x), [x])
    (column,) = field.columns
    assert column.resolution == pytest.approx(float(x.max() - x.min()) / 1e6)
    assert column.form == ""
    assert "numbers that recur" in notes[0]
