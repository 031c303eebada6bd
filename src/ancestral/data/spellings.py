"""A column as its different cells and where each of them stands: what types are inferred from."""

import re
from collections.abc import Collection
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from ancestral.data.delimited import GAPS
from ancestral.data.notation import DAY, FORMS, compute, dates, numbers
from ancestral.data.words import canonical
from ancestral.errors import DataError

if TYPE_CHECKING:
    import pyarrow as pa

TRUTHS = (("false", "true"), ("no", "yes"))
"""How truth values are spelt, in small letters."""

_ID = re.compile(r"(?i:(^|[\W_])(id|ids|uuid|guid|key)$)|[a-z](Id|ID|Key|Uuid|UUID)$")


@dataclass(frozen=True, kw_only=True)
class Spellings:
    """A column as its K different cells.

    Args:
        name: Of the column.
        words: The cells as text, without spaces around them; None where they are all numbers.
        codes: Which of them stands in each row, int32 [N]; -1 for none.
        values: Numbers, and seconds since 1970 of dates, float64 [K]; none of text.
        type: What the source says of them; ``text`` may be anything.
        form: As a :class:`Column` has it, where the source says it.
        decimal: The decimal mark of text.
    """

    name: str
    words: "pa.StringArray | None"
    codes: NDArray[np.int32]
    values: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    type: Literal["text", "number", "truth", "date"] = "text"
    form: str = ""
    decimal: str = "."

    @property
    def size(self) -> int:
        """How many different cells there are, K."""
        return len(self.values if self.words is None else self.words)

    @cached_property
    def counts(self) -> NDArray[np.int64]:
        """How often each cell stands, [K]."""
        return np.bincount(self.codes[self.codes >= 0], minlength=self.size)

    def text(self, k: int) -> str:
        """Return one of the cells as text."""
        if self.words is not None:
            return self.words[k].as_py()
        value = self.values[k]
        return canonical(str(float(value) if self.type == "number" else value.astype("M8[s]")))

    @cached_property
    def texts(self) -> list[str]:
        """The cells as text, [K]."""
        return [self.text(k) for k in range(self.size)]

    @cached_property
    def numbers(self) -> tuple[NDArray[np.float64], str]:
        """What the cells are as numbers, [K], NaN where they are none, and their form."""
        if self.type == "date":
            return np.full(self.size, np.nan), ""
        if self.words is None:
            return self.values, self.form
        found, known = np.full(self.size, np.nan), ~self.gaps(())
        found[known], form = numbers(self.words.filter(known), self.decimal)
        return found, form

    def dates(self, form: str) -> NDArray[np.float64]:
        """Return the cells as dates, seconds since 1970 [K], NaN where they are none."""
        if self.type == "date":
            return self.values
        if self.words is None:
            return np.full(self.size, np.nan)
        return dates(self.words, form)

    def gaps(self, states: Collection[str], own: str = "") -> NDArray[np.bool_]:
        """Return which of the cells say nothing, [K]: by a usual word, or the column's own."""
        if self.words is None:
            return np.isnan(self.values)
        import pyarrow as pa

        pc = compute()

        empty = pc.is_in(pc.utf8_lower(self.words), pa.array(sorted(GAPS)))
        empty = pc.or_(empty, pc.equal(self.words, own))
        if states:
            empty = pc.and_not(empty, pc.is_in(self.words, pa.array(list(states), pa.string())))
        return np.asarray(empty)

    @property
    def blank(self) -> NDArray[np.bool_]:
        """Which of the cells are empty text, [K]."""
        pc = compute()

        if self.words is None:
            return np.zeros(self.size, dtype=bool)
        return np.asarray(pc.equal(self.words, ""))

    def first(self, cells: NDArray[np.bool_]) -> tuple[int, str]:
        """Return the first row, from 1, in which one of these cells stands, and the cell."""
        row = int(np.argmax(np.append(cells, False)[self.codes]))
        return row + 1, self.text(int(self.codes[row]))

    @property
    def named_as_key(self) -> bool:
        """Whether the name is that of an identifier."""
        return _ID.search(self.name) is not None


def spellings(name: str, column: Any, decimal: str = "") -> Spellings:  # noqa: ANN401
    """Return a column of pyarrow as its different cells.

    Args:
        name: Of the column.
        column: A chunked array.
        decimal: The decimal mark of a file of text; empty for sources that have types.

    Raises:
        DataError: If its cells are lists or the like.
    """
    import pyarrow as pa
    from pyarrow import types

    coded = types.is_dictionary(column.type)
    kind = column.type.value_type if coded else column.type
    words = (types.is_string, types.is_large_string, types.is_string_view, types.is_null)
    if any(check(kind) for check in words):
        if coded:  # Not by a cast of the whole: there is none for every kind of text.
            parts = [(part.indices.cast(pa.int32()), part.dictionary) for part in column.chunks]
            arrays = [
                pa.DictionaryArray.from_arrays(codes, words.cast(pa.string()))
                for codes, words in parts
            ]
            column = pa.chunked_array(arrays, pa.dictionary(pa.int32(), pa.string()))
        else:
            column = column.cast(pa.string())
        return _text(name, column, "dictionary" if coded and not decimal else "", decimal)
    column = column.cast(kind)
    if types.is_boolean(kind):
        return _truth(name, column)
    if types.is_integer(kind) or types.is_decimal(kind) or types.is_floating(kind):
        return _number(name, column, kind)
    if types.is_date(kind) or types.is_timestamp(kind):
        return _date(name, column, kind)
    raise DataError(f"column {name!r} holds {kind}, not numbers, words or dates")


def _text(name: str, column: Any, form: str, decimal: str) -> Spellings:  # noqa: ANN401
    import pyarrow as pa
    from pyarrow import types

    pc = compute()

    coded = column if types.is_dictionary(column.type) else column.dictionary_encode()
    chunks = coded.unify_dictionaries().chunks
    words = chunks[0].dictionary.cast(pa.string()) if chunks else pa.array([], pa.string())
    codes = [np.asarray(chunk.indices.fill_null(-1)) for chunk in chunks]
    bare = pc.utf8_trim_whitespace(words).dictionary_encode()  # Some may now be the same.
    place = np.append(np.asarray(bare.indices), -1).astype(np.int32)
    return Spellings(
        name=name,
        words=bare.dictionary,
        codes=place[np.concatenate(codes or [np.zeros(0, np.int64)])],
        form=form,
        decimal=decimal or ".",
    )


def _truth(name: str, column: Any) -> Spellings:  # noqa: ANN401
    import pyarrow as pa

    codes = np.asarray(column.cast(pa.int8()).fill_null(-1).to_numpy(), dtype=np.int32)
    return Spellings(name=name, words=pa.array(["False", "True"]), codes=codes, type="truth")


def _number(name: str, column: Any, kind: Any) -> Spellings:  # noqa: ANN401
    """Whole numbers of a floating type have a form, for they are written back in that type."""
    import pyarrow as pa
    from pyarrow import types

    form = "1" if types.is_floating(kind) else ""
    if types.is_decimal(kind):  # Through text, or the last digit is lost.
        column = column.cast(pa.string())
    single = types.is_float32(kind) or types.is_float16(kind)
    found = column.cast(pa.float32() if single else pa.float64(), safe=False).to_numpy()
    return _counted(name, found, "number", form)


def _date(name: str, column: Any, kind: Any) -> Spellings:  # noqa: ANN401
    import pyarrow as pa
    from pyarrow import types

    moments = column.cast(pa.timestamp("us"), safe=False).cast(pa.int64())
    found = np.asarray(moments.cast(pa.float64(), safe=False).to_numpy()) / 1e6
    known = found[~np.isnan(found)]
    # The reader of json makes moments in seconds of days.
    whole = types.is_timestamp(kind) and kind.unit == "s" and (known % DAY == 0).all()
    days = types.is_date(kind) or bool(whole)
    return _counted(name, found, "date", FORMS[0] if days else FORMS[1])


def _counted(
    name: str, found: NDArray[Any], type: Literal["number", "date"], form: str
) -> Spellings:
    values, codes = np.unique(found, return_inverse=True)
    codes = np.where(np.isnan(found), -1, codes).astype(np.int32)
    values = values[~np.isnan(values)]
    if values.dtype != np.float64:  # The shortest decimals that the narrow type has.
        values = np.array([float(str(value)) for value in values], dtype=np.float64)
    return Spellings(name=name, words=None, codes=codes, values=values, type=type, form=form)
