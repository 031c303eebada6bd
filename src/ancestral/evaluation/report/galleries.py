"""Pictures of data that are images: grids of samples, and nearest training neighbours."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ancestral.evaluation import pictures
from ancestral.evaluation.report.entries import ModelEntry, Section

if TYPE_CHECKING:
    from ancestral.data.dataset import Dataset

ROWS, FEW = 10, 6
LARGE = 32
"""Pixels: images with a longer side are shown larger."""


@dataclass(frozen=True, slots=True)
class Strip:
    """A row of images as one picture; ``label`` stands before it."""

    label: str
    uri: str
    alt: str
    images: int


@dataclass(frozen=True, slots=True)
class Gallery:
    """Rows of images of one model, or of the real data where ``model`` is empty."""

    model: str
    caption: str
    strips: tuple[Strip, ...]


def galleries_of(section: Section) -> list[Gallery]:
    """Return real examples and each model's samples, a row a label where there are labels."""
    data = section.data
    if data.kind != "images":
        return []
    label = data.test.given.get("label")
    strips = _rows(data, data.test.x, label, "held-out example")
    found = [Gallery("", "held-out examples", strips)]
    for entry in section.entries:
        if entry.samples is None or len(entry.samples) == 0:
            continue
        strips = _rows(data, entry.samples, entry.sample_labels, f"sample from {entry.name}")
        caption = "means of p(x | z), not draws" if entry.samples_are_means else "samples"
        if entry.sample_labels is not None:
            caption += ", drawn for each label"
        found.append(Gallery(entry.name, caption, strips))
    return found


def nearest_of(section: Section) -> list[Gallery]:
    """Return each model's first samples with the nearest training example under each."""
    data = section.data
    if data.kind != "images":
        return []
    found = []
    for entry in section.entries:
        pair = _pair(entry, columns_for(data))
        if pair is not None:
            samples, nearest = pair
            strips = (
                _strip(data, "sample", samples, f"the first samples from {entry.name}"),
                _strip(data, "nearest", nearest, "their nearest training examples"),
            )
            found.append(Gallery(entry.name, "", strips))
    return found


def nearest_rows(
    section: Section, *, most: int = 5, columns: int = 6
) -> list[tuple[str, list[tuple[list[str], list[str]]]]]:
    """Return, for vectors, each model's first samples beside their nearest training rows."""
    if section.data.kind != "vectors":
        return []
    found = []
    for entry in section.entries:
        pair = _pair(entry, most)
        if pair is not None:
            texts = [[[f"{v:.4g}" for v in row[:columns]] for row in x.tolist()] for x in pair]
            found.append((entry.name, list(zip(*texts, strict=True))))
    return found


def columns_for(data: "Dataset") -> int:
    """Return how many images stand in a row: fewer of large ones."""
    side = max(data.event_shape[1:])
    return 10 if side <= 32 else 8 if side <= 64 else 6


def _pair(entry: ModelEntry, most: int) -> tuple[Tensor, Tensor] | None:
    if entry.samples is None or entry.nearest is None:
        return None
    n = min(most, len(entry.samples), len(entry.nearest))
    return (entry.samples[:n], entry.nearest[:n]) if n else None


def _rows(data: "Dataset", x: Tensor, label: Tensor | None, what: str) -> tuple[Strip, ...]:
    columns = columns_for(data)
    if label is None:
        rows = min(ROWS, len(data.labels) or (FEW if columns > 6 else 3))  # As high as the others.
        parts = x[: rows * columns].split(columns)
        return tuple(_strip(data, "", part, f"{what}, row {i + 1}") for i, part in enumerate(parts))
    strips = []
    values = label.unique().tolist()[:ROWS]
    rows = max(1, FEW // len(values))  # A row a label, more where there are few labels.
    for value in values:
        name = data.labels[value] if 0 <= value < len(data.labels) else str(value)
        chosen = x[torch.nonzero(label == value).flatten()[: rows * columns]]
        for i, part in enumerate(chosen.split(columns)):
            strips.append(_strip(data, name if i == 0 else "", part, f"{what}, label {name}"))
    return tuple(strips)


def _strip(data: "Dataset", label: str, images: Tensor, alt: str) -> Strip:
    uri = pictures.data_uri(pictures.image_strip(images, data.levels))
    return Strip(label, uri, alt, len(images))
