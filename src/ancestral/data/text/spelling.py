"""What it costs to spell a word that a vocabulary does not hold: likelihoods then compare."""

from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ancestral.data.text.corpus import Documents
from ancestral.data.text.tokenizer import Tokenizer

_END = 256
_PRIOR = 20.0
"""Weight, in letters, of what stands behind a count: pairs of bytes, single bytes, one share."""


class Spelling:
    """A model of pairs of bytes inside ``<UNK>``: p(word) = p(<UNK>) p(its bytes and their end).

    It is counted on the vocabulary itself, each word once, as unknown words are rare ones; bytes
    that are none of its letters have a share, so that every word can be spelled. A language model
    with it gives every text a probability, and its bits per character are comparable with those
    of another tokenizer.

    Source: Chen & Goodman 1999, An empirical study of smoothing techniques for language modeling,
    sec. 2.5 (interpolation); Mielke & Eisner 2019, Spell once, summon anywhere, arXiv:1804.08205.

    Args:
        tokenizer: Whose unknown words are spelled.

    Example:
        >>> spelling = Spelling(Tokenizer.train(["sol mar luna sal"], kind="word"))
        >>> spelling.nats("sol mal xyz").round(decimals=1)
        tensor([ 8.7000, 20.9000], dtype=torch.float64)
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        self.tokenizer = tokenizer

    def nats(self, text: str) -> Tensor:
        """Return what each unknown word of a text costs, in their order, nats, float64 [U]."""
        found = self.tokenizer
        encoded = zip(found.encode(text), found.offsets(text), strict=True)
        words = [text[a:b].encode() for token, (a, b) in encoded if token == found.special.unk]
        return torch.tensor([self._cost(word) for word in words], dtype=torch.float64)

    def document(self, documents: Documents, index: int) -> Tensor:
        """Return what spelling adds to each token of a document but its BOS, nats, float64 [T]."""
        unknown = documents.ids(index)[1:] == self.tokenizer.special.unk
        found = torch.zeros(len(unknown), dtype=torch.float64)
        if bool(unknown.any()):
            found[unknown] = self.nats(documents[index])
        return found

    def _cost(self, word: bytes) -> float:
        letters = np.frombuffer(word, dtype=np.uint8).astype(np.intp)
        before, after = np.concatenate(([_END], letters)), np.concatenate((letters, [_END]))
        return float(-self._log_p[before, after].sum())

    @cached_property
    def _log_p(self) -> NDArray[np.float64]:
        """Log p(byte | byte before), both [257]; the last is the edge of a word."""
        known = [self.tokenizer.token_bytes(i) for i in range(self.tokenizer.special.bos)]
        row = np.full(sum(map(len, known)) + len(known) + 1, _END, dtype=np.intp)
        ends = np.cumsum([len(word) + 1 for word in known], dtype=np.intp)
        inside = np.ones(len(row), dtype=bool)
        inside[np.concatenate(([0], ends))] = False
        row[inside] = np.frombuffer(b"".join(known), dtype=np.uint8)
        pairs = np.zeros((_END + 1, _END + 1))
        np.add.at(pairs, (row[:-1], row[1:]), 1.0)
        single = pairs.sum(axis=0)
        behind = (single + _PRIOR / (_END + 1)) / (single.sum() + _PRIOR)
        return np.log((pairs + _PRIOR * behind) / (pairs.sum(axis=1, keepdims=True) + _PRIOR))
