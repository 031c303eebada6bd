"""Equal and nearly equal documents of a corpus, so that none stands in two splits."""

import hashlib
from collections.abc import Iterator
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ancestral.data.text.documents import Found

WORDS = 5
"""Words of a shingle."""

SIMILAR = 0.8
"""Documents whose sets of shingles have at least this Jaccard index are near duplicates."""

BANDS, ROWS = 16, 4
"""A pair at the threshold shares a band of equal minima with probability 1 - (1 - 0.8^4)^16."""

BATCH = 1 << 20
"""Bytes of documents that are hashed together."""

LONGEST = 1 << 24
"""Longer documents are compared by their first bytes, so many of them."""

_CANDIDATES = 64  # Of one band; so that a corpus of near misses stays linear.

_BASE = 0x9E3779B97F4A7C15 | 1
_SEED = np.random.default_rng(0x5EED)
_LETTERS = _SEED.integers(1, 2**63, 256, dtype=np.uint64)
_FACTORS = _SEED.integers(0, 2**63, BANDS * ROWS, dtype=np.uint64) * np.uint64(2) + np.uint64(1)
_SHIFTS = _SEED.integers(0, 2**63, BANDS * ROWS, dtype=np.uint64)
_BLANK = np.zeros(256, dtype=bool)
_BLANK[list(b" \t\r\n\v\f")] = True
_UNSPACED = np.zeros(1024, dtype=bool)
for _first, _last in (
    (0x0E00, 0x107F),  # Thai, Lao, Tibetan, Burmese.
    (0x1780, 0x17FF),  # Khmer.
    (0x2E80, 0x9FFF),  # Chinese and Japanese, their marks too.
    (0xA000, 0xA4BF),  # Yi.
    (0xF900, 0xFAFF),
    (0xFF00, 0xFFBF),  # Wide forms.
):
    _UNSPACED[_first // 64 : (_last + 1) // 64] = True
"""Scripts that set no blanks between words, by the first ten bits of 16 of a character."""


def distinct(found: Found) -> tuple[NDArray[np.bool_], int, int]:
    r"""Mark the documents to keep: the first of those that are equal or nearly so.

    Equal is: the same words, whatever the blanks between them. Nearly equal is: the sets of runs
    of 5 words have a Jaccard index of at least 0.8; of scripts that set no blanks between words
    each character counts as one. A document is compared with those kept before it. Candidates
    come from MinHash and are then compared exactly: what is removed is a duplicate, and one in
    5,000 at the threshold is missed, fewer above it.

    Source: Broder 1997, On the resemblance and containment of documents; Lee et al. 2022,
    Deduplicating training data makes language models better, arXiv:2107.06499.

    Args:
        found: Documents, N of them.

    Returns:
        Which to keep, bool [N]; the number of equal ones removed; that of nearly equal ones.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> from ancestral.data.text.documents import find_documents
        >>> path = Path(tempfile.mkdtemp()) / "a.txt"
        >>> _ = path.write_text("uno dos\ntres\nuno  dos\n")
        >>> distinct(find_documents(path))
        (array([ True,  True, False]), 1, 0)
    """
    kept = _unequal(found)
    equal = len(found) - int(kept.sum())
    if len(found) < 2:
        return kept, equal, 0
    rest = np.flatnonzero(kept)
    near = _near(found.select(rest))
    kept[rest[near]] = False
    return kept, equal, int(near.sum())


def shingles(raw: bytes) -> NDArray[np.uint64]:
    """Return the distinct runs of 5 words as hashes, sorted; none where there are fewer words."""
    hashed, _ = _hashes([raw[:LONGEST]])
    return np.unique(hashed)


def _unequal(found: Found) -> NDArray[np.bool_]:
    """Mark the first document of each set of equal ones."""
    keys = np.empty(len(found), dtype="V16")
    for index in range(len(found)):
        words = b" ".join(found.raw(index).split())
        keys[index] = hashlib.blake2b(words, digest_size=16).digest()
    _, first = np.unique(keys, return_index=True)
    kept = np.zeros(len(found), dtype=bool)
    kept[first] = True
    return kept


def _near(found: Found) -> NDArray[np.bool_]:
    """Mark the documents that are nearly equal to one before them that is not marked."""
    bands = _bands(found)
    for band in range(BANDS):  # Keys that only one document has are of no use: 0 is no key.
        _, inverse, counts = np.unique(bands[:, band], return_inverse=True, return_counts=True)
        bands[counts[inverse] < 2, band] = 0
    marked = np.zeros(len(found), dtype=bool)
    known: dict[tuple[int, int], list[int]] = {}
    sets = lru_cache(maxsize=256)(lambda index: shingles(found.raw(index)))
    for index in np.flatnonzero(bands.any(axis=1)).tolist():
        keys = [(band, key) for band, key in enumerate(bands[index].tolist()) if key]
        candidates = sorted({other for key in keys for other in known.get(key, ())})
        marked[index] = any(_similar(sets(index), sets(other)) for other in candidates)
        if not marked[index]:
            for key in keys:
                others = known.setdefault(key, [])
                if len(others) < _CANDIDATES:
                    others.append(index)
    return marked


def _similar(a: NDArray[np.uint64], b: NDArray[np.uint64]) -> bool:
    if min(len(a), len(b)) < SIMILAR * max(len(a), len(b)):
        return False
    shared = len(np.intersect1d(a, b, assume_unique=True))
    return shared >= SIMILAR * (len(a) + len(b) - shared)


def _bands(found: Found) -> NDArray[np.uint64]:
    """Return a key for each band of each document, [N, BANDS]; 0 for documents of few words."""
    keys = np.zeros((len(found), BANDS), dtype=np.uint64)
    for start, batch in _batches(found):
        hashed, counts = _hashes(batch)
        filled = np.flatnonzero(counts)
        if not len(filled):
            continue
        offsets = np.concatenate(([0], np.cumsum(counts[filled])[:-1]))
        part = np.zeros((len(filled), BANDS), dtype=np.uint64)
        for row in range(BANDS * ROWS):
            least = np.minimum.reduceat(hashed * _FACTORS[row] + _SHIFTS[row], offsets)
            part[:, row // ROWS] = _mixed(part[:, row // ROWS] * np.uint64(_BASE) + least)
        keys[start + filled] = part
    return keys


def _batches(found: Found) -> Iterator[tuple[int, list[bytes]]]:
    """Yield documents of about BATCH bytes together, with the index of the first."""
    first, batch, size = 0, [], 0
    for index in range(len(found)):
        batch.append(found.raw(index)[:LONGEST])
        size += len(batch[-1])
        if size >= BATCH or index == len(found) - 1:
            yield first, batch
            first, batch, size = index + 1, [], 0


def _hashes(documents: list[bytes]) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """Return the hashes of all runs of 5 words, one document's after the other's, and how many.

    A word's hash is a polynomial in random values of its bytes: the difference of two running
    sums, brought to one place by the inverse of the base, modulo 2^64.
    """
    joined = np.frombuffer(b"\n".join([b"", *documents, b""]), dtype=np.uint8)
    begin, end = _words(joined)
    powers, inverse = _powers(len(joined))
    sums = np.concatenate((np.zeros(1, np.uint64), np.cumsum(_LETTERS[joined] * powers)))
    words = _mixed((sums[end] - sums[begin]) * inverse[begin])
    sizes = np.array([len(document) + 1 for document in documents])
    owner = np.searchsorted(1 + np.cumsum(sizes), begin, side="right")
    if len(words) < WORDS:
        return words[:0], np.zeros(len(documents), dtype=np.int64)
    runs = np.zeros(len(words) - WORDS + 1, dtype=np.uint64)
    for shift in range(WORDS):
        runs = _mixed(runs * np.uint64(_BASE) + words[shift : shift + len(runs)])
    whole = owner[WORDS - 1 :] == owner[: len(runs)]
    counts = np.bincount(owner[: len(runs)][whole], minlength=len(documents))
    return runs[whole], counts


def _words(joined: NDArray[np.uint8]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the first byte of each word of UTF-8 between blanks, and the one after its last."""
    blank = _BLANK[joined]
    edges = np.flatnonzero(blank[1:] != blank[:-1]) + 1
    if not (joined >= 0xE0).any():  # No character of three bytes or four.
        return edges[::2], edges[1::2]
    starts = np.flatnonzero((joined & 0xC0) != 0x80)
    lead, second = joined[starts].astype(np.intp), joined[np.minimum(starts + 1, len(joined) - 1)]
    alone = (lead >= 0xE0) & (lead < 0xF0) & _UNSPACED[(lead & 0x0F) * 64 | second & 0x3F]
    alone |= (lead == 0xF0) & (second >= 0xA0) & (second < 0xC0)  # Rarer Chinese characters.
    after = np.concatenate(([False], alone[:-1]))
    cut = np.zeros(len(joined), dtype=bool)
    cut[edges] = True
    cut[starts[alone | after]] = True
    cuts = np.flatnonzero(cut)
    filled = ~blank[cuts]
    ends = np.concatenate((cuts[1:], [len(joined)]))
    return cuts[filled], ends[filled]


@lru_cache(maxsize=1)
def _table(size: int) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    inverse = pow(_BASE, -1, 2**64)
    factors = np.full((2, size), [[_BASE], [inverse]], dtype=np.uint64)
    factors[:, 0] = 1
    powers = np.cumprod(factors, axis=1)
    return powers[0], powers[1]


def _powers(size: int) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """Return the powers of the base and of its inverse up to a size, from a table that grows."""
    powers, inverse = _table(max(2 * BATCH, 1 << size.bit_length()))
    return powers[:size], inverse[:size]


def _mixed(x: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Spread every bit over all others (the finaliser of splitmix64)."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))
