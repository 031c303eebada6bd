"""What a model must know of the data before it sees them."""

import math
from dataclasses import dataclass

from torch import Size

from ancestral.data.dataset import Kind


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """The kind and the sizes of the data.

    Args:
        kind: vectors, images, tables or text.
        event: Shape of one example in the user's units.
        labels: Number of labels, 0 without.
        levels: Grey levels of images, else 0.
        columns: Names of the columns of tables.
        states: Names of the states of each of them.
        vocabulary: Tokens of text, the special ones included, else 0.

    Example:
        >>> Shape(kind="images", event=Size((1, 8, 8)), labels=10, levels=17).features
        64
    """

    kind: Kind
    event: Size
    labels: int = 0
    levels: int = 0
    columns: tuple[str, ...] = ()
    states: tuple[tuple[str, ...], ...] = ()
    vocabulary: int = 0

    @property
    def features(self) -> int:
        """Numbers in one example."""
        return math.prod(self.event)
