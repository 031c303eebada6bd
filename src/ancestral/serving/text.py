"""From tokens, as they come, to text that can be sent: whole characters, nothing of a stop."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from ancestral.data.text import Tokenizer

FLOOR = -9999.0
"""What is told of the log-probability of what is impossible: JSON knows no infinity."""

Alternatives = Sequence[tuple[int, float]]


class Names:
    r"""What tokens are called where log-probabilities are told.

    A token that is a part of a character, or not UTF-8 at all, is ``bytes:`` and its bytes.

    Args:
        tokenizer: Whose tokens they are.

    Example:
        >>> names = Names(Tokenizer.train(["uno"], pieces=261))
        >>> names(0), names(names.tokenizer.encode("ñ")[0])
        ('!', 'bytes:\\xc3')
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        self.tokenizer = tokenizer
        self._name = cache(self._spell)

    def __call__(self, token: int) -> str:
        """Return the name of a token."""
        return self._name(token)

    def _spell(self, token: int) -> str:
        raw = self.tokenizer.token_bytes(token)
        try:
            return raw.decode() or self.tokenizer.token(token)
        except UnicodeDecodeError:
            return "bytes:" + "".join(f"\\x{byte:02x}" for byte in raw)


@dataclass(slots=True)
class Told:
    """Log-probabilities, token by token, as OpenAI's legacy completions tell them."""

    tokens: list[str] = field(default_factory=list)
    token_logprobs: list[float | None] = field(default_factory=list)
    top_logprobs: list[dict[str, float] | None] = field(default_factory=list)
    text_offset: list[int] = field(default_factory=list)

    def add(
        self, names: Names, token: int, offset: int, log_prob: float | None, others: Alternatives
    ) -> None:
        """Tell of one more token; those that were more probable beside it."""
        name = names(token)
        self.tokens.append(name)
        self.text_offset.append(offset)
        if log_prob is None:
            self.token_logprobs.append(None)
            self.top_logprobs.append(None)
            return
        self.token_logprobs.append(max(log_prob, FLOOR))
        top = {names(other): max(value, FLOOR) for other, value in others}
        self.top_logprobs.append(top | {name: max(log_prob, FLOOR)})

    def take(self, end: int) -> "Told":
        """Take out the tokens that begin before a place."""
        count = sum(offset < end for offset in self.text_offset)
        taken = Told(*(getattr(self, name)[:count] for name in self.__slots__))
        for name in self.__slots__:
            del getattr(self, name)[:count]
        return taken

    def extend(self, other: "Told") -> None:
        """Tell what another tells, too."""
        for name in self.__slots__:
            getattr(self, name).extend(getattr(other, name))

    def to_json(self) -> dict[str, Any]:
        """Return the object that is sent."""
        return {name: getattr(self, name) for name in self.__slots__}


class Assembler:
    """One text that is put together from its tokens, ``offset`` characters after its beginning.

    What ``feed`` and ``finish`` return adds up to the text before the first ``stop`` string. What
    may still become a stop string, or a character, is held back until it is decided.
    """

    def __init__(
        self, names: Names, *, stop: Sequence[str] = (), offset: int = 0, tell: bool = False
    ) -> None:
        self.stopped = False
        self._names, self._stop, self._tell = names, tuple(stop), tell
        self._stream = names.tokenizer.stream()
        self._held, self._end = "", offset  # What is held back, and where it begins.
        self._told = Told()

    def feed(self, token: int, log_prob: float, others: Alternatives = ()) -> tuple[str, Told]:
        """Take one more token; return the text that can be sent, and its tokens."""
        if self.stopped:
            return "", Told()
        if self._tell:
            at = self._end + len(self._held)
            self._told.add(self._names, token, at, log_prob, others)
        return self._send(self._stream.feed((token,)), last=False)

    def finish(self) -> tuple[str, Told]:
        """Return what was held back: nothing more comes."""
        if self.stopped:
            return "", Told()
        text, told = self._send(self._stream.finish(), last=True)
        if not self.stopped:
            told.extend(self._told)  # The end itself, which has no text.
        return text, told

    def _send(self, more: str, *, last: bool) -> tuple[str, Told]:
        held = self._held + more
        found = [at for string in self._stop if (at := held.find(string)) >= 0]
        if found:
            self.stopped, keep = True, min(found)
        else:
            keep = len(held) if last else len(held) - self._undecided(held)
        self._held, self._end = held[keep:], self._end + keep
        return held[:keep], self._told.take(self._end) if self._tell else Told()

    def _undecided(self, held: str) -> int:
        """Return how many of the last characters may be the beginning of a stop string."""
        longest = 0
        for string in self._stop:
            sizes = range(min(len(string) - 1, len(held)), longest, -1)
            longest = next((size for size in sizes if held.endswith(string[:size])), longest)
        return longest
