"""Targets in the windows of a real text: packed, against the book's padded way, which also cuts."""

import os
import tempfile
from collections.abc import Iterator
from typing import Literal
from unittest.mock import patch

from ancestral.data.dataset import Loading, TextLoading
from ancestral.data.text import load_corpus
from ancestral.data.text.windows import target_share
from benchmarks.harness import Result
from benchmarks.tokenising import STORIES

TALES = STORIES.with_name("cuentos_dominio_publico.txt")


def run() -> Iterator[Result]:
    """Yield the share of places with a target; nothing where the text is absent."""
    if not TALES.is_file():
        return
    with (
        tempfile.TemporaryDirectory() as folder,
        patch.dict(os.environ, {"ANCESTRAL_CACHE": folder}),  # What comes after has its own again.
    ):
        packed, _ = _share("packed")
        padded, notes = _share("padded")
        yield Result(
            name="share of the places of a batch that hold a target, packed windows of 256 words",
            peer="all of them",
            ours_seconds=float("nan"),
            peer_seconds=float("nan"),
            ratio=packed,
            rounds=[],
            bar=0.99,
            note=f"the book's padded way: {padded:.1%}; {notes[-1]}",
        )


def _share(batching: Literal["packed", "padded"]) -> tuple[float, tuple[str, ...]]:
    data = load_corpus(TALES, Loading(text=TextLoading(tokenizer="word", batching=batching)))
    assert data.corpus is not None
    return target_share(data.train.x, data.corpus.tokenizer.special), data.notes
