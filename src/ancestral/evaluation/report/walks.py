"""What a report shows of models that draw in steps: their paths, and quality by evaluations."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

import torch
from torch import Tensor

from ancestral.data.dataset import Dataset
from ancestral.evaluation import charts, plane
from ancestral.evaluation.figures import Figure
from ancestral.evaluation.report.entries import Section
from ancestral.networks.drawing import text_width

WIDTH, HEIGHT, LEFT, TOP, BOTTOM = 460.0, 230.0, 46.0, 10.0, 40.0


@dataclass(frozen=True, slots=True)
class Frames:
    """The path of one model of rows from noise to data, a picture a state."""

    model: str
    pictures: tuple[str, ...]


def frames_of(section: Section, colors: Mapping[str, str]) -> list[Frames]:
    """Draw states of draws in the plane of the first two numbers, over held-out examples."""
    data, found = section.data, []
    axes = plane.numbers_of(data)[:2]
    for entry in section.entries:
        if (path := entry.evaluation.path) is None or len(axes) < 2:
            continue
        color = colors[entry.name]
        shown = [_frame(data, x, axes, color, entry.name) for x in path]
        found.append(Frames(entry.name, tuple(shown)))
    return found


def _frame(data: Dataset, x: Tensor, axes: list[int], color: str, name: str) -> str:
    real, x = (plane.whole_rows(rows, axes)[:, axes] for rows in (data.test.x[:1_000], x))
    box = charts.Box.around(torch.cat((real.double(), x.double())), margin=0.05)
    label = f"states of draws from {name} on their way from noise to data"
    names = [data.columns[axis] for axis in axes]
    return charts.scatter(x, real, box=box, color=color, axes=names, label=label)


def curve_of(section: Section, colors: Mapping[str, str]) -> str:
    """Draw the distance to held-out data by evaluations of the network; empty where none has one.

    Both axes are logarithmic. Dashed: real data against real data.
    """
    lines = [
        (entry.name, colors[entry.name], entry.evaluation.by_evaluations)
        for entry in section.entries
        if entry.evaluation.by_evaluations
    ]
    if not lines:
        return ""
    floors = [figure.floor for _, _, line in lines for _, figure in line if figure.floor]
    values = [figure.value for _, _, line in lines for _, figure in line] + floors[:1]
    least = max(min(values), 1e-9)
    low, high = math.log10(least) - 0.08, math.log10(max(*values, least)) + 0.08
    counts = sorted({count for _, _, line in lines for count, _ in line})
    names = max(text_width(name, 11) for name, _, _ in lines) + 12
    right, last = WIDTH - names, max(1.0, math.log10(counts[-1] / counts[0]))

    def across(count: int) -> float:
        return LEFT + 8 + (right - LEFT - 16) * math.log10(count / counts[0]) / last

    def down(value: float) -> float:
        share = (math.log10(max(value, 1e-9)) - low) / (high - low)
        return TOP + (HEIGHT - TOP - BOTTOM) * (1 - share)

    shapes = [_across_axis(across(count), count) for count in counts]
    shapes += [_up_axis(down(value), value, right) for value in _ticks(low, high)]
    if floors:
        y = down(floors[0])
        dashes = 'stroke="currentColor" stroke-dasharray="4 3" stroke-opacity=".7"'
        shapes.append(f'<path d="M{LEFT:g},{y:.1f}H{right:g}" {dashes}/>')
    ends = _apart([down(line[-1][1].value) for _, _, line in lines])
    for (name, color, line), end in zip(lines, ends, strict=True):
        points = [(across(count), down(figure.value)) for count, figure in line]
        shapes.append(_line(points, color))
        shapes.append(
            f'<text x="{right + 6:g}" y="{end + 4:.1f}" fill="{color}">{escape(name)}</text>'
        )
    title = "distance to held-out data by evaluations of the network"
    middle = (LEFT + right) / 2
    return (
        f'<svg class="chart" role="img" viewBox="0 0 {WIDTH:g} {HEIGHT:g}" font-size="11">'
        f"<title>{title}</title>{''.join(shapes)}"
        f'<text x="{middle:g}" y="{HEIGHT - 4:g}" text-anchor="middle" {charts.QUIET}>'
        "evaluations of the network for a draw</text></svg>"
    )


def _line(points: Sequence[tuple[float, float]], color: str) -> str:
    path = "L".join(f"{x:.1f},{y:.1f}" for x, y in points)
    dots = "".join(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.6"/>' for x, y in points)
    line = f'<path d="M{path}" fill="none" stroke="{color}" stroke-width="1.8"/>'
    return f'{line}<g fill="{color}">{dots}</g>'


def _across_axis(x: float, count: int) -> str:
    return (
        f'<path d="M{x:.1f},{TOP:g}V{HEIGHT - BOTTOM:g}" stroke="currentColor" '
        f'stroke-opacity=".1"/><text x="{x:.1f}" y="{HEIGHT - BOTTOM + 14:g}" '
        f'text-anchor="middle" {charts.QUIET}>{count}</text>'
    )


def _up_axis(y: float, value: float, right: float) -> str:
    return (
        f'<path d="M{LEFT:g},{y:.1f}H{right:g}" stroke="currentColor" stroke-opacity=".1"/>'
        f'<text x="{LEFT - 5:g}" y="{y + 4:.1f}" text-anchor="end" {charts.QUIET}>'
        f"{charts.tick_text(value)}</text>"
    )


def _ticks(low: float, high: float) -> list[float]:
    """Return round numbers whose logarithms lie between two, 1, 2 and 5 of each power of ten."""
    powers = range(math.floor(low), math.ceil(high) + 1)
    values = [float(f"{digit}e{power}") for power in powers for digit in (1, 2, 5)]
    return [value for value in values if low <= math.log10(value) <= high]


def _apart(places: Sequence[float], least: float = 12.0) -> list[float]:
    """Move places apart, downwards in their order, so that texts do not lie over each other."""
    order = sorted(range(len(places)), key=places.__getitem__)
    found, last = [*places], -math.inf
    for i in order:
        found[i] = last = max(places[i], last + least)
    over = max(0.0, last - (HEIGHT - BOTTOM))
    return [place - over for place in found]


def said_of(line: Sequence[tuple[int, Figure]]) -> str:
    """Return the figures of one line in words, for those who do not see the chart."""
    return ", ".join(f"{count}: {charts.number(figure.value, 3)}" for count, figure in line)
