"""Models of a mixed table whose faults are known must be found out, and a good one left alone."""
# ruff: noqa: ARG002 - the models here keep the whole signature of their capabilities.

import math
from collections.abc import Iterator
from dataclasses import replace

import pytest
import torch
from torch import Generator, Tensor, nn

from ancestral.capabilities import Given
from ancestral.data.columns import Column, Vector
from ancestral.data.dataset import Dataset, Examples
from ancestral.data.transforms import Affine
from ancestral.errors import ConfigError
from ancestral.evaluation import Evaluation, Figure, Setting, bench_of, evaluate
from ancestral.evaluation.report import ModelEntry, Section, render_report
from ancestral.evaluation.tables import Tables
from ancestral.evaluation.tables.coding import texts
from ancestral.evaluation.walks import EVALUATIONS
from ancestral.networks.units import InDataUnits

DAY = 86_400.0
FIELD = Vector(
    columns=(
        Column(name="age", type="integer", resolution=1, form="0"),
        Column(name="price", resolution=0.01, form="2", gaps=True),
        Column(name="city", type="category", states=("Lima", "Oslo", "Rome"), gaps=True, gap="?"),
        Column(name="paid", type="truth", states=("FALSE", "TRUE")),
        Column(name="day", type="date", resolution=DAY, form="%d/%m/%Y"),
    ),
    mixed=True,
)
SETTING = Setting(samples=1500, references=1500)


def law(n: int, generator: Generator | None = None) -> Tensor:
    """Ages that make prices, gaps by city, and whether it is paid by the price."""
    age = (18 + 60 * torch.rand(n, generator=generator, dtype=torch.float64)).floor()
    noise = torch.randn(n, generator=generator, dtype=torch.float64)
    price = (100 * (age / 10 + noise).exp().clamp(max=5000)).round() / 100
    city = torch.randint(3, (n,), generator=generator).double()
    paid = (torch.rand(n, generator=generator) < (age - 18) / 60).double()
    day = 15_000 * DAY + DAY * torch.randint(2000, (n,), generator=generator).double()
    lost = torch.rand(n, generator=generator) < 0.1 * (city + 1)
    price = torch.where(lost, math.nan, price)
    city = torch.where(torch.rand(n, generator=generator) < 0.05, math.nan, city)
    return torch.stack((age, price, city, paid, day), dim=1)


def log_age(x: Tensor) -> Tensor:
    return torch.full((len(x),), -math.log(60), dtype=torch.float64)


class Sampler(nn.Module):
    """Draws whole rows of a table, or every column by itself."""

    def __init__(self, rows: Tensor, *, apart: bool = False) -> None:
        super().__init__()
        self.register_buffer("rows", rows)
        self.apart = apart

    def sample(
        self, n: int, *, given: Given | None = None, generator: Generator | None = None
    ) -> Tensor:
        def cells() -> Tensor:
            return torch.randint(len(self.rows), (n,), generator=generator)

        if not self.apart:
            return self.rows[cells()]
        return torch.stack([column[cells()] for column in self.rows.T], dim=1)


class Truth(nn.Module):
    """The law itself; its log p is that of the age alone, which gaps do not touch."""

    def sample(
        self, n: int, *, given: Given | None = None, generator: Generator | None = None
    ) -> Tensor:
        return law(n, generator)

    def log_prob(self, x: Tensor, *, given: Given | None = None) -> Tensor:
        return log_age(x)


class Remembers(nn.Module):
    """Gives more mass to rows that it was trained on."""

    def __init__(self, rows: Tensor) -> None:
        super().__init__()
        self.register_buffer("rows", rows.float())  # As a model sees them.

    def log_prob(self, x: Tensor, *, given: Given | None = None) -> Tensor:
        known = (x[:, None].nan_to_num(-1.0) == self.rows[None].nan_to_num(-1.0)).all(dim=2)
        return log_age(x) + known.any(dim=1).double()


def table(train: int = 3000, other: int = 1500) -> Dataset:
    generator = Generator().manual_seed(1)
    train_, validation, test = (Examples(law(n, generator)) for n in (train, other, other))
    return Dataset(
        name="shop",
        source="shop.csv",
        fields={"x": FIELD},
        train=train_,
        validation=validation,
        test=test,
    )


@pytest.fixture(scope="module")
def data() -> Dataset:
    return table()


@pytest.fixture(scope="module")
def bench(data: Dataset) -> Tables:
    found = bench_of(data, SETTING)
    assert isinstance(found, Tables)
    return found


def units(model: nn.Module) -> InDataUnits:
    width = len(FIELD.columns)
    return InDataUnits(model, Affine(torch.zeros(width), torch.ones(width)))


def measure(model: nn.Module, bench: Tables) -> Evaluation:
    return evaluate(units(model), bench.data, bench=bench)


@pytest.fixture(scope="module")
def of_truth(bench: Tables) -> Evaluation:
    return measure(Truth(), bench)


@pytest.fixture(scope="module")
def of_apart(bench: Tables, data: Dataset) -> Evaluation:
    return measure(Sampler(data.train.x, apart=True), bench)


@pytest.fixture(scope="module")
def of_copier(bench: Tables, data: Dataset) -> Evaluation:
    return measure(Sampler(data.train.x), bench)


def figure(found: Evaluation, name: str) -> Figure:
    value = found.figures[name]
    assert value is not None, found.notes
    return value


def test_the_truth_is_at_the_floor(of_truth: Evaluation) -> None:
    assert of_truth.notes == ()
    names = (
        "column_tv", "pair_tv", "detection_auc", "utility", "copied_rows", "nearer_training",
        "membership_auc",
    )  # fmt: skip
    for name in names:
        one = figure(of_truth, name)
        assert one.floor is not None
        assert one.se is not None
        assert abs(one.value - one.floor) < 6 * one.se, name
        assert of_truth.definitions[name]
    assert 0.01 < figure(of_truth, "column_tv").value < 0.05


def test_held_out_nats_a_row_where_cells_are_missing(of_truth: Evaluation) -> None:
    one = figure(of_truth, "log_prob")
    assert one.value == pytest.approx(-math.log(60))
    assert (one.unit, one.kind) == ("nats", "exact")


def test_columns_drawn_apart_are_right_alone_and_wrong_in_pairs(of_apart: Evaluation) -> None:
    alone, pairs = figure(of_apart, "column_tv"), figure(of_apart, "pair_tv")
    assert alone.value < (alone.floor or 0) + 4 * (alone.se or 0)
    assert pairs.value > (pairs.floor or 0) + 10 * (pairs.se or 0)
    assert figure(of_apart, "detection_auc").value > 0.7
    useful = figure(of_apart, "utility")
    assert useful.value < 0.55 < 0.7 < (useful.floor or 0)
    assert figure(of_apart, "copied_rows").value == 0


def test_a_copier_is_found_out(of_copier: Evaluation) -> None:
    assert figure(of_copier, "copied_rows").value == 1
    assert figure(of_copier, "copied_rows").floor == 0
    nearer = figure(of_copier, "nearer_training")
    # Copies of one training row in two are nearer to that half of the training rows.
    assert nearer.value > 0.65
    assert nearer.p_value is not None
    assert nearer.p_value < 1e-6


def test_a_likelihood_that_remembers_is_found_out(bench: Tables, data: Dataset) -> None:
    found = measure(Remembers(data.train.x), bench)
    assert figure(found, "membership_auc").value == 1
    assert "column_tv" not in found.figures


def test_samples_with_gaps_are_measured_and_infinite_ones_are_not(bench: Tables) -> None:
    rows = law(500)
    rows[3, 1] = math.inf
    found = measure(Sampler(rows), bench)
    assert found.figures["pair_tv"] is None
    assert "not finite" in found.notes[0]


def test_the_target_is_the_only_truth_value_or_the_one_asked_for(data: Dataset) -> None:
    assert Tables(data, Setting()).target == 3
    assert Tables(data, Setting(target="price")).target == 1
    columns = tuple(replace(c, type="truth") if c.name == "city" else c for c in FIELD.columns)
    two = replace(data, fields={"x": Vector(columns=columns, mixed=True)})
    assert Tables(two, Setting()).target is None
    with pytest.raises(ConfigError, match="target must be a column of shop, got 'prize'; did you"):
        bench_of(data, Setting(target="prize"))


def test_a_target_is_of_mixed_tables_only(data: Dataset) -> None:
    plain = replace(data, fields={"x": Vector.of_numbers(data.columns)})
    with pytest.raises(ConfigError, match="target must be left out of vectors"):
        bench_of(plain, Setting(target="age"))


def test_few_rows_leave_out_detection_with_a_remedy() -> None:
    small = table(train=200, other=30)
    found = evaluate(units(Truth()), small)
    assert found.figures["detection_auc"] is None
    assert found.figures["column_tv"] is not None
    (note,) = found.notes
    assert note.startswith("detection: needs at least 50 training and 50 test rows, got 200 and 30")
    assert "fractions=" in note


def test_a_table_of_one_column() -> None:
    generator = Generator().manual_seed(2)
    parts = [Examples(law(n, generator)[:, 2:3]) for n in (200, 60, 60)]
    one = Dataset(
        name="one",
        source="one",
        fields={"x": Vector(columns=FIELD.columns[2:3], mixed=True)},
        train=parts[0],
        validation=parts[1],
        test=parts[2],
    )
    model = InDataUnits(Sampler(parts[0].x), Affine(torch.zeros(1), torch.ones(1)))
    found = evaluate(model, one)
    assert found.notes == ()
    assert "pair_tv" not in found.figures
    assert figure(found, "column_tv").value < 0.2
    page = render_report(title="one", sections=[_section(one, a=found)])
    assert "How columns depend" not in page


def test_what_evaluations_are_worth_is_told_by_pairs_of_columns(data: Dataset) -> None:
    rows, width = data.train.x, len(FIELD.columns)

    def walk(
        model: Sampler,
        n: int,
        *,
        evaluations: int | None = None,
        given: Given | None = None,
        generator: Generator | None = None,
    ) -> Iterator[Tensor]:
        yield Sampler(rows, apart=True).sample(n, generator=generator)
        yield Sampler(rows, apart=evaluations == 1).sample(n, generator=generator)

    flat = Affine(torch.zeros(width), torch.ones(width))
    model = InDataUnits(Sampler(rows), flat, walk=walk)
    found = evaluate(model, data, bench=bench_of(data, SETTING))
    (_, first), *others = found.by_evaluations
    whole = figure(found, "pair_tv")
    assert [count for count, _ in found.by_evaluations] == [*EVALUATIONS]
    assert {each.floor for _, each in found.by_evaluations} == {whole.floor}
    assert first.value > 1.3 * whole.value
    for _, each in others:
        assert each.value == pytest.approx(whole.value, rel=0.2)
    page = render_report(title="steps", sections=[_section(data, steps=found)])
    assert "Distance to held-out data (total variation of pairs), by how often" in page
    assert page.count("states of draws from steps on their way") == 2
    assert "price</text>" in page


def test_facts_are_the_columns_and_their_types(bench: Tables) -> None:
    facts = dict(bench.facts())
    assert facts["shape"] == "5: 1 integer, 1 number, 1 category, 1 truth, 1 date"
    assert facts["columns"].startswith("age (integer), price (number), city (category)")
    assert facts["missing cells"].endswith("in 2 of 5 columns")


def _section(data: Dataset, **found: Evaluation) -> Section:
    entries = [ModelEntry(name=name, evaluation=each) for name, each in found.items()]
    return Section(data=data, entries=entries)


def test_the_report_shows_columns_pairs_rows_and_privacy(
    data: Dataset, of_truth: Evaluation, of_apart: Evaluation, of_copier: Evaluation
) -> None:
    section = _section(data, truth=of_truth, apart=of_apart, copier=of_copier)
    page = render_report(title="shop", sections=[section])
    for column in FIELD.columns:
        assert f'{column.name} <span class="what">{column.type}</span>' in page
    assert page.count("total variation: truth ") == len(FIELD.columns)
    assert "apart, less real" in page
    assert page.count("missing</text>") >= 2
    # Rows in the file's own writing.
    assert of_copier.samples is not None
    day = FIELD.columns[4]
    assert "100.00% (99.91% to 100.00%)" in page
    assert "they cannot show that nobody is found" in page
    assert f"<td>{texts(day, of_copier.samples[:1, 4])[0]}</td>" in page


def test_models_that_were_not_measured_are_shown(data: Dataset, bench: Tables) -> None:
    shown = bench.show(units(Truth()))
    page = render_report(title="shop", sections=[_section(data, truth=shown)])
    assert "Column by column" in page
    assert "Privacy" not in page
