"""What a field of the data is: a vector of columns, an image, a category or tokens.

Data are examples of named fields: ``x``, which a model models, and what else is known of each
example (``label``, ``image``, ...). Everything that depends on what a field is asks these objects,
or is found under their class in the one table of its layer.
"""

import math
from abc import ABC
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import torch
from torch import Size, Tensor

from ancestral.data.canvas import OUTSIDE
from ancestral.data.columns import Vector
from ancestral.data.described import Described, Difference, Kind, positions

X, LABEL = "x", "label"
"""Names of the field that is modelled, and of the class label."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Image(Described):
    """An image, uint8 [N, C, H, W] of grey levels 0..levels-1.

    Args:
        channels: 1 or 3.
        height: In pixels.
        width: In pixels.
        levels: Number of grey levels.
        values: Of masks, the value in files that each level stands for; empty of other images.
        canvas: Each image is of its own size, in the top left corner of one of this height and
            width: what is outside is 0, of masks 255.

    Example:
        >>> Image(channels=1, height=8, width=8, levels=17).event_shape
        torch.Size([1, 8, 8])
    """

    channels: int
    height: int
    width: int
    levels: int = 256
    values: tuple[int, ...] = ()
    canvas: bool = False

    @classmethod
    def of(cls, x: Tensor, *, levels: int = 256, **more: Any) -> "Image":  # noqa: ANN401
        """Return the field of images [N, C, H, W]; ``more``: values and canvas."""
        channels, height, width = x.shape[1:]
        return cls(channels=channels, height=height, width=width, levels=levels, **more)

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
        if not isinstance(other, Image) or other.channels != self.channels:
            return self._other_kind(other)
        if other.event_shape != self.event_shape and not (self.canvas and other.canvas):
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
        places = positions(other.values, self.values, f"{source}: has the value")
        table = torch.full((256,), OUTSIDE, dtype=x.dtype)
        table[: len(places)] = torch.tensor(places, dtype=x.dtype)
        return table[x.long()]


@dataclass(frozen=True, slots=True, kw_only=True)
class Category(Described):
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
        return torch.tensor(positions(other.states, self.states, f"{source}: has the label"))[x]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens(Described):
    """Windows of token ids, int32 [N, T + 1], of which T are predicted.

    Example:
        >>> Tokens(vocabulary=10, window=8).event_shape
        torch.Size([9])
    """

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
        """Pixels of images from left to right; None of others, and where each has its own size."""
        field = self.field
        return field.width if isinstance(field, Image) and not field.canvas else None

    @property
    def vocabulary(self) -> int:
        """Tokens of text, the special ones included, else 0."""
        return self.field.vocabulary if isinstance(self.field, Tokens) else 0


@dataclass(frozen=True, slots=True)
class Shape(WithFields):
    """What a model must know of the data before it sees them: their fields, and how many rows.

    Args:
        fields: By name.
        rows: Examples of the training split; 0 where they are not known.

    Example:
        >>> Shape({"x": Image(channels=1, height=8, width=8, levels=17)}).features
        64
    """

    fields: Mapping[str, Field]
    rows: int = 0


def labelled(x: Field, labels: Sequence[str]) -> dict[str, Field]:
    """Return the fields of data whose examples may have a class label.

    Example:
        >>> list(labelled(Vector.of_numbers("ab"), ["cat", "dog"]))
        ['x', 'label']
    """
    return {X: x, LABEL: Category(states=tuple(labels))} if labels else {X: x}
