"""Pictures of data that are images: grids of samples, and nearest training neighbours."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ancestral.data.dataset import Dataset
from ancestral.data.fields import LABEL, Image
from ancestral.evaluation import pictures

if TYPE_CHECKING:
    from ancestral.evaluation.report.entries import Section

ROWS, FEW = 10, 6


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


def galleries_of(section: "Section") -> list[Gallery]:
    """Return real examples and each model's samples, a row a label where there are labels."""
    data = section.data
    strips = _rows(data, data.test.x, data.test.given.get(LABEL), "held-out example")
    found = [Gallery("", "held-out examples", strips)]
    for entry in section.entries:
        shown, label = entry.evaluation, entry.evaluation.given.get(LABEL)
        if shown.samples is not None:
            strips = _rows(data, shown.samples, label, f"sample from {entry.name}")
            caption = "samples" if label is None else "samples, drawn for each label"
            found.append(Gallery(entry.name, caption, strips))
        if shown.means is not None:
            strips = _rows(data, shown.means, None, f"mean from {entry.name}")
            found.append(Gallery(entry.name, "means of p(x | z), not draws", strips))
    return found


def nearest_of(section: "Section") -> list[Gallery]:
    """Return each model's first samples with the nearest training example under each.

    Over a sample stand the images that it was made from, where it was.
    """
    data, found = section.data, []
    for entry in section.entries:
        if (pair := entry.pair(columns_for(data))) is None:
            continue
        samples, nearest = pair
        strips = [
            _strip(data, name, entry.evaluation.given[name][: len(samples)], f"the {name} given")
            for name, field in data.fields.items()
            if isinstance(field, Image) and name in entry.evaluation.given
        ]
        strips += [
            _strip(data, "sample", samples, f"the first samples from {entry.name}"),
            _strip(data, "nearest", nearest, "their nearest training examples"),
        ]
        found.append(Gallery(entry.name, "", tuple(strips)))
    return found


def paths_of(section: "Section") -> list[Gallery]:
    """Return draws of each model that draws in steps, a row each, from noise to data."""
    found = []
    for entry in section.entries:
        if (path := entry.evaluation.path) is not None:
            rows = [
                _strip(section.data, "", x, f"a draw from {entry.name}") for x in path.unbind(1)
            ]
            found.append(Gallery(entry.name, "", tuple(rows)))
    return found


def columns_for(data: Dataset) -> int:
    """Return how many images stand in a row: fewer of large ones."""
    side = max(data.event_shape[1:])
    return 10 if side <= 32 else 8 if side <= 64 else 6


def _rows(data: Dataset, x: Tensor, label: Tensor | None, what: str) -> tuple[Strip, ...]:
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


def strip(label: str, images: Tensor, levels: int, alt: str) -> Strip:
    """Return a row of images, uint8 [N, C, H, W], as a picture."""
    uri = pictures.data_uri(pictures.image_strip(images, levels))
    return Strip(label, uri, alt, len(images))


def _strip(data: Dataset, label: str, images: Tensor, alt: str) -> Strip:
    return strip(label, images, data.levels, alt)
