"""What a report shows of models that encode: maps of their codes, and reconstructions."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from ancestral.data.dataset import Dataset
from ancestral.data.fields import Image
from ancestral.evaluation import charts
from ancestral.evaluation.codes import Codes
from ancestral.evaluation.galleries import Gallery, columns_for, strip
from ancestral.evaluation.report.entries import Section

_COLORS, _LABELS = 8, 20
"""Colours of the report, and most labels that are told apart."""


@dataclass(frozen=True, slots=True)
class CodesView:
    """The codes of one model: two maps, rows of images, and what is said of labels."""

    model: str
    maps: tuple[tuple[str, str], ...]
    galleries: tuple[Gallery, ...]
    said: str


def views_of(section: Section, colors: Mapping[str, str]) -> list[CodesView]:
    """Return what is shown of each model that has codes."""
    data, found = section.data, []
    for entry in section.entries:
        if (codes := entry.evaluation.codes) is not None:
            maps = _maps(data, codes, entry.name, colors[entry.name])
            found.append(
                CodesView(entry.name, maps, _galleries(data, codes, entry.name), _said(codes))
            )
    return found


def legend_of(data: Dataset) -> list[tuple[str, str]]:
    """Return the labels and their colours; empty where they are too many to be told apart."""
    names = data.labels if 2 <= len(data.labels) <= _LABELS else ()
    return [(name, _color(i, len(names))) for i, name in enumerate(names)]


def _color(index: int, count: int) -> str:
    # As many hues as are needed, where the colours of the models are too few.
    return f"var(--m{index})" if count <= _COLORS else f"hsl({360 * index // count} 62% 46%)"


def _maps(data: Dataset, codes: Codes, name: str, color: str) -> tuple[tuple[str, str], ...]:
    legend = legend_of(data) if codes.label is not None else []
    group = torch.zeros(len(codes.places), dtype=torch.int64)
    group = codes.label if legend and codes.label is not None else group
    shades = [shade for _, shade in legend] or [color]

    def drawn(x: Tensor, what: str) -> str:
        axes = [f"component {i} of {what}" for i in (1, 2)]
        label = f"{what} of test examples in the plane, {name}"
        return charts.groups(x, group, shades, axes=axes, label=label)

    return (
        ("codes", drawn(codes.places, "the codes")),
        ("the examples themselves", drawn(codes.beside, "the examples")),
    )


def _galleries(data: Dataset, codes: Codes, name: str) -> tuple[Gallery, ...]:
    if not isinstance(data.field, Image):
        return ()
    found = []
    for caption, pair in (
        ("test examples, and below what is made of their codes", codes.first),
        ("those of which most is lost", codes.worst),
    ):
        x, back = (images[: columns_for(data)] for images in pair)
        rows = (
            strip("", x, data.levels, f"{caption}: test examples"),
            strip("", back, data.levels, f"their reconstructions by {name}"),
        )
        found.append(Gallery(name, caption, rows))
    return tuple(found)


def _said(codes: Codes) -> str:
    if not codes.probes:
        return ""
    shares = ", ".join(
        f"{100 * codes.probes[name].value:.1f}% {words}"
        for name, words in (
            ("codes", "from codes"),
            ("examples", "from the examples themselves"),
            ("components", "from as many of their principal components"),
        )
    )
    error = 100 * codes.probes["codes"].se
    return f"A line finds the labels of {shares} (± {error:.1f})."
