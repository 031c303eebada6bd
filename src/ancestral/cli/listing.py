"""``ancestral models`` and ``ancestral datasets``: what there is."""

from typing import Any

from ancestral.cli import console
from ancestral.cli.options import Common


def models(
    *,
    common: Common = Common(),  # noqa: B008 - frozen
) -> int:
    """Show the models."""
    from ancestral.recipes.listing import list_models

    found = list_models()
    if common.json:
        console.emit({"models": [model.to_json() for model in found]})
        return 0
    rows = [
        (
            model.paradigm,
            model.name,
            ", ".join(model.kinds),
            ", ".join(model.capabilities),
            model.summary,
        )
        for model in found
    ]
    console.table(("paradigm", "model", "data", "can", "what it is"), _once(rows))
    console.write("density: exact log p(x); bound: a lower bound on it; a model without either")
    console.write("shows a dash in comparisons. Settings: ancestral models --json")
    return 0


def datasets(
    *,
    common: Common = Common(),  # noqa: B008 - frozen
) -> int:
    """Show the data that have a name."""
    from dataclasses import asdict

    from ancestral.data.catalogue import describe

    found = describe()
    if common.json:
        console.emit({"datasets": [asdict(info) for info in found]})
        return 0
    rows: list[tuple[str, ...]] = []
    for info in found:
        shape = " x ".join(map(str, info.event_shape))
        here = "yes" if info.available else "no"
        rows.append((info.name, info.kind, shape, info.sizes, here, info.about))
    console.table(("name", "kind", "shape", "examples", "here", "what it is"), rows)
    for info in found:
        if not info.available:
            console.write(f"{info.name}: {info.how}")
    console.write("A path to a table, a folder of images or of IDX files is data, too.")
    return 0


def _once(rows: list[tuple[Any, ...]]) -> list[tuple[str, ...]]:
    """Leave out a paradigm that is the one of the row above."""
    shown = []
    for number, row in enumerate(rows):
        same = number > 0 and rows[number - 1][0] == row[0]
        shown.append(("" if same else row[0], *row[1:]))
    return shown
