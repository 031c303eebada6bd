"""One text of an answer, put together from what the engine tells of it."""

import time
from dataclasses import dataclass
from typing import Any

from ancestral.autoregressive.decoding import Choice
from ancestral.serving.jobs import PromptScores, Ticket
from ancestral.serving.schemas import CompletionRequest
from ancestral.serving.served import Prompt, stop_strings
from ancestral.serving.text import Assembler, Names, Told


@dataclass(frozen=True, slots=True)
class Piece:
    """What has become ready of a text.

    Args:
        index: Of the text in the answer.
        text: May be empty.
        told: Log-probabilities, if they were asked for.
        reason: Why it ended, with its last piece.

    Example:
        >>> Piece(0, "sun", None, "stop").to_json()
        {'index': 0, 'text': 'sun', 'logprobs': None, 'finish_reason': 'stop'}
    """

    index: int
    text: str
    told: Told | None
    reason: str | None

    def to_json(self) -> dict[str, Any]:
        """Return a choice of an answer."""
        return {
            "index": self.index,
            "text": self.text,
            "logprobs": None if self.told is None else self.told.to_json(),
            "finish_reason": self.reason,
        }


class Text:
    """A text that is being written, at a place in the answer.

    ``tokens`` tells how many were generated, ``ended`` whether nothing more comes, and ``tells``
    whether log-probabilities are told.
    """

    def __init__(
        self, index: int, prompt: Prompt, ticket: Ticket, names: Names, asked: CompletionRequest
    ) -> None:
        self.prompt, self.ticket = prompt, ticket
        self.tokens, self.ended = 0, False
        self.tells = asked.logprobs is not None
        self._index, self._names, self._echo = index, names, bool(asked.echo)
        self._text = Assembler(
            names, stop=stop_strings(asked), offset=len(prompt.text), tell=self.tells
        )
        self._ready, self._told = prompt.text, Told()
        self._reason: str | None = None
        self._first = self._last = 0.0

    @property
    def seconds(self) -> float:
        """From its first token to its last."""
        return self._last - self._first

    def scores(self, scores: PromptScores) -> None:
        """Take what the model thinks of the prompt."""
        if not (self.tells and self._echo):
            return
        hidden = self.prompt.hidden
        log_probs = [None, *scores.log_probs][hidden:]
        others = [(), *scores.alternatives][hidden:]
        for place, token in enumerate(self.prompt.told):
            # Of the first there is none here, as with OpenAI.
            value = log_probs[place] if place else None
            offset = self.prompt.offsets[place]
            self._told.add(self._names, token, offset, value, others[place])

    def choice(self, choice: Choice) -> None:
        """Take a token."""
        self._last = time.perf_counter()
        if not self.tokens:
            self._first = self._last
        self.tokens += 1
        self._reason = choice.reason
        self._add(self._text.feed(choice.token, choice.log_prob, choice.alternatives))
        if self._text.stopped:
            self.ticket.cancel()  # The engine stops by itself; this is for where it would not.
            self._reason, self.ended = "stop", True

    def end(self) -> None:
        """Take it that nothing more comes."""
        self._add(self._text.finish())
        self._reason, self.ended = self._reason or "length", True

    def piece(self) -> Piece | None:
        """Return what has become ready since the last piece, or None."""
        if not (self._ready or self.ended or self._told.tokens):
            return None
        told = self._told if self.tells else None
        found = Piece(self._index, self._ready, told, self._reason if self.ended else None)
        self._ready, self._told = "", Told()
        return found

    def _add(self, found: tuple[str, Told]) -> None:
        self._ready += found[0]
        self._told.extend(found[1])
