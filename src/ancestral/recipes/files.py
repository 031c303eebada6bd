"""Writing files so that they are whole or absent, and disk errors that are one line."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from ancestral.data.files import atomic, reason, shown
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
        raise RunError(f"cannot write {shown(path)}: {reason(error)}") from error


def write_text(path: Path, text: str) -> None:
    """Write a file whole or not at all.

    Raises:
        RunError: If the disk is full or the folder cannot be written; an older file stays as is.
    """
    with atomic(path) as draft:
        draft.write_text(text, encoding="utf-8")
