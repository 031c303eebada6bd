"""What all fields of the data say of themselves."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypeVar

from torch import Size, Tensor

from ancestral.errors import DataError

if TYPE_CHECKING:
    from ancestral.data.fields import Field

_T = TypeVar("_T")

Difference: TypeAlias = tuple[str, str]
"""In what two fields differ: what the one is of, and what the other has or holds in its place."""

Kind: TypeAlias = Literal["vectors", "tables", "mixed", "images", "categories", "text"]
"""The word for data whose ``x`` is such a field."""


class Described(ABC):
    """What all fields say of themselves."""

    __slots__ = ()

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


def positions(own: Sequence[_T], wanted: Sequence[_T], what: str) -> list[int]:
    """Return where each of some names stands among others.

    Raises:
        DataError: If one does not; ``what`` begins the message.

    Example:
        >>> positions(["b"], ["a", "b"], "x: has the state")
        [1]
    """
    if strange := [name for name in own if name not in wanted]:
        known = ", ".join(map(str, wanted[:10]))
        raise DataError(f"{what} {strange[0]!r}, which is not one of {known}")
    return [wanted.index(name) for name in own]
