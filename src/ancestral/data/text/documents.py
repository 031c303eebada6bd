"""Where the documents of text files begin and end; the files stay on the disk."""

import codecs
import mmap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ancestral.data.dataset import AskedUnit
from ancestral.data.files import files_below, reason, shown
from ancestral.data.text.encodings import encoding_advice
from ancestral.errors import DataError

DocumentUnit: TypeAlias = Literal["lines", "paragraphs", "files", "windows", "rows"]

CHUNK = 1 << 24
"""Bytes that are looked at together."""

ENOUGH = 10
"""Fewer files or paragraphs are not taken for documents unless asked for."""

_BLANK = b" \t\r\n\v\f"
_WRAP = range(40, 200)
_UTF8_MARK = b"\xef\xbb\xbf"
_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")
_STRETCH, _SHORTEST, _MANY = 1_000, 32, 20
"""Bytes of a window of text: at most, at least, and so that there are so many of them between."""


class Source:
    """The bytes of one text file, mapped into memory and checked to be UTF-8.

    Args:
        path: The file.
        ends: Of texts that stand one after the other, as a table's do, the byte after each.

    Raises:
        DataError: If the file cannot be read, is binary or in another encoding; byte and line are
            named.
    """

    def __init__(self, path: Path, ends: NDArray[np.int64] | None = None) -> None:
        self.path, self.ends = path, ends
        self.bytes: mmap.mmap | bytes = b""
        try:
            with path.open("rb") as file:
                if path.stat().st_size:
                    self.bytes = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except OSError as error:
            raise DataError(f"{shown(path)}: cannot be read: {reason(error)}") from error
        self.first = len(_UTF8_MARK) if self.bytes[:3] == _UTF8_MARK else 0
        self._check()

    def __len__(self) -> int:
        return len(self.bytes)

    def chunks(self) -> Iterator[tuple[int, bytes]]:
        """Yield the bytes in order, each part with the place where it begins."""
        for start in range(0, len(self), CHUNK):
            yield start, self.bytes[start : start + CHUNK]

    def contents(self) -> Iterator[tuple[int, bytes]]:
        """Yield all that tells the source from another: its bytes, and where its texts end."""
        yield from self.chunks()
        if self.ends is not None:
            yield len(self), self.ends.tobytes()

    @cached_property
    def line_end(self) -> bytes:
        """The byte that ends a line: CR where there is no LF, as old Macs wrote."""
        parts = [part for _, part in self.chunks() if b"\r" in part or b"\n" in part]
        return b"\r" if parts and not any(b"\n" in part for part in parts) else b"\n"

    def _check(self) -> None:
        if self.bytes[:2] in _UTF16_MARKS:
            raise DataError(
                f"{shown(self.path)}: must be UTF-8, but begins as UTF-16 does; convert it: "
                "iconv -f utf-16 -t utf-8"
            )
        decoder = codecs.getincrementaldecoder("utf-8")()
        for start, part in self.chunks():
            if (place := part.find(0)) >= 0:
                raise DataError(f"{shown(self.path)}: this is no text: byte {start + place} is NUL")
            held = len(decoder.getstate()[0])
            try:
                decoder.decode(part, final=start + len(part) == len(self))
            except UnicodeDecodeError as error:
                self._refuse(start - held + error.start)

    def _refuse(self, place: int) -> None:
        ends = self.line_end
        line = 1 + sum(part[: max(place - start, 0)].count(ends) for start, part in self.chunks())
        first = self.bytes[max(place - 12, 0) : place].rfind(ends) + 1 + max(place - 12, 0)
        near = self.bytes[first : place + 12].split(ends)[0]
        raise DataError(
            f"{shown(self.path)}: must be UTF-8, but byte {place} (line {line}) is "
            f"0x{self.bytes[place]:02x}; "
            f"{encoding_advice((part for _, part in self.chunks()), near)}"
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Found:
    """Documents as spans of files.

    Args:
        sources: The files.
        file: Index of the file of each document, int64 [N].
        start: Its first byte, int64 [N].
        end: The byte after its last, int64 [N].
        unit: What a document is.
        notes: What was inferred, one sentence each.
    """

    sources: tuple[Source, ...]
    file: NDArray[np.int64]
    start: NDArray[np.int64]
    end: NDArray[np.int64]
    unit: DocumentUnit
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.file)

    def raw(self, index: int) -> bytes:
        """Return the bytes of a document."""
        source = self.sources[int(self.file[index])]
        return source.bytes[int(self.start[index]) : int(self.end[index])]

    def text(self, index: int) -> str:
        """Return the text of a document."""
        return self.raw(index).decode("utf-8")

    def select(self, index: NDArray[np.int64] | NDArray[np.bool_]) -> "Found":
        """Return the documents at positions [M] or of a mask [N], in that order."""
        return replace(self, file=self.file[index], start=self.start[index], end=self.end[index])


def find_documents(
    path: Path,
    unit: AskedUnit = "auto",
    sources: tuple[Source, ...] | None = None,
) -> Found:
    r"""Find the documents of a text file, or of all ``.txt`` files below a folder.

    Lines that hold nothing are no documents; the end of a line belongs to none. A paragraph ends
    at an empty line, and in text wrapped at one width at a line that leaves a quarter of it free.
    ``auto`` takes files where there are at least 10, else paragraphs of several lines where there
    are at least 10, else lines. ``windows`` cuts at blanks, whatever the lines, into stretches of
    about 1,000 bytes, of less text into at least 20.

    Args:
        path: A file in UTF-8 or a folder; hidden files are passed over.
        unit: What a document is.
        sources: What stands there; None opens it as text.

    Raises:
        DataError: If there is no text, or it is not UTF-8.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "rhymes.txt"
        >>> _ = path.write_text("uno, dos\n\ntres\n")
        >>> found = find_documents(path)
        >>> [found.text(i) for i in range(len(found))], found.notes
        (['uno, dos', 'tres'], ('each line is a document',))
    """
    if sources is None:
        sources = tuple(Source(file) for file in text_files(path))
    if any(source.ends is not None for source in sources):
        return _rows(path, sources, unit)
    if unit == "files" or (unit == "auto" and len(sources) >= ENOUGH):
        return _whole(path, sources, unit)
    lines = [_Lines.of(source) for source in sources]
    if not any(line.filled.any() for line in lines):
        raise DataError(f"{shown(path)}: there is no text in it")
    return _windows(sources) if unit == "windows" else _in_lines(sources, lines, unit)


def _in_lines(sources: tuple[Source, ...], lines: "list[_Lines]", asked: AskedUnit) -> Found:
    """Make each line, or each paragraph, a document; which of them, the text may tell."""
    wrapped = _wrap_width(lines)
    cuts = [line.paragraphs(wrapped) for line in lines]
    unit, note = _choose(lines, cuts)
    if asked != "auto":
        unit, note = asked, f"each {asked[:-1]} is a document, as asked"
    if any(source.line_end == b"\r" for source in sources):
        note += "; lines end with CR alone"
    if unit == "lines":
        spans = [(line.start[line.filled], line.end[line.filled]) for line in lines]
    else:
        spans = cuts
        note += f"; lines are wrapped at {wrapped} bytes" if wrapped else ""
    return _found(sources, spans, unit, note)


def _found(
    sources: tuple[Source, ...],
    spans: Sequence[tuple[NDArray[np.int64], NDArray[np.int64]]],
    unit: DocumentUnit,
    note: str,
) -> Found:
    """Return the documents whose first bytes and ends are given, file by file."""
    return Found(
        sources=sources,
        file=np.repeat(np.arange(len(spans)), [len(start) for start, _ in spans]),
        start=np.concatenate([start for start, _ in spans]),
        end=np.concatenate([end for _, end in spans]),
        unit=unit,
        notes=(note,),
    )


def _rows(path: Path, sources: tuple[Source, ...], unit: AskedUnit) -> Found:
    """Make each text of a table a document, unless it is blank."""
    if unit != "auto":
        raise DataError(
            f"{shown(path)}: documents must be left out with column, got {unit}: each row is one"
        )
    spans, blank = [], 0
    for source in sources:
        ends = source.ends if source.ends is not None else np.array([len(source)])
        starts = np.concatenate(([0], ends[:-1]))
        pairs = zip(starts.tolist(), ends.tolist(), strict=True)
        kept = np.array([bool(source.bytes[a:b].strip(_BLANK)) for a, b in pairs], dtype=bool)
        spans.append((starts[kept], ends[kept]))
        blank += int((~kept).sum())
    note = "each row is a document" + (f"; {blank} without text are passed over" if blank else "")
    return _found(sources, spans, "rows", note)


def _windows(sources: tuple[Source, ...]) -> Found:
    """Make stretches of about one length the documents."""
    size = max(_SHORTEST, min(_STRETCH, sum(map(len, sources)) // _MANY))
    note = f"each window of about {size:,} bytes is a document, as asked"
    return _found(sources, [_cut(source, size) for source in sources], "windows", note)


def _cut(source: Source, size: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Cut a text at blanks, or else between characters, into stretches of about ``size`` bytes."""
    cuts = [source.first]
    while len(source) - cuts[-1] > 1.5 * size:
        at = cuts[-1] + size
        blanks = [source.bytes.rfind(blank, at - size // 4, at) for blank in (b" ", b"\n", b"\r")]
        if max(blanks) >= 0:
            at = max(blanks) + 1
        while source.bytes[at] & 0xC0 == 0x80:  # Inside a character.
            at -= 1
        cuts.append(at)
    pairs = zip(cuts, [*cuts[1:], len(source)], strict=True)
    filled = [pair for pair in pairs if source.bytes[slice(*pair)].strip(_BLANK)]
    table = np.array(filled, dtype=np.int64).reshape(-1, 2)
    return table[:, 0], table[:, 1]


def text_files(path: Path) -> list[Path]:
    """Return the file itself, or all ``.txt`` files below a folder, sorted; none may be none.

    Raises:
        DataError: If there is no such file.
    """
    if not path.is_dir():
        return [path]
    files = sorted(file for file in files_below(path) if file.suffix.lower() == ".txt")
    if not files:
        raise DataError(f"{shown(path)}: the folder holds no .txt file")
    return files


def _whole(path: Path, sources: tuple[Source, ...], asked: str) -> Found:
    """Make each file that is not blank a document."""
    kept = [index for index, source in enumerate(sources) if _holds_text(source)]
    if not kept:
        raise DataError(f"{shown(path)}: there is no text in it")
    note = "each file is a document" + (", as asked" if asked == "files" else "")
    if len(kept) < len(sources):
        note += f"; {len(sources) - len(kept)} without text are passed over"
    return Found(
        sources=sources,
        file=np.array(kept, dtype=np.int64),
        start=np.array([sources[index].first for index in kept], dtype=np.int64),
        end=np.array([len(sources[index]) for index in kept], dtype=np.int64),
        unit="files",
        notes=(note,),
    )


def _holds_text(source: Source) -> bool:
    return any(part.lstrip(_UTF8_MARK).strip(_BLANK) for _, part in source.chunks())


@dataclass(frozen=True, slots=True, eq=False)
class _Lines:
    """Lines of a file: first byte, end without the line's own, and whether there is text [N]."""

    start: NDArray[np.int64]
    end: NDArray[np.int64]
    filled: NDArray[np.bool_]

    @classmethod
    def of(cls, source: Source) -> "_Lines":
        """Find all lines; memory is that of the places, whatever a line's length."""
        breaks, counts, total = [], [], 0
        for start, part in source.chunks():
            letters = np.frombuffer(part, dtype=np.uint8)
            seen = _visible(letters)
            seen[: source.first if start == 0 else 0] = False
            places = np.flatnonzero(letters == ord(source.line_end))
            # Pieces with a letter up to each line end: a line holds text where they have grown.
            cuts = np.concatenate(([0], places)) if len(places) else np.zeros(1, dtype=np.int64)
            pieces = total + np.logical_or.reduceat(seen, cuts).cumsum()
            counts.append(pieces[:-1])
            breaks.append(start + places)
            total = int(pieces[-1])
        end = np.concatenate([*breaks, [len(source)]]).astype(np.int64)
        upto = np.concatenate([*counts, [total]]).astype(np.int64)
        start = np.concatenate(([source.first], end[:-1] + 1))
        letters = np.frombuffer(source.bytes, dtype=np.uint8)
        last = np.maximum(end - 1, 0)
        returns = (end > start) & (letters[last] == ord("\r")) if len(source) else end > start
        return cls(start, end - returns, np.diff(upto, prepend=0) > 0)

    def paragraphs(self, wrapped: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return first byte and end of each run of filled lines; short ones end a wrapped one."""
        starts = self.filled & ~np.concatenate(([False], self.filled[:-1]))
        if wrapped:
            short = self.end - self.start < 0.75 * wrapped
            starts |= self.filled & np.concatenate(([False], short[:-1]))
        begins = np.flatnonzero(starts)
        if not len(begins):
            return self.start[:0], self.end[:0]
        filled = np.flatnonzero(self.filled)
        # The last filled line before the next paragraph begins.
        following = np.searchsorted(filled, np.concatenate((begins[1:], [len(self.filled)])))
        return self.start[begins], self.end[filled[following - 1]]


def _visible(letters: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Return which bytes are none of _BLANK: a blank, or one of the five from tab on."""
    return (letters != ord(" ")) & (letters - np.uint8(ord("\t")) > 4)


def _wrap_width(lines: list[_Lines]) -> int:
    """Return the width in bytes at which the text is wrapped; 0 where it is not."""
    lengths = np.concatenate([(line.end - line.start)[line.filled] for line in lines])
    width = int(np.quantile(lengths, 0.95))
    # Wrapped lines are nearly all nearly full; sentences and names are of all lengths.
    full = float((lengths >= 0.75 * width).mean())
    return width if width in _WRAP and full >= 0.6 and len(lengths) >= ENOUGH else 0


def _choose(
    lines: list[_Lines], cuts: list[tuple[NDArray[np.int64], NDArray[np.int64]]]
) -> tuple[DocumentUnit, str]:
    filled = sum(int(line.filled.sum()) for line in lines)
    paragraphs = sum(len(start) for start, _ in cuts)
    if paragraphs >= ENOUGH and filled >= 1.5 * paragraphs:
        return "paragraphs", "each paragraph is a document, for most have several lines"
    return "lines", "each line is a document"
