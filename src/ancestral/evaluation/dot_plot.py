"""Dot plots as SVG text: one number of several models side by side, with what is known of it."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from html import escape

from ancestral.evaluation.charts import QUIET, shorten
from ancestral.networks.drawing import text_width


@dataclass(frozen=True, slots=True)
class Dot:
    """One row of a dot plot: a value with its standard error; ``arrow`` +1 or -1 for a bound."""

    name: str
    value: float
    se: float | None
    text: str
    color: str
    arrow: int = 0


def dot_plot(dots: Sequence[Dot], *, floor: float | None, label: str) -> str:
    """Draw one row a model: its value with two standard errors, and the floor as a line.

    A bound has an arrow towards where the true value may lie.
    """
    width, row = 350.0, 26.0
    names = min(104.0, max(text_width(dot.name, 12) for dot in dots)) + 14
    texts = max(text_width(dot.text, 12) for dot in dots) + 8
    ends = [d.value + s * 2 * (d.se or 0) for d in dots for s in (-1, 1)]
    ends += [] if floor is None else [floor]
    low, high = min(ends), max(ends)
    room = 0.07 * (high - low) or 0.1 * abs(high) or 1.0
    scale = (width - names - texts) / (high - low + 2 * room)
    height = row * len(dots) + 8

    def at(value: float) -> float:
        return names + (value - low + room) * scale

    shapes = []
    if floor is not None:
        shapes.append(
            f'<path d="M{at(floor):.1f},0V{height:g}" stroke="currentColor" stroke-width="1.5" '
            'stroke-dasharray="3 3" stroke-opacity=".6"/>'
        )
    for i, dot in enumerate(dots):
        shapes += _dot(dot, at, row * (i + 0.5) + 4, (names, width - texts, width))
    return (
        f'<svg class="chart" role="img" viewBox="0 0 {width:g} {height:g}" font-size="12">'
        f"<title>{escape(label)}</title>{''.join(shapes)}</svg>"
    )


def _dot(
    dot: Dot, at: Callable[[float], float], middle: float, edges: tuple[float, float, float]
) -> Iterator[str]:
    """Yield the shapes of one row; ``edges`` end the names, the line and the text."""
    names, line, width = edges
    yield (
        f'<text x="{names - 12:g}" y="{middle + 4:g}" text-anchor="end" fill="currentColor">'
        f"{escape(shorten(dot.name, 14))}</text>"
        f'<path d="M{names:g},{middle:g}H{line:g}" stroke="currentColor" '
        'stroke-opacity=".14"/>'
    )
    x = at(dot.value)
    if dot.se:
        yield (
            f'<path d="M{at(dot.value - 2 * dot.se):.1f},{middle:g}'
            f'H{at(dot.value + 2 * dot.se):.1f}" stroke="{dot.color}" stroke-width="3" '
            'stroke-opacity=".45"/>'
        )
    if dot.arrow:
        tip, back = x + 15 * dot.arrow, x + 10 * dot.arrow
        yield (
            f'<path d="M{x:.1f},{middle:g}H{tip:.1f}M{back:.1f},{middle - 4:g}L{tip:.1f},{middle:g}'
            f'L{back:.1f},{middle + 4:g}" fill="none" stroke="{dot.color}" stroke-width="1.8"/>'
        )
    yield (
        f'<circle cx="{x:.1f}" cy="{middle:g}" r="5" fill="{dot.color}"/>'
        f'<text x="{width:g}" y="{middle + 4:g}" text-anchor="end" {QUIET}>'
        f"{escape(dot.text)}</text>"
    )
