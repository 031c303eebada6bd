"""Text in and out of plain or gzipped files."""

import gzip
import zlib
from pathlib import Path

from ancestral.data.files import atomic
from ancestral.errors import DataError, RunError


def read_bytes(path: str | Path) -> bytes:
    """Return what a file holds, unpacked if its name ends in ``.gz``.

    Raises DataError if the file is missing, cannot be read, or is not gzip.
    """
    path = Path(path)
    try:
        raw = path.read_bytes()
        return gzip.decompress(raw) if path.suffix.lower() == ".gz" else raw
    except FileNotFoundError:
        raise DataError(f"no such file: {path}") from None
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"cannot read {path}: {error}") from None


def read_text(path: str | Path) -> str:
    """Return the UTF-8 text of a file, see :func:`read_bytes`.

    Raises DataError if it cannot be read or is not UTF-8; the line is named.
    """
    raw = read_bytes(path)
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        byte = raw[error.start]
        raise DataError(
            f"cannot read {path}, line {line}: expected UTF-8 text, got byte 0x{byte:02x}"
        ) from None


def write_text(text: str, path: str | Path) -> None:
    """Write UTF-8 text, packed if the name ends in ``.gz``; the file is whole or as it was.

    Raises DataError if the file cannot be written or a name has no UTF-8 form.
    """
    path = Path(path)
    try:
        raw = text.encode("utf-8")
        # No time stamp: the same network gives the same bytes.
        packed = gzip.compress(raw, mtime=0) if path.suffix.lower() == ".gz" else raw
        with atomic(path) as draft:
            draft.write_bytes(packed)
    except UnicodeEncodeError as error:
        raise DataError(f"cannot write {path}: {error}") from None
    except RunError as error:  # Which has the path and the reason in it.
        raise DataError(str(error)) from None
