"""Names of files in messages, and files that are whole or not there."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ancestral.errors import RunError


def shown(path: Path | str) -> str:
    """Return a path that any terminal can print, also where its bytes are not text."""
    return os.fsencode(path).decode("utf-8", errors="replace")


def reason(error: BaseException) -> str:
    """Return an error's message on one line."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return " ".join(str(error).split()) or type(error).__name__


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
    draft: Path | None = None
    try:
        # mkstemp's files are private to their owner; the finished one gets the usual mode.
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem[:64]}-")
        os.close(handle)
        draft = Path(name)
        yield draft
        draft.chmod(0o666 & ~_umask())
        _flush(draft)
        draft.replace(path)
        _flush(path.parent)
    except OSError as error:
        raise RunError(f"cannot write {shown(path)}: {reason(error)}") from error
    finally:
        if draft is not None:
            draft.unlink(missing_ok=True)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _flush(path: Path) -> None:
    """Force a file or a folder's entries onto the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
