"""Pictures of mixed tables: bars of states, and matrices of how columns depend on each other."""

from collections.abc import Sequence
from html import escape

from torch import Tensor

from ancestral.evaluation.charts import QUIET, number, shorten
from ancestral.networks.drawing import text_width

WIDTH, NAMES, BAR, THIN = 300.0, 96.0, 9.0, 4.0
CELL, DRAWN = 13.0, 30
"""Side of a cell of a matrix, twice that of few columns, and most columns of one."""

MORE, LESS = "var(--m0,#2563c9)", "var(--m1,#c8500a)"
FULL = 0.3
"""Difference of two dependences that is drawn in full colour."""


def bars(
    names: Sequence[str], real: Tensor, samples: Sequence[tuple[Tensor, str]], *, label: str
) -> str:
    """Draw shares of states: a broad bar of the real ones, under it a thin one of each model.

    Args:
        names: Of the states, K.
        real: Shares of held-out rows, [K].
        samples: Shares [K] of each model and the CSS colour of its bars.
        label: Says what the picture shows, for readers who do not see it.
    """
    top = max(0.01, *(x.max().item() for x in (real, *(x for x, _ in samples))))
    room, step = WIDTH - NAMES - 40, BAR + THIN * len(samples) + 6
    shapes = []
    for k, name in enumerate(names):
        y = 2 + k * step
        long = real[k].item() / top * room
        shapes.append(
            f'<text x="{NAMES - 6:g}" y="{y + BAR:g}" text-anchor="end" {QUIET}>'
            f"{escape(shorten(name, 15))}</text>"
            f'<rect x="{NAMES:g}" y="{y:g}" width="{long:.1f}" height="{BAR:g}" '
            'fill="currentColor" fill-opacity=".26"/>'
        )
        ends = [long]
        for i, (x, color) in enumerate(samples):
            ends.append(x[k].item() / top * room)
            shapes.append(
                f'<rect x="{NAMES:g}" y="{y + BAR + i * THIN:g}" width="{ends[-1]:.1f}" '
                f'height="{THIN - 1:g}" fill="{color}"/>'
            )
        shapes.append(
            f'<text x="{NAMES + max(ends) + 5:.1f}" y="{y + BAR:g}" {QUIET}>'
            f"{100 * real[k].item():.3g}%</text>"
        )
    return _svg(WIDTH, 4 + len(names) * step, label, "".join(shapes))


def matrix(values: Tensor, names: Sequence[str], *, label: str, signed: bool = False) -> str:
    """Draw how each column depends on each other one, as shades from 0 to 1.

    Args:
        values: [D, D]; of the first 30 columns.
        names: Of the columns, D.
        label: Says what the picture shows, for readers who do not see it.
        signed: They are differences, in two colours.
    """
    d = min(len(names), DRAWN)
    step = 2 * CELL if d <= 8 else CELL
    words = [shorten(name, 18) for name in names[:d]]
    side = max(text_width(word, 10) for word in words) + 8
    shapes = []
    for i in range(d):
        y = 4 + i * step
        shapes.append(
            f'<text x="{side - 5:g}" y="{y + step / 2 + 4:g}" text-anchor="end" {QUIET}>'
            f"{escape(words[i])}</text>"
            f'<text transform="translate({side + (i + 0.5) * step + 3:g} {d * step + 9:g}) '
            f'rotate(-90)" text-anchor="end" {QUIET}>{escape(words[i])}</text>'
        )
        for j in range(d):
            value = values[i, j].item()
            if i == j:
                color, shade = "currentColor", 0.08
            elif signed:
                color, shade = MORE if value > 0 else LESS, min(1.0, abs(value) / FULL)
            else:
                color, shade = "currentColor", value
            said = "" if i == j else f"{names[i]}, {names[j]}: {number(value, 2)}"
            shapes.append(
                f'<rect x="{side + j * step:g}" y="{y:g}" width="{step - 1:g}" '
                f'height="{step - 1:g}" fill="currentColor" fill-opacity=".04"/>'
                f'<rect x="{side + j * step:g}" y="{y:g}" width="{step - 1:g}" '
                f'height="{step - 1:g}" fill="{color}" fill-opacity="{shade:.3f}">'
                f"<title>{escape(said)}</title></rect>"
            )
    wide = side + d * step + 4
    return _svg(wide, d * step + side + 6, label, "".join(shapes), most=1.4 * wide, size=10)


def _svg(
    wide: float, high: float, label: str, shapes: str, *, most: float | None = None, size: int = 11
) -> str:
    style = f' style="max-width:{most:.0f}px"' if most else ""
    return (
        f'<svg class="chart" role="img" viewBox="0 0 {wide:g} {high:g}" font-size="{size}"{style}>'
        f"<title>{escape(label)}</title>{shapes}</svg>"
    )
