"""Runs of ``gpt`` for other programs; rows of the table in :mod:`ancestral.recipes.exporting`."""

from pathlib import Path
from typing import Any

from torch import nn

from ancestral.autoregressive.export import GGUFType, write_gguf, write_hugging_face
from ancestral.autoregressive.export.parts import stock_of
from ancestral.data.text import Tokenizer
from ancestral.recipes.runs import Run, count_parameters


def export_hugging_face(source: str, out: Path) -> dict[str, Any]:
    """Write a run as a folder that ``transformers`` loads; tell the class, and what to beware of.

    Raises:
        RunError: If it is not a run, has no weights, or ``out`` holds something else.
        CapabilityError: If it is not of ``gpt``, or no class has its parts.
        DamagedFileError: If a weight is not finite.
    """
    model, tokenizer = _open(source)
    written = write_hugging_face(model, tokenizer, out, overwrite=True)
    found: dict[str, Any] = {"class": written.name, "parameters": count_parameters(model)}
    return found | {"notes": list(written.notes)}


def export_gguf(source: str, out: Path, *, dtype: GGUFType) -> dict[str, Any]:
    """Write a run as a GGUF file; tell the architecture, and what to beware of.

    Raises:
        RunError: If it is not a run, has no weights, or ``out`` is a folder.
        CapabilityError: If it is not of ``gpt`` on pieces of bytes, or no architecture has its
            parts.
        DamagedFileError: If a weight is not finite.
        DivergenceError: If a weight is not finite in ``dtype``.
    """
    model, tokenizer = _open(source)
    written = write_gguf(model, tokenizer, out, dtype=dtype, overwrite=True)
    found: dict[str, Any] = {"class": written.name, "parameters": count_parameters(model)}
    return found | {"dtype": dtype, "notes": list(written.notes)}


def _open(source: str) -> tuple[nn.Module, Tokenizer]:
    run = Run.open(source)
    model = run.model().model
    stock_of(model)  # Tells what it is not, before what its data have not.
    return model, run.tokenizer()
