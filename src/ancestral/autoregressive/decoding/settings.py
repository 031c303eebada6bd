"""How the next token is chosen: every setting, checked, and the order in which the rules apply."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
import torch
from torch import Generator, Tensor

from ancestral.autoregressive.decoding import penalties, rules
from ancestral.autoregressive.decoding.seen import History, Seen
from ancestral.errors import ConfigError, DivergenceError
from ancestral.settings import at_least

Rule: TypeAlias = Callable[[Tensor, Sequence[History]], Tensor]
"""New logits [B, V] from logits [B, V] and what the B rows hold."""

_BLOCK = 256  # Of running sums in two levels.


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoding:
    """How the next token is chosen. The defaults are the book's.

    The rules apply in this order, each to what the one before has left:

    1. ``forbidden`` tokens, and those that a constraint does not allow;
    2. ``repetition_penalty``, ``frequency_penalty``, ``presence_penalty``, ``no_repeat_ngram``;
    3. ``temperature``;
    4. ``top_k``, ``typical``, ``top_p``, ``min_p``;
    5. the draw.

    Args:
        temperature: T >= 0; 0 takes the most probable token, and no chance is left.
        top_k: Keep so many of the most probable tokens; None keeps all.
        typical: Keep this mass of the tokens nearest to the entropy, in (0, 1].
        top_p: Keep this mass of the most probable tokens, in (0, 1].
        min_p: Keep tokens of at least this share of the largest probability, in [0, 1].
        repetition_penalty: At least 1: see
            :func:`~ancestral.autoregressive.decoding.penalties.counted_repetition_penalty`.
        repetition_counts: Whether the penalty grows with the count, as the book's; else it is
            the usual one.
        frequency_penalty: Nats for each time that a token was generated.
        presence_penalty: Nats for a token that was generated.
        no_repeat_ngram: n of the n-grams that must not come twice, prompt included; 0 for none.
        ngram_penalty: What a repeated n-gram costs in nats, at least 0; inf forbids it.
        exempt: Tokens that no penalty counts, besides the four special ones: spaces, say.
        forbidden: Tokens that are never chosen.
        keep: Share of the window that stays when it is full, in [0, 1]; at 1 the oldest token
            makes room for the newest, as in the book, and each costs a reading of the window.
        alternatives: How many of the most probable tokens are told beside the chosen one.

    Raises:
        ConfigError: If a value is outside its range.

    Example:
        >>> [name for name, _ in Decoding().rules]
        ['repetition_penalty', 'temperature', 'top_k']
        >>> Decoding.greedy().rules[0][0], len(Decoding.plain().rules)
        ('temperature', 0)
    """

    temperature: float = 0.8
    top_k: int | None = 50
    typical: float = 1.0
    top_p: float = 1.0
    min_p: float = 0.0
    repetition_penalty: float = 1.01
    repetition_counts: bool = True
    frequency_penalty: float = 0.0
    presence_penalty: float = 0.0
    no_repeat_ngram: int = 0
    ngram_penalty: float = math.inf
    exempt: tuple[int, ...] = ()
    forbidden: tuple[int, ...] = ()
    keep: float = 0.5
    alternatives: int = 0

    def __post_init__(self) -> None:
        _within("temperature", self.temperature, 0, math.inf)
        _within("repetition_penalty", self.repetition_penalty, 1, math.inf)
        for name in ("min_p", "keep"):
            _within(name, getattr(self, name), 0, 1)
        for name in ("typical", "top_p"):
            if not 0 < getattr(self, name) <= 1:
                raise ConfigError(
                    f"{name} must be above 0 and at most 1, got {getattr(self, name)}"
                )
        for name in ("frequency_penalty", "presence_penalty"):
            _within(name, getattr(self, name), -math.inf, math.inf)
        at_least(self, top_k=1, no_repeat_ngram=0, alternatives=0, ngram_penalty=0)

    @classmethod
    def greedy(cls) -> "Decoding":
        """Always the most probable token."""
        return cls(temperature=0.0, top_k=None, repetition_penalty=1.0)

    @classmethod
    def plain(cls) -> "Decoding":
        """Draws from the model's own distribution: ancestral sampling."""
        return cls(temperature=1.0, top_k=None, repetition_penalty=1.0)

    def but(self, **changes: float | bool | tuple[int, ...] | None) -> "Decoding":
        """Return these settings with changes."""
        return replace(self, **changes)

    @property
    def rules(self) -> tuple[tuple[str, Rule], ...]:
        """The rules that change anything, by name, in the order in which they apply."""
        cuts = self.temperature != 0  # Else one token is left: there is nothing more to cut.
        repetition = (
            penalties.counted_repetition_penalty
            if self.repetition_counts
            else penalties.repetition_penalty
        )
        found: dict[str, tuple[bool, Rule]] = {
            "forbidden": (bool(self.forbidden), lambda x, _: forbid(x, self.forbidden)),
            "repetition_penalty": (
                self.repetition_penalty != 1,
                lambda x, rows: repetition(x, Seen.join(rows), self.repetition_penalty),
            ),
            "frequency_penalty": (
                self.frequency_penalty != 0,
                lambda x, rows: penalties.frequency_penalty(
                    x, Seen.join(rows), self.frequency_penalty
                ),
            ),
            "presence_penalty": (
                self.presence_penalty != 0,
                lambda x, rows: penalties.presence_penalty(
                    x, Seen.join(rows), self.presence_penalty
                ),
            ),
            "no_repeat_ngram": (
                self.no_repeat_ngram > 0 and self.ngram_penalty > 0,
                lambda x, rows: penalties.ngram_penalty(
                    x, [row.completions for row in rows], self.ngram_penalty
                ),
            ),
            "temperature": (
                self.temperature != 1,
                lambda x, _: rules.temperature(x, self.temperature),
            ),
            "top_k": (
                cuts and self.top_k is not None,
                lambda x, _: rules.top_k(x, self.top_k or x.shape[-1]),
            ),
            "typical": (cuts and self.typical < 1, lambda x, _: rules.typical(x, self.typical)),
            "top_p": (cuts and self.top_p < 1, lambda x, _: rules.top_p(x, self.top_p)),
            "min_p": (cuts and self.min_p > 0, lambda x, _: rules.min_p(x, self.min_p)),
        }
        return tuple((name, rule) for name, (on, rule) in found.items() if on)

    def history(self, prompt: Sequence[int], *, vocabulary: int) -> History:
        """Return the history of a row that begins with a prompt, as the rules want it."""
        special = range(vocabulary - 4, vocabulary)
        return History(prompt, exempt={*self.exempt, *special}, ngram=self.no_repeat_ngram)

    def apply(self, logits: Tensor, rows: Sequence[History]) -> Tensor:
        """Return the logits after every rule.

        Args:
            logits: [B, V], on the CPU, float32 or float64.
            rows: What the B rows hold.

        Returns:
            New logits, [B, V], -inf for what is excluded.
        """
        for _, rule in self.rules:
            logits = rule(logits, rows)
        return logits


def forbid(logits: Tensor, tokens: Sequence[int]) -> Tensor:
    """Exclude tokens by their ids.

    Example:
        >>> forbid(torch.zeros(1, 3), [2])
        tensor([[0., 0., -inf]])
    """
    array = logits.numpy().copy()
    array[:, list(tokens)] = -np.inf
    return torch.from_numpy(array)


def draw(logits: Tensor, generators: Sequence[Generator]) -> list[int]:
    """Draw a token of each row from softmax(logits), by one uniform number and running sums.

    A row whose chance is decided takes no number from its generator.

    Args:
        logits: [B, V]; -inf is never drawn.
        generators: One a row, so that no row's draws depend on its neighbours.

    Raises:
        DivergenceError: If a row has a nan, or nothing to draw.

    Example:
        >>> draw(torch.tensor([[0.0, 1.0], [1.0, -torch.inf]]), row_generators(0, 2))
        [1, 0]
    """
    return [_draw(row, g) for row, g in zip(logits.numpy(), generators, strict=True)]


def row_generators(seed: int, rows: int) -> list[Generator]:
    """Return one generator a row: row i gets seed + i, so that one row can be drawn again alone.

    Example:
        >>> [generator.initial_seed() for generator in row_generators(7, 2)]
        [7, 8]
    """
    return [Generator().manual_seed(seed + row) for row in range(rows)]


def _draw(row: np.ndarray, generator: Generator) -> int:
    peak = row.max()
    if not np.isfinite(peak):
        raise DivergenceError(f"the largest logit must be finite, got {peak}; check the weights")
    possible = np.flatnonzero(row > -np.inf) if row.min() == -np.inf else None
    values = row if possible is None else row[possible]
    if len(values) == 1:
        return int(possible[0]) if possible is not None else 0
    chance = float(torch.rand((), dtype=torch.float64, generator=generator))
    at = _pick(np.exp(values - peak), chance)
    return at if possible is None else int(possible[at])


def _pick(weights: np.ndarray, chance: float) -> int:
    """Return the place at which the running sum of the weights passes a share of the whole."""
    starts = np.arange(0, len(weights), _BLOCK)
    blocks = np.add.reduceat(weights, starts, dtype=np.float64).cumsum()
    target = chance * blocks[-1]
    block = min(int(np.searchsorted(blocks, target, side="right")), len(blocks) - 1)
    before = blocks[block - 1] if block else 0.0
    inside = weights[starts[block] : starts[block] + _BLOCK].cumsum(dtype=np.float64)
    at = min(int(np.searchsorted(inside, target - before, side="right")), len(inside) - 1)
    while weights[starts[block] + at] == 0:  # Rounding may pass the last that has any weight.
        at -= 1
    return int(starts[block]) + at


def _within(name: str, value: float, least: float, most: float) -> None:
    if not (least <= value <= most and math.isfinite(value)):
        top = "finite" if most == math.inf else f"at most {most:g}"
        low = "" if least == -math.inf else f"at least {least:g} and "
        raise ConfigError(f"{name} must be {low}{top}, got {value}")
