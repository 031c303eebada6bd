"""What a language model looks at, and what it expects next: pictures as SVG text."""

from collections.abc import Sequence
from html import escape

import torch
from torch import Tensor

from ancestral.evaluation.charts import QUIET, shorten

TEMPERATURES = (0.1, 0.5, 1.0, 2.0, 5.0, 10.0)
"""Those of the book's figure 42."""

_PANEL, _NAMES, _GAP, _ROWS = 190.0, 74.0, 22.0, 2


def attention_picture(maps: Tensor, tokens: Sequence[str], *, color: str, label: str) -> str:
    """Draw the attention maps of the heads of one block, in two rows.

    A cell says how much the token of its row looks at the token of its column; the maps of a
    causal model are lower triangular.

    Args:
        maps: Weights, [H, T, T]; rows sum to 1.
        tokens: The T tokens.
        color: CSS colour of a weight of 1.
        label: Says what the picture shows, for readers who do not see it.

    Raises:
        ValueError: If the number of tokens is not T.
    """
    heads, size = maps.shape[0], maps.shape[-1]
    if len(tokens) != size:
        raise ValueError(f"tokens must be as many as columns, {size}, got {len(tokens)}")
    columns = -(-heads // min(_ROWS, heads))
    rows = -(-heads // columns)
    wide = columns * _PANEL + (columns - 1) * _GAP + _NAMES
    high = rows * (_PANEL + _GAP) + _NAMES
    cell = _PANEL / size
    shapes = []
    for head, weights in enumerate(maps.double().tolist()):
        row, column = divmod(head, columns)
        left, top = _NAMES + column * (_PANEL + _GAP), 16 + row * (_PANEL + _GAP)
        shapes.append(f'<text x="{left:g}" y="{top - 4:g}" {QUIET}>head {head + 1}</text>')
        shapes += [
            f'<rect x="{left + j * cell:.2f}" y="{top + i * cell:.2f}" width="{cell:.2f}" '
            f'height="{cell:.2f}" fill="{color}" fill-opacity="{weight:.3f}"/>'
            for i, line in enumerate(weights)
            for j, weight in enumerate(line)
            if weight > 0.004
        ]
        shapes.append(
            f'<rect x="{left:g}" y="{top:g}" width="{_PANEL:g}" height="{_PANEL:g}" fill="none" '
            'stroke="currentColor" stroke-opacity=".35"/>'
        )
        if column == 0:
            shapes += [
                _beside(token, left, top + (i + 0.5) * cell) for i, token in enumerate(tokens)
            ]
        if row == rows - 1:
            foot = top + _PANEL + 6
            shapes += [
                _below(token, left + (j + 0.5) * cell, foot) for j, token in enumerate(tokens)
            ]
    return _picture((wide, high), label, shapes, size=9)


def next_token_picture(
    logits: Tensor,
    names: Sequence[str],
    *,
    color: str,
    label: str,
    temperatures: Sequence[float] = TEMPERATURES,
) -> str:
    """Draw the most probable next tokens at several temperatures, a panel each.

    Args:
        logits: Of the tokens to show, most probable first, [K]; the bars are shares among these.
        names: The K tokens.
        color: CSS colour of the bars.
        label: Says what the picture shows, for readers who do not see it.
        temperatures: Above 0.

    Raises:
        ValueError: If the numbers of names and logits differ.
    """
    if len(names) != len(logits):
        raise ValueError(f"names must be as many as logits, {len(logits)}, got {len(names)}")
    line, width, bar = 15.0, 200.0, 110.0
    high = len(names) * line + 22
    shapes = []
    for number, temperature in enumerate(temperatures):
        row, column = divmod(number, 3)
        left, top = column * (width + 12), row * (high + 6)
        shares = torch.softmax(logits.double() / temperature, dim=0).tolist()
        shapes.append(
            f'<text x="{left + 76:g}" y="{top + 12:g}" {QUIET}>T = {temperature:g}</text>'
        )
        for i, (name, share) in enumerate(zip(names, shares, strict=True)):
            y = top + 18 + i * line
            shapes.append(
                f'<text x="{left + 70:g}" y="{y + 10:g}" text-anchor="end" fill="currentColor">'
                f"{escape(_visible(name, 11))}</text>"
                f'<rect x="{left + 76:g}" y="{y + 2:g}" width="{max(0.5, bar * share):.1f}" '
                f'height="{line - 4:g}" fill="{color}"/>'
            )
    rows = -(-len(temperatures) // 3)
    wide = min(3, len(temperatures)) * (width + 12)
    return _picture((wide, rows * (high + 6)), label, shapes, size=10)


def _beside(token: str, left: float, middle: float) -> str:
    return (
        f'<text x="{left - 5:g}" y="{middle + 3:.1f}" text-anchor="end" fill="currentColor">'
        f"{escape(_visible(token, 12))}</text>"
    )


def _below(token: str, middle: float, top: float) -> str:
    return (
        f'<text transform="translate({middle + 3:.1f} {top:g}) rotate(-90)" text-anchor="end" '
        f'fill="currentColor">{escape(_visible(token, 12))}</text>'
    )


def _visible(token: str, most: int) -> str:
    """Return a token with its blanks made visible."""
    shown = token.replace("\n", "⏎").replace("\t", "⇥")
    shown = "·" + shown[1:] if shown.startswith(" ") else shown
    return shorten(shown, most)


def _picture(extent: tuple[float, float], label: str, shapes: Sequence[str], *, size: int) -> str:
    return (
        f'<svg class="chart" role="img" viewBox="0 0 {extent[0]:g} {extent[1]:g}" '
        f'font-size="{size}"><title>{escape(label)}</title>{"".join(shapes)}</svg>'
    )
