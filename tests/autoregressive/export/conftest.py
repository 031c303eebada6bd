"""Tiny models whose every weight is far from where it began, and a tokenizer of each kind."""

from collections.abc import Callable

import pytest
import torch

from ancestral.autoregressive import GPT, GPTParts, GPTShape
from ancestral.data.text import Tokenizer

MODERN = {"positions": "rotary", "norm": "rms", "feed_forward": "swiglu"}
PARTS = {
    "book": GPTParts(),
    "book-tied": GPTParts(tied=True),
    "modern": GPTParts(**MODERN),
    "modern-tied": GPTParts(**MODERN, tied=True),
    "qk-norm": GPTParts(**MODERN, qk_norm=True),
    "qk-norm-tied": GPTParts(**MODERN, qk_norm=True, tied=True),
}
TEXT = [
    "En un lugar de la Mancha, de cuyo nombre no quiero acordarme, no ha mucho tiempo que vivía",
    "un hidalgo de los de lanza en astillero, adarga antigua, rocín flaco y galgo corredor.",
    "3 olivos, 45 palomas; snake_case y «comillas»: ¿no? Sí.\n\tFin",
]


@pytest.fixture(scope="session")
def tokenizers() -> dict[str, Tokenizer]:
    return {
        kind: Tokenizer.train(5 * TEXT, kind=kind, pieces=300)
        for kind in ("bpe", "word", "character")
    }


@pytest.fixture
def gpt() -> Callable[..., GPT]:
    """Return a function that makes a GPT of named parts."""

    def make(parts: str, *, vocabulary: int = 300, groups: int | None = 2) -> GPT:
        torch.manual_seed(0)
        shape = GPTShape(window=24, width=32, layers=2, heads=4, key_value_heads=groups)
        model = GPT(vocabulary, shape=shape, parts=PARTS[parts]).eval()
        with torch.no_grad():
            for parameter in model.parameters():
                # Weights ten times those of the beginning: attention is sharp, norms are crooked.
                parameter.add_(torch.randn_like(parameter) * (0.2 if parameter.ndim == 2 else 0.3))
        return model

    return make
