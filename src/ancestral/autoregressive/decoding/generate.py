"""The loop: prompts of any lengths, continued side by side, a step at a time."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import torch
from torch import Generator

from ancestral.autoregressive.decoding.continuation import (
    Choice,
    Constraint,
    Continuation,
    Reason,
    Stop,
)
from ancestral.autoregressive.decoding.reader import Reader
from ancestral.autoregressive.decoding.settings import Decoding, row_generators
from ancestral.capabilities import LanguageModel
from ancestral.errors import ConfigError

BOOK = Decoding()


def generate(
    model: LanguageModel,
    prompts: Sequence[Sequence[int]],
    decoding: Decoding = BOOK,
    *,
    max_tokens: int = 256,
    generators: Sequence[Generator] | None = None,
    stop: Stop | None = None,
    constraint: Constraint | None = None,
) -> Iterator[list[Choice]]:
    """Continue prompts, and yield after each step what it chose: one token of every open row.

    A row ends at EOS, PAD or its stop, or after ``max_tokens``; it then costs nothing more. Equal
    prompts are read once. A row's chance is its own generator's, so it does not depend on its
    neighbours; the model's arithmetic may, in the last bits.

    Args:
        model: Any language model; dropout is off while it reads.
        prompts: Tokens of each row, at least one (BOS), at most the window.
        decoding: How tokens are chosen.
        max_tokens: Most tokens of each row, at least 1.
        generators: One a row; seeded from torch's global one if None.
        stop: Ends a row, given the tokens that were generated in it.
        constraint: What the generated tokens of a row may be.

    Yields:
        The choices of a step, in the order of the rows.

    Raises:
        DataError: If a prompt is empty, too long, or has an unknown token.
        ConfigError: If ``max_tokens`` or the number of generators is wrong.
        DivergenceError: If the model's logits are not finite.

    Example:
        >>> from ancestral.classic.chains.language import NGramLanguageModel
        >>> model = NGramLanguageModel(6, order=2).fit(torch.tensor([[2, 0, 1, 0, 1, 3]]))
        >>> collect(generate(model, [[2], [2, 0]], Decoding.greedy(), max_tokens=2))
        [Generated(tokens=[0, 1], ...), Generated(tokens=[1, 0], ...)]
    """
    if max_tokens < 1:
        raise ConfigError(f"max_tokens must be at least 1, got {max_tokens}")
    if generators is None:
        generators = row_generators(int(torch.randint(2**62, ())), len(prompts))
    if len(generators) != len(prompts):
        raise ConfigError(
            f"generators must be as many as prompts, {len(prompts)}, got {len(generators)}"
        )
    reader = Reader(model, prompts, room=max_tokens - 1, keep=decoding.keep)
    rows = [
        Continuation(
            prompt,
            decoding,
            vocabulary=model.vocabulary,
            max_tokens=max_tokens,
            generator=generator,
            row=number,
            stop=stop,
            constraint=constraint,
        )
        for number, (prompt, generator) in enumerate(zip(prompts, generators, strict=True))
    ]
    return _steps(reader, rows)


def _steps(reader: Reader, rows: list[Continuation]) -> Iterator[list[Choice]]:
    while True:
        logits = reader.logits()
        step = [row.choose(line) for row, line in zip(rows, logits, strict=True)]
        yield step
        going = [place for place, row in enumerate(rows) if row.reason is None]
        if not going:
            return
        if len(going) < len(rows):
            reader.select(going)
            rows = [rows[place] for place in going]
        reader.read([row.history.tokens[-1] for row in rows])


@dataclass(frozen=True, slots=True)
class Generated:
    """What was generated in one row, its end token included.

    Args:
        tokens: Ids.
        log_probs: Of each token under the model, nats.
        alternatives: Of each token, where they were asked for.
        reason: Why it ended.
    """

    tokens: list[int] = field(default_factory=list)
    log_probs: list[float] = field(default_factory=list)
    alternatives: list[tuple[tuple[int, float], ...]] = field(default_factory=list)
    reason: Reason | None = None


def collect(steps: Iterable[Sequence[Choice]]) -> list[Generated]:
    """Put the choices of all steps together, row by row."""
    tokens: dict[int, list[Choice]] = {}
    for step in steps:
        for choice in step:
            tokens.setdefault(choice.row, []).append(choice)
    return [
        Generated(
            [choice.token for choice in row],
            [choice.log_prob for choice in row],
            [choice.alternatives for choice in row],
            row[-1].reason,
        )
        for _, row in sorted(tokens.items())
    ]
