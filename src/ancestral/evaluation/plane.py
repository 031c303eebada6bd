"""Pictures of rows of numbers: scatters with densities in the plane, histograms, nearest rows."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, TypeAlias

import torch
from torch import Tensor

from ancestral.capabilities import HasBound, HasDensity, Tightens
from ancestral.data.columns import Column, Vector
from ancestral.data.dataset import Dataset
from ancestral.evaluation import charts, pictures
from ancestral.evaluation.charts import number
from ancestral.evaluation.drawing import device_of, generator_of
from ancestral.evaluation.figures import Kind
from ancestral.networks.units import InDataUnits

if TYPE_CHECKING:
    from ancestral.evaluation.report.entries import Section

SHOWN, COLUMNS, RANGE = 2500, 9, 9.0
"""Points in a scatter; columns with a histogram; nats from brightest to darkest."""
SIDE, SIDE_OF_DRAWS, DRAWS, BOUND_DRAWS = 96, 64, 32, 8
"""Cells along a side of a density panel, fewer where each costs so many draws."""
DENSITIES: dict[Kind, str] = {
    "exact": "log p(x)",
    "bound": "a bound on log p(x)",
    "estimate": "log p(x), estimated",
}
View: TypeAlias = tuple[Callable[[Tensor], Tensor], tuple[str, str], str]
"""Projection to the plane, names of its coordinates, a note."""
REAL_COLOR = "var(--real,#5b6472)"
MEANS = "means of p(x | z), not draws"


@dataclass(frozen=True, slots=True)
class Density:
    """log p(x) on the grid of a picture, float64 [S * S] row by row from the top, and its kind."""

    values: Tensor
    kind: Kind


@dataclass(frozen=True, slots=True)
class Panel:
    """One column of the plane's pictures; ``density`` is empty where there is none."""

    name: str
    color: str
    scatter: str
    caption: str
    density: str = ""
    density_caption: str = ""
    means: bool = False


@dataclass(frozen=True, slots=True)
class Plane:
    """The scatters of a section, with one scale of density for all of them."""

    panels: tuple[Panel, ...]
    note: str
    bar: str = ""
    low: str = ""
    high: str = ""


def plane_of(section: "Section", colors: Mapping[str, str]) -> Plane | None:
    """Draw real data, then each model's samples and means over them; None below two numbers."""
    data, columns = section.data, numbers_of(section.data)
    if len(columns) < 2:
        return None
    flat = len(columns) == 2 == data.features
    names = (data.columns[0], data.columns[1])
    project, axes, note = (lambda x: x, names, "") if flat else _principal(data, columns)
    real = project(thin(whole_rows(data.test.x, columns)))
    box = charts.Box.around(project(whole_rows(data.train.x, columns)))
    label = f"scatter of held-out examples of {data.name}"
    picture = charts.scatter(None, real, box=box, color=REAL_COLOR, axes=axes, label=label)
    panels = [Panel("real data", REAL_COLOR, picture, f"{len(real):,} held-out examples")]
    for entry in section.entries:
        shown = (entry.evaluation.samples, "samples"), (entry.evaluation.means, MEANS)
        for x, kind in shown:
            if x is None:
                continue
            points = project(thin(x))
            label = f"scatter of {kind} from {entry.name} over held-out examples"
            color = colors[entry.name]
            picture = charts.scatter(points, real, box=box, color=color, axes=axes, label=label)
            caption = _caption(points, kind, box)
            panels.append(Panel(entry.name, color, picture, caption, means=kind == MEANS))
    plane = Plane(tuple(panels), note)
    return _with_densities(plane, section, box, axes) if flat else plane


def marginals_of(section: "Section", colors: Mapping[str, str]) -> list[tuple[str, str]]:
    """Draw the histogram of each of the first columns: title and picture; 2-D data need none."""
    data, columns = section.data, numbers_of(section.data)
    if len(columns) == 2 == data.features:
        return []
    found = []
    for i in columns[:COLUMNS]:
        name = data.columns[i]
        lines = [
            (entry.evaluation.samples[:, i], colors[entry.name])
            for entry in section.entries
            if entry.evaluation.samples is not None
        ]
        label = f"histogram of {name}, real and generated"
        found.append(
            (name, charts.histogram(lines, whole_rows(data.test.x, [i])[:, i], label=label))
        )
    return found


def nearest_rows(
    section: "Section", *, most: int = 5, columns: int = 6
) -> list[tuple[str, list[tuple[list[str], list[str]]]]]:
    """Return each model's first samples beside their nearest training rows, as texts."""
    field = section.data.field
    if not numbers_of(section.data):
        return []
    found = []
    for entry in section.entries:
        if (pair := entry.pair(most)) is not None:
            rows = [[[_text(v) for v in row[:columns]] for row in field.rows(x)] for x in pair]
            found.append((entry.name, list(zip(*rows, strict=True))))
    return found


@torch.no_grad()
def density_of(model: InDataUnits, data: Dataset, *, seed: int) -> Density | None:
    """Evaluate log p(x) of two numbers on the grid of a picture, in pieces that keep memory small.

    Returns:
        It, a bound on it, or an estimate of it; None of a model that has none, or of other data.
    """
    if len(numbers_of(data)) != 2 or data.features != 2 or model.needs:
        return None
    if not (model.can(HasDensity) or model.can(HasBound)):
        return None
    score, kind = model.log_prob, "exact" if model.exact else "bound"
    if not model.can(HasDensity) and model.can(Tightens):
        score, kind = partial(model.estimate_log_prob, draws=DRAWS), "estimate"
    elif not model.can(HasDensity):
        score, kind = partial(model.elbo, draws=BOUND_DRAWS), "bound"
    grid = charts.Box.around(data.train.x).grid(SIDE if kind == "exact" else SIDE_OF_DRAWS)
    noise, device = generator_of(model, seed), device_of(model)
    values = torch.cat([score(x.to(device), generator=noise) for x in grid.split(1024)])
    values = values.double().cpu()
    return Density(torch.where(values.isnan(), -math.inf, values), kind)


def thin(x: Tensor, most: int = SHOWN) -> Tensor:
    """Return at most so many rows, evenly spread over all."""
    if len(x) <= most:
        return x
    return x[torch.linspace(0, len(x) - 1, most).long()]


def columns_of(data: Dataset) -> tuple[Column, ...]:
    """Return the columns of rows."""
    return data.field.columns if isinstance(data.field, Vector) else ()


def numbers_of(data: Dataset) -> list[int]:
    """Return the places of the columns that are quantities, and vary."""
    columns = enumerate(columns_of(data))
    return [i for i, column in columns if not (column.discrete or column.constant)]


def whole_rows(x: Tensor, columns: list[int]) -> Tensor:
    """Return the rows that have all of these columns."""
    return x[~x[:, columns].isnan().any(dim=1)]


def _text(cell: float | str) -> str:
    return cell if isinstance(cell, str) else f"{cell:.4g}"


def _principal(data: Dataset, columns: list[int]) -> View:
    """Return the projection to two principal components of the standardised training split."""
    x = whole_rows(data.train.x, columns)[:, columns].double()
    mean, std = x.mean(dim=0), x.std(dim=0)
    std = torch.where(std > 0, std, 1.0)
    values, vectors = torch.linalg.eigh(((x - mean) / std).T.cov())
    basis = vectors[:, -2:].flip(1)
    basis = basis * torch.where(basis.abs().amax(dim=0) == basis.amax(dim=0), 1.0, -1.0)
    shares = (values.flip(0)[:2] / values.sum()).tolist()
    first, second = (f"principal component {i} ({s:.0%})" for i, s in enumerate(shares, 1))
    note = "Projected on the first two principal components of the standardised training data."
    return (lambda z: ((z[:, columns].double() - mean) / std) @ basis), (first, second), note


def _caption(points: Tensor, kind: str, box: charts.Box) -> str:
    outside = len(points) - int(box.holds(points).sum())
    return f"{len(points):,} {kind}" + (f", {outside:,} outside the frame" if outside else "")


def _with_densities(
    plane: Plane, section: "Section", box: charts.Box, axes: tuple[str, str]
) -> Plane:
    """Add to each panel the log density on a grid, all on one scale of colours."""
    known = {e.name: e.density for e in section.entries if e.density is not None}
    if not known:
        return plane
    finite = [each.values[each.values.isfinite()] for each in known.values()]
    high = max((f.quantile(0.995).item() for f in finite if len(f)), default=0.0)
    low = high - RANGE

    def shaded(panel: Panel, values: Tensor, label: str, caption: str) -> Panel:
        picture = pictures.data_uri(pictures.density_map(values, low=low, high=high))
        picture = charts.density(picture, box=box, axes=axes, label=label)
        return replace(panel, density=picture, density_caption=caption)

    real, *panels = plane.panels
    caption = f"histogram of {len(section.data.train):,} training examples"
    histogram = _log_histogram(section.data.train.x, box)
    shown = [shaded(real, histogram, f"logarithm of the {caption}", caption)]
    for panel in panels:
        if (density := known.get(panel.name)) is not None and not panel.means:
            label = f"log density of {panel.name} on a grid"
            panel = shaded(panel, density.values, label, DENSITIES[density.kind])
        shown.append(panel)
    bar = pictures.data_uri(pictures.color_bar())
    return replace(plane, panels=tuple(shown), bar=bar, low=number(low, 3), high=number(high, 3))


def _log_histogram(x: Tensor, box: charts.Box, *, side: int = 48) -> Tensor:
    """Return the log density of a histogram of points [N, 2], row by row from the top."""
    x = x.double()[box.holds(x)]
    across = ((x[:, 0] - box.left) / (box.right - box.left) * side).long().clamp(max=side - 1)
    down = ((box.top - x[:, 1]) / (box.top - box.bottom) * side).long().clamp(max=side - 1)
    counts = torch.bincount(down * side + across, minlength=side * side).double()
    area = (box.right - box.left) * (box.top - box.bottom) / side**2
    return (counts / (len(x) * area)).log()
