"""What a sequence holds so far, kept up token by token: counts, and the n-grams that may repeat."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Whole = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Seen:
    """Tokens that rows hold, M pairs (row, token), each once.

    Args:
        row: Place of the row in the batch, [M].
        token: Its token, [M].
        count: How often the row holds it, the prompt included, [M].
        generated: How often it was generated, [M].
    """

    row: Whole
    token: Whole
    count: Whole
    generated: Whole

    @classmethod
    def of(
        cls,
        rows: Sequence[Sequence[int]],
        *,
        prompts: Sequence[int] | None = None,
        exempt: Collection[int] = (),
    ) -> "Seen":
        """Count whole rows, but for exempt tokens; so many of each are its prompt, all if None."""
        starts = [len(row) for row in rows] if prompts is None else prompts
        return cls.join(
            [
                History(row[:start], exempt=exempt).extend(row[start:])
                for row, start in zip(rows, starts, strict=True)
            ]
        )

    @classmethod
    def join(cls, rows: Sequence["History"]) -> "Seen":
        """Put the counts of rows together, in that order."""
        parts = [row.counts for row in rows]
        token, count, generated = (
            np.concatenate([part[i] for part in parts]) if parts else np.empty(0, np.int64)
            for i in range(3)
        )
        row = np.repeat(np.arange(len(rows)), [part.shape[1] for part in parts])
        return cls(row, token, count, generated)


class History:
    """The tokens of one row, and what the rules ask of them, brought up to date at each token.

    Tokens that are ``exempt`` are not counted; n-grams are remembered for ``ngram`` of at least 1.
    """

    def __init__(
        self, prompt: Sequence[int], *, exempt: Collection[int] = (), ngram: int = 0
    ) -> None:
        self.tokens: list[int] = []
        self.prompt = len(prompt)
        self._exempt = exempt
        self._ngram = ngram
        self._slots: dict[int, int] = {}
        self._table = np.zeros((3, 64), dtype=np.int64)  # Token, count, generated.
        self._followers: dict[tuple[int, ...], set[int]] = {}
        self.extend(prompt)

    @property
    def counts(self) -> Whole:
        """Tokens, how often they stand here, and how often they were generated, [3, M]."""
        return self._table[:, : len(self._slots)]

    @property
    def completions(self) -> set[int]:
        """Tokens that would repeat an n-gram that stands here."""
        before = self._before(len(self.tokens))
        return set() if before is None else self._followers.get(before, set())

    def extend(self, tokens: Sequence[int]) -> "History":
        """Add tokens; return self."""
        for token in tokens:
            self.push(token)
        return self

    def push(self, token: int) -> "History":
        """Add a token; return self."""
        token = int(token)
        before = self._before(len(self.tokens))
        if before is not None:
            self._followers.setdefault(before, set()).add(token)
        self.tokens.append(token)
        if token not in self._exempt:
            column = self._column(token)
            self._table[1, column] += 1
            self._table[2, column] += len(self.tokens) > self.prompt
        return self

    def copy(self) -> "History":
        """Return a history that goes on by itself."""
        twin = History.__new__(History)
        twin.tokens, twin.prompt = self.tokens.copy(), self.prompt
        twin._exempt, twin._ngram = self._exempt, self._ngram
        twin._slots, twin._table = self._slots.copy(), self._table.copy()
        twin._followers = {key: set(value) for key, value in self._followers.items()}
        return twin

    def _before(self, end: int) -> tuple[int, ...] | None:
        """The n - 1 tokens before a place, None where there are not so many."""
        start = end - self._ngram + 1
        return tuple(self.tokens[start:end]) if self._ngram and start >= 0 else None

    def _column(self, token: int) -> int:
        column = self._slots.setdefault(token, len(self._slots))
        if column == self._table.shape[1]:
            self._table = np.concatenate((self._table, np.zeros_like(self._table)), axis=1)
        self._table[0, column] = token
        return column
