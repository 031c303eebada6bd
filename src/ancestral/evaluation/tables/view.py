"""What a report shows of mixed tables: columns, pairs, rows to read, privacy."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from ancestral.data.columns import Column
from ancestral.data.notation import DAY
from ancestral.evaluation import charts
from ancestral.evaluation.figures import Figure
from ancestral.evaluation.tables import pictures
from ancestral.evaluation.tables.coding import texts
from ancestral.evaluation.tables.privacy import SHOWS
from ancestral.evaluation.tables.variation import dependence, total_variation

if TYPE_CHECKING:
    from ancestral.evaluation.report.entries import Section
    from ancestral.evaluation.tables.evaluate import Tables

COLUMNS, ROWS = 40, 5
"""Most columns with a picture; sample rows of each model."""

RARE = 0.005
"""Values with a smaller share of real rows and of samples are drawn together."""

SUSPECTS = {
    "copied_rows": "samples that equal a training row",
    "nearer_training": "samples nearer to a training row than to a held-out one",
    "membership_auc": "training rows told from held-out ones by log p",
}


def view_of(bench: "Tables", section: "Section", colors: Mapping[str, str]) -> dict[str, Any]:
    """Return the parts of a section as their template names them."""
    found = {entry.name: entry.evaluation.samples for entry in section.entries}
    drawn = {name: bench.points(x) for name, x in found.items() if x is not None and len(x) > 1}
    coded = {name: bench.cells(x) for name, x in drawn.items()}
    privacy = [(entry.name, _privacy(entry.evaluation.figures)) for entry in section.entries]
    return {
        "columns": _columns(bench, drawn, coded, colors),
        "left": max(0, len(bench.columns) - COLUMNS),
        "pairs": _pairs(bench, coded),
        "real": _texts(bench, bench.reference[:ROWS]),
        "rows": [
            (entry.name, list(zip(*(_texts(bench, x) for x in pair), strict=True)))
            for entry in section.entries
            if (pair := entry.pair(ROWS)) is not None
        ],
        "privacy": [(name, rows) for name, rows in privacy if rows],
        "shows": SHOWS,
    }


def _columns(
    bench: "Tables",
    drawn: Mapping[str, Tensor],
    coded: Mapping[str, Tensor],
    colors: Mapping[str, str],
) -> list[tuple[str, str, str, str]]:
    """Return each column's name, type, picture, and how far samples and real rows are apart."""
    real, floor = bench.coded
    alone = [(j,) for j in range(len(bench.columns))]
    far = {
        name: total_variation(codes, real, bench.cells.sizes, alone)[0]
        for name, codes in {**coded, "real rows": floor}.items()
        if min(len(real), len(codes)) > 1  # Of one row there is nothing to compare.
    }
    found = []
    for j, column in enumerate(bench.columns[:COLUMNS]):
        label = f"{column.name}, held-out rows and samples"
        if (names := bench.cells.names(j)) is None:
            lines = [(x[:, j], colors[name]) for name, x in drawn.items()]
            picture = _histogram(column, bench.reference[:, j], lines, label)
        else:
            lines = [(codes[:, j], colors[name]) for name, codes in coded.items()]
            picture = _bars(names, real[:, j], lines, label)
        apart = [f"{name} {charts.number(each[j].item(), 2)}" for name, each in far.items()]
        found.append((column.name, column.type, picture, "; ".join(apart)))
    return found


def _histogram(column: Column, real: Tensor, lines: list[tuple[Tensor, str]], label: str) -> str:
    if column.type != "date":
        return charts.histogram(lines, real, label=label, step=column.resolution)
    known = real[~real.isnan()]
    years = len(known) > 0 and (known.max() - known.min()).item() > 400 * DAY
    shown = Column(name=column.name, type="date", form="%Y-%m" if years else "%m-%d")

    def tick(value: float) -> str:
        return texts(shown, torch.tensor([value * DAY]))[0]

    days = [(x / DAY, color) for x, color in lines]
    step = column.resolution and column.resolution / DAY
    return charts.histogram(days, real / DAY, label=label, step=step, tick=tick)


def _bars(names: list[str], real: Tensor, lines: list[tuple[Tensor, str]], label: str) -> str:
    codes = [real, *(codes for codes, _ in lines)]
    shares = torch.stack([x.bincount(minlength=len(names)) / len(x) for x in codes])
    # Rare values join the others; what is missing stands last.
    shown = (shares >= RARE).any(dim=0)
    rare = shares[:, 1:].clone()
    rare[:, shown[1:]] = 0
    shares[:, -1] += rare[:, :-1].sum(dim=1)
    shown[-1] = bool((shares[:, -1] > 0).any())
    order = [k for k in (*range(1, len(names)), 0) if shown[k]]
    kept, colors = shares[:, order], [color for _, color in lines]
    others = list(zip(kept[1:], colors, strict=True))
    return pictures.bars([names[k] for k in order], kept[0], others, label=label)


def _pairs(bench: "Tables", coded: Mapping[str, Tensor]) -> list[tuple[str, str, str]]:
    """Return how columns depend on each other, of real rows and samples: name, what, picture."""
    names, sizes = bench.data.columns[: pictures.DRAWN], bench.cells.sizes[: pictures.DRAWN]
    if len(names) < 2:
        return []
    label = "dependence of pairs of columns"
    real = dependence(bench.coded[0][:, : len(names)], sizes)
    found = [("real data", "held-out rows", pictures.matrix(real, names, label=label))]
    for name, codes in coded.items():
        own = dependence(codes[:, : len(names)], sizes)
        found.append((name, "samples", pictures.matrix(own, names, label=f"{label}, {name}")))
        words = f"{label}, {name} less real"
        picture = pictures.matrix(own - real, names, label=words, signed=True)
        found.append((name, "less real", picture))
    return found


def _texts(bench: "Tables", x: Tensor) -> list[list[str]]:
    columns = [texts(column, cells) for column, cells in zip(bench.columns, x.T, strict=True)]
    return [list(row) for row in zip(*columns, strict=True)]


def _privacy(figures: Mapping[str, Figure | None]) -> list[tuple[str, str, str]]:
    """Return each figure in words with its 95% interval, and the value that is expected."""
    found = []
    for name, words in SUSPECTS.items():
        if (figure := figures.get(name)) is not None:
            reach = 1.96 * (figure.se or 0.0)
            low, high = max(0.0, figure.value - reach), min(1.0, figure.value + reach)
            expected = "" if figure.floor is None else f"{figure.floor:.2%}"
            found.append((words, f"{figure.value:.2%} ({low:.2%} to {high:.2%})", expected))
    return found
