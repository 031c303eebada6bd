"""Speculative sampling: a cheap draft runs ahead, the model reads it and keeps what fits.

What comes out is distributed as what the model itself would have drawn, whatever the draft.
"""

from collections.abc import Iterator, Sequence
from typing import TypeAlias

import numpy as np
import torch
from torch import Generator, Tensor

from ancestral.autoregressive.decoding.continuation import Choice, Constraint, Continuation, Stop
from ancestral.autoregressive.decoding.reader import check_prompts, on_cpu, reading
from ancestral.autoregressive.decoding.settings import Decoding, draw
from ancestral.capabilities import LanguageModel
from ancestral.errors import ConfigError

Proposal: TypeAlias = tuple[int, Tensor | None]
"""A token and the draft's probabilities [V] that it was drawn from; None where it was certain."""


class NGramLookup:
    """A draft without a model: what came after the last tokens when they stood here before.

    Args:
        longest: Tokens that are looked up, at least ``shortest``; then fewer and fewer.
        shortest: Fewest of them, at least 1.

    Raises:
        ConfigError: If a number is out of its range.

    Example:
        >>> NGramLookup().propose([5, 6, 7, 8, 5, 6], 3)
        [7, 8, 5]
    """

    def __init__(self, *, longest: int = 3, shortest: int = 2) -> None:
        if not 1 <= shortest <= longest:
            raise ConfigError(
                f"shortest must be at least 1 and at most longest, got {shortest} and {longest}"
            )
        self._sizes = range(longest, shortest - 1, -1)
        self._tokens: list[int] = []
        self._after: dict[tuple[int, ...], int] = {}

    def propose(self, tokens: Sequence[int], count: int) -> list[int]:
        """Return at most ``count`` tokens that may follow. Tokens must go on from the last call."""
        if list(tokens[: len(self._tokens)]) != self._tokens:
            self._tokens, self._after = [], {}
        for token in tokens[len(self._tokens) :]:
            for size in self._sizes:  # What ended before this token is followed by it.
                if len(self._tokens) >= size:
                    self._after[tuple(self._tokens[-size:])] = len(self._tokens)
            self._tokens.append(token)
        for size in self._sizes:
            at = self._after.get(tuple(self._tokens[-size:]))
            if at is not None and len(self._tokens) >= size:
                # What runs over the end goes round.
                period = len(self._tokens) - at
                return [self._tokens[at + i % period] for i in range(count)]
        return []


def speculate(  # noqa: PLR0913 (those of ``generate``, a draft, and how far it runs ahead)
    model: LanguageModel,
    prompt: Sequence[int],
    decoding: Decoding,
    draft: LanguageModel | NGramLookup,
    *,
    max_tokens: int = 256,
    generator: Generator | None = None,
    ahead: int = 8,
    stop: Stop | None = None,
    constraint: Constraint | None = None,
) -> Iterator[list[Choice]]:
    """Continue one prompt as :func:`generate` would, and yield after each pass what it chose.

    A token x drawn from the draft's q is kept with chance min(1, p(x) / q(x)); the first that is
    not is drawn anew from max(p - q, 0), normalised, and if all are kept the pass gives one more.
    All rules and the constraint apply to p and to q.

    Source: Leviathan et al. 2023, arXiv:2211.17192, alg. 1; Chen et al. 2023, arXiv:2302.01318.

    Args:
        model: Whose distribution counts.
        prompt: Tokens, at least one, at most the window.
        decoding: How tokens are chosen.
        draft: A model of the same vocabulary, or a look-up in the text itself.
        max_tokens: Most tokens, at least 1.
        generator: Source of randomness; torch's global one if None.
        ahead: Most tokens that the draft runs ahead, at least 1, below the windows.
        stop: Ends the text, given the tokens that were generated; what was guessed after is lost.
        constraint: What the generated tokens may be.

    Yields:
        The tokens of a pass, at least one.

    Raises:
        DataError: If the prompt is empty, too long, or has an unknown token.
        ConfigError: If another argument is out of its range.

    Example:
        >>> from ancestral.classic.chains.language import NGramLanguageModel
        >>> model = NGramLanguageModel(6, order=2).fit(torch.tensor([[2, 0, 1, 0, 1, 3]]))
        >>> passes = speculate(model, [2, 0], Decoding.greedy(), model, max_tokens=4, ahead=3)
        >>> [[choice.token for choice in choices] for choices in passes]
        [[1, 0, 1, 0]]
    """
    check_prompts(model, [prompt])
    for name, value in (("max_tokens", max_tokens), ("ahead", ahead)):
        if value < 1:
            raise ConfigError(f"{name} must be at least 1, got {value}")
    models = [model] if isinstance(draft, NGramLookup) else [model, draft]
    for each in models:
        if each.vocabulary != model.vocabulary:
            raise ConfigError(
                f"draft must have the model's vocabulary of {model.vocabulary}, "
                f"got {each.vocabulary}"
            )
        if each.window is not None and ahead + 1 >= each.window:
            raise ConfigError(f"ahead must be below {each.window - 1}, got {ahead}")
    row = Continuation(
        prompt,
        decoding,
        vocabulary=model.vocabulary,
        max_tokens=max_tokens,
        generator=generator,
        stop=stop,
        constraint=constraint,
    )
    length = len(prompt) + max_tokens + ahead
    target = _Text(model, length, decoding.keep)
    drafts = draft if isinstance(draft, NGramLookup) else _Text(draft, length, decoding.keep)
    return _passes(row, target, drafts, max_tokens=max_tokens, ahead=ahead)


class _Text:
    """One row that a model reads several tokens at a time, and can go back in."""

    def __init__(self, model: LanguageModel, length: int, keep: float) -> None:
        self.model = model
        self.tokens: list[int] = []
        window = model.window
        self._length = length if window is None else min(length, window)
        self._keep = self._length if window is None else int(keep * window)
        with reading(model):
            self._state = model.start(1, length=self._length)
        self._held = 0

    def read(self, tokens: Sequence[int], *, last: int) -> Tensor:
        """Read tokens; return the logits [last, V] after the last of them."""
        read = list(tokens)
        if self._held + len(read) > self._length:  # Forget what is older.
            kept = min(self._keep, self._length - len(read))
            read = (self.tokens[len(self.tokens) - kept :] if kept > 0 else []) + read
            read = read[-self._length :]
            with reading(self.model):
                self._state = self.model.start(1, length=self._length)
            self._held = 0
        with reading(self.model):
            features = self.model.advance(torch.tensor([read]), self._state)
            logits = on_cpu(self.model.head(features[0, len(read) - last :]))
        self._held += len(read)
        self.tokens.extend(tokens)
        return logits

    def forget(self, count: int) -> None:
        """Go back before the last tokens, which the last call has read."""
        if count:
            self._held -= count
            del self.tokens[-count:]
            with reading(self.model):
                self._state.rewind(torch.tensor([self._held]))

    def twin(self) -> "_Text":
        """Return a copy that goes on by itself."""
        other = _Text.__new__(_Text)
        other.model, other.tokens = self.model, self.tokens.copy()
        other._length, other._keep, other._held = self._length, self._keep, self._held
        with reading(self.model):
            other._state = self._state.select(torch.zeros(1, dtype=torch.int64))
        return other


def _passes(
    row: Continuation, target: _Text, draft: _Text | NGramLookup, *, max_tokens: int, ahead: int
) -> Iterator[list[Choice]]:
    while row.reason is None:
        tokens = row.history.tokens
        room = min(ahead, row.history.prompt + max_tokens - len(tokens) - 1)
        proposals = _propose(row, draft, room) if room else []
        pending = tokens[len(target.tokens) :] + [token for token, _ in proposals]
        logits = target.read(pending, last=len(proposals) + 1)
        choices = _judge(row, logits, proposals)
        target.forget(max(len(proposals) + 1 - len(choices), 0))
        yield choices


def _judge(row: Continuation, logits: Tensor, proposals: Sequence[Proposal]) -> list[Choice]:
    """Keep proposals as far as they go, and one token more; take them."""
    choices: list[Choice] = []
    for line, (token, q) in zip(logits, proposals, strict=False):
        p = _softmax(row.apply(line))
        chance = float(torch.rand((), dtype=torch.float64, generator=row.generator))
        kept = chance * (1.0 if q is None else float(q[token])) < float(p[token])
        if not kept:
            rest = p.clone()
            if q is None:
                rest[token] = 0
            else:
                rest = (p - q).clamp_min_(0)
            rest = rest if float(rest.sum()) > 0 else p
            (token,) = draw(rest.log()[None], [row.generator])
        choices.append(row.take(token, line))
        if row.reason is not None or not kept:
            return choices
    choices.append(row.choose(logits[len(proposals)]))
    return choices


def _propose(row: Continuation, draft: _Text | NGramLookup, count: int) -> list[Proposal]:
    constraint = row.constraint and row.constraint.copy()
    if isinstance(draft, NGramLookup):
        found = draft.propose(row.history.tokens, count)
        return [(token, None) for token in _allowed(found, constraint)]
    logits = draft.read(row.history.tokens[len(draft.tokens) :], last=1)
    ahead, history = draft.twin(), row.history.copy()
    proposals: list[Proposal] = []
    while True:
        changed = row.applied(logits[0], history, constraint)
        (token,) = draw(changed[None], [row.generator])
        proposals.append((token, _softmax(changed)))
        if len(proposals) == count or token in row.ends:
            return proposals
        history.push(token)
        if constraint is not None:
            constraint.accept(token)
        logits = ahead.read([token], last=1)


def _allowed(tokens: Sequence[int], constraint: Constraint | None) -> Sequence[int]:
    """Return the tokens up to the first that a constraint forbids."""
    if constraint is None:
        return tokens
    for place, token in enumerate(tokens):
        if not bool(constraint.allowed()[token]):
            return tokens[:place]
        constraint.accept(token)
    return tokens


def _softmax(logits: Tensor) -> Tensor:
    array = logits.numpy().astype(np.float64)
    weight = np.exp(array - array.max())
    return torch.from_numpy(weight / weight.sum())
