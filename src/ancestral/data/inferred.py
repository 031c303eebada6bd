"""The type of a column, inferred from its cells, and its cells as numbers under a type."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from ancestral.data.columns import Column
from ancestral.data.notation import date_forms, decimals, grid, spelt
from ancestral.data.spellings import TRUTHS, Spellings
from ancestral.data.tables import label_order
from ancestral.data.words import canonical

MANY_STATES = 1000
"""A column of more words than these, of which nobody says that it is a category, is free text."""

MOST_STATES = 10_000
"""A category has at most so many states."""

_FEW_NUMBERS = 20
_LEAST_KEYS = 10


class Problem(Exception):
    """What is wrong with a column: told together with what is wrong with the others.

    Args:
        text: What is wrong.
        row: In which row, from 1; None: in all.
    """

    def __init__(self, text: str, row: int | None = None) -> None:
        super().__init__(text)
        self.text, self.row = text, row


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A column that is no part of the data, and why.

    Args:
        name: Of the column.
        why: Subject left out: "is an identifier".
    """

    name: str
    why: str


def infer(cells: Spellings, wanted: Mapping[str, Any], *, asked: bool = False) -> Column | LeftOut:
    """Return what a column is.

    Args:
        cells: Of the column.
        wanted: What is said of it: any attributes of a :class:`Column`.
        asked: It is wanted, whatever it is.

    Raises:
        Problem: If a cell contradicts what is said, or most of the others.
    """
    empty = cells.gaps(wanted.get("states", ()), wanted.get("gap", ""))
    known = ~empty & (cells.counts > 0)
    if not known.any():
        if wanted:
            raise Problem("holds no value in any row")
        return LeftOut(cells.name, "holds no value in any row")
    type_ = wanted.get("type") or _guess(cells, known)
    if not (asked or "type" in wanted) and (why := _useless(cells, known, type_)):
        return LeftOut(cells.name, why)
    column = _MAKERS[type_](cells, known, wanted)
    nothing = len(cells.codes) - int(cells.counts[known].sum())
    if nothing and wanted.get("gaps") is False:
        _refuse_gap(cells, empty)
    own = {k: _plain(v) for k, v in wanted.items() if k not in {"type", "gaps"}}
    gap = _usual_gap(cells, empty)
    return replace(column, **{"gap": gap, "gaps": nothing > 0 or wanted.get("gaps", False), **own})


def _plain(value: Any) -> Any:  # noqa: ANN401 - an attribute of a column
    """Return what a file says of a column in the types that a column has."""
    if isinstance(value, list):
        return tuple(value)
    return float(value) if isinstance(value, int) else value


def cells_under(column: Column, cells: Spellings) -> NDArray[np.float64]:
    """Return the different cells as a column's numbers, [K], NaN where they say nothing.

    Raises:
        Problem: If a cell is no state of the column, not of its type, outside its range or beside
            its grid.
    """
    empty = cells.gaps(column.states, column.gap) | (cells.counts == 0)
    values = _READERS.get(column.type, _read_numbers)(column, cells)
    values[empty] = np.nan
    _refuse(cells, np.isnan(values) & ~empty, _rule(column))
    if column.discrete or column.low is None or column.high is None:
        return values
    slack = 1e-6 * (column.resolution or 0)
    outside = (values < column.low - slack) | (values > column.high + slack)
    low, high = (_shown(end, column) for end in (column.low, column.high))
    _refuse(cells, outside, f"is outside {low} to {high}")
    step = column.resolution
    if step and not column.fine:
        steps = (values - column.low) / step
        beside = np.abs(steps - np.rint(steps)) > 1e-4
        _refuse(cells, beside, f"is not on the grid of {low} and steps of {step:g}")
    return values


def _refuse(cells: Spellings, wrong: NDArray[np.bool_], rule: str) -> None:
    if wrong.any():
        row, word = cells.first(wrong)
        more = int(cells.counts[wrong].sum()) - 1
        also = f" (so are {more:,} more cells)" if more else ""
        shown = "the cell is empty" if not word else f"{word[:40]!r} {rule}"
        raise Problem(f"{shown}{also}", row)


def _refuse_gap(cells: Spellings, empty: NDArray[np.bool_]) -> NoReturn:
    gone = np.append(empty, True)[cells.codes]
    row = int(np.argmax(gone))
    word = cells.text(int(cells.codes[row])) if cells.codes[row] >= 0 else ""
    raise Problem(f"the value is missing ({word!r})" if word else "the cell is empty", row + 1)


def _usual_gap(cells: Spellings, empty: NDArray[np.bool_]) -> str:
    """Return how most missing cells are written."""
    if cells.words is None or not (empty & (cells.counts > 0)).any():
        return ""
    best = int(np.argmax(np.where(empty, cells.counts, 0)))
    return cells.text(best) if cells.counts[best] > int((cells.codes < 0).sum()) else ""


def _guess(cells: Spellings, known: NDArray[np.bool_]) -> str:
    if cells.words is None or cells.type != "text":
        return cells.type
    if known.sum() <= 2 and _truth_pair(cells, known):
        return "truth"
    values = cells.numbers[0]
    if not np.isnan(values[known]).any():
        return "number"
    if len(date_forms(cells.words.filter(known))) == 1:
        return "date"
    _refuse_stray(cells, known, values)
    return "category"


def _truth_pair(cells: Spellings, known: NDArray[np.bool_]) -> tuple[str, ...]:
    """Return the words for false and true that the cells are, in this order; or nothing."""
    own = [cells.text(int(k)) for k in np.flatnonzero(known)]
    words = {word.lower(): word for word in own}
    for pair in TRUTHS:
        if {*words} <= {*pair} and len(words) == len(own):
            return tuple(words[word] for word in pair if word in words)
    return ()


def _refuse_stray(cells: Spellings, known: NDArray[np.bool_], values: NDArray[np.float64]) -> None:
    """Refuse a few words among many numbers: a cell that went wrong, not a name."""
    stray = known & np.isnan(values)
    rows, count = cells.counts[known].sum(), int(known.sum() - stray.sum())
    if 10 * cells.counts[stray].sum() <= rows and (count > _FEW_NUMBERS or rows < 5 * count):
        row, word = cells.first(stray)
        rule = (
            "is not finite"
            if word.lower().lstrip("+-") in {"inf", "infinity"}
            else (
                f"is not a number, as most of the column are; to read it as words, give "
                f"type.{cells.name}=category"
            )
        )
        raise Problem(f"{word[:40]!r} {rule}", row)


def _useless(cells: Spellings, known: NDArray[np.bool_], type_: str) -> str:
    """Return why a column cannot be modelled as it is; '' if it can."""
    rows, count = int(cells.counts[known].sum()), int(known.sum())
    words = type_ == "category"
    if count == rows >= _LEAST_KEYS and type_ in {"category", "number"}:
        values = np.zeros(1) if words else cells.numbers[0][known]
        whole = bool((values == np.rint(values)).all())
        dense = np.ptp(values) < (1.25 * rows if rows >= 2 * _LEAST_KEYS else rows)
        if words or (whole and (dense or cells.named_as_key)):
            return "is an identifier, another in every row"
    if words and (count > MANY_STATES or (rows >= 50 and 2 * count > rows)):
        return f"is free text, {count:,} different in {rows:,} rows"
    return ""


def _number(cells: Spellings, known: NDArray[np.bool_], wanted: Mapping[str, Any]) -> Column:
    values, form = cells.numbers
    _refuse(cells, known & np.isnan(values), "is not a number")
    _refuse(cells, known & np.isinf(values), "is not finite")
    found = np.unique(values[known] + 0.0)
    digits = decimals(found)
    if wanted.get("type") == "integer":
        _refuse(cells, known & (values != np.rint(values)), "is not a whole number")
    whole = digits == 0 and wanted.get("type") != "number"
    return Column(
        name=cells.name,
        type="integer" if whole else "number",
        resolution=float(grid(found, digits)),
        low=float(found[0]),
        high=float(found[-1]),
        form=form if whole or cells.words is not None else "",
    )


def _date(cells: Spellings, known: NDArray[np.bool_], wanted: Mapping[str, Any]) -> Column:
    form = cells.form or wanted.get("form", "")
    if not form:
        words = cells.words.filter(known) if cells.words is not None else None
        forms = () if words is None else date_forms(words)
        if len(forms) > 1:
            few = " or ".join(forms[:2])
            raise Problem(f"may be written {few}: say which in a schema, as form")
        form = forms[0] if forms else "%Y-%m-%d"
    values = cells.dates(form)
    _refuse(cells, known & np.isnan(values), f"is no date, as in {form}")
    found = np.unique(values[known])
    return Column(
        name=cells.name,
        type="date",
        resolution=float(grid(found, decimals(found), date=True)),
        low=float(found[0]),
        high=float(found[-1]),
        form=form,
    )


def _truth(cells: Spellings, known: NDArray[np.bool_], wanted: Mapping[str, Any]) -> Column:
    column = _category(cells, known, wanted)
    if len(column.states) > 2:
        raise Problem(f"has {len(column.states)} different cells, a truth value has two")
    return replace(column, type="truth", form="")


def _category(cells: Spellings, known: NDArray[np.bool_], wanted: Mapping[str, Any]) -> Column:
    words = [cells.texts[k] for k in np.flatnonzero(known)]
    if len(words) > MOST_STATES and not wanted.get("states"):
        raise Problem(f"has {len(words):,} states, a category has at most {MOST_STATES:,}")
    states = (known.sum() <= 2 and _truth_pair(cells, known)) or tuple(
        sorted(words, key=label_order)
    )
    form = "dictionary" if cells.form == "dictionary" else ""
    return Column(name=cells.name, type="category", states=states, form=form)


_MAKERS: dict[str, Callable[[Spellings, NDArray[np.bool_], Mapping[str, Any]], Column]] = {
    "number": _number,
    "integer": _number,
    "date": _date,
    "truth": _truth,
    "category": _category,
}


def _read_numbers(column: Column, cells: Spellings) -> NDArray[np.float64]:
    del column
    return cells.numbers[0] + 0.0


def _read_dates(column: Column, cells: Spellings) -> NDArray[np.float64]:
    return cells.dates(column.form).copy()


def _read_states(column: Column, cells: Spellings) -> NDArray[np.float64]:
    place = {canonical(word): at for at, word in enumerate(column.states)}
    place |= {word: at for at, word in enumerate(column.states)}
    found = [place.get(word, place.get(canonical(word), np.nan)) for word in cells.texts]
    return np.array(found, dtype=np.float64)


_READERS: dict[str, Callable[[Column, Spellings], NDArray[np.float64]]] = {
    "date": _read_dates,
    "truth": _read_states,
    "category": _read_states,
}


def _rule(column: Column) -> str:
    if column.discrete:
        few = ", ".join(column.states[:10]) + (", ..." if len(column.states) > 10 else "")
        return f"is no state; the states are {few}"
    return f"is no date, as in {column.form}" if column.type == "date" else "is not a number"


def _shown(value: float, column: Column) -> str:
    return spelt(np.array([value]), column)[0]
