"""Pictures of data that are vectors: scatters with densities in the plane, marginal histograms."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeAlias

import torch
from torch import Tensor

from ancestral.evaluation import charts, pictures
from ancestral.evaluation.report.entries import ModelEntry, Section
from ancestral.evaluation.report.table import number

if TYPE_CHECKING:
    from ancestral.data.dataset import Dataset

SHOWN, COLUMNS, RANGE = 2500, 9, 9.0
"""Points in a scatter; columns with a histogram; nats from brightest to darkest."""
SIDES = {"exact": 96, "bound": 64, "estimate": 64}
"""Cells along a side of a density panel: fewer where each costs many draws."""
DENSITIES = {
    "exact": "log p(x)",
    "bound": "a bound on log p(x)",
    "estimate": "log p(x), estimated",
}
View: TypeAlias = tuple[Callable[[Tensor], Tensor], tuple[str, str], str]
"""Projection to the plane, names of its coordinates, a note."""
REAL_COLOR = "var(--real,#5b6472)"


@dataclass(frozen=True, slots=True)
class Panel:
    """One column of the plane's pictures; ``density`` is empty where there is none."""

    name: str
    color: str
    scatter: str
    caption: str
    density: str = ""
    density_caption: str = ""


@dataclass(frozen=True, slots=True)
class Plane:
    """The scatters of a section, with one scale of density for all of them."""

    panels: tuple[Panel, ...]
    note: str
    bar: str = ""
    low: str = ""
    high: str = ""


def plane_of(section: Section, colors: dict[str, str]) -> Plane | None:
    """Draw samples beside real data, and log densities on a grid where the data are 2-D.

    Data of more columns are shown in the plane of the first two principal components of the
    training split; None for images and for a single column.
    """
    data = section.data
    if data.kind != "vectors" or data.event_shape[0] < 2:
        return None
    flat = data.event_shape[0] == 2
    project, axes, note = _identity(data) if flat else _principal(data)
    real = project(thin(data.test.x))
    box = charts.Box.around(project(data.train.x))
    label = f"scatter of held-out examples of {data.name}"
    picture = charts.scatter(None, real, box=box, color=REAL_COLOR, axes=axes, label=label)
    panels = [Panel("real data", REAL_COLOR, picture, f"{len(real):,} held-out examples")]
    for entry in section.entries:
        if entry.samples is None:
            continue
        samples = project(thin(entry.samples))
        label = f"scatter of samples from {entry.name} over held-out examples"
        color = colors[entry.name]
        picture = charts.scatter(samples, real, box=box, color=color, axes=axes, label=label)
        panels.append(Panel(entry.name, color, picture, _caption(entry, samples, box)))
    plane = Plane(tuple(panels), note)
    return _with_densities(plane, section, box, axes) if flat else plane


def marginals_of(section: Section, colors: dict[str, str]) -> list[tuple[str, str]]:
    """Draw the histogram of each of the first columns: title and picture; 2-D data need none."""
    data = section.data
    if data.kind != "vectors" or data.event_shape[0] == 2:
        return []
    found = []
    for i in range(min(COLUMNS, data.event_shape[0])):
        name = _column(data, i)
        lines = [
            (entry.samples[:, i], colors[entry.name])
            for entry in section.entries
            if entry.samples is not None
        ]
        label = f"histogram of {name}, real and generated"
        found.append((name, charts.histogram(lines, data.test.x[:, i], label=label)))
    return found


def thin(x: Tensor, most: int = SHOWN) -> Tensor:
    """Return at most so many rows, evenly spread over all."""
    if len(x) <= most:
        return x
    return x[torch.linspace(0, len(x) - 1, most).long()]


def _column(data: "Dataset", i: int) -> str:
    return data.columns[i] if i < len(data.columns) else f"column {i + 1}"


def _identity(data: "Dataset") -> View:
    return (lambda x: x), (_column(data, 0), _column(data, 1)), ""


def _principal(data: "Dataset") -> View:
    """Return the projection to two principal components of the standardised training split."""
    x = data.train.x.double()
    mean, std = x.mean(dim=0), x.std(dim=0)
    std = torch.where(std > 0, std, 1.0)
    values, vectors = torch.linalg.eigh(((x - mean) / std).T.cov())
    basis = vectors[:, -2:].flip(1)
    basis = basis * torch.where(basis.abs().amax(dim=0) == basis.amax(dim=0), 1.0, -1.0)
    shares = (values.flip(0)[:2] / values.sum()).tolist()
    first, second = (f"principal component {i} ({s:.0%})" for i, s in enumerate(shares, 1))
    note = "Projected on the first two principal components of the standardised training data."
    return (lambda z: ((z.double() - mean) / std) @ basis), (first, second), note


def _caption(entry: ModelEntry, samples: Tensor, box: charts.Box) -> str:
    kind = "means of p(x | z), not draws" if entry.samples_are_means else "samples"
    outside = len(samples) - int(box.holds(samples).sum())
    return f"{len(samples):,} {kind}" + (f", {outside:,} outside the frame" if outside else "")


def _with_densities(
    plane: Plane, section: Section, box: charts.Box, axes: tuple[str, str]
) -> Plane:
    """Add to each panel the log density on a grid, all on one scale of colours."""
    maps = {e.name: _log_density(e, box) for e in section.entries if e.log_density is not None}
    if not maps:
        return plane
    finite = [values[values.isfinite()] for values in maps.values()]
    high = max((f.quantile(0.995).item() for f in finite if len(f)), default=0.0)
    low = high - RANGE

    def drawn(values: Tensor, label: str) -> str:
        picture = pictures.data_uri(pictures.density_map(values, low=low, high=high))
        return charts.density(picture, box=box, axes=axes, label=label)

    kinds = {entry.name: DENSITIES[entry.log_density_kind] for entry in section.entries}
    real, *panels = plane.panels
    caption = f"histogram of {len(section.data.train):,} training examples"
    values = _log_histogram(section.data.train.x, box)
    panels = [
        replace(real, density=drawn(values, f"logarithm of the {caption}"), density_caption=caption)
    ] + [
        replace(
            panel,
            density=drawn(maps[panel.name], f"log density of {panel.name} on a grid"),
            density_caption=kinds[panel.name],
        )
        if panel.name in maps
        else panel
        for panel in panels
    ]
    bar = pictures.data_uri(pictures.color_bar())
    return replace(plane, panels=tuple(panels), bar=bar, low=number(low, 3), high=number(high, 3))


def _log_histogram(x: Tensor, box: charts.Box, *, side: int = 48) -> Tensor:
    """Return the log density of a histogram of points [N, 2], row by row from the top."""
    x = x.double()[box.holds(x)]
    across = ((x[:, 0] - box.left) / (box.right - box.left) * side).long().clamp(max=side - 1)
    down = ((box.top - x[:, 1]) / (box.top - box.bottom) * side).long().clamp(max=side - 1)
    counts = torch.bincount(down * side + across, minlength=side * side).double()
    area = (box.right - box.left) * (box.top - box.bottom) / side**2
    return (counts / (len(x) * area)).log()


def _log_density(entry: ModelEntry, box: charts.Box) -> Tensor:
    """Evaluate on the grid, in pieces that keep memory small, [S * S] float64."""
    if entry.log_density is None:
        raise ValueError(f"{entry.name} has no density")
    grid = box.grid(SIDES[entry.log_density_kind])
    with torch.no_grad():
        parts = [entry.log_density(piece).double().cpu() for piece in grid.split(1024)]
    values = torch.cat(parts)
    return torch.where(values.isnan(), -math.inf, values)
