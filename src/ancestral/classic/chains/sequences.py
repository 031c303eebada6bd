"""Sequences of any lengths: checked at the door, cut into tiles of like length."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ancestral.errors import DataError
from ancestral.networks.arguments import to_numpy

Values: TypeAlias = NDArray[Any]
"""Symbols, int64, or vectors, float64."""


@dataclass(frozen=True, slots=True)
class Tile:
    """Some sequences side by side, the longest first.

    Args:
        rows: Their rows in the data, [n].
        x: Their values, [T, n] or [T, n, D]; missing (-1 or NaN) after their end.
        active: Whether a sequence has a step t, [T, n].
        counts: How often each sequence counts, [n]; None: each once.
    """

    rows: NDArray[np.int64]
    x: Values
    active: NDArray[np.bool_]
    counts: NDArray[np.float64] | None = None

    @property
    def each(self) -> NDArray[np.float64] | float:
        """How often each sequence counts, [n], or 1."""
        return 1.0 if self.counts is None else self.counts


def check_lengths(x: Tensor, lengths: Tensor | None) -> NDArray[np.int64]:
    """Return the length of each row of x [N, T, ...], [N].

    Raises ValueError if there is not one length for each row; DataError if there is no row, or a
    length is not in 1..T.
    """
    if x.ndim < 2:
        raise ValueError(f"x must have shape [N, T] or [N, T, D], got {list(x.shape)}")
    count, width = x.shape[:2]
    if count == 0 or width == 0:
        raise DataError(f"x must hold at least 1 sequence of 1 step, got {list(x.shape)}")
    if lengths is None:
        return np.full(count, width)
    read = to_numpy(lengths)
    if read.shape != (count,):
        raise ValueError(f"lengths must have shape [{count}], got {list(read.shape)}")
    if read.dtype.kind not in "iu":
        raise DataError(f"lengths must hold whole numbers, got {read.dtype}")
    found = read.astype(np.int64)
    if found.min() < 1 or found.max() > width:
        wrong = found[(found < 1) | (found > width)][0]
        raise DataError(f"lengths must be in 1 to {width}, got {wrong}")
    return found


def check_states(x: Tensor, states: int, *, name: str, missing: bool) -> NDArray[np.int64]:
    """Return whole numbers 0 to states - 1 (-1, too, where it may be missing) as an array.

    Raises ValueError if x is not [N, T]; DataError if a value is not one of them.
    """
    if x.ndim != 2:
        raise ValueError(f"{name} must have shape [N, T], got {list(x.shape)}")
    read = to_numpy(x)
    if read.dtype.kind not in "biu":
        raise DataError(f"{name} must hold whole numbers, got {read.dtype}")
    found = read.astype(np.int64)
    least = -1 if missing else 0
    if found.size and (found.min() < least or found.max() >= states):
        wrong = found[(found < least) | (found >= states)][0]
        raise DataError(f"{name} must hold states {least} to {states - 1}, got {wrong}")
    return found


def ends_masked(x: Values, lengths: NDArray[np.int64]) -> Values:
    """Return x [N, T, ...] with missing values, -1 or NaN, after each row's end."""
    if (lengths == x.shape[1]).all():
        return x
    after = np.arange(x.shape[1]) >= lengths[:, None]
    shape = after.shape + (1,) * (x.ndim - 2)
    return np.where(after.reshape(shape), -1 if x.dtype.kind == "i" else np.nan, x)


def tiles(
    x: Values,
    lengths: NDArray[np.int64],
    *,
    states: int,
    most: int = 1 << 20,
    counts: NDArray[np.float64] | None = None,
) -> Iterator[Tile]:
    """Cut [N, T, ...] into tiles of at most ``most`` numbers in [K, T, n], longest rows first.

    A single sequence may have more. Values are missing after each row's end; ``counts`` [N] says
    how often each row counts.
    """
    order = np.argsort(-lengths, kind="stable")
    start = 0
    while start < len(order):
        width = int(lengths[order[start]])
        rows = order[start : start + max(1, most // (states * width))]
        # A tile of a few long rows and many short ones would be mostly padding.
        rows = rows[lengths[rows] * 2 > width]
        active = np.arange(width)[:, None] < lengths[rows]
        values = np.ascontiguousarray(x[rows, :width].swapaxes(0, 1))
        yield Tile(rows, values, active, None if counts is None else counts[rows])
        start += len(rows)


def uniforms(shape: tuple[int, ...], generator: torch.Generator | None) -> NDArray[np.float64]:
    """Return uniform numbers in [0, 1) from torch's generator."""
    return to_numpy(
        torch.rand(shape, dtype=torch.float64, generator=generator, device=device_of(generator))
    )


def normals(shape: tuple[int, ...], generator: torch.Generator | None) -> NDArray[np.float64]:
    """Return standard normal numbers from torch's generator."""
    return to_numpy(
        torch.randn(shape, dtype=torch.float64, generator=generator, device=device_of(generator))
    )


def device_of(generator: torch.Generator | None) -> torch.device:
    """Return where a generator draws."""
    return torch.device("cpu") if generator is None else generator.device


def drawn(rows: NDArray[np.float64], uniform: NDArray[np.float64]) -> NDArray[np.int64]:
    """Draw one state from each row of probabilities [n, K] by inversion, [n].

    States of probability 0 are never drawn.
    """
    cumulative = rows.cumsum(axis=1)
    # Divided by its last, the sum reaches 1 exactly, above every uniform number.
    below = uniform[:, None] >= cumulative / cumulative[:, -1:]
    return below.sum(axis=1, dtype=np.int64)


def normalised(counts: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return rows [..., K] divided by their sums; those without counts are ``other``'s."""
    total = counts.sum(axis=-1, keepdims=True)
    some = total > 0
    return np.where(some, counts / np.where(some, total, 1.0), other)
