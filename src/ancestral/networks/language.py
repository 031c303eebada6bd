"""What may be given to a language model, whatever it is made of: a prompt, or nothing."""

import torch
from torch import Tensor

from ancestral.capabilities import Given, SpecialTokens

SAMPLED = 256
"""Most tokens of a sample after its prompt."""


def prompt_of(n: int, given: Given | None, special: SpecialTokens) -> Tensor:
    """Return what n samples continue, int64 [T]: the ``prompt`` that is given, else BOS.

    Raises ValueError if n < 1, the prompt is not [T], or something else is given.
    """
    if n < 1 or (given and set(given) != {"prompt"}):
        raise ValueError(f"n must be at least 1 and given only prompt, got {n}, {given or {}}")
    prompt = given["prompt"] if given else torch.tensor([special.bos])
    if prompt.ndim != 1:
        raise ValueError(f"given 'prompt' must have shape [T], got {list(prompt.shape)}")
    return prompt


def refuse_given(given: Given | None) -> None:
    """Refuse to condition the density of a text. Raises ValueError if something is given."""
    if given:
        raise ValueError(f"nothing can be given to a language model, got {[*given]}")
