"""The comparison as a table of text, the same for the page and for the terminal."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ancestral.evaluation.charts import MINUS, number
from ancestral.evaluation.definitions import DEFINITIONS, Definition, definition_of
from ancestral.evaluation.report.entries import ModelEntry, Section
from ancestral.evaluation.verdict import FEWEST_STEPS, is_near

if TYPE_CHECKING:
    from ancestral.evaluation.figures import Figure

DASH = "–"
ARROWS = {"higher": "↑", "lower": "↓", "floor": "→", "none": ""}
SENSES = "↑ higher, ↓ lower, → nearer to the floor is better"
STAR = "* best of its row, to 2 standard errors, and near the floor (real against real)"
SUSPICIOUS, TINY = 0.01, 0.02
LATE = 1.1
"""So many times the budget are no longer within it."""

PER_CENT = frozenset({"share", "probability"})


@dataclass(frozen=True, slots=True)
class Cell:
    """One figure of one model as text: ``sign`` is ≥ or ≤ for a bound, ≈ for an estimate.

    ``best``: of the models of its row and, where there is a floor, near it; ``near``: that it is.
    """

    text: str = DASH
    sign: str = ""
    kind: str = ""
    best: bool = False
    near: bool = False
    p_value: str = ""
    warning: str = ""

    @property
    def plain(self) -> str:
        """All in one line, with a star where it is best."""
        parts = (self.sign, self.text, "*" * self.best, self.p_value and f"({self.p_value})")
        return " ".join(part for part in parts if part)


@dataclass(frozen=True, slots=True)
class Row:
    """One figure of all models; ``floor`` is most often real data against real data."""

    name: str
    definition: Definition
    unit: str
    kinds: tuple[str, ...]
    cells: tuple[Cell, ...]
    floor: str = ""


def figure_rows(section: Section) -> list[Row]:
    """Return one row for each figure that at least one model of the section was asked for.

    Figures that every model answers with a dash are left out, except the likelihoods: that no
    model has one is worth knowing.
    """
    asked = {name: None for entry in section.entries for name in entry.evaluation.figures}
    order = [name for name in DEFINITIONS if name in asked]
    order += [name for name in asked if name not in DEFINITIONS]
    rows = []
    trained = [not too_few_steps(entry) for entry in section.entries]
    for name in order:
        figures = [entry.evaluation.figures.get(name) for entry in section.entries]
        if name == "log_prob" or any(figure is not None for figure in figures):
            rows.append(_row(name, figures, trained))
    return rows


def too_few_steps(entry: ModelEntry) -> bool:
    """Return whether a model was trained too little for a verdict."""
    return entry.steps is not None and entry.steps < FEWEST_STEPS


def cost_rows(section: Section) -> list[tuple[str, list[str]]]:
    """Return what the models cost: title and one text for each model."""
    entries = section.entries
    few = [" (too few)" * too_few_steps(entry) for entry in entries]
    rows = [
        ("training time", [duration(entry.seconds) for entry in entries]),
        ("processor time", [duration(entry.cpu_seconds) for entry in entries]),
        ("time in all", [duration(entry.whole_seconds) for entry in entries]),
        ("steps", [count(e.steps) + said for e, said in zip(entries, few, strict=True)]),
        ("parameters", [count(entry.parameters) for entry in entries]),
    ]
    return [(title, cells) for title, cells in rows if any(cell != DASH for cell in cells)]


def table_rows(section: Section) -> tuple[list[str], list[list[str]]]:
    """Return header and rows of the comparison, ready to print: one column a model.

    An arrow says which way a figure is better; a bound is led by ≥ or ≤, an estimated likelihood by
    ≈; for the star see :data:`STAR`. The second column is the floor.
    """
    header = ["figure", "floor", *(entry.name for entry in section.entries)]
    rows = []
    for row in figure_rows(section):
        parts = (row.name, ARROWS[row.definition.better], row.unit and f"[{row.unit}]")
        cells = [cell.plain for cell in row.cells]
        rows.append([" ".join(filter(None, parts)), row.floor or DASH, *cells])
    rows += [[title, "", *cells] for title, cells in cost_rows(section)]
    return header, rows


def key_lines(section: Section) -> list[str]:
    """Return what explains the marks of :func:`table_rows`, those that there are."""
    rows = figure_rows(section)
    lines = [SENSES] if rows else []
    lines += [STAR] if any(cell.best for row in rows for cell in row.cells) else []
    if few := [entry.name for entry in section.entries if too_few_steps(entry)]:
        lines.append(f"too few steps for a verdict, so no star: {', '.join(few)}")
    limit = section.limit or math.inf
    late = [entry for entry in section.entries if (entry.seconds or 0.0) > LATE * limit]
    if late:
        said = ", ".join(f"{entry.name} ({duration(entry.seconds)})" for entry in late)
        lines.append(f"longer than the budget: {said}")
    return lines


def value_text(figure: "Figure", *, tiny: bool = False) -> tuple[str, str]:
    """Return a figure as text with the digits that its standard error warrants, and its unit.

    Args:
        figure: Shares are given in per cent.
        tiny: Give it in thousandths, for rows in which all values are small.

    Example:
        >>> from ancestral.evaluation.figures import Figure
        >>> value_text(Figure(-1.93456, 0.0123, "nats", "exact"))
        ('−1.935 ± 0.012', 'nats')
        >>> value_text(Figure(0.9934, 0.0018, "share", "estimate"))
        ('99.34 ± 0.18', '%')
    """
    scale, unit = scale_of(figure, tiny=tiny)
    value = figure.value * scale
    if figure.se is None:
        return number(value), unit
    se = figure.se * scale
    if se == 0:
        return f"{number(value)} ± 0", unit
    decimals = max(0, min(6, 1 - math.floor(math.log10(se))))
    if round(value, decimals) == 0 == round(se, decimals):
        return f"{value:.1e} ± {se:.0e}".replace("-", MINUS), unit
    return f"{value:,.{decimals}f} ± {se:,.{decimals}f}".replace("-", MINUS), unit


def scale_of(figure: "Figure", *, tiny: bool) -> tuple[int, str]:
    """Return what a figure is multiplied by to be shown, and the unit it then has."""
    if figure.unit in PER_CENT:
        return 100, "%"
    return (1000, f"{figure.unit} ×10⁻³".strip()) if tiny else (1, figure.unit)


def count(value: int | None) -> str:
    """Write a whole number with separators, a dash for None."""
    return DASH if value is None else f"{value:,}"


def duration(seconds: float | None) -> str:
    """Write a time, a dash for None."""
    if seconds is None:
        return DASH
    if seconds < 0.1:
        return "<0.1 s"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {rest:02d} s"


def best_of(figures: Sequence["Figure | None"], definition: Definition) -> list[bool]:
    """Return which figures are the best of their row, or within two standard errors of it.

    The error is that of the difference, example by example where these are known. Nothing is better
    than the floor, and what is not near it is not marked. A loss is never ranked. An exact value
    that beats a bound is not marked, because the model with the bound may be the better one; a
    bound that beats exact values is.
    """
    none = [False] * len(figures)
    costs = [None if f is None or f.kind == "loss" else _cost(f, definition) for f in figures]
    known = [i for i, cost in enumerate(costs) if cost is not None]
    if len(known) < 2:
        return none
    winner = min(known, key=lambda i: costs[i] or 0.0)
    marked = list(none)
    for i in known:
        one, other = figures[winner], figures[i]
        if one is None or other is None:
            continue
        if other.kind == "bound" and one.kind != "bound":
            return none
        error = one.error_of_difference(other)
        tied = (costs[i] or 0.0) - (costs[winner] or 0.0) <= 2 * error
        marked[i] = tied and is_near(other, definition)
    return marked


def _cost(figure: "Figure", definition: Definition) -> float | None:
    """Return how bad a figure is: smaller is better, None where it is not to be ranked."""
    value, floor = figure.value, None if definition.for_nothing else figure.floor
    if definition.better == "higher":
        return -(value if floor is None else min(value, floor))
    if definition.better == "lower":
        return value if floor is None else max(value, floor)
    if definition.better == "floor" and floor is not None:
        return abs(value - floor)
    return None


def _row(name: str, figures: Sequence["Figure | None"], trained: Sequence[bool]) -> Row:
    definition = definition_of(name)
    ranked = [figure if known else None for figure, known in zip(figures, trained, strict=True)]
    best = best_of(ranked, definition)
    known = [figure for figure in figures if figure is not None]
    sizes = [max(abs(f.value), abs(f.floor or 0.0)) for f in known if f.unit not in PER_CENT]
    tiny = 0 < max(sizes, default=0) < TINY
    scale, unit = scale_of(known[0], tiny=tiny) if known else (1, "")
    floors = [f.floor for f in known if f.floor is not None]
    floor = f"{floors[0] * scale:.3g}".replace("-", MINUS) if floors else ""
    cells = tuple(
        _cell(name, figure, (definition, mark, tiny))
        for figure, mark in zip(figures, best, strict=True)
    )
    kinds = tuple(dict.fromkeys(figure.kind for figure in known))
    return Row(name, definition, unit, kinds, cells, floor)


def _cell(name: str, figure: "Figure | None", how: tuple[Definition, bool, bool]) -> Cell:
    """Write one figure; ``how`` is its definition, whether it is marked, whether it is tiny."""
    definition, best, tiny = how
    if figure is None:
        return Cell()
    real = figure.floor is not None and not definition.for_nothing
    signs = {"bound": "≤" if definition.better == "lower" else "≥"}
    if not real:  # Every figure of samples is an estimate: the sign would be noise.
        signs["estimate"] = "≈"
    text = value_text(figure, tiny=tiny)[0] + (" (loss)" if figure.kind == "loss" else "")
    p = figure.p_value
    shown = "" if p is None else "p < 0.001" if p < 0.001 else f"p = {p:.3f}"
    copies = name == "memorisation" and p is not None and p < SUSPICIOUS
    warning = "leans to its training set" if copies else ""
    near = real and is_near(figure, definition)
    return Cell(text, signs.get(figure.kind, ""), figure.kind, best, near, shown, warning)
