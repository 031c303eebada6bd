"""A corpus: documents in three splits, and the tokenizer that the first of them trained."""

import hashlib
import json
import os
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ancestral.data.cache import cached
from ancestral.data.dataset import AskedUnit, Dataset, Examples, Loading, TextLoading
from ancestral.data.fields import Tokens
from ancestral.data.files import shown
from ancestral.data.text.columns import open_sources
from ancestral.data.text.documents import Found, Source, find_documents
from ancestral.data.text.duplicates import distinct
from ancestral.data.text.shards import Progress, content_digest, map_tokens, write_tokens
from ancestral.data.text.tokenizer import Tokenizer, library_version
from ancestral.data.text.windows import lengths, pack, packed_length, write_padded
from ancestral.errors import DataError

FORMAT = 3
"""Raised when what stands in the cache changes."""

_CUT = "; --set documents=windows cuts a text at blanks, whatever its lines"
_DEFAULT = Loading()
_SPLITS = ("train", "validation", "test")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Documents:
    """Documents of one split: their texts on demand, and all their tokens in one stream.

    Args:
        found: Where they stand.
        tokens: ``[BOS] document [EOS] [BOS] document [EOS] ...``, int32 [L], mapped from the disk.
        starts: Place of each document's BOS in the stream, int64 [N].
        characters: Characters of each document, int64 [N].
        bytes: Bytes of each document in UTF-8, int64 [N].
    """

    found: Found
    tokens: Tensor
    starts: Tensor
    characters: Tensor
    bytes: Tensor

    def __len__(self) -> int:
        return len(self.found)

    def __getitem__(self, index: int) -> str:
        """Return the text of a document."""
        if not -len(self) <= index < len(self):
            raise IndexError(f"document {index} of {len(self)}")
        return self.found.text(index)

    def __iter__(self) -> Iterator[str]:
        """Yield the text of each document."""
        return (self.found.text(index) for index in range(len(self)))

    @property
    def sizes(self) -> Tensor:
        """Tokens of each document with its BOS and its EOS, int64 [N]."""
        return self.starts.diff(append=torch.tensor([len(self.tokens)]))

    def none(self) -> "Documents":
        """Return no documents, in the same files."""
        empty = self.starts[:0]
        return Documents(
            found=self.found.select(empty.numpy()),
            tokens=self.tokens[:0],
            starts=empty,
            characters=empty,
            bytes=empty,
        )

    def ids(self, index: int) -> Tensor:
        """Return the tokens of a document from BOS to EOS, int64 [T]."""
        start = int(self.starts[index])
        return self.tokens[start : start + int(self.sizes[index])].long()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Corpus:
    """Documents in three splits and the tokenizer that training documents taught.

    Args:
        tokenizer: Of all three.
        train: What models and the tokenizer are fitted on.
        validation: Chooses the best weights.
        test: Seen by evaluation only.
    """

    tokenizer: Tokenizer
    train: Documents
    validation: Documents
    test: Documents


def load_corpus(
    path: Path | str,
    loading: Loading = _DEFAULT,
    *,
    tokenizer: Tokenizer | None = None,
    progress: Progress | None = None,
) -> Dataset:
    r"""Read text into windows of tokens, in three splits by document.

    Duplicates are removed first, then documents are split by seed, then the training documents
    train the tokenizer, then all are tokenised; that is done once, into the cache.

    Args:
        path: A file in UTF-8, a folder of ``.txt`` files, or a table, of which a column is read.
        loading: ``text``, the seed and the fractions are used.
        tokenizer: Of another run, in place of a new one.
        progress: Called while documents are tokenised.

    Returns:
        Windows, int32 [N, T + 1], and the corpus. The fingerprint tells documents and splits,
        whatever the tokenizer.

    Raises:
        DataError: If it is no text in UTF-8, holds fewer than 3 distinct documents, or cannot be
            written to the cache.

    Example:
        >>> os.environ["ANCESTRAL_CACHE"] = tempfile.mkdtemp()
        >>> path = Path(tempfile.mkdtemp()) / "ten.txt"
        >>> _ = path.write_text("\n".join(f"verso {n}" for n in "abcdefghij"))
        >>> data = load_corpus(path, Loading(text=TextLoading(tokenizer="word", window=4)))
        >>> data.event_shape, len(data.corpus.train), data.corpus.train[0][:5]
        (torch.Size([5]), 8, 'verso')
    """
    path = Path(path)
    sources = open_sources(path, loading.text.column)
    contents = content_digest(tuple(source.contents() for source in sources))
    key = _key(contents, loading, tokenizer)
    make = partial(_build, path, sources, loading, tokenizer, progress)
    folder, said = cached(key, make)
    return _dataset(path, folder, sources, loading, said)


def tokenise_documents(
    path: Path | str,
    tokenizer: Tokenizer,
    *,
    documents: AskedUnit = "auto",
    column: str | None = None,
    progress: Progress | None = None,
) -> Documents:
    r"""Tokenise all documents of a text, in their order, none removed, none cut.

    Args:
        path: A file in UTF-8, or a folder of ``.txt`` files.
        tokenizer: As a run has it.
        documents: What a document is.
        column: Of a table, the one of texts.
        progress: Called while documents are tokenised.

    Raises:
        DataError: If it is no text in UTF-8.

    Example:
        >>> path = Path(tempfile.mkdtemp()) / "two.txt"
        >>> _ = path.write_text("uno\ndos\n")
        >>> found = tokenise_documents(path, Tokenizer.train(["uno dos"], kind="word"))
        >>> found.tokens, found.starts
        (tensor([3, 2, 4, 3, 1, 4], dtype=torch.int32), tensor([0, 3]))
    """
    path = Path(path)
    found = find_documents(path, documents, open_sources(path, column))
    return tokenise(found, tokenizer, progress)


def tokenise(found: Found, tokenizer: Tokenizer, progress: Progress | None = None) -> Documents:
    """Tokenise documents that were found, in their order.

    Args:
        found: Documents.
        tokenizer: As a run has it.
        progress: Called while documents are tokenised.
    """
    # The file has no name: it is gone when the last that looks at it is.
    with tempfile.TemporaryFile() as file:
        starts, characters = write_tokens(found, tokenizer, file, progress)
        file.flush()
        tokens = torch.from_numpy(np.memmap(file, dtype=np.int32, mode="c"))
    return _documents(found, tokens, starts, characters)


def _key(contents: str, loading: Loading, tokenizer: Tokenizer | None) -> str:
    taught = tokenizer.to_json() if tokenizer is not None else ""
    what = [FORMAT, contents, asdict(loading.text), loading.seed, loading.fractions]
    what += [taught, library_version()]
    return hashlib.sha256(json.dumps(what).encode()).hexdigest()[:40]


def _build(
    path: Path,
    sources: tuple[Source, ...],
    loading: Loading,
    tokenizer: Tokenizer | None,
    progress: Progress | None,
    folder: Path,
) -> dict[str, Any]:
    """Fill a folder of the cache; return what else is to be said of it."""
    text = loading.text
    found = find_documents(path, text.documents, sources)
    kept, equal, near = distinct(found)
    splits = _split(path, found, kept, loading)
    if tokenizer is None:
        texts = (splits[0].text(index) for index in range(len(splits[0])))
        tokenizer = Tokenizer.train(texts, kind=text.tokenizer, pieces=text.pieces)
    tokenizer.save(folder / "tokenizer.json")
    done, total = 0, sum(map(len, splits))
    for name, split in zip(_SPLITS, splits, strict=True):
        _write_split(folder, name, split, tokenizer, text, _shifted(progress, done, total))
        done += len(split)
    sizes = [len(split) for split in splits]
    notes = [*found.notes, "{} / {} / {} documents, split by seed".format(*sizes)]
    if equal or near:
        notes.append(f"{equal} equal and {near} nearly equal documents removed before the split")
    return {
        "unit": found.unit,
        "notes": notes,
        "removed": equal + near,
        "fingerprint": _fingerprint(splits),
    }


def _split(path: Path, found: Found, kept: np.ndarray, loading: Loading) -> list[Found]:
    """Return training, validation and test, each in random order, each with a document or more."""
    index = np.flatnonzero(kept)
    if len(index) < len(_SPLITS):
        what = "document" if len(index) == 1 else "documents"
        copies = len(found) - len(index)
        copied = f" and {copies:,} {'copy' if copies == 1 else 'copies'}" if copies else ""
        raise DataError(
            f"{shown(path)}: at least 3 distinct documents are needed to split, got {len(index)} "
            f"{what}{copied}; {found.notes[0]}{'' if found.unit == 'windows' else _CUT}"
        )
    order = index[np.random.default_rng([loading.seed, 0]).permutation(len(index))]
    validation, test = (max(1, round(share * len(order))) for share in loading.fractions)
    if validation + test >= len(order):  # Of very few documents training keeps one.
        validation, test = 1, len(order) - 2
    cuts = np.split(order, [test, test + validation])
    return [found.select(cuts[part]) for part in (2, 1, 0)]


def _shifted(progress: Progress | None, done: int, total: int) -> Progress | None:
    return None if progress is None else lambda now, _: progress(done + now, total)


def _write_split(
    folder: Path,
    name: str,
    found: Found,
    tokenizer: Tokenizer,
    text: TextLoading,
    progress: Progress | None,
) -> None:
    """Write the stream of a split, its places, and its windows where they are no view of it."""
    path = folder / f"{name}.tokens"
    with path.open("wb") as file:
        starts, characters = write_tokens(found, tokenizer, file, progress)
        length = file.tell() // 4
        if text.batching == "packed":
            missing = packed_length(length, text.window) - length
            file.write(np.full(missing, tokenizer.special.pad, dtype=np.int32).tobytes())
    table = np.stack([found.file, found.start, found.end, starts, characters])
    np.save(folder / f"{name}.places.npy", table)
    if text.batching == "padded":
        tokens, pad = map_tokens(path), tokenizer.special.pad
        write_padded(folder / f"{name}.windows", tokens, torch.from_numpy(starts), text.window, pad)


def _fingerprint(splits: list[Found]) -> str:
    """Hash the documents of the splits; names of files do not enter."""
    digest = hashlib.sha256(b"text")
    for split in splits:
        digest.update(len(split).to_bytes(8, "little"))
        for index in range(len(split)):
            raw = split.raw(index)
            digest.update(len(raw).to_bytes(8, "little") + raw)
    return digest.hexdigest()


def _dataset(
    path: Path,
    folder: Path,
    sources: tuple[Source, ...],
    loading: Loading,
    said: dict[str, Any],
) -> Dataset:
    """Map what stands in the cache."""
    tokenizer = Tokenizer.load(folder / "tokenizer.json")
    documents, windows = [], []
    for name in _SPLITS:
        file, start, end, starts, characters = np.load(folder / f"{name}.places.npy")
        found = Found(sources=sources, file=file, start=start, end=end, unit=said["unit"], notes=())
        stream = map_tokens(folder / f"{name}.tokens")
        if loading.text.batching == "packed":
            windows.append(pack(stream, loading.text.window))
        else:
            flat = map_tokens(folder / f"{name}.windows")
            windows.append(flat.reshape(-1, loading.text.window + 1))
        # PAD fills the end of the stream only, for less than a window and one.
        tail = stream[-loading.text.window - 1 :]
        length = len(stream) - int((tail == tokenizer.special.pad).sum())
        documents.append(_documents(found, stream[:length], starts, characters))
    notes = [*said["notes"], *_told(windows, documents, tokenizer, loading.text)]
    absolute = Path(os.path.abspath(path))
    return Dataset(
        name=shown(absolute.name if path.is_dir() else absolute.name.split(".")[0]) or "text",
        source=str(absolute),
        fields={"x": Tokens(vocabulary=tokenizer.vocabulary, window=loading.text.window)},
        train=Examples(windows[0]),
        validation=Examples(windows[1]),
        test=Examples(windows[2]),
        duplicates_removed=said["removed"],
        fingerprint=said["fingerprint"],
        notes=tuple(notes),
        corpus=Corpus(
            tokenizer=tokenizer,
            train=documents[0],
            validation=documents[1],
            test=documents[2],
        ),
    )


def _told(
    windows: list[Tensor], documents: list[Documents], tokenizer: Tokenizer, text: TextLoading
) -> list[str]:
    """Say what the tokens are, and what was cut away."""
    train = documents[0]
    each = int(train.characters.sum()) / max(len(train.tokens) - 2 * len(train), 1)
    notes = [f"{tokenizer.vocabulary:,} tokens of {each:.2f} characters on average"]
    unknown = int((documents[1].tokens == tokenizer.special.unk).sum())
    if unknown:
        notes.append(f"{unknown / len(documents[1].tokens):.1%} of the validation tokens are <UNK>")
    if text.batching == "padded":
        kept = int(lengths(windows[0], tokenizer.special.pad).sum())
        lost = 1 - kept / len(train.tokens)
        notes.append(f"padded windows of {text.window} cut away {lost:.1%} of the training tokens")
    return notes


def _documents(
    found: Found, tokens: Tensor, starts: np.ndarray, characters: np.ndarray
) -> Documents:
    return Documents(
        found=found,
        tokens=tokens,
        starts=torch.from_numpy(np.ascontiguousarray(starts)),
        characters=torch.from_numpy(np.ascontiguousarray(characters)),
        bytes=torch.from_numpy(found.end - found.start),
    )
