"""The confusion matrix of a classifier: a heat map, and its commonest mistakes in words."""

from collections.abc import Sequence
from html import escape

from torch import Tensor

from ancestral.evaluation.charts import QUIET, shorten
from ancestral.networks.drawing import text_width

CELL, GAP = 34.0, 2.0
DRAWN = 30
"""Most labels of a heat map; the mistakes are told in words for any number."""

WRITTEN = 14
"""Most labels for which the counts are written into the cells."""

TOLD = 5


def heat_map(confusion: Tensor, labels: Sequence[str], *, color: str, label: str) -> str:
    """Draw the true labels as rows and the likeliest ones as columns, shaded by share of the row.

    Args:
        confusion: Counts, [K, K].
        labels: Their K names.
        color: CSS colour of a full cell.
        label: Says what the picture shows, for readers who do not see it.

    Returns:
        SVG text; empty above 30 labels.
    """
    k = len(labels)
    if k > DRAWN:
        return ""
    cell = CELL if k <= WRITTEN else CELL / 2
    names = [shorten(name, 14) for name in labels]
    side = max(text_width(name, 11) for name in names)
    left, top = side + 26, 6.0
    width, height = left + k * cell + 8, top + k * cell + side + 30
    share = confusion.double() / confusion.sum(dim=1, keepdim=True).clamp(min=1)
    shapes = []
    for i in range(k):
        y = top + i * cell
        shapes.append(
            f'<text x="{left - 6:g}" y="{y + cell / 2 + 4:g}" text-anchor="end" {QUIET}>'
            f"{escape(names[i])}</text>"
        )
        x = left + (i + 0.5) * cell + 4
        shapes.append(
            f'<text transform="translate({x:g} {top + k * cell + 6:g}) rotate(-90)" '
            f'text-anchor="end" {QUIET}>{escape(names[i])}</text>'
        )
        for j in range(k):
            shapes.append(
                _cell(
                    (left + j * cell, y, cell - GAP),
                    share[i, j].item(),
                    f"{int(confusion[i, j]):,}" if k <= WRITTEN else "",
                    color,
                )
            )
    axes = (
        f'<text transform="translate(10 {top + k * cell / 2:g}) rotate(-90)" '
        f'text-anchor="middle" {QUIET}>true label</text>'
        f'<text x="{left + k * cell / 2:g}" y="{height - 4:g}" text-anchor="middle" {QUIET}>'
        "likeliest label</text>"
    )
    return (
        f'<svg class="chart" role="img" viewBox="0 0 {width:g} {height:g}" font-size="11" '
        f'style="max-width:{1.25 * width:.0f}px">'
        f"<title>{escape(label)}</title>{''.join(shapes)}{axes}</svg>"
    )


def mistakes(confusion: Tensor, labels: Sequence[str]) -> list[str]:
    """Return the commonest mistakes, the worst first.

    Example:
        >>> import torch
        >>> mistakes(torch.tensor([[8, 2], [0, 5]]), ["cat", "dog"])
        ['cat taken for dog: 2 of 10']
    """
    wrong = confusion.clone()
    wrong.fill_diagonal_(0)
    counts, places = wrong.flatten().sort(descending=True, stable=True)
    totals = confusion.sum(dim=1)
    told = []
    for count, place in zip(counts[:TOLD].tolist(), places.tolist(), strict=False):
        i, j = divmod(place, len(labels))
        if count:
            told.append(f"{labels[i]} taken for {labels[j]}: {count:,} of {int(totals[i]):,}")
    return told


def _cell(place: tuple[float, float, float], share: float, text: str, color: str) -> str:
    x, y, size = place
    shape = (
        f'<rect x="{x:g}" y="{y:g}" width="{size:g}" height="{size:g}" rx="2" '
        'fill="currentColor" fill-opacity=".05"/>'
    )
    if share > 0:
        # The root makes the rare mistakes visible beside the diagonal.
        shape += (
            f'<rect x="{x:g}" y="{y:g}" width="{size:g}" height="{size:g}" rx="2" '
            f'fill="{color}" fill-opacity="{0.75 * share**0.5:.3f}"/>'
        )
    if text and text != "0":
        shape += (
            f'<text x="{x + size / 2:g}" y="{y + size / 2 + 3.5:g}" text-anchor="middle" '
            f'font-size="10" fill="currentColor">{text}</text>'
        )
    return shape
