"""Rules that lower what a sequence holds already: logits [B, V] in, new ones out."""

import math
from collections.abc import Collection, Sequence

import numpy as np
import torch
from torch import Tensor

from ancestral.autoregressive.decoding.seen import Seen


def counted_repetition_penalty(logits: Tensor, seen: Seen, penalty: float) -> Tensor:
    """The book's: divide positive logits by ``penalty ** count``, multiply the others by it.

    A token that stands in the row c times, prompt included, loses c times; nothing is ever raised.
    The penalty is at least 1; 1 changes nothing.
    """
    with np.errstate(over="ignore"):  # gamma ** count may pass the largest number: then -inf, 0.
        return _scale(logits, seen, np.float64(penalty) ** seen.count)


def repetition_penalty(logits: Tensor, seen: Seen, penalty: float) -> Tensor:
    """The usual one: as the counted rule, but once, however often the token stands in the row.

    Source: Keskar et al. 2019, CTRL, arXiv:1909.05858, sec. 4.1, with the sign mended as everybody
    does.

    Example:
        >>> logits = torch.tensor([[2.0, -1.0, 3.0]])
        >>> repetition_penalty(logits, Seen.of([[0, 1, 0]]), 2.0)
        tensor([[ 1., -2.,  3.]])
    """
    return _scale(logits, seen, np.full(len(seen.token), penalty))


def frequency_penalty(logits: Tensor, seen: Seen, penalty: float) -> Tensor:
    """Subtract ``penalty`` nats for each time that the token was generated; below 0 it is rewarded.

    Example:
        >>> frequency_penalty(torch.zeros(1, 3), Seen.of([[0, 1, 1]], prompts=[1]), 0.5)
        tensor([[ 0., -1.,  0.]])
    """
    return _subtract(logits, seen, penalty * seen.generated)


def presence_penalty(logits: Tensor, seen: Seen, penalty: float) -> Tensor:
    """Subtract ``penalty`` nats, once, from the tokens that were generated; any number.

    Example:
        >>> presence_penalty(torch.zeros(1, 3), Seen.of([[0, 1, 1]], prompts=[1]), 0.5)
        tensor([[ 0.0000, -0.5000,  0.0000]])
    """
    return _subtract(logits, seen, penalty * (seen.generated > 0))


def ngram_penalty(
    logits: Tensor, completions: Sequence[Collection[int]], penalty: float = math.inf
) -> Tensor:
    """Subtract ``penalty`` nats from the tokens that would repeat an n-gram; inf forbids them.

    They are the ``completions`` of each row. Where every token that was possible would be
    forbidden, the row is left as it is: a rule of taste does not end a text.

    Source: Paulus et al. 2017, arXiv:1705.04304, sec. 2.5, for inf.
    """
    found = logits.numpy().copy()
    for row, tokens in zip(found, completions, strict=True):
        at = list(tokens)
        before = row[at]
        row[at] -= penalty
        if penalty == math.inf and row.max() == -math.inf:
            row[at] = before
    return torch.from_numpy(found)


def _scale(logits: Tensor, seen: Seen, factor: np.ndarray) -> Tensor:
    array = logits.numpy().copy()
    old = array[seen.row, seen.token]
    array[seen.row, seen.token] = np.where(old > 0, old / factor, old * factor)
    return torch.from_numpy(array)


def _subtract(logits: Tensor, seen: Seen, amount: np.ndarray) -> Tensor:
    array = logits.numpy().copy()
    array[seen.row, seen.token] -= amount.astype(array.dtype)
    return torch.from_numpy(array)
