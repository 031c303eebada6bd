"""Small charts as SVG text: scatters, density panels, histograms, curves.

Drawn by hand rather than by matplotlib so that they take the colours of the page they stand in
(ink is ``currentColor``), stay sharp at every size and weigh little. The same input gives the same
text.
"""

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

import torch
from torch import Tensor

SIDE, LEFT, TOP, BOTTOM, RIGHT = 230.0, 42.0, 6.0, 38.0, 6.0
_SMALL, _WIDE = (300.0, 150.0), (620.0, 210.0)
MINUS = "−"
QUIET = 'fill="currentColor" fill-opacity=".72"'


@dataclass(frozen=True, slots=True)
class Box:
    """The part of the plane that a panel shows, in data units."""

    left: float
    right: float
    bottom: float
    top: float

    @classmethod
    def around(cls, x: Tensor, *, margin: float = 0.12) -> "Box":
        """Return the box of points ``x`` [N, 2], wider by a share of its size on each side."""
        low, high = x.double().amin(dim=0), x.double().amax(dim=0)
        room = margin * torch.where(high > low, high - low, torch.ones_like(low))
        (left, bottom), (right, top) = (low - room).tolist(), (high + room).tolist()
        return cls(left, right, bottom, top)

    def holds(self, x: Tensor) -> Tensor:
        """Return which of the points ``x`` [N, 2] lie inside, [N]."""
        across, up = x.double().unbind(dim=1)
        return (
            (self.left <= across) & (across <= self.right) & (self.bottom <= up) & (up <= self.top)
        )

    def grid(self, side: int) -> Tensor:
        """Return the centres of ``side`` x ``side`` cells, row by row from the top, [side^2, 2]."""
        centres = (torch.arange(side, dtype=torch.float64) + 0.5) / side
        across = self.left + centres * (self.right - self.left)
        up = self.top + centres * (self.bottom - self.top)
        return torch.stack((across.repeat(side), up.repeat_interleave(side)), dim=1)


@dataclass(frozen=True, slots=True)
class Curve:
    """A number over the steps of a training run."""

    name: str
    steps: Sequence[float]
    values: Sequence[float]
    best: int | None = None
    """Index of the value by which the weights were chosen."""


def scatter(
    x: Tensor | None, reference: Tensor, *, box: Box, color: str, axes: Sequence[str], label: str
) -> str:
    """Draw points over reference points.

    Args:
        x: Points [N, 2] in data units; None draws the reference alone, in full colour.
        reference: Points [M, 2], drawn faintly behind.
        box: What the panel shows; points outside are left out, so count them aloud.
        color: CSS colour of the points.
        axes: Names of the two coordinates.
        label: Says what the picture shows, for readers who do not see it.
    """
    shapes = []
    if x is None:
        shapes.append(_points(reference, box, f'stroke="{color}"'))
    else:
        faint = 'stroke="currentColor" stroke-opacity=".2"'
        shapes.append(_points(reference, box, faint))
        shapes.append(_points(x, box, f'stroke="{color}" stroke-opacity=".75"'))
    return _panel(box, axes, label, "".join(shapes))


def groups(
    x: Tensor, group: Tensor, colors: Sequence[str], *, axes: Sequence[str], label: str
) -> str:
    """Draw points in the colours of their groups.

    Args:
        x: Points [N, 2].
        group: Of each point, from 0, [N].
        colors: CSS colour of each group.
        axes: Names of the two coordinates.
        label: Says what the picture shows, for readers who do not see it.
    """
    box = Box.around(x, margin=0.05)
    shapes = [
        _points(x[group == i], box, f'stroke="{color}" stroke-opacity=".75"')
        for i, color in enumerate(colors)
    ]
    return _panel(box, axes, label, "".join(shapes))


def density(picture: str, *, box: Box, axes: Sequence[str], label: str) -> str:
    """Frame a picture of a density, given as a data URI, with the axes of ``box``."""
    image = (
        f'<image href="{picture}" x="{LEFT:g}" y="{TOP:g}" width="{SIDE - LEFT - RIGHT:g}" '
        f'height="{SIDE - TOP - BOTTOM:g}" preserveAspectRatio="none"/>'
    )
    return _panel(box, axes, label, image)


def histogram(
    samples: Sequence[tuple[Tensor, str]],
    reference: Tensor,
    *,
    label: str,
    step: float | None = None,
    tick: Callable[[float], str] | None = None,
) -> str:
    """Draw the histogram of reference values with those of samples as lines over it.

    What is missing (NaN) is a bar of its own on the right, as wide as two others.

    Args:
        samples: Values [N] of each model and the CSS colour of its line.
        reference: Values [M], drawn filled; all but the outermost 0.1% fix the range.
        label: Says what the picture shows, for readers who do not see it.
        step: Distance of values that may be; as many of them are in each bin.
        tick: Writes a number under the axis; shortly if None.
    """
    edges = _edges(reference, step)
    low, high, width = edges[0], edges[-1], edges[1] - edges[0]
    bars = list(itertools.pairwise(edges))
    gaps = any(bool(x.isnan().any()) for x in (reference, *(x for x, _ in samples)))
    apart = (high + width, high + 3 * width)

    def heights(x: Tensor) -> list[float]:
        missing = [x.isnan().double().mean().item() / (2 * width)] if gaps else []
        return _heights(x, low, high, len(bars)) + missing

    counted = [(heights(x), color) for x, color in samples]
    real = heights(reference)
    top = max(max(some) for some in (real, *(h for h, _ in counted)))
    box = Box(low, high + 4 * width * gaps, 0.0, 1.1 * top or 1.0)
    place = _placing(box, _SMALL, bottom=22.0)

    def outline(some: Sequence[float], *, end: str = "") -> str:
        parts = [zip(bars, some, strict=False), zip([apart], some[len(bars) :], strict=False)]
        steps = [[(x, h) for bar, h in part for x in bar] for part in parts]
        around = [[(s[0][0], 0.0), *s, (s[-1][0], 0.0)] for s in steps if s]
        return "".join("M" + "L".join(place(x, y) for x, y in line) + end for line in around)

    shapes = [f'<path d="{outline(real, end="Z")}" fill="currentColor" fill-opacity=".22"/>']
    shapes += [
        f'<path d="{outline(some)}" fill="none" stroke="{color}" stroke-width="1.5"/>'
        for some, color in counted
    ]
    if gaps:
        x = _SMALL[0] - RIGHT - 4
        shapes.append(f'<text x="{x:g}" y="18" text-anchor="end" {QUIET}>missing</text>')

    def text(value: float) -> str:
        return "" if value > high else (tick or tick_text)(value)

    return _frame(box, _SMALL, 22.0, label, "".join(shapes), tick=text)


def _edges(reference: Tensor, step: float | None) -> list[float]:
    """Return the edges of bins round values [M], but the missing ones and the outermost 0.1%."""
    bins = max(8, min(40, math.ceil(2 * len(reference) ** (1 / 3))))  # The rule of Rice.
    ordered = reference.double()[~reference.isnan()].sort().values
    cut = len(ordered) // 1000
    low, high = (ordered[cut].item(), ordered[-1 - cut].item()) if len(ordered) else (0.0, 0.0)
    if step:
        width = max(1, math.ceil((high - low) / (step * bins))) * step
        low, bins = low - width - step / 2, math.floor((high - low) / width) + 3
    else:
        room = 0.08 * (high - low) or 0.5
        low, width = low - room, (high - low + 2 * room) / bins
    return [low + i * width for i in range(bins + 1)]


def line_chart(
    curve: Curve, *, color: str, label: str, buckets: int = 160, other: Curve | None = None
) -> str:
    """Draw a curve; many steps are gathered to means, with their range shaded behind.

    Args:
        curve: At least one finite value.
        color: CSS colour of the line.
        label: Says what the picture shows, for readers who do not see it.
        buckets: Most points of the line.
        other: A second curve in the same unit, drawn over it in ink; at its best value stands a
            line from top to bottom.
    """
    curves, size = ([curve], _SMALL) if other is None else ([curve, other], _WIDE)
    box = _around(curves, buckets)
    place = _placing(box, size, bottom=22.0)
    shapes = _line(curve, place, color, buckets)
    if other is not None:
        shapes += _line(other, place, "currentColor", buckets)
        if other.best is not None:
            step = other.steps[other.best]
            x = float(place(step, 0.0).split(",")[0])
            late = x > size[0] - 130
            shapes += (
                f'<path d="M{x:g},0V{size[1]:g}" stroke="currentColor" stroke-dasharray="3 3"/>'
                f'<text x="{x - 8 if late else x + 8:g}" y="{TOP + 14:g}" '
                f'text-anchor="{"end" if late else "start"}" fill="currentColor">'
                f"best, step {step:,g}</text>"
            )
    return _frame(box, size, 22.0, label, shapes)


def _around(curves: Sequence[Curve], buckets: int) -> Box:
    """Return the box of curves: all of their means but the outermost 2%, and their best values."""
    lows, highs = [], []
    for curve in curves:
        ordered = sorted(value for _, value, _, _ in _gather(curve, buckets))
        best = [] if curve.best is None else [curve.values[curve.best]]
        lows += [ordered[len(ordered) // 50], *best]
        highs += [ordered[-1 - len(ordered) // 50], *best]
    low, high = min(lows), max(highs)
    room = 0.08 * (high - low) or 0.5 * abs(high) or 1.0
    first, last = min(min(c.steps) for c in curves), max(max(c.steps) for c in curves)
    # A little room on the right, for the circle round a best value at the very end.
    return Box(min(0.0, first), 1.03 * last if last > 0 else 1.0, low - room, high + room)


def _line(curve: Curve, place: Callable[[float, float], str], color: str, buckets: int) -> str:
    """Draw a curve with its range behind it and a circle round its best or only value."""
    means = _gather(curve, buckets)
    line = "L".join(place(step, value) for step, value, _, _ in means)
    upper = [place(step, top) for step, _, _, top in means]
    lower = [place(step, bottom) for step, _, bottom, _ in means]
    shapes = (
        f'<path d="M{"L".join(upper + lower[::-1])}Z" fill="{color}" fill-opacity=".18"/>'
        f'<path d="M{line}" fill="none" stroke="{color}" stroke-width="1.8" '
        'stroke-linejoin="round"/>'
    )
    if curve.best is not None or len(means) == 1:
        best = curve.best or 0
        x, y = place(curve.steps[best], curve.values[best]).split(",")
        shapes += (
            f'<circle cx="{x}" cy="{y}" r="4" fill="var(--paper,none)" stroke="{color}" '
            'stroke-width="2"/>'
        )
    return shapes


def nice_ticks(low: float, high: float, count: int = 3) -> list[float]:
    """Return round numbers between ``low`` and ``high``, at least ``count``."""
    if not high > low:
        return [low]
    power = 10.0 ** math.ceil(math.log10(high - low))
    for step in (power * m for m in (1, 0.5, 0.25, 0.2, 0.1, 0.05, 0.025, 0.02)):
        first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
        if last - first + 1 >= count:
            return [i * step for i in range(first, last + 1)]
    return [low, high]


def tick_text(value: float) -> str:
    """Write a tick: short, thousands as k, a true minus sign."""
    size = abs(value)
    if size >= 1e6:
        text = f"{value / 1e6:.4g}M"
    elif size >= 1000:
        text = f"{value / 1000:.4g}k"
    else:
        text = f"{value:.4g}"
    return text.replace("-", MINUS)


def number(value: float, digits: int = 4) -> str:
    """Write a number with so many significant digits and a true minus sign."""
    if value == 0:
        return "0"
    magnitude = math.floor(math.log10(abs(value)))
    if not -5 <= magnitude <= 9:
        return f"{value:.2e}".replace("-", MINUS)
    return f"{value:,.{max(0, digits - 1 - magnitude)}f}".replace("-", MINUS)


def shorten(text: str, most: int) -> str:
    """Cut a text to at most so many characters, with an ellipsis."""
    return text if len(text) <= most else text[: most - 1] + "…"


def _gather(curve: Curve, buckets: int) -> list[tuple[float, float, float, float]]:
    """Gather a curve to (step, mean, least, most) of consecutive stretches."""
    size = max(1, math.ceil(len(curve.values) / buckets))
    found = []
    for i in range(0, len(curve.values), size):
        values, steps = curve.values[i : i + size], curve.steps[i : i + size]
        mean = math.fsum(values) / len(values)
        found.append((math.fsum(steps) / len(steps), mean, min(values), max(values)))
    return found


def _placing(box: Box, size: tuple[float, float], bottom: float) -> Callable[[float, float], str]:
    """Return the function from data units to "x,y" in pixels."""
    wide, high = size[0] - LEFT - RIGHT, size[1] - TOP - bottom

    def place(x: float, y: float) -> str:
        across = LEFT + (x - box.left) / (box.right - box.left) * wide
        down = TOP + (box.top - y) / (box.top - box.bottom) * high
        # Far outside is outside: keeps the numbers short, the frame cuts them off.
        return f"{across:.1f},{max(-size[1], min(2 * size[1], down)):.1f}"

    return place


def _heights(x: Tensor, low: float, high: float, bins: int) -> list[float]:
    """Return the density of values in bins; values outside the range count in the total."""
    x = x.double()
    counts = torch.histc(x[(low <= x) & (x <= high)], bins=bins, min=low, max=high)
    return (counts * bins / (max(len(x), 1) * (high - low))).tolist()


def _points(x: Tensor, box: Box, style: str) -> str:
    """All points as one path of dots: a tenth of the size of as many circles."""
    place = _placing(box, (SIDE, SIDE), BOTTOM)
    inside = x.double()[box.holds(x)].tolist()
    path = "".join(f"M{place(a, b).replace(',', ' ')}h0" for a, b in inside)
    size = max(1.6, min(4.0, 60 / math.sqrt(max(len(x), 1))))  # Few points are drawn larger.
    return (
        f'<path d="{path}" fill="none" stroke-linecap="round" stroke-width="{size:.1f}" {style}/>'
    )


def _panel(box: Box, axes: Sequence[str], label: str, inner: str) -> str:
    titles = (
        f'<text x="{(SIDE + LEFT) / 2:g}" y="{SIDE - 6:g}" text-anchor="middle" {QUIET}>'
        f"{escape(shorten(axes[0], 32))}</text>"
        f'<text transform="translate(9 {(SIDE - BOTTOM) / 2:g}) rotate(-90)" '
        f'text-anchor="middle" {QUIET}>{escape(shorten(axes[1], 28))}</text>'
    )
    return _frame(box, (SIDE, SIDE), BOTTOM, label, inner, extra=titles)


def _frame(
    box: Box,
    size: tuple[float, float],
    bottom: float,
    label: str,
    inner: str,
    *,
    extra: str = "",
    tick: Callable[[float], str] | None = None,
) -> str:
    """Put axes with ticks round the shapes, and cut the shapes off at the frame."""
    wide, high = size[0] - LEFT - RIGHT, size[1] - TOP - bottom
    place = _placing(box, size, bottom)
    ticks = []
    for value in nice_ticks(box.left, box.right):
        x = float(place(value, box.bottom).split(",")[0])
        anchor = "end" if x > size[0] - RIGHT - 12 else "middle"
        ticks.append(
            f'<path d="M{x:g},{TOP:g}V{TOP + high:g}" stroke="currentColor" stroke-opacity=".1"/>'
            f'<text x="{x:g}" y="{TOP + high + 15:g}" text-anchor="{anchor}" {QUIET}>'
            f"{escape((tick or tick_text)(value))}</text>"
        )
    for value in nice_ticks(box.bottom, box.top):
        y = float(place(box.left, value).split(",")[1])
        ticks.append(
            f'<path d="M{LEFT:g},{y:g}H{LEFT + wide:g}" stroke="currentColor" '
            f'stroke-opacity=".1"/><text x="{LEFT - 5:g}" y="{y + 4:g}" text-anchor="end" {QUIET}>'
            f"{tick_text(value)}</text>"
        )
    return (
        f'<svg class="chart" role="img" viewBox="0 0 {size[0]:g} {size[1]:g}" font-size="11">'
        f"<title>{escape(label)}</title>{''.join(ticks)}"
        f'<svg x="{LEFT:g}" y="{TOP:g}" width="{wide:g}" height="{high:g}" overflow="hidden" '
        f'viewBox="{LEFT:g} {TOP:g} {wide:g} {high:g}">{inner}</svg>'
        f'<rect x="{LEFT:g}" y="{TOP:g}" width="{wide:g}" height="{high:g}" fill="none" '
        f'stroke="currentColor" stroke-opacity=".35"/>{extra}</svg>'
    )
