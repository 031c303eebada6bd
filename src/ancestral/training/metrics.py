"""``metrics.jsonl``: one line a report, the first of them the format."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ancestral.data.files import disk_errors, write_text
from ancestral.errors import DamagedFileError, RunError

FORMAT = 2
"""The layout of a run folder and of its files; a larger number is refused."""


class MetricsFile:
    """The growing file of a run; each line is handed to the system at once.

    Args:
        path: Of ``metrics.jsonl``.
        keep: Rows past this step are dropped: they are made again after a resume.

    Raises:
        RunError: If it cannot be written.
    """

    def __init__(self, path: Path, *, keep: int = 0) -> None:
        self.path = path
        rows = [row for row in read_metrics(path) if row["step"] <= keep] if keep else []
        lines = [json.dumps({"format": FORMAT}), *(json.dumps(row) for row in rows)]
        write_text(path, "".join(f"{line}\n" for line in lines))
        with disk_errors(path):
            self._file = path.open("a", encoding="utf-8")

    def write(self, row: Mapping[str, Any]) -> None:
        """Add a line.

        Raises:
            RunError: If the disk is full.
        """
        with disk_errors(self.path):
            self._file.write(json.dumps(row) + "\n")
            self._file.flush()

    def close(self) -> None:
        """Close the file.

        Raises:
            RunError: If the disk is full.
        """
        with disk_errors(self.path):
            self._file.close()


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """Return the rows of a run, without the format; a last line cut by a kill is passed over.

    Raises:
        DamagedFileError: If another line is not a row.
        RunError: If a newer version wrote the file.
    """
    return list(_rows(path)) if path.is_file() else []


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    lines = path.read_text(encoding="utf-8", errors="replace").split("\n")
    for number, line in enumerate(lines[:-1], 1):
        try:
            row = json.loads(line)
            if number == 1:
                check_format(row["format"], path)
            else:
                yield {**row, "step": int(row["step"])}
        except (ValueError, KeyError, TypeError):
            raise DamagedFileError(f"{path} is damaged in line {number}") from None


def check_format(found: object, path: Path) -> None:
    """Refuse what a newer version has written.

    Raises:
        RunError: If the format is newer than this version reads.
        DamagedFileError: If it is not a number.
    """
    if not isinstance(found, int) or isinstance(found, bool) or found < 1:
        raise DamagedFileError(f"{path} is damaged: its format is {found!r}")
    if found > FORMAT:
        raise RunError(
            f"{path} was written by a newer version (format {found}; this one reads {FORMAT}): "
            "upgrade ancestral"
        )
