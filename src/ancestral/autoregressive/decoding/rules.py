"""Rules that sharpen and cut the distribution of the next token.

Each takes logits [B, V] and leaves them be; what a rule excludes gets -inf. They live on the CPU,
where the loop over a vocabulary is cheap beside the model: numpy's partition and sort use the wide
registers that torch's do not.
"""

import math
from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Array = NDArray[np.floating]
Mask = NDArray[np.bool_]

_STRIDE, _FEW = 16, 64  # Of the sample of keys; as many of it are not told apart any further.


def temperature(logits: Tensor, value: float) -> Tensor:
    """Divide by the temperature; 0 leaves the largest logit alone, the first where several are.

    Args:
        logits: [B, V].
        value: T, at least 0 and finite.

    Returns:
        New logits, [B, V], their maximum 0.

    Example:
        >>> temperature(torch.tensor([[1.0, 3.0, 2.0]]), 0.5)
        tensor([[-4., 0., -2.]])
        >>> temperature(torch.tensor([[1.0, 3.0, 3.0]]), 0)
        tensor([[-inf, 0., -inf]])
    """
    array = logits.numpy()
    if value == 0:
        best = array.argmax(axis=-1)[:, None]
        found = np.full_like(array, -np.inf)
        np.put_along_axis(found, best, 0, axis=-1)
    else:  # The maximum goes first, so that a T near 0 overflows to -inf and never to nan.
        with np.errstate(over="ignore"):
            found = (array - array.max(axis=-1, keepdims=True)) / array.dtype.type(value)
    return torch.from_numpy(found)


def top_k(logits: Tensor, k: int) -> Tensor:
    """Keep the k largest logits; of equal ones those of the lower ids.

    Source: Fan et al. 2018, arXiv:1805.04833, sec. 5.4.

    Args:
        logits: [B, V].
        k: At least 1; V and more keep all.

    Returns:
        New logits, [B, V].

    Example:
        >>> top_k(torch.tensor([[1.0, 3.0, 2.0, 2.0]]), 2)
        tensor([[-inf, 3., 2., -inf]])
    """
    return _keep(logits, lambda row: _largest(row, k))


def top_p(logits: Tensor, p: float) -> Tensor:
    """Keep the fewest of the most probable tokens whose probabilities sum to at least p.

    Source: Holtzman et al. 2020, arXiv:1904.09751, sec. 3.1.

    Args:
        logits: [B, V].
        p: In (0, 1]; 1 keeps all.

    Returns:
        New logits, [B, V].

    Example:
        >>> top_p(torch.tensor([[0.5, 0.3, 0.2]]).log(), 0.7).exp()
        tensor([[0.5000, 0.3000, 0.0000]])
    """

    def nucleus(row: Array) -> Mask:
        return _smallest(-row, _weights(row), p)

    return logits.clone() if p >= 1 else _keep(logits, nucleus)


def min_p(logits: Tensor, share: float) -> Tensor:
    """Keep the tokens at least ``share`` times as probable as the most probable one.

    Source: Nguyen et al. 2024, arXiv:2407.01082, sec. 3.

    Args:
        logits: [B, V].
        share: In [0, 1]; 0 keeps all, 1 the most probable and its equals.

    Returns:
        New logits, [B, V].

    Example:
        >>> min_p(torch.tensor([[0.5, 0.3, 0.2]]).log(), 0.5).exp()
        tensor([[0.5000, 0.3000, 0.0000]])
    """
    if share <= 0:
        return logits.clone()
    return _keep(logits, lambda row: row >= row.max() + math.log(share))


def typical(logits: Tensor, mass: float) -> Tensor:
    """Keep the tokens whose surprise is nearest to the entropy, the fewest of at least this mass.

    Source: Meister et al. 2023, arXiv:2202.00666, eq. 11.

    Args:
        logits: [B, V].
        mass: In (0, 1]; 1 keeps all.

    Returns:
        New logits, [B, V].

    Example:
        >>> typical(torch.tensor([[0.5, 0.3, 0.2]]).log(), 0.3).exp()
        tensor([[0.0000, 0.3000, 0.0000]])
    """

    def nearest(row: Array) -> Mask:
        weight = _weights(row)
        # Surprise and entropy lack the same constant: log of the sum of the weights.
        surprise = row.max() - row
        entropy = float(weight @ surprise) / float(weight.sum())
        return _smallest(np.abs(surprise - row.dtype.type(entropy)), weight, mass)

    return logits.clone() if mass >= 1 else _keep(logits, nearest)


def _keep(logits: Tensor, choose: Callable[[Array], Mask]) -> Tensor:
    """Keep what ``choose`` returns of each row's possible tokens, given their logits."""
    array = logits.numpy()
    found = np.full_like(array, -np.inf)
    for row, kept in zip(array, found, strict=True):
        if row.min() > -np.inf:
            mask = choose(row)
        else:
            possible = np.flatnonzero(row > -np.inf)
            mask = np.zeros(len(row), dtype=np.bool_)
            mask[possible] = choose(row[possible])
        if np.count_nonzero(mask) < len(row) // 16:
            np.copyto(kept, row, where=mask)
        else:  # Adding log 0 or log 1 is six times faster than copying by a mask.
            with np.errstate(divide="ignore"):
                np.add(row, np.log(mask, dtype=row.dtype), out=kept)
    return torch.from_numpy(found)


def _weights(row: Array) -> Array:
    """Return probabilities up to a factor."""
    weight = row - row.max()
    return np.exp(weight, out=weight)


def _largest(row: Array, k: int) -> Mask:
    """Return which the k largest values are, of equal ones the first."""
    if k >= len(row):
        return np.ones(len(row), dtype=np.bool_)
    least = np.partition(row, len(row) - k)[len(row) - k]
    found = row >= least
    if (over := int(np.count_nonzero(found)) - k) > 0:
        found[np.flatnonzero(row == least)[-over:]] = False
    return found


def _smallest(key: Array, weight: Array, mass: float) -> Mask:
    """Return which the fewest are, in the order of their keys, that hold a share of the weight.

    Equal keys are taken in the order of their places.
    """
    target = mass * float(weight.sum())
    low, high, held = _bracket(key, weight, target)
    found = key < low
    at = np.flatnonzero((key < high) & ~found)
    order = np.argsort(key[at])
    if (key[at[order[1:]]] == key[at[order[:-1]]]).any():
        order = np.argsort(key[at], kind="stable")
    reached = held + weight[at[order]].cumsum(dtype=np.float64)
    found[at[order[: np.searchsorted(reached, target) + 1]]] = True
    return found


def _bracket(key: Array, weight: Array, target: float) -> tuple[float, float, float]:
    """Return keys (low, high) between which the weight reaches the target, and that below low.

    The keys are found by halving a sorted sample, so that few of all the keys need sorting.
    """
    low, high, held = -np.inf, np.inf, 0.0
    pivots = np.sort(key[::_STRIDE]) if len(key) > _STRIDE * _FEW else key[:0]
    first, last, at = 0, len(pivots), _FEW
    while last - first > _FEW:
        below = float(weight @ (key < pivots[at]).astype(weight.dtype))
        if below >= target:
            high, last = pivots[at], at
        else:
            low, first, held = pivots[at], at, below
        at = (first + last) // 2
    return low, high, held
