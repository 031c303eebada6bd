"""Writing files so that they are whole or absent, and disk errors that are one line."""

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from ancestral.errors import RunError


@contextlib.contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """Turn the operating system's refusal to write ``path`` into one line.

    Raises:
        RunError: Where the body raised an ``OSError`` (disk full, read-only, no permission).
    """
    try:
        yield
    except OSError as error:
        raise RunError(f"cannot write {path}: {error.strerror or error}") from error


def write_text(path: Path, text: str) -> None:
    """Write a file whole or not at all: beside it, flushed to the disk, then renamed over it.

    Raises:
        RunError: If the disk is full or the folder cannot be written; an older file stays as is.
    """
    with disk_errors(path):
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            Path(name).chmod(0o666 & ~_umask())
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise


def _umask() -> int:
    """Return the process's umask; reading it means setting it, so it is set back at once."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
