import math
import re

import pytest
import torch
from torch import Tensor

from ancestral.data.dataset import Dataset, Examples
from ancestral.data.fields import Vector
from ancestral.evaluation.charts import Box
from ancestral.evaluation.report import ModelEntry, Section
from ancestral.evaluation.report.page import colors_of
from ancestral.evaluation.report.plane import marginals_of, plane_of, thin


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


def test_real_data_come_first_and_dashes_stay_empty() -> None:
    section = section_of(
        2,
        ModelEntry(name="kde", figures={}, samples=torch.randn(80, 2), log_density=log_normal),
        ModelEntry(name="gan", figures={}, samples=torch.randn(80, 2)),
        ModelEntry(name="broken", figures={}, error="loss is nan"),
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
def test_a_density_says_what_it_is(kind: str, caption: str) -> None:
    entry = ModelEntry(
        name="m",
        figures={},
        samples=torch.randn(9, 2),
        log_density=log_normal,
        log_density_kind=kind,  # type: ignore[arg-type]
    )
    plane = plane_of(section_of(2, entry), {"m": "red"})
    assert plane is not None
    assert plane.panels[1].density_caption == caption


def test_samples_outside_the_frame_are_counted() -> None:
    far = torch.full((7, 2), 1e3)
    entry = ModelEntry(name="m", figures={}, samples=far, samples_are_means=True)
    plane = plane_of(section_of(2, entry), {"m": "red"})
    assert plane is not None
    assert plane.panels[1].caption == "7 means of p(x | z), not draws, 7 outside the frame"
    assert not plane.bar


def test_more_columns_are_projected_and_drawn_one_by_one() -> None:
    entry = ModelEntry(name="m", figures={}, samples=torch.randn(40, 12), log_density=log_normal)
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
    entry = ModelEntry(name="m", figures={}, samples=torch.randn(40, 1))
    section = section_of(1, entry)
    assert plane_of(section, {"m": "red"}) is None
    assert len(marginals_of(section, {"m": "red"})) == 1
    assert marginals_of(section_of(2), {}) == []


def test_the_density_is_asked_for_on_the_whole_frame() -> None:
    asked: list[Tensor] = []

    def log_density(x: Tensor) -> Tensor:
        asked.append(x)
        return torch.full((len(x),), math.nan)

    entry = ModelEntry(name="m", figures={}, samples=torch.randn(9, 2), log_density=log_density)
    section = section_of(2, entry)
    plane = plane_of(section, {"m": "red"})
    assert plane is not None
    assert plane.panels[1].density  # No finite value: dark, but no failure.
    points = torch.cat(asked)
    box = Box.around(section.data.train.x)
    assert len(points) == 96 * 96
    assert box.holds(points).all()
    assert max(map(len, asked)) <= 1024


def test_thin_spreads_over_all_rows() -> None:
    x = torch.arange(10_000)
    few = thin(x, 100)
    assert len(few) == 100
    assert (few[0], few[-1]) == (0, 9999)
    assert len(thin(x, 20_000)) == 10_000
