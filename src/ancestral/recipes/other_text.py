"""Another text for a run on text: all of it is held out, but for what the run has seen."""

import os
from dataclasses import replace
from pathlib import Path

import torch

from ancestral.data.dataset import Dataset, Examples
from ancestral.data.files import shown
from ancestral.data.text import Corpus, Documents, unseen_documents
from ancestral.errors import DataError, RunError
from ancestral.recipes.runs import Run


def other_text(run: Run, source: str) -> Dataset:
    """Read a text by the tokenizer of a run; its documents are the test split, the run's the rest.

    Documents that stand in the training or validation split of the run are left out. Where the
    run's own data are gone, nothing is left out, there is no training split, and a note says so.

    Args:
        run: On text.
        source: A text file, or a folder of text files.

    Raises:
        RunError: If the tokenizer cannot be read.
        DataError: If the text cannot be read, or nothing of it is unseen.
    """
    tokenizer, mine = run.tokenizer(), run.record.data
    path = Path(source).expanduser()
    notes: tuple[str, ...] = ()
    seen: list[Documents] = []
    try:
        own = run.data().text
        seen = [own.train, own.validation]
    except (DataError, RunError) as error:
        notes = (
            f"what the run was trained on is not left out, nor memorisation measured: {error}",
        )
    found = unseen_documents(path, tokenizer, seen, documents=mine.loading.text.documents)
    corpus = Corpus(
        tokenizer=tokenizer,
        train=seen[0] if seen else _none_of(found.documents),
        validation=seen[1] if seen else _none_of(found.documents),
        test=found.documents,
    )
    nothing = Examples(torch.empty((0, *mine.event_shape), dtype=torch.int32))
    absolute = Path(os.path.abspath(path))
    return Dataset(
        name=shown(absolute.name),
        source=str(absolute),
        fields=mine.fields,
        train=nothing,
        validation=nothing,
        test=nothing,
        duplicates_removed=found.removed,
        notes=(*found.notes, *notes),
        corpus=corpus,
    )


def _none_of(documents: Documents) -> Documents:
    empty = documents.starts[:0]
    return replace(
        documents,
        found=documents.found.select(empty.numpy()),
        tokens=documents.tokens[:0],
        starts=empty,
        characters=empty,
        bytes=empty,
    )
