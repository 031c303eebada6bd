"""Columns of tables, and the field of their rows."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Size, Tensor

from ancestral.data.described import Described, Difference, Kind, positions

if TYPE_CHECKING:
    from ancestral.data.fields import Field


_MANY_STEPS = 1e8


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column of a table.

    Args:
        name: Of the column.
        type: What its cells are.
        states: Names of the states of a category or truth value, as they are written; the index is
            the value in ``x``.
        resolution: At which numbers were recorded, above 0, in their own unit, of dates in
            seconds; None: not known.
        gaps: Whether cells may be missing.
        low: Least recorded number of a mixed table, on whose grid ``low + k * resolution`` all lie.
        high: Greatest recorded number.
        form: How numbers and dates are written: a pattern of ``strftime``, or the decimals.
        gap: How a missing cell is written.

    Example:
        >>> Column(name="rain", type="category", states=("no", "yes")).discrete
        True
    """

    name: str
    type: Literal["number", "integer", "category", "truth", "date"] = "number"
    states: tuple[str, ...] = ()
    resolution: float | None = None
    gaps: bool = False
    low: float | None = None
    high: float | None = None
    form: str = ""
    gap: str = ""

    @property
    def discrete(self) -> bool:
        """Whether its cells are states, and not quantities."""
        return self.type in {"category", "truth"}

    @property
    def fine(self) -> bool:
        """Whether its range holds more steps than decimals that somebody wrote would make."""
        if self.low is None or self.high is None:
            return False
        return self.high - self.low > _MANY_STEPS * (self.resolution or 1)

    @property
    def constant(self) -> bool:
        """Whether all cells are known to hold one value."""
        if self.gaps:
            return False
        return len(self.states) == 1 if self.discrete else self.low == self.high is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Vector(Described):
    """A row of columns: float64 [N, D] of numbers; of states uint8, or int16 with -1 for gaps.

    Of mixed tables float64 [N, D]: numbers in their unit, dates as seconds since 1970, states by
    their index, and NaN where a cell is missing.

    Args:
        columns: In their order.
        mixed: Each column has the type that was found for it, and models give probabilities to
            recorded values.
        left_out: Other columns of the table, which are none of the data.

    Example:
        >>> Vector.of_numbers(["x", "y"]).kind
        'vectors'
    """

    columns: tuple[Column, ...]
    mixed: bool = False
    left_out: tuple[str, ...] = ()

    @classmethod
    def of_numbers(cls, names: Sequence[str]) -> "Vector":
        """Return a row of numbers."""
        return cls(columns=tuple(Column(name=name) for name in names))

    @classmethod
    def of(cls, x: Tensor) -> "Vector":
        """Return the field of numbers [N, D], the columns called x1, x2, ..."""
        return cls.of_numbers([f"x{i}" for i in range(1, x.shape[1] + 1)])

    @classmethod
    def of_states(cls, names: Sequence[str], states: Sequence[Sequence[str]]) -> "Vector":
        """Return a row of categories, given the names of the states of each."""
        pairs = zip(names, states, strict=True)
        return cls(
            columns=tuple(
                Column(name=name, type="category", states=tuple(words)) for name, words in pairs
            )
        )

    @property
    def kind(self) -> Kind:
        """``mixed`` by its name, else ``tables`` of states or ``vectors`` of numbers."""
        discrete = {column.discrete for column in self.columns}
        if self.mixed or len(discrete) > 1:
            return "mixed"
        return "tables" if True in discrete else "vectors"

    @property
    def event_shape(self) -> Size:
        """Shape of one example, [D]."""
        return Size((len(self.columns),))

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the columns."""
        return tuple(column.name for column in self.columns)

    @property
    def states(self) -> tuple[tuple[str, ...], ...]:
        """Names of the states of each column, of numbers none; empty if all are numbers."""
        if self.kind == "vectors":
            return ()
        return tuple(column.states for column in self.columns)

    @property
    def unlike_numbers(self) -> tuple[str, ...]:
        """What keeps columns from being numbers, a clause each: words, gaps, dates."""
        found = []
        for column in self.columns:
            what = {"date": "dates"}.get(column.type, "gaps" if column.gaps else "")
            what = ", ".join(column.states[:3]) if column.discrete else what
            found += [f"{column.name!r} has {what}"] if what else []
        return tuple(found)

    def rows(self, x: Tensor) -> list[Any]:
        """Return examples [N, D] as lists, each cell as it was recorded, a missing one None."""
        from ancestral.data.arrow import as_arrow

        table = as_arrow(x, self, dates_as_text=True)
        columns = [column.to_pylist() for column in table.columns]
        return [list(row) for row in zip(*columns, strict=True)]

    def difference(self, other: "Field", x: Tensor) -> Difference | None:
        """Say in what rows of another field are none of this one; None: they are."""
        del x
        if not isinstance(other, Vector) or self.kind != other.kind:
            return self._other_kind(other)
        if sorted(self.names) != sorted(other.names):
            return f"the columns {', '.join(self.names)}", f"has {', '.join(other.names)}"
        return None

    def recode(self, x: Tensor, other: "Field", source: str) -> Tensor:
        """Return rows of other columns of these names under this one's, whatever their order."""
        if not isinstance(other, Vector) or other.columns == self.columns:
            return x
        if self.mixed:
            from ancestral.data.arrow import as_arrow
            from ancestral.data.dataset import Loading
            from ancestral.data.typed import contents_of_arrow

            table = as_arrow(x, other)
            return contents_of_arrow(table, Loading(), source, expected=self).examples.x
        parts, found = [], dict(zip(other.names, zip(other.columns, x.T, strict=True), strict=True))
        for mine in self.columns:
            own, cells = found[mine.name]
            if own.states != mine.states:
                what = f"{source}: column {mine.name!r} has the state"
                # The last place is that of -1, a missing cell.
                places = torch.tensor([*positions(own.states, mine.states, what), -1])
                cells = places[cells.long()].to(x.dtype)
            parts.append(cells)
        return torch.stack(parts, dim=1)
