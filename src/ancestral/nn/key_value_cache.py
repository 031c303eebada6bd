"""What a Transformer keeps of the tokens that it has read: their keys and values."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

_STEP = 16
"""Each row and head has room for a multiple of so many keys, so that all begin at addresses of the
same alignment: a product may sum in another order from another one."""


@dataclass(frozen=True, slots=True)
class Part:
    """Rows that read together: equally many tokens, after equally many.

    Args:
        rows: Which.
        steps: Tokens S that each reads.
        seen: The keys and values that are looked at in each layer, [2, R, H, K, P].
        coming: Those of them that are not written yet, [2, R, H, S, P].
        mask: Added to the scores, [S, K], so that a token sees the places up to its own; None where
            it sees all, or ``begin``.
        begin: These are several first tokens: each sees those up to itself.
    """

    rows: slice
    steps: int
    seen: Sequence[Tensor]
    coming: Sequence[Tensor]
    mask: Tensor | None
    begin: bool

    @classmethod
    def of(cls, data: Tensor, rows: slice, start: int, steps: int) -> Self:
        """Return the part of a cache [L, 2, B, H, C, P] whose rows hold ``start`` tokens."""
        seen = data[:, :, rows, :, : start + steps]
        mask = None
        if start and steps > 1:
            mask = data.new_full((steps, start + steps), -torch.inf).triu_(start + 1)
        begin = start == 0 and steps > 1
        return cls(rows, steps, seen.unbind(), seen[..., start:, :].unbind(), mask, begin)

    def store(self, layer: int, pair: Tensor) -> tuple[Tensor, Tensor]:
        """Write keys and values [2, B, H, S, P] of these rows; return what they see of each."""
        self.coming[layer].copy_(pair[:, self.rows, :, : self.steps])
        keys, values = self.seen[layer].unbind()
        return keys, values


@dataclass(frozen=True, slots=True)
class Slots:
    """Room that was reserved for the coming tokens of each row.

    Args:
        positions: Place of each coming token, int64 [B or 1, S].
        counts: Real tokens of each row, int64 [B].
        parts: What is read together; rows that read nothing are in none.
    """

    positions: Tensor
    counts: Tensor
    parts: Sequence[Part]


class RowLengths:
    """What every state of B rows keeps: how many tokens each row has read, int64 [B] on the CPU."""

    def __init__(self, lengths: Tensor) -> None:
        self._lengths = lengths

    @property
    def lengths(self) -> Tensor:
        """Return how many tokens each row holds, int64 [B] on the CPU."""
        return self._lengths

    def rewind(self, lengths: Tensor) -> None:
        """Forget all but the first ``lengths`` [B] tokens of each row.

        Raises ValueError if a row is shorter than that.
        """
        held = self._lengths
        if lengths.shape != held.shape or bool((lengths.cpu() > held).any() | (lengths < 0).any()):
            raise ValueError(
                f"rows of {held.tolist()} tokens cannot be rewound to {lengths.tolist()} tokens"
            )
        held.copy_(lengths)

    def check_room(self, held: Tensor, room: int) -> None:
        """Refuse, by a ValueError, rows that would hold more tokens [B] than there is room for."""
        if len(held) and (most := int(held.max())) > room:
            raise ValueError(f"a row would hold {most} tokens, and the state has room for {room}")


class KeyValueCache(RowLengths):
    """Keys and values of B rows of different lengths, in one tensor: a state of a Transformer.

    Args:
        data: Keys and values, [L, 2, B, H, C, P]: layers, which of both, rows, heads, places,
            features. What was never written is never looked at.
        lengths: Tokens that each row holds, int64 [B] on the CPU.
        room: Tokens that a row can hold, at most C; C if None.

    Example:
        >>> cache = KeyValueCache.empty((6, 2, 3, 4, 128, 64), torch.zeros(()))
        >>> cache.lengths, cache.room
        (tensor([0, 0, 0]), 128)
    """

    def __init__(self, data: Tensor, lengths: Tensor, room: int | None = None) -> None:
        super().__init__(lengths)
        self.data = data
        self.room = data.shape[4] if room is None else room

    @classmethod
    def empty(cls, shape: tuple[int, int, int, int, int, int], like: Tensor) -> Self:
        """Return a cache that holds nothing, of the type and device of one.

        Args:
            shape: Layers, 2, rows, heads, tokens that a row can hold, features.
            like: Whose type and device it gets.
        """
        *before, room, width = shape
        places = -(-room // _STEP) * _STEP
        data = torch.empty((*before, places, width), dtype=like.dtype, device=like.device)
        return cls(data, torch.zeros(shape[2], dtype=torch.int64), room)

    def reserve(self, steps: int, counts: Tensor | None) -> Slots:
        """Return the slots of the next ``steps`` tokens; nothing is written or counted yet.

        Rows are read each by itself if they differ in length or ``counts`` is given, even of equal
        numbers: so what a row sees is computed in the same way whatever the others are.

        Args:
            steps: Tokens S of each row.
            counts: How many of them are real, int64 [B]; all if None.

        Raises:
            ValueError: If a count lies outside [0, S] or a row would outgrow its room.
        """
        rows = len(self._lengths)
        real = checked_counts(counts, rows, steps)
        self.check_room(self._lengths + real, self.room)
        starts, places = self._lengths.tolist(), self._lengths
        if counts is None and len(set(starts)) == 1:
            parts, places = [(slice(None), starts[0], steps)], places[:1]
        else:
            rows_alone = [slice(row, row + 1) for row in range(rows)]
            parts = zip(rows_alone, starts, real.tolist(), strict=True)
        parts = [Part.of(self.data, *part) for part in parts if part[2]]
        return Slots(places[:, None] + torch.arange(steps), real, parts)

    def commit(self, slots: Slots) -> None:
        """Count the tokens whose keys and values were stored."""
        self._lengths.add_(slots.counts)

    def select(self, rows: Tensor) -> "KeyValueCache":
        """Return a copy of the rows at positions int64 [R], in that order; rows may repeat."""
        lengths = self._lengths[rows.cpu()]
        used = int(lengths.max()) if len(lengths) else 0
        layers, two, _, heads, _, width = self.data.shape
        places = self.data.shape[4]
        data = self.data.new_empty(layers, two, len(lengths), heads, places, width)
        data[..., :used, :] = self.data[..., :used, :].index_select(2, rows.to(self.data.device))
        return KeyValueCache(data, lengths, self.room)

    def first(self, rows: int) -> "KeyValueCache":
        """Return the first rows as a view: what is read into it is read into this cache."""
        return KeyValueCache(self.data[:, :, :rows], self._lengths[:rows], self.room)

    def put(self, rows: Tensor, other: "KeyValueCache") -> None:
        """Write all rows of ``other`` over the rows at positions int64 [R].

        Raises:
            ValueError: If a row of ``other`` is longer than this cache has room for.
        """
        self.check_room(other.lengths, self.room)
        used = int(other.lengths.max()) if len(other.lengths) else 0
        where = rows.to(self.data.device)
        self.data[:, :, where, :, :used] = other.data[..., :used, :]
        self._lengths[rows.cpu()] = other.lengths


def checked_counts(counts: Tensor | None, rows: int, steps: int) -> Tensor:
    """Return how many tokens of each row are real, int64 [B] on the CPU.

    Raises ValueError if a count lies outside [0, S], or there is not one a row.
    """
    if counts is None:
        return torch.full((rows,), steps)
    counts = counts.to("cpu", torch.int64)
    if counts.shape != (rows,):
        raise ValueError(f"counts must be one number for each of {rows} rows, got {counts.shape}")
    if bool(((counts < 0) | (counts > steps)).any()):
        raise ValueError(f"counts must lie between 0 and {steps}, got {counts.tolist()}")
    return counts
