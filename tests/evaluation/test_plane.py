import math
import re
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from ancestral.capabilities import Given
from ancestral.data.columns import Column, Vector
from ancestral.data.dataset import Dataset, Examples
from ancestral.data.transforms import Affine
from ancestral.evaluation import Evaluation, bench_of
from ancestral.evaluation.charts import Box
from ancestral.evaluation.figures import Kind
from ancestral.evaluation.plane import Density, marginals_of, nearest_rows, plane_of, thin
from ancestral.evaluation.report import ModelEntry, Section
from ancestral.evaluation.report.page import colors_of
from ancestral.networks.units import InDataUnits


def section_of(dimension: int, *entries: ModelEntry) -> Section:
    parts = [Examples(torch.randn(n, dimension, dtype=torch.float64)) for n in (400, 50, 60)]
    names = tuple(f"column {i}" for i in range(dimension))
    data = Dataset(
        name="normal",
        source="normal",
        fields={"x": Vector.of_numbers(names)},
        train=parts[0],
        validation=parts[1],
        test=parts[2],
    )
    return Section(data=data, entries=entries)


def log_normal(x: Tensor) -> Tensor:
    return -x.square().sum(dim=1) / 2 - math.log(2 * math.pi)


def density(log_prob: Callable[[Tensor], Tensor], kind: Kind = "exact") -> Density:
    return Density(log_prob(Box(-3, 3, -3, 3).grid(64)), kind)


def test_real_data_come_first_and_dashes_stay_empty() -> None:
    section = section_of(
        2,
        ModelEntry(
            name="kde",
            evaluation=Evaluation(samples=torch.randn(80, 2)),
            density=density(log_normal),
        ),
        ModelEntry(name="gan", evaluation=Evaluation(samples=torch.randn(80, 2))),
        ModelEntry(name="broken", error="loss is nan"),
    )
    plane = plane_of(section, colors_of(section))
    assert plane is not None
    assert [panel.name for panel in plane.panels] == ["real data", "kde", "gan"]
    assert [bool(panel.density) for panel in plane.panels] == [True, True, False]
    # The brightest colour stands for the peak of the density, -log 2 pi = -1.84.
    assert float(plane.high.replace("−", "-")) == pytest.approx(-1.84, abs=0.06)


@pytest.mark.parametrize(
    ("kind", "caption"),
    [
        ("exact", "log p(x)"),
        ("bound", "a bound on log p(x)"),
        ("estimate", "log p(x), estimated"),
    ],
)
def test_a_density_says_what_it_is(kind: Kind, caption: str) -> None:
    entry = ModelEntry(
        name="m",
        evaluation=Evaluation(samples=torch.randn(9, 2)),
        density=density(log_normal, kind),
    )
    plane = plane_of(section_of(2, entry), {"m": "red"})
    assert plane is not None
    assert plane.panels[1].density_caption == caption


def test_samples_outside_the_frame_are_counted_and_means_are_labelled() -> None:
    far = torch.full((7, 2), 1e3)
    found = Evaluation(samples=far, means=torch.zeros(5, 2))
    plane = plane_of(section_of(2, ModelEntry(name="m", evaluation=found)), {"m": "red"})
    assert plane is not None
    _, samples, means = plane.panels
    assert samples.caption == "7 samples, 7 outside the frame"
    assert means.caption == "5 means of p(x | z), not draws"
    assert (samples.means, means.means) == (False, True)
    assert not plane.bar


def test_more_columns_are_projected_and_drawn_one_by_one() -> None:
    entry = ModelEntry(name="m", evaluation=Evaluation(samples=torch.randn(40, 12)))
    section = section_of(12, entry)
    plane = plane_of(section, {"m": "red"})
    assert plane is not None
    assert "principal components" in plane.note
    assert not any(panel.density for panel in plane.panels)
    titles = [name for name, _ in marginals_of(section, {"m": "red"})]
    assert titles == [f"column {i}" for i in range(9)]


def test_the_first_component_is_the_direction_of_most_variance() -> None:
    section = section_of(3)
    x = section.data.train.x
    x[:, 2] = 3 * x[:, 0] + 0.01 * x[:, 2]  # Two of three standardised columns are one.
    plane = plane_of(section, {})
    assert plane is not None
    shares = [int(s) for s in re.findall(r"component \d \((\d+)%\)", plane.panels[0].scatter)]
    # Two equal columns and one alone, each of variance 1: two thirds and one third.
    assert shares[0] == pytest.approx(67, abs=4)
    assert shares[1] == pytest.approx(33, abs=4)


def test_a_single_column_has_a_histogram_only() -> None:
    entry = ModelEntry(name="m", evaluation=Evaluation(samples=torch.randn(40, 1)))
    section = section_of(1, entry)
    assert plane_of(section, {"m": "red"}) is None
    assert len(marginals_of(section, {"m": "red"})) == 1
    assert marginals_of(section_of(2), {}) == []


class Asked(nn.Module):
    """Keeps what it is asked for, and knows nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.points: list[Tensor] = []

    def log_prob(self, x: Tensor, *, given: Given | None = None) -> Tensor:
        del given
        self.points.append(x)
        return torch.full((len(x),), math.nan)


def test_the_density_is_asked_for_on_the_whole_frame_once() -> None:
    model, data = Asked(), section_of(2).data
    found = bench_of(data).density(InDataUnits(model, Affine(torch.zeros(2), torch.ones(2))))
    assert found is not None
    assert found.kind == "exact"
    points = torch.cat(model.points)
    assert len(points) == len(found.values) == 96 * 96
    assert Box.around(data.train.x).holds(points).all()
    assert max(map(len, model.points)) <= 1024
    plane = plane_of(Section(data=data, entries=[ModelEntry(name="m", density=found)]), {})
    assert plane is not None
    entry = ModelEntry(name="m", evaluation=Evaluation(samples=torch.randn(9, 2)), density=found)
    plane = plane_of(Section(data=data, entries=[entry]), {"m": "red"})
    assert plane is not None
    assert plane.panels[1].density  # No finite value: dark, but no failure.


def test_columns_of_a_mixed_table_are_shown_as_they_are() -> None:
    columns = (
        *Vector.of_numbers("ab").columns,
        Column(name="c", type="truth", states=("no", "yes")),
    )
    x = torch.cat((torch.randn(60, 2), torch.randint(2, (60, 1))), dim=1).double()
    parts = {name: Examples(x) for name in ("train", "validation", "test")}
    data = Dataset(name="m", source="m", fields={"x": Vector(columns=columns)}, **parts)
    found = Evaluation(samples=x[:9], nearest=x[:9])
    section = Section(data=data, entries=[ModelEntry(name="m", evaluation=found)])
    assert [name for name, _ in marginals_of(section, {"m": "red"})] == ["a", "b"]
    plane = plane_of(section, {"m": "red"})
    assert plane is not None
    assert "principal components" in plane.note
    ((_, pairs),) = nearest_rows(section)
    assert pairs[0][0][2] in ("no", "yes")


def test_thin_spreads_over_all_rows() -> None:
    x = torch.arange(10_000)
    few = thin(x, 100)
    assert len(few) == 100
    assert (few[0], few[-1]) == (0, 9999)
    assert len(thin(x, 20_000)) == 10_000
