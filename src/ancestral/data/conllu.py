"""Reader of CoNLL-U: sentences of words with their parts of speech."""

from dataclasses import dataclass
from pathlib import Path

from ancestral.data.files import reason, shown
from ancestral.errors import DataError

_COLUMNS = 10


@dataclass(frozen=True, slots=True)
class Sentence:
    """The words of a sentence and their universal parts of speech, one each."""

    words: tuple[str, ...]
    tags: tuple[str, ...]


def read_conllu(path: Path | str) -> list[Sentence]:
    r"""Read a treebank; words are the syntactic ones (``del`` is ``de`` and ``el``).

    Comments, lines of contracted tokens (``3-4``) and of empty nodes (``8.1``) are passed over.

    Source: https://universaldependencies.org/format.html

    Raises:
        DataError: If the file cannot be read, holds no sentence, or a line has not 10 columns or
            no number or tag; the line is named.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "two.conllu"
        >>> row = "{}\t{}\t_\t{}\t_\t_\t_\t_\t_\t_\n"
        >>> _ = path.write_text(row.format(1, "Ya", "ADV") + row.format(2, "voy", "VERB"))
        >>> read_conllu(path)
        [Sentence(words=('Ya', 'voy'), tags=('ADV', 'VERB'))]
    """
    path = Path(path)
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{shown(path)}: {reason(error)}") from error
    found: list[Sentence] = []
    rows: list[tuple[str, str]] = []
    # Only these end a line: words may hold other separators of Unicode.
    for number, line in enumerate([*text.replace("\r\n", "\n").split("\n"), ""], start=1):
        if not line.strip():
            if rows:
                words, tags = zip(*rows, strict=True)
                found.append(Sentence(words, tags))
            rows = []
        elif not line.startswith("#") and (row := _row(path, number, line)) is not None:
            rows.append(row)
    if not found:
        raise DataError(f"{shown(path)}: the file holds no sentence")
    return found


def _row(path: Path, number: int, line: str) -> tuple[str, str] | None:
    """Return word and tag of a line, or None where it is no syntactic word."""
    cells = line.split("\t")
    if len(cells) != _COLUMNS:
        raise DataError(
            f"{shown(path)}: line {number} must have {_COLUMNS} columns, got {len(cells)}"
        )
    name, word, tag = cells[0], cells[1], cells[3]
    if "-" in name or "." in name:
        return None
    if not name.isdecimal() or not word or tag in ("", "_"):
        raise DataError(f"{shown(path)}: line {number} must have a number, a word and a tag")
    return word, tag
