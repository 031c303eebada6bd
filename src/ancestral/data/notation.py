"""How cells are written: numbers with their decimals and marks, dates with their pattern."""

import itertools
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ancestral.data.columns import Column

if TYPE_CHECKING:
    import pyarrow as pa

DAY = 86400.0

_PLAIN = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$"
_CODE = r"^[+-]?0\d|^[+-]?\d{16,}$"  # With zeros in front, or more digits than a number keeps.
_DRESSED = r"^-?[$€£¥]?(\d+|\d{1,3}(,\d{3})+)(\.\d+)?[%$€£¥]?$"
_MARK = r"[^\d,.+-]*"
_FORM = re.compile(r"(\D*?)(,?)(\d+)(\D*)")
_MOST_CELLS = 1e12
_FINE = 1e-9
_SPANS = (DAY, 3600.0, 60.0, 1.0)

_DAYS = ("%Y-%m-%d", "%Y/%m/%d", "%d/%m/%Y", "%m/%d/%Y", "%d.%m.%Y", "%d-%m-%Y", "%m-%d-%Y")
_TIMES = ("", " %H:%M:%S", " %H:%M", "T%H:%M:%S", "T%H:%M", "T%H:%M:%SZ")
FORMS = tuple(map("".join, itertools.product(_DAYS, _TIMES)))
"""Patterns of dates that are found without being told."""
_DIGITS: dict[str, str] = {
    **dict.fromkeys(("%m", "%H", "%M", "%S"), r"\d{1,2}"),
    "%Y": r"\d{4}",
    "%d": r"(?P<day>\d{1,2})",
}


def compute() -> Any:  # noqa: ANN401 - its functions are made when it is imported
    """Return Arrow's functions of columns."""
    import pyarrow.compute

    return pyarrow.compute


def numbers(words: "pa.StringArray", decimal: str = ".") -> tuple[NDArray[np.float64], str]:
    """Return the numbers that words stand for, NaN where they stand for none, and their form.

    A mark of money or per cent and commas between thousands are read where all words agree on
    them. Digits with zeros in front, as codes have them, are none.

    Args:
        words: K different cells.
        decimal: The decimal mark.

    Returns:
        [K], and the form: the decimals, where all words have as many or a mark; else ''.
    """
    import pyarrow as pa

    pc = compute()

    if decimal == ",":  # From here on the point is the decimal mark.
        swapped = pc.replace_substring(pc.replace_substring(words, ".", "\0"), ",", ".")
        words = pc.replace_substring(swapped, "\0", ",")
    code = pc.match_substring_regex(words, _CODE)
    plain = pc.and_not(pc.match_substring_regex(words, _PLAIN), code)
    form = ""
    if not pc.all(plain).as_py():
        bare, found = _undressed(words)
        if found:
            words, form, plain = bare, found, pc.is_valid(bare)
    values = pc.if_else(plain, words, pa.scalar(None, pa.string())).cast(pa.float64())
    return np.asarray(values.fill_null(np.nan)), form or _fixed(words, plain)


def _undressed(words: "pa.StringArray") -> "tuple[pa.StringArray, str]":
    """Return words without the one mark and the commas that all have, and the form; '': no."""
    pc = compute()

    if not pc.all(pc.match_substring_regex(words, _DRESSED)).as_py():
        return words, ""
    bare = pc.replace_substring_regex(words, "[^0-9.-]", "")
    marks = [
        pc.unique(pc.replace_substring_regex(words, pattern, "")).to_pylist()
        for pattern in (r"^-|\d.*$", r"^.*\d")
    ]
    if (
        any(len(found) > 1 for found in marks)
        or pc.any(pc.match_substring_regex(bare, _CODE)).as_py()
    ):
        return words, ""
    comma = "," if pc.any(pc.match_substring(words, ",")).as_py() else ""
    return bare, f"{marks[0][0]}{comma}{pc.max(_decimals(bare)).as_py()}{marks[1][0]}"


def _decimals(words: "pa.StringArray") -> Any:  # noqa: ANN401 - pyarrow's classes have no types
    pc = compute()

    return pc.utf8_length(pc.replace_substring_regex(words, r"^[^.]*\.?", ""))


def _fixed(words: "pa.StringArray", plain: Any) -> str:  # noqa: ANN401
    """Return the number of decimals that all numbers are written with, at least 1; else ''."""
    pc = compute()

    words = words.filter(plain)
    if not len(words) or pc.any(pc.match_substring_regex(words, "[eE]")).as_py():
        return ""
    bounds = pc.min_max(_decimals(words)).as_py()
    return str(bounds["max"]) if bounds["min"] == bounds["max"] > 0 else ""


def decimals(values: NDArray[np.floating]) -> int | None:
    """Return the least number of decimals with which all values are written; None: too many.

    Example:
        >>> decimals(np.array([0.5, 2.25, 3.0]))
        2
    """
    wide = values.astype(np.float64)
    most = max(np.abs(wide).max(initial=0), np.ptp(wide) if len(wide) else 0)
    for digits in range(16):
        if most * 10.0**digits > _MOST_CELLS and digits:
            return None
        if np.array_equal(np.round(wide, digits).astype(values.dtype), values):
            return digits
    return None


def grid(values: NDArray[np.float64], digits: int | None, *, date: bool = False) -> float:
    """Return the step on which all values lie, counted from the least one.

    Args:
        values: Different ones, by size.
        digits: Their decimals; None: a thousand millionth of their range, as a power of ten.
        date: They are seconds: the step is a day, an hour, a minute or a second.

    Source: Sheppard 1898, on grouping: what is recorded is a cell, not a point.

    Example:
        >>> grid(np.arange(12) * 2.5 + 1, 1)
        2.5
    """
    span = float(values[-1] - values[0])
    if digits is None:
        return 10.0 ** np.floor(np.log10(span * _FINE or abs(values[0]) * _FINE or _FINE))
    if span * 10.0**digits > 2**53:
        return 10.0**-digits
    steps = np.rint((values - values[0]) * 10.0**digits).astype(np.int64)
    common = int(np.gcd.reduce(steps))
    if date:
        return next((s for s in _SPANS if not digits and common % int(s) == 0), 10.0**-digits)
    if len(values) < 10:
        return 10.0**-digits
    natural = [s for k in range(16) for s in (10**k, 2 * 10**k, 5 * 10**k, 25 * 10**k)]
    return max(s for s in natural if common % s == 0) / 10.0**digits


def dates(words: "pa.StringArray", form: str) -> NDArray[np.float64]:
    """Return the seconds since 1970 of dates in a pattern, [K]; NaN where a word is none."""
    import pyarrow as pa

    pc = compute()

    shape = re.sub(r"%\w", lambda found: _DIGITS.get(found[0], ".+"), re.escape(form))
    found = pc.strptime(words, format=form, unit="s", error_is_null=True)
    # The 30th of February is read as the 1st of March.
    day = pc.struct_field(pc.extract_regex(words, f"^{shape}$"), [0]).cast(pa.int64())
    fits = pc.equal(day, pc.day(found))
    seconds = pc.if_else(fits, found, pa.scalar(None, found.type)).cast(pa.int64())
    return np.asarray(seconds.cast(pa.float64()).fill_null(np.nan))


def date_forms(words: "pa.StringArray") -> tuple[str, ...]:
    """Return the patterns in which all words are dates."""
    few = [form for form in FORMS if not np.isnan(dates(words[:20], form)).any()]
    return tuple(form for form in few if not np.isnan(dates(words, form)).any())


def spelt(values: NDArray[np.float64], column: Column) -> list[str]:
    """Return cells as the column writes them, a missing one as its gap, [K].

    Example:
        >>> spelt(np.array([5.0, np.nan]), Column(name="price", form="$,2", gap="?"))
        ['$5.00', '?']
    """
    missing = np.isnan(values)
    if column.discrete:
        pairs = _pairs(values, missing)
        return [column.gap if gap else column.states[int(value)] for value, gap in pairs]
    if column.type == "date":
        return _dates(values, missing, column)
    found = _FORM.fullmatch(column.form)
    if found is None:
        return [column.gap if gap else _shortest(v) for v, gap in _pairs(values, missing)]
    mark, comma, digits, end = found.groups()
    return [
        column.gap if gap else f"{'-' if v < 0 else ''}{mark}{abs(v):{comma}.{digits}f}{end}"
        for v, gap in _pairs(values, missing)
    ]


def _pairs(values: NDArray[np.float64], missing: NDArray[np.bool_]) -> Any:  # noqa: ANN401
    return zip(values.tolist(), missing.tolist(), strict=True)


def _shortest(value: float) -> str:
    return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)


def _dates(values: NDArray[np.float64], missing: NDArray[np.bool_], column: Column) -> list[str]:
    import pyarrow as pa

    pc = compute()

    unit = "s" if (column.resolution or 1) >= 1 else "us"
    scale = 1 if unit == "s" else 1e6
    whole = np.rint(np.where(missing, 0, values) * scale).astype(np.int64)
    words: Sequence[str] = pc.strftime(
        pa.array(whole).cast(pa.timestamp(unit)), format=column.form or FORMS[1]
    ).to_pylist()
    return [column.gap if gap else word for word, gap in zip(words, missing, strict=True)]
