"""What a field of the data is: a vector of columns, an image, a category or tokens.

Data are examples of named fields: ``x``, which a model models, and what else is known of each
example (``label``, ``image``, ...). Everything that depends on what a field is asks these objects,
or is found under their class in the one table of its layer.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, TypeAlias, TypeVar

import torch
from torch import Size, Tensor

from ancestral.errors import DataError

Difference: TypeAlias = tuple[str, str]
"""In what two fields differ: what the one is of, and what the other has or holds in its place."""

_T = TypeVar("_T")

Kind: TypeAlias = Literal["vectors", "tables", "mixed", "images", "categories", "text"]
"""The word for data whose ``x`` is such a field."""

X, LABEL = "x", "label"
"""Names of the field that is modelled, and of the class label."""


class _Described(ABC):
    """What all fields say of themselves."""

    __slots__ = ()
    plural: ClassVar[str] = "examples"

    @property
    @abstractmethod
    def kind(self) -> Kind:
        """The word for data whose ``x`` is such a field."""

    @property
    @abstractmethod
    def event_shape(self) -> Size:
        """Shape of one example."""

    @property
    def words(self) -> str:
        """What such data are, for people."""
        return f"{self.kind} of {' x '.join(map(str, self.event_shape))}"

    def rows(self, x: Tensor) -> list[Any]:
        """Return examples as nested lists, states by their names."""
        return x.tolist()

    def difference(self, other: "Field", x: Tensor) -> Difference | None:
        """Say in what examples x of another field are none of this one; None: they are."""
        del x
        return None if type(other) is type(self) else self._other_kind(other)

    def recode(self, x: Tensor, other: "Field", source: str) -> Tensor:
        """Return examples x of another field under this one's states, labels or values.

        Raises:
            DataError: If they hold one that this field does not have.
        """
        del other, source
        return x

    def _other_kind(self, other: "Field") -> Difference:
        one, two = (f"{each.kind} of shape {list(each.event_shape)}" for each in (self, other))
        return one, f"holds {two}"


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

    def value(self, cell: float) -> str | float:
        """Return what a cell of ``x`` stands for: the name of a state, or a number."""
        if self.discrete:
            return self.states[int(cell)]
        return int(cell) if self.form == "0" and cell.is_integer() else cell


@dataclass(frozen=True, slots=True, kw_only=True)
class Vector(_Described):
    """A row of columns: float64 [N, D] of numbers; of states uint8, or int16 with -1 for gaps.

    Of mixed tables float64 [N, D]: numbers in their unit, dates as seconds since 1970, states by
    their index, and NaN where a cell is missing.

    Args:
        columns: In their order.
        mixed: Each column has the type that was found for it, and models give probabilities to
            recorded values.

    Example:
        >>> Vector.of_numbers(["x", "y"]).kind
        'vectors'
    """

    columns: tuple[Column, ...]
    mixed: bool = False

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

    def rows(self, x: Tensor) -> list[Any]:
        """Return examples [N, D] as lists, states by their names, whole numbers as such."""
        return [
            [column.value(cell) for column, cell in zip(self.columns, row, strict=True)]
            for row in x.tolist()
        ]

    def difference(self, other: "Field", x: Tensor) -> Difference | None:
        """Say in what rows of another field are none of this one; None: they are."""
        del x
        if not isinstance(other, Vector) or self.kind != other.kind:
            return self._other_kind(other)
        if self.names != other.names:
            return f"the columns {', '.join(self.names)}", f"has {', '.join(other.names)}"
        return None

    def recode(self, x: Tensor, other: "Field", source: str) -> Tensor:
        """Return rows of other lists of states under this one's, which hold all of them."""
        if not isinstance(other, Vector) or other.states == self.states:
            return x
        parts = []
        for mine, own, cells in zip(self.columns, other.columns, x.T, strict=True):
            if own.states != mine.states:
                what = f"{source}: column {mine.name!r} has the state"
                # The last place is that of -1, a missing cell.
                places = torch.tensor([*_places(own.states, mine.states, what), -1])
                cells = places[cells.long()].to(x.dtype)
            parts.append(cells)
        return torch.stack(parts, dim=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Image(_Described):
    """An image, uint8 [N, C, H, W] of grey levels 0..levels-1.

    Args:
        channels: 1 or 3.
        height: In pixels.
        width: In pixels.
        levels: Number of grey levels.
        values: Of masks, the value in files that each level stands for; empty of other images.

    Example:
        >>> Image(channels=1, height=8, width=8, levels=17).event_shape
        torch.Size([1, 8, 8])
    """

    channels: int
    height: int
    width: int
    levels: int = 256
    values: tuple[int, ...] = ()

    @classmethod
    def of(cls, x: Tensor, *, levels: int = 256, values: tuple[int, ...] = ()) -> "Image":
        """Return the field of images [N, C, H, W]."""
        channels, height, width = x.shape[1:]
        return cls(channels=channels, height=height, width=width, levels=levels, values=values)

    @property
    def kind(self) -> Kind:
        """The word for such data."""
        return "images"

    @property
    def event_shape(self) -> Size:
        """Shape of one example, [C, H, W]."""
        return Size((self.channels, self.height, self.width))

    def difference(self, other: "Field", x: Tensor) -> Difference | None:
        """Say in what images x are none of this field; None: they are.

        Arrays, which do not say how many levels they have, count as images of 256: of fewer, as
        samples of a run may be, they are taken.
        """
        if not isinstance(other, Image) or other.event_shape != self.event_shape:
            return self._other_kind(other)
        if self.values and other.values:
            return None  # Masks, of which each value is looked up.
        if other.levels < self.levels or (len(x) and int(x.max()) >= self.levels):
            return f"images of {self.levels} grey levels", f"holds images of {other.levels}"
        return None

    def recode(self, x: Tensor, other: "Field", source: str) -> Tensor:
        """Return masks as levels of this one's values, which hold all of theirs."""
        if not isinstance(other, Image) or not other.values or other.values == self.values:
            return x
        places = _places(other.values, self.values, f"{source}: has the value")
        return torch.tensor(places, dtype=x.dtype)[x.long()]


@dataclass(frozen=True, slots=True, kw_only=True)
class Category(_Described):
    """One of some names, int64 [N].

    Example:
        >>> Category(states=("cat", "dog")).event_shape
        torch.Size([])
    """

    states: tuple[str, ...]

    @property
    def kind(self) -> Kind:
        """The word for such data."""
        return "categories"

    @property
    def event_shape(self) -> Size:
        """Shape of one example, []."""
        return Size(())

    def rows(self, x: Tensor) -> list[Any]:
        """Return the names."""
        return [self.states[value] for value in x.tolist()]

    def recode(self, x: Tensor, other: "Field", source: str) -> Tensor:
        """Return categories of other names under this one's, which hold all of them."""
        if not isinstance(other, Category) or other.states == self.states:
            return x
        return torch.tensor(_places(other.states, self.states, f"{source}: has the label"))[x]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens(_Described):
    """Windows of token ids, int32 [N, T + 1], of which T are predicted.

    Example:
        >>> Tokens(vocabulary=10, window=8).event_shape
        torch.Size([9])
    """

    plural: ClassVar[str] = "texts"
    vocabulary: int
    window: int

    @property
    def kind(self) -> Kind:
        """The word for such data."""
        return "text"

    @property
    def event_shape(self) -> Size:
        """Shape of one example, [T + 1]."""
        return Size((self.window + 1,))

    @property
    def words(self) -> str:
        """What such data are, for people."""
        return f"text in windows of {self.window} tokens"


Field: TypeAlias = Vector | Image | Category | Tokens


class WithFields(ABC):
    """What is known of the fields of some data, in one place for all that has them."""

    __slots__ = ()
    fields: Mapping[str, Field]

    @property
    def field(self) -> Field:
        """What ``x`` is."""
        return self.fields[X]

    @property
    def kind(self) -> Kind:
        """The word for such data."""
        return self.field.kind

    @property
    def event_shape(self) -> Size:
        """Shape of one example: [D], [C, H, W] or [T + 1]."""
        return self.field.event_shape

    @property
    def features(self) -> int:
        """Numbers in one example."""
        return math.prod(self.event_shape)

    @property
    def labels(self) -> tuple[str, ...]:
        """Label names; the index is the value of ``given["label"]``. Empty without labels."""
        label = self.fields.get(LABEL)
        return label.states if isinstance(label, Category) else ()

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns of ``x``; empty where it has none."""
        return self.field.names if isinstance(self.field, Vector) else ()

    @property
    def states(self) -> tuple[tuple[str, ...], ...]:
        """Names of the states of each column of ``x``; empty where all are numbers."""
        return self.field.states if isinstance(self.field, Vector) else ()

    @property
    def levels(self) -> int:
        """Grey levels of images, else 0."""
        return self.field.levels if isinstance(self.field, Image) else 0

    @property
    def side(self) -> int | None:
        """Pixels of images from left to right, else None."""
        return self.field.width if isinstance(self.field, Image) else None

    @property
    def vocabulary(self) -> int:
        """Tokens of text, the special ones included, else 0."""
        return self.field.vocabulary if isinstance(self.field, Tokens) else 0


@dataclass(frozen=True, slots=True)
class Shape(WithFields):
    """What a model must know of the data before it sees them: their fields.

    Example:
        >>> Shape({"x": Image(channels=1, height=8, width=8, levels=17)}).features
        64
    """

    fields: Mapping[str, Field]


def labelled(x: Field, labels: Sequence[str]) -> dict[str, Field]:
    """Return the fields of data whose examples may have a class label.

    Example:
        >>> list(labelled(Vector.of_numbers("ab"), ["cat", "dog"]))
        ['x', 'label']
    """
    return {X: x, LABEL: Category(states=tuple(labels))} if labels else {X: x}


def _places(own: Sequence[_T], wanted: Sequence[_T], what: str) -> list[int]:
    if strange := [name for name in own if name not in wanted]:
        known = ", ".join(map(str, wanted[:10]))
        raise DataError(f"{what} {strange[0]!r}, which is not one of {known}")
    return [wanted.index(name) for name in own]
