"""``ancestral score``: how surprised a run is by each row, image or token; which label it has."""

from pathlib import Path
from typing import TYPE_CHECKING

from ancestral.cli import console
from ancestral.cli.options import Common, Destination
from ancestral.cli.written import deliver_rows

if TYPE_CHECKING:
    from ancestral.recipes import Run

Table = tuple[list[str], list[list[object]]]


def score(
    run: Path,
    data: str,
    /,
    *,
    to: Destination = Destination(),  # noqa: B008 - frozen
    common: Common = Common(),  # noqa: B008 - frozen
) -> int:
    """Write the surprise, minus log p in nats, of each row, image or token, in the file's order.

    Of a classifier: the likeliest label, its probability, and the surprise at the label in the
    data, where they have one.

    Parameters
    ----------
    run
        A run folder.
    data
        A name, a file or a folder; of a language model, a text.
    """
    from ancestral.recipes import Run

    common.apply()
    to.check()
    to.check_table()
    opened = Run.open(run)
    answer: dict[str, object] = {"run": str(run), "data": data, "unit": "nats"}
    if opened.record.data.kind == "text":
        columns, rows = _text(opened, data, answer, common)
    elif opened.recipe.conditional:
        columns, rows = _labels(opened, data, answer, common)
    else:
        columns, rows = _rows(opened, data, answer, common)
    deliver_rows(columns, rows, answer, out=to.out, key="rows", json=common.json)
    return 0


def _rows(run: "Run", data: str, answer: dict[str, object], common: Common) -> Table:
    from ancestral.recipes.scoring import score_rows

    found = score_rows(run, data, seed=common.seed_or_default, device=common.device_or_default)
    answer |= {"kind": found.kind, "n": len(found.surprise)}
    if found.kind == "bound":
        console.say("of a lower bound on the likelihood: the true surprise is at most this")
    return ["row", "surprise"], [[i, value] for i, value in enumerate(found.surprise.tolist())]


def _labels(run: "Run", data: str, answer: dict[str, object], common: Common) -> Table:
    from ancestral.recipes.scoring import score_labels

    found = score_labels(run, data, seed=common.seed_or_default, device=common.device_or_default)
    answer |= {"kind": "exact", "n": len(found.label)}
    columns = ["row", "label", "probability"]
    parts: list[list[object]] = [list(found.label), found.probability.tolist()]
    if found.surprise is not None:
        columns.append("surprise")
        parts.append(found.surprise.tolist())
    return columns, [[i, *values] for i, values in enumerate(zip(*parts, strict=True))]


def _text(run: "Run", data: str, answer: dict[str, object], common: Common) -> Table:
    from ancestral.recipes.scoring import score_text

    documents = score_text(run, data, device=common.device_or_default)
    answer |= {"kind": "exact", "n": len(documents)}
    rows: list[list[object]] = [
        [number, token, surprise]
        for number, document in enumerate(documents)
        for token, surprise in zip(document.tokens, document.surprise.tolist(), strict=True)
    ]
    return ["document", "token", "surprise"], rows
