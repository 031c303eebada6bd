"""Tokens on the disk: written once, chunk by chunk, and mapped into memory from then on."""

import hashlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from pathlib import Path
from typing import BinaryIO, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ancestral.data.files import reason, shown
from ancestral.data.text.documents import Found
from ancestral.data.text.tokenizer import Tokenizer
from ancestral.errors import DataError

Progress: TypeAlias = Callable[[int, int], None]
"""Called with the number of documents tokenised so far and with their total."""

BATCH = 1 << 15
"""Bytes of text that are tokenised together, on all cores; more of them fall out of the caches."""

PART = 1 << 13
"""Characters after which a long document is cut, so that several cores share it."""

_META = "meta.json"
# Between two letters with one blank between them every kind of tokenizer ends a token.
_SAFE = re.compile(r"(?<=[^\W\d_])(?= [^\W\d_])")


def cache_root() -> Path:
    """Return where tokens are kept: ``$ANCESTRAL_CACHE``, or ``ancestral`` in the XDG cache."""
    if own := os.environ.get("ANCESTRAL_CACHE"):
        return Path(own)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "ancestral"


def cached(key: str, build: Callable[[Path], dict[str, object]]) -> tuple[Path, dict[str, object]]:
    """Return the folder of a key and what ``build`` said of it, building it if need be.

    The folder appears whole or not at all; what is damaged is built again; of two processes that
    build at once, either may win, and both go on with whole files.

    Args:
        key: Name of the folder.
        build: Fills an empty folder, and returns what is worth keeping in JSON.

    Raises:
        DataError: If the cache cannot be written.

    Example:
        >>> os.environ["ANCESTRAL_CACHE"] = tempfile.mkdtemp()
        >>> folder, said = cached("demo", lambda folder: {"made": True})
        >>> folder.name, said, cached("demo", lambda folder: {"made": False})[1]
        ('demo', {'made': True}, {'made': True})
    """
    root = cache_root() / "corpora"
    folder = root / key
    if (said := _whole(folder)) is not None:
        return folder, said
    draft = None
    try:
        root.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(dir=root, prefix=".draft-"))
        said = build(draft)
        files = {file.name: _digest(file) for file in sorted(draft.iterdir())}
        (draft / _META).write_text(json.dumps({"files": files, "said": said}), "utf-8")
        _publish(draft, folder)
    except OSError as error:
        raise DataError(
            f"the cache {shown(root)} cannot be written: {reason(error)}; point the variable "
            "ANCESTRAL_CACHE at a folder with room"
        ) from error
    finally:
        if draft is not None:
            shutil.rmtree(draft, ignore_errors=True)
    return folder, said


def _publish(draft: Path, folder: Path) -> None:
    """Move a finished draft to its place, unless another process has put a whole one there."""
    for _ in range(8):
        try:
            draft.rename(folder)
            return
        except OSError:
            if _whole(folder) is not None:
                return
        # What is damaged steps aside in one move: nobody sees it half removed.
        aside = Path(tempfile.mkdtemp(dir=folder.parent, prefix=".damaged-"))
        try:
            folder.rename(aside / folder.name)
        except FileNotFoundError:  # Another process was faster.
            pass
        finally:
            shutil.rmtree(aside, ignore_errors=True)
    draft.rename(folder)


def _whole(folder: Path) -> dict[str, object] | None:
    """Return what was said of a folder, or None if it is not there or not as it was written."""
    try:
        meta = json.loads((folder / _META).read_text("utf-8"))
        if all(_digest(folder / name) == digest for name, digest in meta["files"].items()):
            return meta["said"]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return None


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


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
