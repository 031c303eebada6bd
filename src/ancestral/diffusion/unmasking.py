"""Blocks of tokens are unmasked in a few steps: in a random order, or the surest tokens first."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import torch
from torch import Generator, Tensor

if TYPE_CHECKING:
    from ancestral.diffusion.masked import MaskedDiffusion


@dataclass(frozen=True, slots=True, kw_only=True)
class Unmasking:
    """How the masked tokens of a block are drawn.

    Args:
        steps: Passes of the network for each block; one for each token if None, which is the
            model's own law. With fewer, the tokens of a step are drawn independently.
        sampler: ``ancestral``: which tokens a step draws is left to chance; ``confidence``: those
            whose drawn token is the most probable.
        rules: New logits from logits [N, V], before the draw: temperature, top-p and the like.

    Raises:
        ValueError: If ``steps`` is below 1, or the sampler unknown.

    Source: Sahoo et al. 2024, arXiv:2406.07524, sec. 3.2.1 (ancestral); Chang et al. 2022, MaskGIT,
    arXiv:2202.04200, sec. 3.2 (confidence).

    Example:
        >>> Unmasking(steps=2).sampler
        'ancestral'
    """

    steps: int | None = None
    sampler: Literal["ancestral", "confidence"] = "ancestral"
    rules: Callable[[Tensor], Tensor] | None = None

    def __post_init__(self) -> None:
        if self.steps is not None and self.steps < 1:
            raise ValueError(f"steps must be at least 1, got {self.steps}")
        if self.sampler not in ("ancestral", "confidence"):
            raise ValueError(f"sampler must be ancestral or confidence, got {self.sampler!r}")

    def draw(self, logits: Tensor, generator: Generator | None) -> tuple[Tensor, Tensor]:
        """Return a token for each of the logits [N, V], int64 [N], and log p of it, [N].

        The probability is the network's own: under rules that leave one token all were sure.
        """
        kept = logits
        if self.rules is not None:
            kept = self.rules(logits.float().cpu()).to(logits.device)
        tokens = torch.multinomial(kept.softmax(-1), 1, generator=generator)
        return tokens[:, 0], logits.log_softmax(-1).gather(1, tokens)[:, 0]


@torch.no_grad()
def write(
    model: "MaskedDiffusion",
    prompt: Tensor,
    n: int,
    how: Unmasking,
    *,
    length: int,
    generator: Generator | None = None,
) -> Tensor:
    """Return n texts that go on from a prompt, block after block; PAD follows their end.

    Args:
        model: In evaluation mode.
        prompt: Ids from BOS on, int64 [P].
        n: Number of texts.
        how: Blocks are unmasked.
        length: Most tokens, the prompt included, at most T + 1.
        generator: Of the draws.

    Returns:
        int64 [n, ``length``].

    Raises:
        ValueError: If the prompt does not fit into the length.
    """
    held, special = len(prompt), model.special
    if not 1 <= held < length <= model.window + 1:
        raise ValueError(f"a prompt of {held} tokens must be below {length}, the most tokens")
    sheet = _Sheet(model, n, length, how, generator)
    last = sheet.put(prompt, 0, 1)
    for first in range(1, length, model.block):
        end = min(first + model.block, length)
        if end <= held:
            last = sheet.put(prompt, first, end)
            continue
        known = max(held - first, 0)
        sheet.canvas[:, first : first + known] = prompt[first:held]
        sizes = sheet.sizes(last, known).clamp(max=end - first)
        at = torch.arange(end - first, device=sizes.device)
        sheet.fill(first, end, (at >= known) & (at < sizes[:, None]), sizes)
        block = sheet.canvas[:, first:end]  # A view: what is written there is written.
        ends = (block == special.eos) | (block == special.pad)
        block[(ends.cumsum(1) - ends.long() > 0) | (block == model.mask)] = special.pad
        over = (sheet.canvas[:, first - 1] == special.eos) | (
            sheet.canvas[:, first - 1] == special.pad
        )
        block[over] = special.pad
        if bool(((block[:, -1] == special.eos) | (block[:, -1] == special.pad)).all()):
            sheet.canvas[:, end:] = special.pad
            break
        last = sheet.read(first, end)
    return sheet.canvas[:, :length]


@torch.no_grad()
def infill(
    model: "MaskedDiffusion",
    tokens: Tensor,
    n: int,
    how: Unmasking,
    *,
    barred: Tensor | None = None,
    generator: Generator | None = None,
) -> Tensor:
    """Return n texts in which what is masked is drawn, given all else on both sides.

    The blocks without blanks are read first, those with blanks are then filled from left to right.

    Args:
        model: In evaluation mode.
        tokens: Ids from BOS on, ``model.mask`` where a token is to be drawn, int64 [S].
        n: Number of texts.
        how: Blocks are unmasked.
        barred: Which tokens are drawn at none of the places, bool [S, V]; any may be if None.
        generator: Of the draws.

    Returns:
        int64 [n, S]; what was given is as it was.

    Raises:
        ValueError: If there are more than T + 1 tokens.
    """
    length, block = len(tokens), model.block
    if not 1 <= length <= model.window + 1:
        raise ValueError(f"at most {model.window + 1} tokens fit into the window, got {length}")
    sheet, blank = _Sheet(model, n, length, how, generator), tokens == model.mask
    sheet.barred = barred
    spans = [(0, 1), *((at, min(at + block, length)) for at in range(1, length, block))]
    blanks = [bool(blank[first:end].any()) for first, end in spans]
    for span, has in zip(spans, blanks, strict=True):
        if not has:
            sheet.put(tokens, *span)
    for (first, end), has in zip(spans, blanks, strict=True):
        if has:
            sheet.canvas[:, first:end] = tokens[first:end]
            sheet.fill(first, end, blank[first:end].expand(n, -1))
            sheet.read(first, end)
    return sheet.canvas[:, :length]


class _Sheet:
    """Texts that are being made: what is known of each, and what the network has read of them."""

    def __init__(
        self,
        model: "MaskedDiffusion",
        n: int,
        length: int,
        how: Unmasking,
        generator: Generator | None,
    ) -> None:
        self.model, self.how, self.generator = model, how, generator
        self.barred: Tensor | None = None
        device = model.tokens.weight.device
        # Behind the last token stands what never will be known.
        self.canvas = torch.full((n, length + 1), model.mask, dtype=torch.int64, device=device)
        self.state = model.start(n, length=length)

    def put(self, tokens: Tensor, first: int, end: int) -> Tensor:
        """Write known tokens into a span and read it; return the features of its last token."""
        self.canvas[:, first:end] = tokens[first:end]
        return self.read(first, end)

    def read(self, first: int, end: int) -> Tensor:
        """Read a span that is whole; return the features of its last token, [n, D]."""
        return self.model.read(self.canvas, (first, end), self.state)[:, -1]

    def sizes(self, before: Tensor, known: int) -> Tensor:
        """Draw how many tokens the next block has, of which some are known, int64 [n]."""
        least = torch.full((len(before),), known, device=before.device)
        chances = self.model.size_logits(before, known=least).softmax(-1)
        return 1 + torch.multinomial(chances, 1, generator=self.generator)[:, 0]

    def fill(self, first: int, end: int, blank: Tensor, sizes: Tensor | None = None) -> None:
        """Draw the blank tokens [n, S] of a span, of which each row has so many."""
        block, how = self.canvas[:, first:end], self.how  # A view.
        most = int(blank.sum(1).max())
        steps = most if how.steps is None else min(how.steps, most)
        for step in range(steps):
            features = self.model.read(
                self.canvas, (first, end), self.state, sizes=sizes, keep=False
            )
            left = blank & (block == self.model.mask)
            due = (left.sum(1) / (steps - step)).ceil()
            if how.sampler == "ancestral":
                score = torch.rand(left.shape, generator=self.generator, device=left.device)
                left = _highest(score, left, due)
            logits = self.model.head(features[left])
            if self.barred is not None:
                places = first + left.nonzero()[:, 1]
                logits = logits.masked_fill(self.barred.to(logits.device)[places], -torch.inf)
            tokens, sure = how.draw(logits, self.generator)
            drawn, score = block.clone(), torch.zeros(left.shape, device=left.device)
            drawn[left], score[left] = tokens, sure.to(score)
            left = _highest(score, left, due)
            block[left] = drawn[left]


def _highest(score: Tensor, among: Tensor, count: Tensor) -> Tensor:
    """Return which are the ``count`` [B] highest scores [B, S] of those of each row."""
    order = score.masked_fill(~among, -torch.inf).argsort(dim=1, descending=True, stable=True)
    return (order.argsort(1) < count[:, None]) & among
