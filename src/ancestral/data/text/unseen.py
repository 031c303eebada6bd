"""The documents of another text that a model has not seen."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from ancestral.data.dataset import AskedUnit, Dataset, Examples
from ancestral.data.fields import Field, X
from ancestral.data.files import shown
from ancestral.data.text.columns import open_sources
from ancestral.data.text.corpus import Corpus, Documents, tokenise
from ancestral.data.text.documents import Found, find_documents
from ancestral.data.text.duplicates import distinct
from ancestral.data.text.shards import Progress
from ancestral.data.text.tokenizer import Tokenizer
from ancestral.errors import DataError


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Unseen:
    """Documents of another text.

    Args:
        documents: Those that are kept, in their order.
        removed: Number of those that are equal or nearly equal to one seen, or to one before them.
        notes: What was inferred, and what was removed, one sentence each.
    """

    documents: Documents
    removed: int
    notes: tuple[str, ...]


def unseen_documents(
    path: Path | str,
    tokenizer: Tokenizer,
    seen: Sequence[Documents] = (),
    *,
    documents: AskedUnit = "auto",
    column: str | None = None,
    progress: Progress | None = None,
) -> Unseen:
    r"""Tokenise the documents of a text that do not stand, nearly word by word, among those seen.

    Args:
        path: A file in UTF-8, or a folder of ``.txt`` files.
        tokenizer: As a run has it.
        seen: Documents that a model was trained on, or chosen by.
        documents: What a document is.
        column: Of a table, the one of texts.
        progress: Called while documents are tokenised.

    Raises:
        DataError: If it is no text in UTF-8, or no document of it is unseen.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "four.txt"
        >>> _ = path.write_text("uno\ndos\ntres\ndos\n")
        >>> found = unseen_documents(path, Tokenizer.train(["uno dos tres"], kind="word"))
        >>> list(found.documents), found.removed
        (['uno', 'dos', 'tres'], 1)
    """
    path = Path(path)
    found = find_documents(path, documents, open_sources(path, column))
    known = [part.found for part in seen]
    kept = distinct(_joined([*known, found]))[0][sum(map(len, known)) :]
    removed = int((~kept).sum())
    notes = list(found.notes)
    if removed:
        notes.append(
            f"{removed:,} of {len(found):,} documents are equal or nearly equal to training or "
            "validation documents, or to one before them, and are left out"
        )
    if not kept.any():
        raise DataError(
            f"{shown(path)}: every document of it stands in the training or validation documents: "
            "nothing in it is held out"
        )
    return Unseen(
        documents=tokenise(found.select(kept), tokenizer, progress),
        removed=removed,
        notes=tuple(notes),
    )


def held_out_text(
    path: Path | str,
    tokenizer: Tokenizer,
    fields: Mapping[str, Field],
    *,
    seen: Sequence[Documents] = (),
    documents: AskedUnit = "auto",
    column: str | None = None,
) -> Dataset:
    """Return a text of which all that is unseen is the test split, in documents, not in windows.

    Args:
        path: As of :func:`unseen_documents`.
        tokenizer: As of :func:`unseen_documents`.
        fields: Of the data that the tokenizer is of.
        seen: Training and validation documents of those; none where they are gone.
        documents: What a document is.
        column: Of a table, the one of texts.

    Raises:
        DataError: As :func:`unseen_documents`.
    """
    found = unseen_documents(path, tokenizer, seen, documents=documents, column=column)
    train, validation = seen or [found.documents.none()] * 2
    nothing = Examples(torch.empty((0, *fields[X].event_shape), dtype=torch.int32))
    absolute = Path(os.path.abspath(path))
    return Dataset(
        name=shown(absolute.name),
        source=str(absolute),
        fields=fields,
        train=nothing,
        validation=nothing,
        test=nothing,
        duplicates_removed=found.removed,
        notes=found.notes,
        corpus=Corpus(
            tokenizer=tokenizer, train=train, validation=validation, test=found.documents
        ),
    )


def _joined(parts: Sequence[Found]) -> Found:
    """Return the documents of all parts, one part's after the other's."""
    shift = np.cumsum([0, *(len(part.sources) for part in parts)])
    return replace(
        parts[-1],
        sources=tuple(source for part in parts for source in part.sources),
        file=np.concatenate([part.file + at for part, at in zip(parts, shift, strict=False)]),
        start=np.concatenate([part.start for part in parts]),
        end=np.concatenate([part.end for part in parts]),
    )
