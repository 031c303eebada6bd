"""What a Transformer keeps of the tokens that it has read: their keys and values."""

from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

_STEP = 16
"""Keys are looked at in multiples of this, the rest hidden, so that a row's bits do not depend on
how long its neighbours are. The kernel sums over keys in the lanes of one register, at most 16
floats: hidden keys at the end of whole registers add exact zeros, while a partly filled register is
summed in another order. Measured over all lengths to 300 and some to 1,000, with 1 and 2 threads:
equal bits for any number of hidden multiples of 16 more; without rounding 95% of lengths differ."""


@dataclass(frozen=True, slots=True)
class Slots:
    """Room that was reserved for the coming tokens of each row.

    Args:
        data: Of the cache, [L, 2, B, H, C, P].
        positions: Place of each coming token, int64 [B or 1, S].
        counts: Real tokens of each row, int64 [B].
        span: Places that are looked at.
        reading: Rows up to the last that has a real token: no other need look at anything.
        scattered: Row, step and place of each real token, int64 [N] each; None where all rows are
            equally long and all tokens real.
    """

    data: Tensor
    positions: Tensor
    counts: Tensor
    span: int
    reading: int
    scattered: tuple[Tensor, Tensor, Tensor] | None

    @property
    def begin(self) -> bool:
        """Whether these are several first tokens of all rows, so that no other places are seen."""
        return self.scattered is None and self.span == self.positions.shape[1]

    def store(self, layer: int, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Write keys and values [B, H, S, P]; return what the reading rows see, [R, H, K, P]."""
        held = self.data[layer]
        if self.scattered is None:
            start = int(self.positions[0, 0])
            held[0, :, :, start : start + keys.shape[2]] = keys
            held[1, :, :, start : start + keys.shape[2]] = values
        else:
            row, step, place = self.scattered
            held[0, row, :, place] = keys[row, :, step].to(held.dtype)
            held[1, row, :, place] = values[row, :, step].to(held.dtype)
        return held[0, : self.reading, :, : self.span], held[1, : self.reading, :, : self.span]

    def mask(self, dtype: torch.dtype) -> Tensor | None:
        """Return what to add to the scores, [R or 1, 1, S, K]; None where ``begin`` tells all.

        A token sees the places up to its own. Of tokens that are not real only this holds: they
        see something, so that nothing becomes NaN.
        """
        if self.begin:
            return None
        places = torch.arange(self.span, device=self.data.device)
        positions = self.positions[: self.reading].to(places.device)
        hidden = places > positions[:, None, :, None]
        return torch.zeros(hidden.shape, dtype=dtype, device=places.device).masked_fill_(
            hidden, -torch.inf
        )


class KeyValueCache:
    """Keys and values of B rows of different lengths, in one tensor: a state of a Transformer.

    Args:
        data: Keys and values, [L, 2, B, H, C, P]: layers, which of both, rows, heads, places,
            features. What was never written is 0.
        lengths: Tokens that each row holds, int64 [B] on the CPU.
        room: Tokens that a row can hold, at most C; C if None.

    Example:
        >>> cache = KeyValueCache.empty((6, 2, 3, 4, 128, 64), torch.zeros(()))
        >>> cache.lengths, cache.room
        (tensor([0, 0, 0]), 128)
    """

    def __init__(self, data: Tensor, lengths: Tensor, room: int | None = None) -> None:
        self.data, self._lengths = data, lengths
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
        data = torch.zeros((*before, places, width), dtype=like.dtype, device=like.device)
        return cls(data, torch.zeros(shape[2], dtype=torch.int64), room)

    @property
    def lengths(self) -> Tensor:
        """Return how many tokens each row holds, int64 [B] on the CPU."""
        return self._lengths

    def reserve(self, steps: int, counts: Tensor | None) -> Slots:
        """Return the slots of the next ``steps`` tokens; nothing is written or counted yet.

        Args:
            steps: Tokens S of each row.
            counts: How many of them are real, int64 [B]; all if None.

        Raises:
            ValueError: If a count lies outside [0, S] or a row would outgrow its room.
        """
        rows = len(self._lengths)
        real = checked_counts(counts, rows, steps)
        ends = self._lengths + real
        end = int(ends.max()) if rows else 0
        if end > self.room:
            raise ValueError(
                f"a row would hold {end} tokens, and the state has room for {self.room}"
            )
        even = counts is None or bool((real == steps).all())
        even = even and rows > 0 and bool((self._lengths == self._lengths[0]).all())
        starts = self._lengths[:1] if even else self._lengths
        positions = starts[:, None] + torch.arange(steps)
        scattered, reading = None, rows
        if not (even and end):
            row, step = (torch.arange(steps) < real[:, None]).nonzero(as_tuple=True)
            scattered = row, step, positions.expand(rows, -1)[row, step]
            reading = int(row[-1]) + 1 if len(row) else 0
        if scattered is None and end == steps > 1:
            span = steps
        else:
            seen = max([*ends[:reading].tolist(), 1])
            span = min(-(-seen // _STEP) * _STEP, self.data.shape[4])
        return Slots(self.data, positions, real, span, reading, scattered)

    def commit(self, slots: Slots) -> None:
        """Count the tokens whose keys and values were stored."""
        self._lengths.add_(slots.counts)

    def select(self, rows: Tensor) -> "KeyValueCache":
        """Return a copy of the rows at positions int64 [R], in that order; rows may repeat."""
        lengths = self._lengths[rows.cpu()]
        used = int(lengths.max()) if len(lengths) else 0
        layers, two, _, heads, _, width = self.data.shape
        places = self.data.shape[4]
        data = self.data.new_zeros(layers, two, len(lengths), heads, places, width)
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
        used = int(other.lengths.max()) if len(other.lengths) else 0
        if used > self.room:
            raise ValueError(f"a row holds {used} tokens, and the state has room for {self.room}")
        where = rows.to(self.data.device)
        self.data[:, :, where, :, :used] = other.data[..., :used, :]
        # What is hidden has weight 0, and 0 times a NaN that a row has left is NaN.
        stale = int(self._lengths[rows.cpu()].max()) if len(rows) else 0
        self.data[:, :, where, :, used:stale] = 0
        self._lengths[rows.cpu()] = other.lengths

    def rewind(self, lengths: Tensor) -> None:
        """Forget all but the first ``lengths`` [B] tokens of each row.

        Raises:
            ValueError: If a row is shorter than that.
        """
        check_rewind(lengths, self._lengths)
        self._lengths.copy_(lengths)


def checked_counts(counts: Tensor | None, rows: int, steps: int) -> Tensor:
    """Return how many tokens of each row are real, int64 [B] on the CPU.

    Raises:
        ValueError: If a count lies outside [0, S], or there is not one a row.
    """
    if counts is None:
        return torch.full((rows,), steps)
    counts = counts.to("cpu", torch.int64)
    if counts.shape != (rows,):
        raise ValueError(f"counts must be one number for each of {rows} rows, got {counts.shape}")
    if bool(((counts < 0) | (counts > steps)).any()):
        raise ValueError(f"counts must lie between 0 and {steps}, got {counts.tolist()}")
    return counts


def check_rewind(lengths: Tensor, held: Tensor) -> None:
    """Refuse to rewind rows to more tokens than they hold.

    Raises:
        ValueError: If a length is below 0 or above what is held.
    """
    if lengths.shape != held.shape or bool((lengths.cpu() > held).any() | (lengths < 0).any()):
        raise ValueError(
            f"rows of {held.tolist()} tokens cannot be rewound to {lengths.tolist()} tokens"
        )
