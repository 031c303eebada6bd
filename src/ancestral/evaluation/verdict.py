"""Whether a figure is near its floor, the value of real data, or far from it."""

from collections.abc import Mapping

from ancestral.evaluation.definitions import Definition, definition_of
from ancestral.evaluation.figures import Figure
from ancestral.evaluation.measures.active_units import said_of_latents

TOLERANCES: dict[str, float] = {
    "share": 0.1,
    "probability": 0.1,
    "ratio": 0.1,
    "squared MMD": 0.01,
}
"""How far off is near, by unit; a distance is near up to twice its floor."""

FAR = 3.0
"""So many times as far off is far."""

FEWEST_STEPS = 100
"""Fewer updates than this are too few to say anything of a model."""


def is_near(figure: Figure, definition: Definition) -> bool:
    """Return whether a figure is near its floor; one that has none is not far from it.

    Accuracy is the other way round: it must be above its floor, by more than two standard errors.

    Example:
        >>> coverage = definition_of("coverage")
        >>> found = [Figure(x, 0.01, "share", "estimate", floor=0.97) for x in (0.95, 0.7, 0.48)]
        >>> [is_near(figure, coverage) for figure in found]
        [True, False, False]
        >>> [is_far(figure, coverage) for figure in found]
        [False, False, True]
    """
    gap = _gap(figure, definition)
    if gap is None:
        return True
    if definition.for_nothing:
        return gap < -2 * (figure.se or 0.0)
    return gap <= max(2 * (figure.se or 0.0), _tolerance(figure))


def is_far(figure: Figure, definition: Definition) -> bool:
    """Return whether a figure is far from its floor, or an accuracy no better than that."""
    if definition.for_nothing:
        return not is_near(figure, definition)
    gap = _gap(figure, definition)
    return gap is not None and gap > max(2 * (figure.se or 0.0), FAR * _tolerance(figure))


def said_of_variety(figures: Mapping[str, Figure | None]) -> list[str]:
    """Return a sentence where samples have collapsed onto few modes, else none.

    They have if both reach less than half of what real data do: the held-out examples near which
    there is a sample (coverage), and those that are as near to samples as these to each other
    (recall). Where samples do not look real, either, it takes less than a tenth, for then they
    may be everywhere but at the data.

    Example:
        >>> share = lambda value, floor: Figure(value, 0.01, "share", "estimate", floor=floor)
        >>> found = {"precision": share(0.9, 0.95), "recall": share(0.1, 0.94)}
        >>> said_of_variety({**found, "coverage": share(0.12, 0.97)})
        ['mode collapse: samples reach few held-out examples, coverage 12% (floor 97%), recall 10% \
(floor 94%)']
    """
    found = [figures.get(name) for name in ("coverage", "recall", "precision")]
    shares = [figure.value / figure.floor for figure in found if figure and figure.floor]
    if len(shares) < len(found) or max(shares[:2]) >= (_MODES if shares[2] >= _MODES else _NOTHING):
        return []
    said = [
        f"{name} {_text(figure, figure.value)} (floor {_text(figure, figure.floor or 0.0)})"
        for name in ("coverage", "recall")
        if (figure := figures.get(name)) is not None
    ]
    return [f"mode collapse: samples reach few held-out examples, {', '.join(said)}"]


_MODES, _NOTHING = 0.5, 0.1
"""Shares of the floors below which variety is lost, and below which hardly any is left."""


def said_of(figures: Mapping[str, Figure | None]) -> list[str]:
    """Return what is to be said of figures that are far from their floors, a sentence each kind.

    Example:
        >>> said_of({"coverage": Figure(0.48, 0.01, "share", "estimate", floor=0.97)})
        ['far from the floor: coverage 48% (floor 97%)']
    """
    far, blind = [], []
    for name, figure in figures.items():
        definition = definition_of(name)
        if figure is None or name.endswith("_means") or not is_far(figure, definition):
            continue
        floor = _text(figure, figure.floor or 0.0)
        if definition.for_nothing:
            value = _text(figure, figure.value)
            blind.append(f"{name} {value}: always saying the commonest label gives {floor}")
        else:
            far.append(f"{name} {_text(figure, figure.value)} (floor {floor})")
    said = [f"far from the floor: {', '.join(far)}"] * bool(far) + blind
    collapsed = said_of_latents(figures.get("active_units"))
    return [*said_of_variety(figures), *collapsed, *said]


def _gap(figure: Figure, definition: Definition) -> float | None:
    """Return how much worse than its floor a figure is; None if it has none or is not ranked."""
    if figure.floor is None or definition.better == "none":
        return None
    above = figure.value - figure.floor
    return {"higher": -above, "lower": above, "floor": abs(above)}[definition.better]


def _tolerance(figure: Figure) -> float:
    return TOLERANCES.get(figure.unit, abs(figure.floor or 0.0))


def _text(figure: Figure, value: float) -> str:
    return f"{value:.0%}" if figure.unit in ("share", "probability") else f"{value:.3g}"
