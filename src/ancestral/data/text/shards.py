"""Tokens on the disk: written once, chunk by chunk, and mapped into memory from then on."""

import hashlib
import re
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from pathlib import Path
from typing import BinaryIO, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ancestral.data.text.documents import Found
from ancestral.data.text.tokenizer import Tokenizer

Progress: TypeAlias = Callable[[int, int], None]
"""Called with the number of documents tokenised so far and with their total."""

BATCH = 1 << 15
"""Bytes of text that are tokenised together, on all cores; more of them fall out of the caches."""

PART = 1 << 13
"""Characters after which a long document is cut, so that several cores share it."""

# Between two letters with one blank between them every kind of tokenizer ends a token.
_SAFE = re.compile(r"(?<=[^\W\d_])(?= [^\W\d_])")


def content_digest(found: tuple[Iterator[tuple[int, bytes]], ...]) -> str:
    """Return a hash of the contents of files, given as chunks, in their order."""
    digest = hashlib.sha256()
    for chunks in found:
        inner = hashlib.sha256()
        for _, part in chunks:
            inner.update(part)
        digest.update(inner.digest())
    return digest.hexdigest()


def write_tokens(
    found: Found, tokenizer: Tokenizer, file: BinaryIO, progress: Progress | None = None
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Write ``[BOS] document [EOS]`` of all documents, one after the other, as int32.

    Args:
        found: Documents, N of them.
        tokenizer: Turns them into ids.
        file: Open for writing bytes; memory stays that of two batches, whatever its length.
        progress: Called after each batch.

    Returns:
        The place of each document's BOS, and its characters, both int64 [N].
    """
    special = tokenizer.special
    starts = np.empty(len(found), dtype=np.int64)
    characters = np.empty(len(found), dtype=np.int64)
    first = place = 0
    for parts, encoded in _encoded(found, tokenizer):
        last = first + len(parts)
        flat = [part for each in parts for part in each]
        begins = np.cumsum([0, *map(len, parts[:-1])])  # Of the documents, among all parts.
        characters[first:last] = np.add.reduceat(_sizes(flat), begins)
        sizes = np.add.reduceat(_sizes(encoded), begins) + 2
        ends = sizes.cumsum()
        starts[first:last] = place + ends - sizes
        tokens = np.empty(ends[-1], dtype=np.int32)
        inside = np.ones(ends[-1], dtype=np.bool_)
        for places, token in ((ends - sizes, special.bos), (ends - 1, special.eos)):
            tokens[places], inside[places] = token, False
        tokens[inside] = np.fromiter(chain.from_iterable(encoded), np.int32, inside.sum())
        file.write(tokens.tobytes())
        first, place = last, place + int(ends[-1])
        if progress is not None:
            progress(last, len(found))
    return starts, characters


def _sizes(items: Sequence[str] | Sequence[list[int]]) -> NDArray[np.int64]:
    return np.fromiter(map(len, items), np.int64, len(items))


def cut(text: str) -> Iterator[str]:
    """Yield a long text in parts whose tokens, one after the other, are those of the whole.

    Example:
        >>> "".join(cut("una vez " * 20_000)) == "una vez " * 20_000
        True
    """
    start = 0
    while len(text) - start > PART and (safe := _SAFE.search(text, start + PART)):
        yield text[start : safe.start()]
        start = safe.start()
    yield text[start:] if start else text


def map_tokens(path: Path) -> Tensor:
    """Return the int32 numbers of a file, mapped: pages are read when they are looked at."""
    # Copy on write, because torch takes no memory that cannot be written.
    return torch.from_numpy(np.memmap(path, dtype=np.int32, mode="c"))


def _encoded(
    found: Found, tokenizer: Tokenizer
) -> Iterator[tuple[list[list[str]], list[list[int]]]]:
    """Yield the parts of the documents of each batch, and the ids of each part.

    The next batch is on the way while one is looked at.
    """

    def encode(texts: list[str]) -> tuple[list[list[str]], list[list[int]]]:
        parts = [list(cut(text)) for text in texts]
        return parts, tokenizer.encode_batch([part for each in parts for part in each])

    coming = None
    with ThreadPoolExecutor(1) as worker:
        for batch in _batches(found):
            ready, coming = coming, worker.submit(encode, batch)
            if ready is not None:
                yield ready.result()
        if coming is not None:
            yield coming.result()


def _batches(found: Found) -> Iterator[list[str]]:
    """Yield documents of about BATCH bytes together."""
    held = (found.end - found.start).cumsum()
    first = 0
    while first < len(found):
        before = int(held[first - 1]) if first else 0
        last = min(int(np.searchsorted(held, before + BATCH)) + 1, len(found))
        yield [found.text(index) for index in range(first, last)]
        first = last
