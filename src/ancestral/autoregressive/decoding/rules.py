"""Rules that sharpen and cut the distribution of the next token.

Each takes logits [B, V] and returns new ones; what a rule excludes gets -inf. They live on the CPU,
where the loop over a vocabulary is cheap beside the model: numpy's partition and sort use the wide
registers that torch's do not.
"""

import itertools
import math
from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Array = NDArray[np.floating]
Mask = NDArray[np.bool_]
Places = NDArray[np.int64]

_STRIDE, _FEW = 32, 32  # Of the sample of keys; as many of it are not told apart any further.
_PEAKED = 100  # A mass of so many times the most probable token is spread over many.


def temperature(logits: Tensor, value: float) -> Tensor:
    """Divide by the temperature; 0 leaves the largest logit alone, the first where several are.

    It is at least 0 and finite; what rounds to 0 in the type of the logits is 0. The maximum of the
    new logits is 0.

    Example:
        >>> temperature(torch.tensor([[1.0, 3.0, 2.0]]), 0.5)
        tensor([[-4., 0., -2.]])
        >>> temperature(torch.tensor([[1.0, 3.0, 3.0]]), 0)
        tensor([[-inf, 0., -inf]])
    """
    array = logits.numpy()
    # More than the type holds would be inf, by which an excluded -inf becomes nan.
    divisor = array.dtype.type(min(value, float(np.finfo(array.dtype).max)))
    if divisor == 0:
        best = array.argmax(axis=-1)[:, None]
        found = np.full_like(array, -np.inf)
        np.put_along_axis(found, best, 0, axis=-1)
    else:  # The maximum goes first, so that a T near 0 overflows to -inf and never to nan.
        with np.errstate(over="ignore"):
            found = (array - array.max(axis=-1, keepdims=True)) / divisor
    return torch.from_numpy(found)


def top_k(logits: Tensor, k: int) -> Tensor:
    """Keep the k largest logits, at least 1; of equal ones those of the lower ids.

    Source: Fan et al. 2018, arXiv:1805.04833, sec. 5.4.

    Example:
        >>> top_k(torch.tensor([[1.0, 3.0, 2.0, 2.0]]), 2)
        tensor([[-inf, 3., 2., -inf]])
    """
    return _keep(logits, lambda row: _largest(row, k))


def top_p(logits: Tensor, p: float) -> Tensor:
    """Keep the fewest of the most probable tokens whose probabilities sum to at least p, in (0, 1].

    Source: Holtzman et al. 2020, arXiv:1904.09751, sec. 3.1.

    Example:
        >>> top_p(torch.tensor([[0.5, 0.3, 0.2]]).log(), 0.7).exp()
        tensor([[0.5000, 0.3000, 0.0000]])
    """

    def nucleus(row: Array) -> Mask | Places:
        relative, weight, total = _weighed(row)
        return _smallest(np.negative(relative, out=relative), weight, p, total)

    return logits.clone() if p >= 1 else _keep(logits, nucleus)


def min_p(logits: Tensor, share: float) -> Tensor:
    """Keep the tokens at least ``share``, in [0, 1], times as probable as the most probable one.

    Source: Nguyen et al. 2024, arXiv:2407.01082, sec. 3.

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

    Example:
        >>> typical(torch.tensor([[0.5, 0.3, 0.2]]).log(), 0.3).exp()
        tensor([[0.0000, 0.3000, 0.0000]])
    """

    def nearest(row: Array) -> Mask | Places:
        relative, weight, total = _weighed(row)
        # Both lack the same constant, log of the sum of the weights; so does their difference.
        relative -= row.dtype.type(float(weight @ relative) / total)
        return _smallest(np.abs(relative, out=relative), weight, mass, total)

    return logits.clone() if mass >= 1 else _keep(logits, nearest)


def _keep(logits: Tensor, choose: Callable[[Array], Mask | Places]) -> Tensor:
    """Keep what ``choose`` returns of each row's possible tokens, given their logits."""
    array = logits.numpy()
    found = np.empty_like(array)
    for row, kept in zip(array, found, strict=True):
        least = row.min()
        if np.isnan(least):  # It is for the draw to refuse.
            kept[:] = row
            continue
        if least > -np.inf:
            chosen = choose(row)
        else:
            possible = np.flatnonzero(row > -np.inf)
            chosen = possible[choose(row[possible])]
        if chosen.dtype != np.bool_:
            kept.fill(-np.inf)
            kept[chosen] = row[chosen]
            continue
        # The lesser of a logit and +inf or -inf: six times faster than to choose by a mask.
        bound = chosen.astype(row.dtype)
        bound -= row.dtype.type(0.5)
        bound *= row.dtype.type(np.inf)
        np.minimum(row, bound, out=kept)
    return torch.from_numpy(found)


def _weighed(row: Array) -> tuple[Array, Array, float]:
    """Return logits below the largest, probabilities up to a factor, and the sum of these."""
    relative = row - row.max()
    weight = np.exp(relative)
    return relative, weight, float(weight.sum())


def _largest(row: Array, k: int) -> Places:
    """Return where the k largest values are, of equal ones the first.

    Only what is above a value of a sample, which a few more than k will be, is looked at in turn.
    """
    sample = row[::_STRIDE]
    share = k / _STRIDE
    rank = int(share + 4 * math.sqrt(share) + 4)
    places = np.arange(0)
    if rank < len(sample):
        floor = np.partition(sample, len(sample) - rank)[len(sample) - rank]
        places = np.flatnonzero(row >= floor)
    if len(places) < k:
        places = np.arange(len(row))
    if len(places) <= k:
        return places
    values = row[places]
    least = np.partition(values, len(values) - k)[len(values) - k]
    above = places[values > least]
    return np.concatenate((above, places[values == least][: k - len(above)]))


def _smallest(key: Array, weight: Array, mass: float, total: float) -> Mask | Places:
    """Return which the fewest are, in the order of their keys, that hold a share of the weight.

    Equal keys are taken in the order of their places.
    """
    low, high, held = _bracket(key, weight, mass * total, total)
    found = key < low if held > 0 else None
    inside = key < high if found is None else (key < high) ^ found
    at = np.flatnonzero(inside)
    near = key[at]
    order = np.argsort(near)
    if (np.diff(near[order]) == 0).any():
        order = np.argsort(near, kind="stable")
    reached = held + weight[at[order]].cumsum(dtype=np.float64)
    taken = at[order[: np.searchsorted(reached, mass * total) + 1]]
    if found is None:
        return taken
    found[taken] = True
    return found


def _bracket(key: Array, weight: Array, target: float, total: float) -> tuple[float, float, float]:
    """Return keys (low, high) between which the weight reaches the target, and that below low.

    A sorted sample of the keys says about where; each look at all keys, below one of the sample,
    mends what it says, until few keys are left to sort. Where few tokens hold the mass, the first
    look is at the least keys of the sample, which then needs no sorting.
    """
    if len(key) <= _STRIDE * _FEW:
        return -np.inf, np.inf, 0.0
    sample = key[::_STRIDE]
    if total < _PEAKED:  # Times the weight of the most probable token, which is 1.
        least = float(np.partition(sample, _FEW)[_FEW])
        if _below(key, weight, least) >= target:
            return -np.inf, least, 0.0
    order = np.argsort(sample)
    pivots = sample[order]
    curve = np.concatenate(([0.0], weight[::_STRIDE][order].cumsum(dtype=np.float64)))
    # What is below the places first and last of the sample; all that is there, at its end.
    first, last, held, reached, side = 0, len(pivots), 0.0, total, 0
    for look in itertools.count(1):
        if last - first <= _FEW:
            break
        share = (target - held) / (reached - held) * (curve[last] - curve[first])
        guess = int(np.searchsorted(curve, curve[first] + share)) + side
        at = guess if look % 3 and first < guess < last else (first + last) // 2
        below = _below(key, weight, pivots[at])
        if below >= target:
            last, reached, side = at, below, -(_FEW // 4)
        else:
            first, held, side = at, below, _FEW // 4
    low = float(pivots[first]) if held > 0 else -np.inf
    return low, float(pivots[last]) if last < len(pivots) else np.inf, held


def _below(key: Array, weight: Array, pivot: float) -> float:
    """Return the weight of the keys below a pivot."""
    return float(weight @ (key < pivot).astype(weight.dtype))
