"""Names of files in messages, and files that are whole or not there."""

import hashlib
import os
import shutil
import tempfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from ancestral.errors import RunError


def shown(path: Path | str) -> str:
    """Return a path that any terminal can print, also where its bytes are not text."""
    return os.fsencode(path).decode("utf-8", errors="replace")


def ending(path: Path) -> str:
    """Return the ending of a file's name in small letters; of a compressed text, that of the text.

    Example:
        >>> ending(Path("a.CSV.gz")), ending(Path("b.tar"))
        ('.csv', '.tar')
    """
    inner = Path(path.stem).suffix.lower()
    packed = path.suffix.lower() == ".gz" and inner in {".csv", ".tsv", ".json", ".jsonl"}
    return inner if packed else path.suffix.lower()


def reason(error: BaseException) -> str:
    """Return an error's message on one line."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return " ".join(str(error).split()) or type(error).__name__


@contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """Turn the operating system's refusal to write ``path`` into one line.

    Raises:
        RunError: Where the body raised an ``OSError`` (disk full, read-only, no permission).
    """
    try:
        yield
    except OSError as error:
        raise RunError(f"cannot write {shown(path)}: {reason(error)}") from error


def write_text(path: Path, text: str) -> None:
    """Write a file whole or not at all.

    Raises:
        RunError: If the disk is full or the folder cannot be written; an older file stays as is.
    """
    with atomic(path) as draft:
        draft.write_text(text, encoding="utf-8")


@contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """Yield a temporary file beside ``path`` that takes its place once the block has ended.

    Raises:
        RunError: If the file cannot be written; what stood at ``path`` is then untouched.

    Example:
        >>> folder = Path(tempfile.mkdtemp())
        >>> with atomic(folder / "a.txt") as draft:
        ...     _ = draft.write_text("whole")
        >>> [file.name for file in folder.iterdir()]
        ['a.txt']
    """
    with disk_errors(path):
        # mkstemp's files are private to their owner; the finished one gets the usual mode.
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem[:64]}-")
        os.close(handle)
        draft = Path(name)
        try:
            yield draft
            draft.chmod(0o666 & ~_umask())
            flush(draft)
            draft.replace(path)
            flush(path.parent)
        finally:
            draft.unlink(missing_ok=True)


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Yield an empty folder beside ``path`` that takes its place once the block has ended.

    A folder that stood there is removed: ask :func:`check_place` first.

    Raises:
        RunError: If it cannot be written; what stood at ``path`` is then untouched.

    Example:
        >>> above = Path(tempfile.mkdtemp())
        >>> with atomic_folder(above / "new") as draft:
        ...     _ = (draft / "a.txt").write_text("whole")
        >>> [found.name for found in above.iterdir()]
        ['new']
    """
    with disk_errors(path):
        drafts = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name[:64]}-"))
        draft = drafts / "new"
        try:
            draft.mkdir()
            yield draft
            for file in draft.iterdir():
                flush(file)
            flush(draft)
            if path.exists():
                path.replace(drafts / "old")
            draft.replace(path)
            flush(path.parent)
        finally:
            if (drafts / "old").exists() and not path.exists():  # Cut short between two renames.
                (drafts / "old").replace(path)
            shutil.rmtree(drafts, ignore_errors=True)


def check_place(path: Path, *, overwrite: bool, ours: Collection[str] = ()) -> None:
    """Check, writing nothing, that a file or a folder may be put there.

    Args:
        path: Where to.
        overwrite: Whether it may replace one of its kind.
        ours: Of a folder, the names of its files: a folder that holds others is never replaced.

    Raises:
        RunError: If it exists and may not be replaced.
    """
    if not path.exists():
        return
    if not overwrite:
        raise RunError(f"{shown(path)} exists; choose another place, or give --overwrite")
    if path.is_dir() != bool(ours):
        raise RunError(f"{shown(path)} is {'no' if ours else 'a'} folder and is not replaced")
    strange = sorted({file.name for file in path.iterdir()} - {*ours}) if ours else []
    if strange:
        raise RunError(f"{shown(path)} holds other files ({strange[0]}) and is not replaced")


def check_free(folder: Path, *, overwrite: bool, what: str = "run", mark: str = "run.toml") -> None:
    """Check, writing nothing, that a run may be put there, or what else has such a mark.

    Raises:
        RunError: If it exists and may not be replaced, or holds what is none.
    """
    if not folder.exists():
        return
    if not overwrite:
        raise RunError(f"{folder} exists; choose another --out, or give --overwrite")
    if not folder.is_dir():
        raise RunError(f"{folder} is not a folder; --overwrite replaces {what}s only")
    if any(folder.iterdir()) and not (folder / mark).is_file():
        raise RunError(
            f"{folder} holds something that is not a {what}; --overwrite replaces {what}s only"
        )


def free_name(stem: Path) -> Path:
    """Return the first of ``stem``, ``stem-2``, ``stem-3`` ... that does not exist.

    Example:
        >>> free_name(Path("/nowhere/path.png")).name
        'path.png'
    """
    number, candidate = 1, stem
    while candidate.exists():
        number += 1
        candidate = stem.with_name(f"{stem.stem}-{number}{stem.suffix}")
    return candidate


def make_above(path: Path) -> None:
    """Make the folders above a path.

    Raises:
        RunError: If they cannot be made.
    """
    with disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def flush(path: Path) -> None:
    """Force a file or a folder's entries onto the disk, or raise an OSError."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file's contents, hexadecimal, or raise an OSError."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
