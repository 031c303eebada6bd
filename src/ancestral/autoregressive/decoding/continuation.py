"""One row that is being continued: what it holds, how it goes on, and when it ends."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, Self, TypeAlias

import numpy as np
import torch
from torch import Generator, Tensor

from ancestral.autoregressive.decoding.seen import History
from ancestral.autoregressive.decoding.settings import Decoding, draw
from ancestral.capabilities import SpecialTokens
from ancestral.errors import ConfigError, DivergenceError

_BLOCK = 256

Stop: TypeAlias = Callable[[Sequence[int]], bool]
"""Whether a row ends here, given all tokens that were generated in it."""

Reason: TypeAlias = Literal["stop", "length"]


class Constraint(Protocol):
    """What a row may hold: a grammar, say. One object follows one row."""

    def fresh(self) -> Self:
        """Return a constraint for a row of its own, at the beginning."""
        ...

    def copy(self) -> Self:
        """Return a constraint that stands where this one stands, and goes on by itself."""
        ...

    def allowed(self) -> Tensor:
        """Return which tokens may come next, bool [V]; EOS is allowed where the row may end."""
        ...

    def accept(self, token: int) -> None:
        """Go on by a token that was allowed."""
        ...


@dataclass(frozen=True, slots=True)
class Choice:
    """A token that was chosen.

    Args:
        row: The row, by its place among the prompts.
        token: Its id.
        log_prob: Its log-probability under the model, before any rule, nats.
        reason: Why the row ends with it: EOS, PAD or a stop, or the length; None if it goes on.
        alternatives: The most probable tokens with their log-probabilities under the model, best
            first; as many as were asked for.
    """

    row: int
    token: int
    log_prob: float
    reason: Reason | None = None
    alternatives: tuple[tuple[int, float], ...] = ()


class Continuation:
    """A row that is being continued.

    It ends at EOS, PAD or its ``stop``, or after ``max_tokens``; its chance is its ``generator``'s,
    and ``row`` its place among the prompts. Raises ConfigError if a token of the settings is not in
    the vocabulary.

    Example:
        >>> row = Continuation([1, 0], Decoding.greedy(), vocabulary=6, max_tokens=2)
        >>> row.choose(torch.tensor([0.0, 1.0, 0, 0, 0, 0])).token, row.reason
        (1, None)
        >>> row.choose(torch.tensor([0.0, 0.0, 0, 2.0, 0, 0])).reason, row.generated
        ('stop', [1, 3])
    """

    def __init__(  # noqa: PLR0913 (one row of a batch of strangers: each with all of its own)
        self,
        prompt: Sequence[int],
        decoding: Decoding,
        *,
        vocabulary: int,
        max_tokens: int,
        generator: Generator | None = None,
        row: int = 0,
        stop: Stop | None = None,
        constraint: Constraint | None = None,
    ) -> None:
        for name in ("exempt", "forbidden"):
            for token in getattr(decoding, name):
                if not 0 <= token < vocabulary:
                    raise ConfigError(f"{name} must be 0 to {vocabulary - 1}, got {token}")
        self.row, self.decoding = row, decoding
        self.history = decoding.history(prompt, vocabulary=vocabulary)
        self.generator = generator if generator is not None else torch.default_generator
        self.reason: Reason | None = None
        self._limit = len(prompt) + max_tokens
        self._stop, self.constraint = stop, constraint and constraint.fresh()
        self.ends = SpecialTokens.of(vocabulary).ends

    @property
    def generated(self) -> list[int]:
        """The tokens after the prompt."""
        return self.history.tokens[self.history.prompt :]

    def apply(self, logits: Tensor) -> Tensor:
        """Return the logits [V] after the constraint and every rule."""
        return self.applied(logits, self.history, self.constraint)

    def applied(self, logits: Tensor, history: History, constraint: Constraint | None) -> Tensor:
        """Return the logits [V] after the rules for tokens that the row may yet hold."""
        if constraint is not None:
            logits = logits.masked_fill(~constraint.allowed(), -torch.inf)
        return self.decoding.apply(logits[None], [history])[0]

    def choose(self, logits: Tensor) -> Choice:
        """Choose the next token from the model's logits [V], and take it."""
        (token,) = draw(self.apply(logits)[None], [self.generator])
        return self.take(token, logits)

    def take(self, token: int, logits: Tensor) -> Choice:
        """Go on by a token, whatever chose it; ``logits`` [V] are the model's.

        Raises DivergenceError if the logits have a nan.
        """
        log_probs = log_probabilities(logits.numpy(), [token])
        self.history.push(token)
        if self.constraint is not None:
            self.constraint.accept(token)
        ends = token in self.ends or (self._stop is not None and self._stop(self.generated))
        if ends:
            self.reason = "stop"
        elif len(self.history.tokens) >= self._limit:
            self.reason = "length"
        told = most_probable(logits, self.decoding.alternatives)
        return Choice(self.row, token, log_probs[0], self.reason, told)


def log_probabilities(logits: np.ndarray, tokens: Sequence[int]) -> list[float]:
    """Return the log-probabilities of tokens, nats, given logits [V].

    Raises DivergenceError if the logits have a nan, or none is finite.
    """
    peak = logits.max()
    if not np.isfinite(peak):
        raise DivergenceError(f"the largest logit must be finite, got {peak}; check the weights")
    weight = logits - peak
    picked = weight[list(tokens)].astype(np.float64)
    np.exp(weight, out=weight)
    # Blocks in the type of the logits, their sums in float64: as exact, and in half the time.
    blocks = np.add.reduceat(weight, np.arange(0, len(weight), _BLOCK))
    return (picked - np.log(blocks.sum(dtype=np.float64))).tolist()


def most_probable(logits: Tensor, count: int) -> tuple[tuple[int, float], ...]:
    """Return the ``count`` most probable tokens with their log-probabilities, best first.

    Example:
        >>> most_probable(torch.tensor([0.0, 0.0, -torch.inf]).log_softmax(0), 1)[0][1]
        -0.693...
    """
    if not count:
        return ()
    best = logits.topk(min(count, len(logits))).indices.tolist()
    return tuple(zip(best, log_probabilities(logits.numpy(), best), strict=True))


class StopStrings:
    """Ends a row at the first of some strings in its text.

    Args:
        strings: At least one character each.
        decode: Text of tokens.

    Raises:
        ConfigError: If a string is empty.

    Example:
        >>> stop = StopStrings(["."], lambda tokens: "".join("ab. "[token] for token in tokens))
        >>> stop([0, 1]), stop([0, 1, 2]), stop.cut("ab. a")
        (False, True, 'ab')
    """

    def __init__(self, strings: Sequence[str], decode: Callable[[Sequence[int]], str]) -> None:
        if not all(strings):
            raise ConfigError("stop strings must not be empty")
        self.strings, self._decode = tuple(strings), decode
        # A token holds a byte at least, so that a string ends in these or has ended before.
        self._last = max((len(string.encode()) for string in strings), default=0) + 4

    def __call__(self, generated: Sequence[int]) -> bool:
        """Tell whether the last token has completed a stop string."""
        return bool(self.strings) and any(
            string in self._decode(generated[-self._last :]) for string in self.strings
        )

    def cut(self, text: str) -> str:
        """Return the text before the first stop string."""
        places = [at for string in self.strings if (at := text.find(string)) >= 0]
        return text[: min(places)] if places else text
