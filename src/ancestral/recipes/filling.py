"""Text from a run that unmasks tokens: begun by a prompt, or filled into the blanks of a text."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import torch
from torch import Generator, Tensor

from ancestral.autoregressive.decoding import Decoding
from ancestral.capabilities import SpecialTokens
from ancestral.data.answers import Answer, texts_answer
from ancestral.data.text import Tokenizer
from ancestral.diffusion.masked import MaskedDiffusion
from ancestral.diffusion.unmasking import Unmasking, infill, write
from ancestral.errors import CapabilityError, ConfigError
from ancestral.networks.language import SAMPLED
from ancestral.recipes.runs import Run
from ancestral.recipes.sampling import Asked
from ancestral.settings import at_least
from ancestral.training.order import seed_of

_BLANK = re.compile(r"_{3,}(?:\[(\d+)\])?")
_USUAL = 8
_RULES = ("temperature", "top_k", "top_p", "min_p", "typical")
_OTHERS = ("prompt", "max_tokens", "infill", "blank")


@dataclass(frozen=True, slots=True, kw_only=True)
class Filling:
    """What is to be written by unmasking.

    Args:
        prompt: What the text begins with.
        infill: A text with blanks, ``___`` or ``___[20]``, the number being its tokens; None where
            a text goes on from its prompt.
        blank: Tokens of a blank without a number, at least 1.
        max_tokens: Most tokens after the prompt, at least 1.
        decoding: How tokens are chosen: by what of it looks at one token alone.

    Raises:
        ConfigError: If a value is out of its range, there is no blank, or what is asked is of
            models that write from left to right.
    """

    prompt: str = ""
    infill: str | None = None
    blank: int = _USUAL
    max_tokens: int = SAMPLED
    decoding: Decoding

    def __post_init__(self) -> None:
        at_least(self, blank=1, max_tokens=1)
        if self.infill is None:
            return
        if self.prompt:
            raise ConfigError("prompt and infill exclude each other: give one")
        sizes = [found[1] for found in _BLANK.finditer(self.infill)]
        if not sizes or any(size and int(size) < 1 for size in sizes):
            raise ConfigError(
                f"infill must have blanks, ___ or ___[TOKENS] of at least 1, got {self.infill!r}"
            )

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> "Filling":
        """Return what the options of ``ancestral sample`` say.

        Raises:
            ConfigError: If a value is out of its range.
            CapabilityError: If one is of models that write from left to right.
        """
        for name in options:
            if name not in (*_RULES, *_OTHERS):
                option = "--" + name.replace("_", "-")
                raise CapabilityError(f"{option} is of models that write from left to right")
        rules = {name: value for name, value in options.items() if name in _RULES}
        if "top_k" in rules:
            rules["top_k"] = rules["top_k"] or None
        # No token has tokens before it here that it could repeat.
        decoding = Decoding(repetition_penalty=1.0).but(**rules)
        return cls(decoding=decoding, **{n: v for n, v in options.items() if n in _OTHERS})


def draw_filled(run: Run, model: MaskedDiffusion, asked: Asked) -> Answer:
    """Return texts of a run that unmasks tokens.

    Raises:
        CapabilityError: If the model cannot do what is asked.
        ConfigError: If the text or a setting does not fit the run.
    """
    what, tokenizer = Filling.of(asked.writing), run.tokenizer()
    settings: Any = run.recipe.sampled_with(run.record.sampling, asked.settings)
    n = 1 if asked.n is None else asked.n
    if n < 1:
        raise ConfigError(f"n must be at least 1, got {n}")
    decoding = what.decoding.but(forbidden=(model.special.bos, model.special.unk))
    how = Unmasking(
        **{each.name: getattr(settings, each.name) for each in fields(settings)},
        rules=lambda logits: decoding.apply(logits, []),
    )
    generator = Generator(asked.device).manual_seed(seed_of(asked.seed, "sample"))
    if what.infill is not None:
        blanks = Blanks.of(what.infill, tokenizer, mask=model.mask, usual=what.blank)
        blanks.check(model.window)
        barred = blanks.barred(tokenizer)
        drawn = infill(model, blanks.tokens, n, how, barred=barred, generator=generator)
        rows = [blanks.row(one, tokenizer) for one in drawn.cpu()]
    else:
        prompt = _prompt(what.prompt, tokenizer, model.window)
        length = min(len(prompt) + what.max_tokens, model.window + 1)
        drawn = write(model, prompt, n, how, length=length, generator=generator)
        rows = [_row(what.prompt, one[len(prompt) :], tokenizer) for one in drawn.cpu()]
    return texts_answer(lambda: rows, {"n": n})


@dataclass(frozen=True, slots=True)
class Blanks:
    """A text with blanks.

    Args:
        given: What stands before the first blank, between blanks, and after the last.
        tokens: Ids from BOS on, the id of the mask in the blanks, int64 [S].
        spans: First place of each blank, and the one after its last.
        spaced: Of each blank, whether the space before it was left to the blank.
    """

    given: tuple[str, ...]
    tokens: Tensor
    spans: tuple[tuple[int, int], ...]
    spaced: tuple[bool, ...]

    @classmethod
    def of(cls, text: str, tokenizer: Tokenizer, *, mask: int, usual: int) -> "Blanks":
        """Read a text with blanks.

        Pieces of bytes begin with the space before a word: what is drawn brings its own, and the
        one that is given takes its place.

        Args:
            text: With blanks ``___`` or ``___[20]``.
            tokenizer: Of the model.
            mask: Id of a token that is to be drawn.
            usual: Tokens of a blank without a number.
        """
        given, ids = tuple(_BLANK.split(text)[::2]), [tokenizer.special.bos]
        sizes = [int(found[1] or usual) for found in _BLANK.finditer(text)]
        spans, spaced = [], []
        for part, size in zip(given, [*sizes, 0], strict=True):
            spaced.append(tokenizer.kind == "bpe" and part.endswith(" ") and size > 0)
            ids += tokenizer.encode(part.removesuffix(" ") if spaced[-1] else part)
            spans.append((len(ids), len(ids) + size))
            ids += [mask] * size
        return cls(given, torch.tensor(ids), tuple(spans[:-1]), tuple(spaced[:-1]))

    def check(self, window: int) -> None:
        """Refuse a text that is longer than the window of the model.

        Raises:
            ConfigError: If it is.
        """
        if len(self.tokens) - 1 > window:
            raise ConfigError(
                f"infill must be at most {window} tokens with its blanks, the window of the model, "
                f"got {len(self.tokens) - 1}"
            )

    def barred(self, tokenizer: Tokenizer) -> Tensor:
        """Return which tokens are drawn at none of the places, bool [S, V].

        They are the special ones, and those without the space that was left to a blank at its
        begin.
        """
        vocabulary, special = tokenizer.vocabulary, list(tokenizer.special)
        found = torch.zeros(len(self.tokens), vocabulary, dtype=torch.bool)
        found[:, special] = True
        pieces = [tokenizer.token_bytes(i) for i in range(vocabulary - len(special))]
        bare = torch.tensor([i for i, piece in enumerate(pieces) if not piece.startswith(b" ")])
        for (first, _), spaced in zip(self.spans, self.spaced, strict=True):
            if spaced:
                found[first, bare] = True
        return found

    def row(self, tokens: Tensor, tokenizer: Tokenizer) -> dict[str, Any]:
        """Return one filled text, what was given as it was, as ``sample --json`` prints it."""
        text, filled = self.given[0], []
        for (first, end), spaced, part in zip(self.spans, self.spaced, self.given[1:], strict=True):
            words = tokenizer.decode(tokens[first:end].tolist())
            filled.append(words.removeprefix(" ") if spaced else words)
            text += filled[-1] + part
        return {"text": text, "filled": filled, "tokens": sum(e - f for f, e in self.spans)}


def _prompt(text: str, tokenizer: Tokenizer, window: int) -> Tensor:
    ids = [tokenizer.special.bos, *tokenizer.encode(text)]
    if len(ids) > window:
        raise ConfigError(
            f"the prompt must be at most {window - 1} tokens, the window of the model, "
            f"got {len(ids) - 1}"
        )
    return torch.tensor(ids)


def _row(prompt: str, tokens: Tensor, tokenizer: Tokenizer) -> dict[str, Any]:
    special: SpecialTokens = tokenizer.special
    ends = [place for place, token in enumerate(tokens.tolist()) if token in special.ends]
    made: Sequence[int] = tokens[: ends[0]].tolist() if ends else tokens.tolist()
    words = tokenizer.decode(made)
    return {
        "text": prompt + words,
        "continuation": words,
        "tokens": len(made),
        "reason": "stop" if ends else "length",
    }
