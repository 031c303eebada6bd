"""One self-contained page: everything a comparison found, with its pictures inside."""

import platform
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from ancestral.data.files import atomic, make_above
from ancestral.evaluation.bench import few
from ancestral.evaluation.charts import Curve, line_chart, tick_text
from ancestral.evaluation.definitions import KINDS, definition_of
from ancestral.evaluation.dot_plot import Dot, dot_plot
from ancestral.evaluation.kinds import bench_of
from ancestral.evaluation.report import codes, confusion, table, walks
from ancestral.evaluation.report.curves import curves_of, losses_of, said_of_losses
from ancestral.evaluation.report.entries import ModelEntry, Section
from ancestral.networks.drawing import draw_dag

if TYPE_CHECKING:
    from jinja2 import Environment

    from ancestral.data.dataset import Dataset

COLORS = 8
GRAPHS = {"p": "p, the generative network", "q": "q, the inference network"}
SENSES = {
    "higher": "right is better",
    "lower": "left is better",
    "floor": "the nearer to the dashed line, the better",
}


@dataclass(frozen=True, slots=True)
class Card:
    """One model by itself: its graphs and curves, drawn."""

    entry: ModelEntry
    color: str
    graphs: tuple[tuple[str, str], ...]
    curves: tuple[tuple[str, str, str], ...]
    losses: tuple[str, str] | None = None
    """What is said of training and validation loss, and their picture."""


def write_report(path: Path, *, title: str, sections: Sequence[Section]) -> Path:
    """Write one HTML page that holds everything it shows; it needs no network and no script.

    The page appears whole or not at all. The same input gives the same bytes.

    Args:
        path: Of the page; missing folders above it are made.
        title: Heading of the page.
        sections: One for each data set.

    Returns:
        The path.

    Raises:
        RunError: If the page cannot be written.
    """
    make_above(path)
    with atomic(path) as draft:
        draft.write_text(render_report(title=title, sections=sections), encoding="utf-8")
    return path


def render_report(*, title: str, sections: Sequence[Section]) -> str:
    """Return the page of :func:`write_report` as text."""
    rows = [table.figure_rows(section) for section in sections]
    named = dict.fromkeys(row.name for group in rows for row in group)
    kinds = dict.fromkeys(kind for group in rows for row in group for kind in row.kinds)
    made_by = {"ancestral": version("ancestral"), "PyTorch": version("torch")}
    return (
        templates()
        .get_template("report.html.j2")
        .render(
            title=title,
            views=[_view(i, s, r) for i, (s, r) in enumerate(zip(sections, rows, strict=True), 1)],
            definitions=[(name, definition_of(name)) for name in named if definition_of(name).text],
            kinds=[(kind, KINDS[kind]) for kind in KINDS if kind in kinds],
            made_by={**made_by, "Python": platform.python_version()},
        )
    )


def templates(*packages: str) -> "Environment":
    """Return the templates of reports, behind those of other packages, which escape what is put in.

    ``drawn`` marks what is a picture already: our own charts escape what they show.
    """
    from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup

    found = Environment(
        loader=ChoiceLoader([PackageLoader(p) for p in (*packages, "ancestral.evaluation.report")]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.filters["drawn"] = Markup
    return found


def colors_of(section: Section) -> dict[str, str]:
    """Return each model's CSS colour."""
    return {e.name: f"var(--m{i % COLORS})" for i, e in enumerate(section.entries)}


def _view(index: int, section: Section, rows: list[table.Row]) -> dict[str, object]:
    colors = colors_of(section)
    return {
        "anchor": f"data-{index}",
        "section": section,
        "data": section.data,
        "colors": colors,
        "facts": facts_of(section.data),
        "rows": rows,
        "means": [row.name for row in rows if row.name.endswith("_means")],
        "measured": _measured(section, rows),
        "costs": table.cost_rows(section),
        "late": [
            line for line in table.key_lines(section) if line not in (table.SENSES, table.STAR)
        ],
        "overview": _overview(section, colors),
        **bench_of(section.data).view(section, colors),
        "codes": codes.views_of(section, colors),
        "labels": codes.legend_of(section.data),
        "frames": walks.frames_of(section, colors),
        "by_evaluations": walks.curve_of(section, colors),
        "distance": definition_of(bench_of(section.data).distance).title,
        "counts": [
            (entry, walks.said_of(entry.evaluation.by_evaluations))
            for entry in section.entries
            if entry.evaluation.by_evaluations
        ],
        "sampled": any(entry.evaluation.samples is not None for entry in section.entries),
        "confusions": _confusions(section, colors),
        "texts": [e for e in section.entries if e.evaluation.passages is not None],
        "cards": [_card(entry, colors[entry.name], section.data) for entry in section.entries],
    }


def _confusions(
    section: Section, colors: dict[str, str]
) -> list[tuple[ModelEntry, str, list[str]]]:
    """Return the confusion matrix of each model that has one: a picture, and mistakes in words."""
    found, labels = [], section.data.labels
    for entry in section.entries:
        if (counts := entry.evaluation.confusion) is not None:
            label = f"{entry.name}: how often each label is taken for each"
            color = colors[entry.name]
            picture = confusion.heat_map(counts, labels, color=color, label=label)
            found.append((entry, picture, confusion.mistakes(counts, labels)))
    return found


def facts_of(data: "Dataset") -> list[tuple[str, str]]:
    """Return what is to be known about the data: term and text."""
    parts = [f"{len(s):,}" for s in (data.train, data.validation, data.test)]
    held_out = "the source's own test split" if data.official_split else "split by seed"
    facts = [
        ("source", data.source),
        ("training", parts[0]),
        ("validation", parts[1]),
        ("held out (test)", f"{parts[2]}, {held_out}"),
        *bench_of(data).facts(),
    ]
    if data.labels:
        facts.append(("labels", few(data.labels)))
    facts.append(("duplicates removed", f"{data.duplicates_removed:,} across splits"))
    facts.append(("fingerprint", data.fingerprint))
    return facts


def _measured(section: Section, rows: list[table.Row]) -> list[tuple[str, str]]:
    """Return how each figure in the table was measured, in the words of the first model."""
    told: dict[str, str] = {}
    for entry in section.entries:
        told = {**entry.evaluation.definitions, **told}
    return [(row.name, told[row.name]) for row in rows if row.name in told]


def _card(entry: ModelEntry, color: str, data: "Dataset") -> Card:
    graphs = []
    for name, dag in entry.graph.items():
        picture = draw_dag(
            dag.as_mapping,
            observed=[node for node in data.fields if node in dag],
            title=f"{entry.name}: {GRAPHS.get(name, name)}",
        )
        caption = GRAPHS.get(name, name)
        if name == "p" and "x" in dag.roots and "label" in dag:
            caption = "p, the network of the label given x"
        graphs.append((caption, picture))
    found = curves_of(entry.curves)
    losses = losses_of(found)
    curves = []
    for curve in found:
        if losses is not None and curve in losses:
            continue
        label = f"{entry.name}: {curve.name} over {len(curve.steps)} reports"
        last = curve.values[-1 if curve.best is None else curve.best]
        word = "last" if curve.best is None else "best"
        picture = line_chart(curve, color=color, label=label)
        curves.append((curve.name, f"{word} {tick_text(last)}", picture))
    both = losses and _losses(entry, losses, color)
    return Card(entry, color, tuple(graphs), tuple(curves), both)


def _losses(entry: ModelEntry, losses: tuple[Curve, Curve], color: str) -> tuple[str, str]:
    training, validation = losses
    label = f"{entry.name}: training and validation loss over {len(training.steps)} reports"
    picture = line_chart(training, color=color, label=label, other=validation)
    return said_of_losses(training, validation), picture


def _overview(section: Section, colors: dict[str, str]) -> list[tuple[str, str, str]]:
    """Return the few charts that a reader looks at first: title, note, picture."""
    wanted = (
        ("Held-out likelihood", bench_of(section.data).likelihoods),
        ("Distance to held-out data", ("sliced_wasserstein",)),
        ("Coverage of held-out data", ("coverage",)),
        ("Pairs of columns", ("pair_tv",)),
        ("Told from real rows", ("detection_auc",)),
        ("Copied from the training text", ("memorised_fraction",)),
    )
    found = []
    for heading, names in wanted:
        dots, floor, unit, better = _dots(section, names, colors)
        if len(dots) > 1:
            sense = SENSES[better]
            what = definition_of(names[0]).title + (f", {unit}" if unit else "")
            arrows = "; an arrow marks a bound" if any(dot.arrow for dot in dots) else ""
            line = "; dashed: real against real" if floor is not None else ""
            picture = dot_plot(dots, floor=floor, label=f"{heading} of each model")
            found.append((heading, f"{what}: {sense}{arrows}{line}", picture))
    return found


def _dots(
    section: Section, names: Sequence[str], colors: dict[str, str]
) -> tuple[list[Dot], float | None, str, str]:
    """Return one dot for each model that gives one of the figures, the first it gives."""
    dots, floor, unit = [], None, ""
    better = definition_of(names[0]).better
    for entry in section.entries:
        figures = map(entry.evaluation.figures.get, names)
        figure = next((f for f in figures if f is not None), None)
        if figure is None or figure.kind == "loss":
            continue
        scale, unit = table.scale_of(figure, tiny=False)
        text, _ = table.value_text(figure)
        text = f"≈ {text}" if figure.kind == "estimate" and figure.floor is None else text
        floor = figure.floor * scale if figure.floor is not None else floor
        arrow = 0 if figure.kind != "bound" else 1 if better == "higher" else -1
        se = None if figure.se is None else figure.se * scale
        dots.append(Dot(entry.name, figure.value * scale, se, text, colors[entry.name], arrow))
    return dots, floor, unit, better
