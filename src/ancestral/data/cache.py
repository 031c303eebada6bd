"""Decoded data on the disk: made once, whole or absent, checked, and mapped into memory."""

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import DTypeLike, NDArray
from torch import Tensor

from ancestral.data.files import file_digest, reason, shown
from ancestral.errors import DataError

LARGE = 1 << 28
"""Bytes from which rows lie in a file that is mapped, instead of in memory."""

Space: TypeAlias = Callable[[tuple[int, ...], DTypeLike], NDArray[Any]]
"""Makes an array to be filled, of a shape and a type: in memory, or in a file."""

_META = "meta.json"
_ROWS = "rows.npy"
_CHUNK = 1 << 26


def cache_root() -> Path:
    """Return where decoded data lie: ``$ANCESTRAL_CACHE``, or ``ancestral`` in the XDG cache."""
    if own := os.environ.get("ANCESTRAL_CACHE"):
        return Path(own)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "ancestral"


def cached(
    key: str, build: Callable[[Path], dict[str, Any]], *, kind: str = "corpora"
) -> tuple[Path, dict[str, Any]]:
    """Return the folder of a key and what ``build`` said of it, building it if need be.

    The folder appears whole or not at all; what is damaged is built again; of two processes that
    build at once, either may win, and both go on with whole files.

    Args:
        key: Name of the folder.
        build: Fills an empty folder, and returns what is worth keeping in JSON.
        kind: Folder of the cache in which it lies.

    Raises:
        DataError: If the cache cannot be written.

    Example:
        >>> os.environ["ANCESTRAL_CACHE"] = tempfile.mkdtemp()
        >>> folder, said = cached("demo", lambda folder: {"made": True})
        >>> folder.name, said, cached("demo", lambda folder: {"made": False})[1]
        ('demo', {'made': True}, {'made': True})
    """
    root = cache_root() / kind
    folder = root / key
    if (said := _whole(folder)) is not None:
        return folder, said
    draft = None
    try:
        root.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(dir=root, prefix=".draft-"))
        said = build(draft)
        files = {file.name: file_digest(file) for file in sorted(draft.iterdir())}
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


def _whole(folder: Path) -> dict[str, Any] | None:
    """Return what was said of a folder, or None if it is not there or not as it was written."""
    try:
        meta = json.loads((folder / _META).read_text("utf-8"))
        if all(file_digest(folder / name) == digest for name, digest in meta["files"].items()):
            return meta["said"]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return None


def digest_of_files(paths: Iterable[Path], *words: object) -> str:
    """Return a hash of the contents of files, in their order, and of what else decides."""
    digest = hashlib.sha256(repr(words).encode())
    for path in paths:
        digest.update(file_digest(path).encode())
    return digest.hexdigest()


def decoded_once(
    files: Sequence[Path],
    how: Sequence[object],
    size: int,
    decode: Callable[[Space], tuple[NDArray[Any], Any]],
) -> tuple[Tensor, Any]:
    """Return the rows of files in memory where they are small, else as :func:`decoded` does.

    Args:
        files: The source.
        how: All else that decides how it is decoded.
        size: Bytes of the rows, at most.
        decode: As for :func:`decoded`.

    Raises:
        DataError: If the cache cannot be written.
    """
    if size >= LARGE:
        return decoded(digest_of_files(files, *how), decode)
    rows, beside = decode(np.empty)
    return torch.from_numpy(rows), beside


def decoded(key: str, decode: Callable[[Space], tuple[NDArray[Any], Any]]) -> tuple[Tensor, Any]:
    """Return large rows, mapped from the cache, where they are decoded once.

    Args:
        key: Of the source and of all that decides how it is decoded; see :func:`digest_of_files`.
        decode: Asks for space, once or more, and fills it row by row; returns the array that
            counts, and what is to be kept beside it, in JSON.

    Returns:
        The rows, whose pages are read when they are looked at, and what was kept.

    Raises:
        DataError: If the cache cannot be written.
    """

    def build(folder: Path) -> dict[str, Any]:
        spaces: list[np.memmap[Any, Any]] = []

        def space(shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
            path = folder / f"{len(spaces)}-{_ROWS}"
            spaces.append(np.lib.format.open_memmap(path, "w+", dtype, shape))
            return spaces[-1]

        rows, beside = decode(space)
        for number, made in enumerate(spaces):
            made.flush()
            path = folder / f"{number}-{_ROWS}"
            path.replace(folder / _ROWS) if made is rows else path.unlink()
        return {"beside": beside}

    folder, said = cached(key, build, kind="rows")
    # Copy on write, because torch takes no memory that cannot be written.
    return torch.from_numpy(np.load(folder / _ROWS, mmap_mode="c")), said["beside"]


def take_rows(x: Tensor, index: Tensor | slice) -> Tensor:
    """Return the rows at ``index``: a slice is a view; others of a large ``x`` lie in the cache.

    Args:
        x: [N, *event].
        index: A slice, positions [M] or a mask [N].
    """
    if isinstance(index, slice) or x.nbytes < LARGE:
        return x[index]
    places = (index.nonzero()[:, 0] if index.dtype == torch.bool else index).numpy()
    source = x.contiguous().numpy()
    if len(places) == len(x) and bool((places == np.arange(len(x))).all()):
        return x
    digest = hashlib.sha256(f"{source.dtype} {source.shape}".encode())
    digest.update(source.ravel().data)
    digest.update(np.ascontiguousarray(places).data)

    def gather(space: Space) -> tuple[NDArray[Any], None]:
        rows = space((len(places), *source.shape[1:]), source.dtype)
        size = max(1, _CHUNK // source[:1].nbytes)
        for start in range(0, len(places), size):
            part = places[start : start + size]
            order = part.argsort()  # The file is read from its start to its end.
            rows[start + order] = source[part[order]]
        return rows, None

    return decoded(digest.hexdigest(), gather)[0]
