"""Training curves out of the rows of ``metrics.jsonl``."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ancestral.evaluation.charts import Curve, tick_text

NOT_CURVES = frozenset(
    {"format", "step", "epoch", "seconds", "cpu_seconds", "time", "best", "learning_rate"}
)
MOST = 6
VALIDATION_LOSS = "validation loss"


def curves_of(rows: Sequence[Mapping[str, Any]], *, most: int = MOST) -> list[Curve]:
    """Gather the numbers of a run over its steps: validation first, then losses, then others.

    A number that is not finite, or not a number, leaves a gap.

    Args:
        rows: As in :attr:`ModelEntry.curves`.
        most: Curves to return at most.
    """
    steps: dict[str, list[float]] = {}
    values: dict[str, list[float]] = {}
    best: dict[str, int] = {}
    for row in rows:
        step = row.get("step")
        if step is None or not _is_number(step):
            continue
        for name, value in _scalars(row):
            steps.setdefault(name, []).append(float(step))
            values.setdefault(name, []).append(value)
            if row.get("best") is True and name.startswith("validation "):
                best[name] = len(values[name]) - 1
    names = sorted(values, key=_rank)[:most]  # The sort is stable: equals stay as they came.
    return [Curve(name, steps[name], values[name], best.get(name)) for name in names]


def _rank(name: str) -> int:
    if name.startswith("validation "):
        return 0
    return 1 if name.endswith("loss") else 2


def _scalars(row: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    """Yield the numbers of one row by name, validation's with that word before them."""
    for key, value in row.items():
        if key in NOT_CURVES:
            continue
        inner = value if isinstance(value, Mapping) else {key: value}
        prefix = "validation " if key == "validation" else ""
        for name, number in inner.items():
            if name.rpartition("/")[2] not in NOT_CURVES and _is_number(number):
                yield f"{prefix}{name}", float(number)


def _is_number(value: Any) -> bool:  # noqa: ANN401
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def losses_of(curves: Sequence[Curve]) -> tuple[Curve, Curve] | None:
    """Return the training and the validation loss, which are in one unit, where there are both.

    Of several players no loss is the training loss.
    """
    validation = [curve for curve in curves if curve.name == VALIDATION_LOSS]
    training = [curve for curve in curves if curve.name.rpartition("/")[2] == "loss"]
    return (training[0], validation[0]) if len(training) == len(validation) == 1 else None


def said_of_losses(training: Curve, validation: Curve) -> str:
    """Say whether a model has begun to memorise: validation loss rises while training loss falls.

    Example:
        >>> said_of_losses(Curve("loss", [1, 2], [3.0, 1.0]), Curve("", [1, 2], [3.0, 3.5]))
        'Validation loss is 0.5 above its least, of step 1: what is learned since is memorised.'
    """
    if len(validation.values) < 2:
        return "Validation loss was measured once: it cannot be told whether it rises."
    least = min(range(len(validation.values)), key=validation.values.__getitem__)
    risen = validation.values[-1] - validation.values[least]
    if risen <= 0:
        return "Validation loss is least at the end: more training may help."
    at = validation.steps[least]
    said = f"Validation loss is {tick_text(risen)} above its least, of step {at:,g}"
    known = zip(training.steps, training.values, strict=True)
    since = [value for step, value in known if step >= at]
    learns = len(since) > 1 and since[-1] < since[0]
    return f"{said}: what is learned since is memorised." if learns else f"{said}."
