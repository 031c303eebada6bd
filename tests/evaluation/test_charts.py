import re
from itertools import pairwise
from xml.etree import ElementTree

import pytest
import torch

from ancestral.evaluation.charts import (
    Box,
    Curve,
    density,
    histogram,
    line_chart,
    nice_ticks,
    scatter,
    shorten,
    tick_text,
)

SVG = "{http://www.w3.org/2000/svg}"
BOX = Box(0.0, 1.0, 0.0, 1.0)


def paths_of(picture: str, **style: str) -> list[str]:
    """Commands of the paths with these attributes."""
    found = ElementTree.fromstring(picture.replace("<svg ", f'<svg xmlns="{SVG[1:-1]}" ', 1))
    return [
        path.attrib["d"]
        for path in found.iter(f"{SVG}path")
        if all(path.get(key) == value for key, value in style.items())
    ]


def test_a_box_holds_its_points_with_room_on_every_side() -> None:
    x = torch.tensor([[0.0, -1.0], [10.0, 1.0]])
    box = Box.around(x, margin=0.1)
    assert (box.left, box.right) == pytest.approx((-1, 11))
    assert (box.bottom, box.top) == pytest.approx((-1.2, 1.2))
    assert box.holds(torch.tensor([[0.0, 0.0], [12.0, 0.0], [0.0, 2.0]])).tolist() == [1, 0, 0]


def test_a_box_of_equal_points_is_not_empty() -> None:
    box = Box.around(torch.zeros(3, 2))
    assert box.left < 0 < box.right
    assert box.bottom < 0 < box.top


def test_the_grid_runs_by_rows_from_the_top() -> None:
    grid = Box(0.0, 2.0, 0.0, 4.0).grid(2)
    assert grid.tolist() == [[0.5, 3.0], [1.5, 3.0], [0.5, 1.0], [1.5, 1.0]]


def test_a_scatter_draws_every_point_inside_and_none_outside() -> None:
    x = torch.tensor([[0.5, 0.5], [0.1, 0.9], [7.0, 0.5]])
    reference = torch.rand(20, 2)
    picture = scatter(x, reference, box=BOX, color="red", axes=("a", "b"), label="points")
    (drawn,) = paths_of(picture, stroke="red")
    assert drawn.count("h0") == 2
    (behind,) = paths_of(picture, **{"stroke": "currentColor", "stroke-opacity": ".2"})
    assert behind.count("h0") == 20


def test_up_is_up() -> None:
    x = torch.tensor([[0.5, 0.1], [0.5, 0.9]])
    (path,) = paths_of(
        scatter(None, x, box=BOX, color="red", axes=("a", "b"), label=""), stroke="red"
    )
    low, high = (float(y) for _, y in re.findall(r"M([\d.]+) ([\d.]+)", path))
    assert low > high


def test_names_are_escaped() -> None:
    picture = scatter(
        None, torch.rand(3, 2), box=BOX, color="red", axes=("<script>", "b&c"), label="<i>"
    )
    assert "<script>" not in picture
    assert "&lt;script&gt;" in picture
    assert "b&amp;c" in picture
    assert "<title>&lt;i&gt;</title>" in picture


def test_a_density_panel_holds_its_picture() -> None:
    assert 'href="data:x"' in density("data:x", box=BOX, axes=("a", "b"), label="")


@pytest.mark.parametrize(
    ("low", "high"), [(0, 1), (-3.2, 17), (0.0401, 0.0403), (1e5, 9e6), (-1e-9, 1e-9), (995, 1004)]
)
def test_ticks_are_at_least_three_inside_and_even(low: float, high: float) -> None:
    ticks = nice_ticks(low, high)
    assert 3 <= len(ticks) <= 8
    slack = 1e-6 * (high - low)
    assert low - slack <= ticks[0]
    assert ticks[-1] <= high + slack
    steps = [b - a for a, b in pairwise(ticks)]
    assert steps == pytest.approx([steps[0]] * len(steps))


def test_ticks_of_an_empty_range_are_its_only_value() -> None:
    assert nice_ticks(2.0, 2.0) == [2.0]


@pytest.mark.parametrize(
    ("value", "text"), [(-0.5, "−0.5"), (2500, "2.5k"), (3e6, "3M"), (0.25, "0.25"), (0, "0")]
)
def test_ticks_are_short(value: float, text: str) -> None:
    assert tick_text(value) == text


def test_shorten_keeps_short_texts() -> None:
    assert shorten("abc", 3) == "abc"
    assert shorten("abcd", 3) == "ab…"


def test_a_long_curve_is_gathered_and_its_range_kept() -> None:
    values = [0.0, 1.0] * 4800
    picture = line_chart(Curve("loss", range(9600), values), color="red", label="")
    (line,) = paths_of(picture, stroke="red")
    heights = {point.split(",")[1] for point in line[1:].split("L")}
    assert line.count("L") < 160
    assert len(heights) == 1  # Every bucket has the mean 0.5.
    (band,) = paths_of(picture, fill="red")
    assert len({point.split(",")[1] for point in band[1:-1].split("L")}) == 2


def test_the_best_value_is_circled() -> None:
    curve = Curve("elbo", [0, 10, 20], [1.0, 3.0, 2.0], best=1)
    assert line_chart(curve, color="red", label="").count("<circle") == 1
    plain = Curve("elbo", [0, 10, 20], [1.0, 3.0, 2.0])
    assert "<circle" not in line_chart(plain, color="red", label="")


def test_a_best_value_at_the_end_is_not_cut_off() -> None:
    picture = line_chart(Curve("a", [0, 50], [2.0, 1.0], best=1), color="red", label="")
    ((x, radius),) = re.findall(r'<circle cx="([\d.]+)" cy="[\d.]+" r="(\d)"', picture)
    assert float(x) + float(radius) < 300 - 6  # The frame ends 6 pixels before the edge.


def test_a_single_value_is_a_dot() -> None:
    assert line_chart(Curve("a", [0], [0.0]), color="red", label="").count("<circle") == 1


def test_a_second_curve_is_drawn_over_the_first_on_the_same_axes() -> None:
    training = Curve("loss", [0, 10, 20], [4.0, 2.0, 1.0])
    validation = Curve("validation loss", [10, 20], [2.0, 6.0], best=0)
    picture = line_chart(training, color="red", label="", other=validation)
    (first,) = paths_of(picture, stroke="red")
    lines = paths_of(picture, stroke="currentColor")
    over = next(line for line in lines if line.count("L") == 1)
    assert over[1:].split("L")[0] == first[1:].split("L")[1]  # Both are 2 at step 10.
    # The dashed line stands at the best step, and the circle on it.
    (dashed,) = paths_of(picture, **{"stroke-dasharray": "3 3"})
    assert dashed == f"M{over[1:].split(',')[0]},0V210"
    assert "best, step 10" in picture
    assert picture.count("<circle") == 1


def test_a_histogram_has_an_outline_for_every_model() -> None:
    reference = torch.linspace(0, 1, 1000)
    same, other = reference.clone(), torch.full((10,), 50.0)
    picture = histogram([(same, "red"), (other, "blue")], reference, label="h")
    (real,) = paths_of(picture, **{"fill": "currentColor"})
    (red,) = paths_of(picture, stroke="red")
    (blue,) = paths_of(picture, stroke="blue")
    assert red == real.removesuffix("Z")
    assert len({point.split(",")[1] for point in blue[1:].split("L")}) == 1  # All are outside.


def test_a_histogram_of_a_constant_column() -> None:
    assert "<svg" in histogram([], torch.ones(50), label="h")


def test_what_is_missing_is_a_bar_of_its_own() -> None:
    half = torch.cat((torch.linspace(0, 1, 500), torch.full((500,), torch.nan)))
    picture = histogram([(half[:500], "red")], half, label="h")
    (real,) = paths_of(picture, **{"fill": "currentColor"})
    (red,) = paths_of(picture, stroke="red")
    assert real.count("M") == red.count("M") == 2
    bars, missing = (
        [point.split(",") for point in part.split("L")] for part in real[1:-1].split("ZM")
    )
    floor = float(missing[0][1])
    # Half of the rows are in one bar as wide as two, so that areas are shares.
    one = [float(x) for x, _ in bars[1:3]]
    wide = [float(x) for x, _ in missing[1:3]]
    assert wide[1] - wide[0] == pytest.approx(2 * (one[1] - one[0]), abs=0.3)
    assert float(missing[1][1]) < floor
    gone = red[1:].split("M")[1].split("L")
    assert {point.split(",")[1] for point in gone} == {missing[0][1]}  # Nothing is missing there.
    assert "missing</text>" in picture


def test_bins_hold_as_many_of_the_values_that_may_be() -> None:
    ages = torch.arange(18, 78).repeat(20).double()
    picture = histogram([], ages, label="h", step=1.0)
    (real,) = paths_of(picture, **{"fill": "currentColor"})
    heights = [point.split(",")[1] for point in real[1:-1].split("L")]
    # A comb would have as many heights as bins: here all are full but the outermost.
    assert len(set(heights)) <= 3


def test_ticks_are_written_as_asked() -> None:
    picture = histogram([], torch.linspace(0, 10, 50), label="h", tick=lambda x: f"<{x:g}>")
    assert "&lt;5&gt;" in picture
