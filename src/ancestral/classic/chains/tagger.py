"""A part-of-speech tagger: a hidden Markov model whose states are tags and are seen in training."""

from collections import Counter
from collections.abc import Sequence
from typing import Self

import torch
from torch import Tensor

from ancestral.classic.chains.emissions import CategoricalEmissions
from ancestral.classic.chains.hmm import HMM
from ancestral.errors import CapabilityError, DataError
from ancestral.networks.arguments import check_number, check_whole

_LONGEST_SUFFIX = 4


class Tagger:
    """Tags words by the most likely path of tags; unknown words show only their ending and shape.

    A word that training has not seen shows the class of its longest ending (up to 4 letters)
    that ``least`` words seen once have, too, together with its shape: capital, digits, other. To
    know what unknown words are like, the model counts the corpus twice: as it is, and with the
    words that occur once replaced by their classes.

    Source: Weischedel et al. 1993; Brants 2000, TnT (the idea of endings of rare words).

    Args:
        alpha: Added to every count, above 0.
        least: Words seen once that make an ending a class, at least 1.

    Raises:
        ValueError: If an argument is out of its range.

    Example:
        >>> tagger = Tagger().fit([["la", "casa"], ["la", "mesa"]], [["DET", "NOUN"]] * 2)
        >>> tagger.tag([["la", "cosa"]])
        [['DET', 'NOUN']]
    """

    def __init__(self, *, alpha: float = 0.003, least: int = 5) -> None:
        check_number("alpha", alpha, above=True)
        check_whole("least", least)
        self.alpha, self.least = alpha, least
        self.tags: tuple[str, ...] = ()
        self.model: HMM | None = None
        self._symbols: dict[str, int] = {}

    def fit(self, sentences: Sequence[Sequence[str]], tags: Sequence[Sequence[str]]) -> Self:
        """Count words, classes and steps between tags; return self.

        Raises:
            DataError: If there is no word, or a sentence has not one tag for each word.
        """
        _check_pairs(sentences, tags)
        seen = Counter(word for sentence in sentences for word in sentence)
        once = [word for word, times in seen.items() if times == 1]
        endings = Counter(ending for word in once for ending in _classes(word))
        kept = [ending for ending, times in endings.items() if times >= self.least]
        # The shapes are always there: every word has a class.
        names = dict.fromkeys([*(f"={word}" for word in seen), *kept, "capital", "digit", "other"])
        self._symbols = {name: index for index, name in enumerate(names)}
        self.tags = tuple(sorted({tag for row in tags for tag in row}))
        whole = [[self._symbols[f"={word}"] for word in sentence] for sentence in sentences]
        hidden = [
            [self._class(word) if seen[word] == 1 else self._symbols[f"={word}"] for word in row]
            for row in sentences
        ]
        index = {tag: number for number, tag in enumerate(self.tags)}
        states = [[index[tag] for tag in row] for row in tags]
        x, lengths = _padded([*whole, *hidden])
        z, _ = _padded([*states, *states])
        self.model = HMM(CategoricalEmissions(len(self.tags), symbols=len(names)))
        self.model.fit_supervised(x, z, lengths=lengths, alpha=self.alpha)
        return self

    def tag(self, sentences: Sequence[Sequence[str]]) -> list[list[str]]:
        """Return the most likely tags of each sentence.

        Raises:
            CapabilityError: If the tagger is not fitted.
        """
        if self.model is None:
            raise CapabilityError("the tagger is not fitted; call fit first")
        rows = [[self._symbol(word) for word in sentence] for sentence in sentences]
        full = [row for row in rows if row]
        if not full:
            return [[] for _ in rows]
        x, lengths = _padded(full)
        states = iter(self.model.most_likely_states(x, lengths=lengths).tolist())
        return [
            [self.tags[state] for state in next(states)[: len(row)]] if row else [] for row in rows
        ]

    def accuracy(self, sentences: Sequence[Sequence[str]], tags: Sequence[Sequence[str]]) -> float:
        """Return the share of words whose tag is found, in [0, 1].

        Raises:
            CapabilityError: If the tagger is not fitted.
            DataError: If there is no word, or a sentence has not one tag for each word.
        """
        _check_pairs(sentences, tags)
        return share_equal(self.tag(sentences), tags)

    def _symbol(self, word: str) -> int:
        for form in (word, word.lower()):  # A capital may be due to the place in the sentence.
            if (known := self._symbols.get(f"={form}")) is not None:
                return known
        return self._class(word)

    def _class(self, word: str) -> int:
        return next(self._symbols[name] for name in _classes(word) if name in self._symbols)


def most_frequent_tags(
    sentences: Sequence[Sequence[str]], tags: Sequence[Sequence[str]]
) -> tuple[dict[str, str], str]:
    """Return each word's most frequent tag, and that of all: the baseline of any tagger.

    Raises:
        DataError: If there is no word, or a sentence has not one tag for each word.

    Example:
        >>> most_frequent_tags([["la", "casa", "casa"]], [["DET", "NOUN", "NOUN"]])
        ({'la': 'DET', 'casa': 'NOUN'}, 'NOUN')
    """
    _check_pairs(sentences, tags)
    counts: dict[str, Counter[str]] = {}
    every: Counter[str] = Counter()
    for sentence, row in zip(sentences, tags, strict=True):
        for word, tag in zip(sentence, row, strict=True):
            counts.setdefault(word, Counter())[tag] += 1
            every[tag] += 1
    found = {word: count.most_common(1)[0][0] for word, count in counts.items()}
    return found, every.most_common(1)[0][0]


def share_equal(found: Sequence[Sequence[str]], tags: Sequence[Sequence[str]]) -> float:
    """Return the share of equal tags over all words, in [0, 1].

    Example:
        >>> share_equal([["DET", "NOUN"], ["VERB"]], [["DET", "ADJ"], ["VERB"]])
        0.666...
    """
    pairs = [
        one == other
        for mine, theirs in zip(found, tags, strict=True)
        for one, other in zip(mine, theirs, strict=True)
    ]
    return sum(pairs) / len(pairs)


def _classes(word: str) -> list[str]:
    """Return the classes of an unknown word, the most telling first, its bare shape last."""
    if any(letter.isdecimal() for letter in word):
        shape = "digit"
    else:
        shape = "capital" if word[:1].isupper() else "other"
    longest = min(_LONGEST_SUFFIX, len(word))
    return [*(f"{shape}-{word[-size:].lower()}" for size in range(longest, 0, -1)), shape]


def _check_pairs(sentences: Sequence[Sequence[str]], tags: Sequence[Sequence[str]]) -> None:
    if len(sentences) != len(tags):
        raise DataError(f"tags must be of {len(sentences)} sentences, got {len(tags)}")
    for number, (sentence, row) in enumerate(zip(sentences, tags, strict=True)):
        if len(sentence) != len(row):
            raise DataError(
                f"sentence {number} must have {len(sentence)} tags, one a word, got {len(row)}"
            )
        if not sentence:
            raise DataError(f"every sentence must have a word, sentence {number} has none")
    if not sentences:
        raise DataError("fitting needs at least 1 sentence, got 0")


def _padded(rows: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
    """Return rows [N, T] padded with -1, and their lengths [N]."""
    tensors = [torch.tensor(row, dtype=torch.int64) for row in rows]
    padded = torch.nn.utils.rnn.pad_sequence(tensors, batch_first=True, padding_value=-1)
    return padded, torch.tensor([len(row) for row in rows])
