"""How an n-gram model shares probability with what it has never seen."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ancestral.classic.chains.recursions import Array
from ancestral.networks.arguments import check_number

_USUAL = (0.5, 1.0, 1.5)


@dataclass(frozen=True, slots=True)
class Counts:
    """What a smoothing is given of one level.

    Args:
        counts: Of each n-gram, [G]; 0 for those that are no event.
        context: Index of the context of each n-gram, [G].
        contexts: Number C of contexts.
        events: Number of tokens that can come next.
    """

    counts: Array
    context: NDArray[np.int64]
    contexts: int
    events: int

    def total(self, weights: Array) -> Array:
        """Return the sums of weights [G] by context, [C]."""
        found = np.bincount(self.context, weights=weights, minlength=self.contexts)
        return found.astype(np.float64, copy=False)


class Smoothing(Protocol):
    """``p(w | h) = weight(h, w) + backoff(h) * lower(w)``.

    ``lower`` is p(w | h without its first token) where ``interpolates``, else uniform; the
    counts of the lower levels are of different left neighbours where ``continues``.
    """

    @property
    def interpolates(self) -> bool:
        """Whether lower orders are mixed in."""
        ...

    @property
    def continues(self) -> bool:
        """Whether lower orders count different left neighbours."""
        ...

    def weigh(self, level: Counts) -> tuple[Array, Array]:
        """Return the weights [G] and the backoffs [C]; they sum to 1 in every context."""
        ...


@dataclass(frozen=True, slots=True)
class AddK:
    """``(c(h, w) + k) / (c(h) + k E)``: Lidstone; Laplace for k = 1. Uniform after unseen h.

    Args:
        k: Above 0, finite.

    Raises:
        ValueError: If k is not above 0 (then an unseen context would be 0/0), or not finite.

    Example:
        >>> AddK(0.1)
        AddK(k=0.1)
    """

    k: float = 1.0
    interpolates = False
    continues = False

    def __post_init__(self) -> None:
        check_number("k", self.k, above=True)

    def weigh(self, level: Counts) -> tuple[Array, Array]:
        """Return the weights [G] and the backoffs [C]."""
        whole = level.total(level.counts) + self.k * level.events
        return level.counts / whole[level.context], self.k * level.events / whole


@dataclass(frozen=True, slots=True)
class WittenBell:
    """``(c(h, w) + N(h) p(w | h')) / (c(h) + N(h))``, N(h) the number of different tokens after h.

    Source: Witten & Bell 1991; Chen & Goodman 1999, sec. 2.5.

    Example:
        >>> WittenBell()
        WittenBell()
    """

    interpolates = True
    continues = False

    def weigh(self, level: Counts) -> tuple[Array, Array]:
        """Return the weights [G] and the backoffs [C]."""
        different = level.total((level.counts > 0).astype(np.float64))
        whole = level.total(level.counts) + different
        whole, different = np.where(whole > 0, whole, 1.0), np.where(whole > 0, different, 1.0)
        return level.counts / whole[level.context], different / whole


@dataclass(frozen=True, slots=True)
class KneserNey:
    """Interpolated modified Kneser-Ney: counts 1, 2 and 3+ lose a discount of their own.

    The discounts come from the counts of counts. Where these do not give three in (0, count], as
    in small corpora, one discount ``n1 / (n1 + 2 n2)`` serves all; where n1 or n2 is 0, too, the
    discounts are 0.5, 1 and 1.5.

    Source: Chen & Goodman 1999, An empirical study of smoothing techniques, eq. 24-26.

    Example:
        >>> KneserNey().discounts(np.repeat([1.0, 2.0, 3.0, 4.0], [20, 8, 4, 2]))
        (0.555..., 1.166..., 1.888...)
        >>> KneserNey().discounts(np.ones(3))
        (0.5, 1.0, 1.5)
    """

    interpolates = True
    continues = True

    def discounts(self, counts: Array) -> tuple[float, float, float]:
        """Return what counts of 1, 2 and at least 3 lose, from the counts [G] of a level."""
        n1, n2, n3, n4 = (float((counts == r).sum()) for r in range(1, 5))
        if n1 == 0 or n2 == 0:
            return _USUAL
        share = n1 / (n1 + 2 * n2)
        if n3 > 0:
            found = (1 - 2 * share * n2 / n1, 2 - 3 * share * n3 / n2, 3 - 4 * share * n4 / n3)
            if n4 > 0 and all(0 < lost <= r for r, lost in enumerate(found, start=1)):
                return found
        return (share, share, share)

    def weigh(self, level: Counts) -> tuple[Array, Array]:
        """Return the weights [G] and the backoffs [C]."""
        lost = np.array((0.0, *self.discounts(level.counts)))
        taken = lost[np.minimum(level.counts, 3).astype(np.int64)]
        whole = level.total(level.counts)
        some = whole > 0
        whole = np.where(some, whole, 1.0)
        weight = (level.counts - taken) / whole[level.context]
        return weight, np.where(some, level.total(taken) / whole, 1.0)
