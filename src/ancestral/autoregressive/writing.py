"""Text from a language model and its tokenizer: a prompt and how to go on, as words."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Self

from ancestral.autoregressive.decoding import (
    Choice,
    Constraint,
    Decoding,
    StopStrings,
    beam_search,
    collect,
    contrastive_search,
    generate,
    row_generators,
)
from ancestral.autoregressive.decoding.beam import Beam
from ancestral.autoregressive.decoding.constrained import Grammar
from ancestral.autoregressive.decoding.speculative import NGramLookup, speculate
from ancestral.capabilities import LanguageModel
from ancestral.data.files import reason, shown
from ancestral.data.text import Tokenizer
from ancestral.errors import ConfigError
from ancestral.settings import at_least

_BEAMS = 1_000  # More of them are no search any longer, and each is a row of the model.


@dataclass(frozen=True, slots=True, kw_only=True)
class Writing:
    """What is to be written.

    Args:
        prompt: What the text begins with; empty for a text from its beginning.
        n: Number of texts, at least 1.
        max_tokens: Most tokens of each, at least 1.
        decoding: How tokens are chosen; the book's by default.
        stop: Strings before which a text ends.
        regex: A regular expression that what is generated matches.
        schema: A JSON schema that what is generated fits.
        beams: Beams of a beam search in place of draws, at most 1,000; 0 for none.
        contrastive: alpha of contrastive search in place of draws, in (0, 1]; 0 for none.
        draft: Another run of the same tokenizer whose guesses are checked in one pass, or
            ``ngram``: what followed the last tokens before.
        seed: Of the draws.

    Raises:
        ConfigError: If a value is out of its range, or two of them exclude each other.
    """

    prompt: str = ""
    n: int = 1
    max_tokens: int = 256
    decoding: Decoding = field(default_factory=Decoding)
    stop: tuple[str, ...] = ()
    regex: str | None = None
    schema: Mapping[str, Any] | None = None
    beams: int = 0
    contrastive: float = 0.0
    draft: str | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        at_least(self, n=1, max_tokens=1)
        if not 0 <= self.beams <= _BEAMS:
            raise ConfigError(f"beams must lie in [0, {_BEAMS:,}], got {self.beams:,}")
        if not 0 <= self.contrastive <= 1:
            raise ConfigError(f"contrastive must lie in [0, 1], got {self.contrastive}")
        ways = {"beams": self.beams, "contrastive": self.contrastive, "draft": self.draft}
        chosen = [name for name, value in ways.items() if value]
        held = [name for name in ("regex", "schema") if getattr(self, name) is not None]
        searches = [name for name in chosen if name != "draft"]  # A draft draws as without one.
        if len(chosen) > 1 or len(held) > 1 or (searches and held):
            raise ConfigError(f"{' and '.join(chosen + held)} exclude each other: give one")
        if 0 < self.beams < self.n:
            raise ConfigError(f"n must be at most beams = {self.beams}, got {self.n}")

    @classmethod
    def of(cls, options: Mapping[str, Any], *, n: int, seed: int) -> Self:
        """Return what the options of ``ancestral sample`` say, those that were given.

        Raises:
            ConfigError: If a value is out of its range.
        """
        chosen = {name: value for name, value in options.items() if name != "int8"}
        names = [each.name for each in fields(Decoding) if each.name in chosen]
        decoding = {name: chosen.pop(name) for name in names}
        if "top_k" in decoding:
            decoding["top_k"] = decoding["top_k"] or None
        chosen["stop"] = tuple(chosen.get("stop", ()))
        if "schema" in chosen:
            chosen["schema"] = read_schema(chosen["schema"])
        return cls(decoding=Decoding().but(**decoding), n=n, seed=seed, **chosen)


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """One text.

    Args:
        text: Prompt and continuation.
        continuation: What was generated, without special tokens.
        tokens: Ids of what was generated.
        log_prob: Of what was generated under the model, nats.
        reason: ``stop`` or ``length``.
    """

    text: str
    continuation: str
    tokens: tuple[int, ...]
    log_prob: float
    reason: str

    def to_json(self) -> dict[str, Any]:
        """Return the object that ``sample --json`` prints."""
        return {
            "text": self.text,
            "continuation": self.continuation,
            "tokens": len(self.tokens),
            "log_prob": self.log_prob,
            "reason": self.reason,
        }


@dataclass(frozen=True, slots=True)
class Writer:
    """A language model that writes text.

    Args:
        model: Predicts the next token.
        tokenizer: Of the model.
        load: Opens another one by its name, for a draft.
    """

    model: LanguageModel
    tokenizer: Tokenizer
    load: Callable[[str], "Writer"]

    def prompt(self, text: str) -> list[int]:
        """Return the ids of a prompt, BOS first.

        Raises:
            ConfigError: If every word of it is unknown, or it is longer than the window.
        """
        ids, window = self.read(text), self.model.window
        if window is not None and len(ids) > window:
            raise ConfigError(
                f"the prompt must be at most {window - 1} tokens, the window of the model, "
                f"got {len(ids) - 1}"
            )
        return ids

    def read(self, text: str) -> list[int]:
        """Return the ids of a prompt of any length, BOS first.

        Raises:
            ConfigError: If every word of it is unknown.
        """
        special, ids = self.tokenizer.special, self.tokenizer.encode(text)
        words = [i for i in ids if not self.tokenizer.token(i).isspace()]
        if words and all(i == special.unk for i in words):
            raise ConfigError(f"every word of the prompt is unknown to this run, got {text!r}")
        return [special.bos, *ids]

    def write(self, what: Writing) -> list[Written]:
        """Write texts.

        Raises:
            ConfigError: If the prompt or a setting does not fit the run.
        """
        if what.beams:
            return self._by_beams(what)
        drawn = collect(self.steps(what))
        return [
            self._written(what, text.tokens, sum(text.log_probs), text.reason or "length")
            for text in drawn
        ]

    def stream(self, what: Writing) -> Iterator[str]:
        """Yield the pieces of one text as it is made, its prompt first and a line's end last."""
        stream, prompt = self.tokenizer.stream(), what.prompt
        for choices in self.steps(what):
            yield prompt + stream.feed([choice.token for choice in choices])
            prompt = ""
        yield stream.finish() + "\n"

    def steps(self, what: Writing) -> Iterator[Sequence[Choice]]:
        """Yield the choices of each step; see :func:`ancestral.autoregressive.generate`."""
        prompt = self.prompt(what.prompt)
        decoding = what.decoding.but(exempt=(*what.decoding.exempt, *self.blanks()))
        stop = StopStrings(what.stop, self.tokenizer.decode) if what.stop else None
        if what.contrastive:
            return contrastive_search(
                self.model, prompt, alpha=what.contrastive, max_tokens=what.max_tokens, stop=stop
            )
        generators = row_generators(what.seed, what.n)
        constraint = self.constraint(regex=what.regex, schema=what.schema)
        if what.draft is not None:
            if what.n > 1:
                raise ConfigError(f"a draft helps one text at a time: n must be 1, got {what.n}")
            return speculate(
                self.model,
                prompt,
                decoding,
                self._draft(what.draft),
                max_tokens=what.max_tokens,
                generator=generators[0],
                stop=stop,
                constraint=constraint,
            )
        return generate(
            self.model,
            [prompt] * what.n,
            decoding,
            max_tokens=what.max_tokens,
            generators=generators,
            stop=stop,
            constraint=constraint,
        )

    def blanks(self) -> list[int]:
        """Return the tokens that are blanks: to repeat them is no fault."""
        if self.tokenizer.kind == "bpe":
            return []
        return [
            i for i in range(self.tokenizer.vocabulary - 4) if self.tokenizer.token(i).isspace()
        ]

    def constraint(
        self, *, regex: str | None = None, schema: Mapping[str, Any] | None = None
    ) -> Constraint | None:
        """Return what holds a text to a regular expression or a JSON schema, or None.

        Raises:
            ConfigError: If it cannot be read.
        """
        if regex is None and schema is None:
            return None
        size = self.tokenizer.vocabulary - 4
        pieces = [self.tokenizer.token_bytes(i) for i in range(size)] + [b""] * 4
        if regex is not None:
            return Grammar.regex(regex, pieces)
        return Grammar.json(schema or {}, pieces)

    def _by_beams(self, what: Writing) -> list[Written]:
        beam = Beam(beams=what.beams, max_tokens=what.max_tokens)
        found = beam_search(self.model, self.prompt(what.prompt), beam)
        return [
            self._written(what, one.tokens, one.log_prob, "stop" if one.ended else "length")
            for one in found[: what.n]
        ]

    def _written(
        self, what: Writing, tokens: Sequence[int], log_prob: float, reason: str
    ) -> Written:
        text = self.tokenizer.decode(tokens)
        if what.stop:
            text = StopStrings(what.stop, self.tokenizer.decode).cut(text)
        return Written(
            text=what.prompt + text,
            continuation=text,
            tokens=tuple(tokens),
            log_prob=log_prob,
            reason=reason,
        )

    def _draft(self, name: str) -> LanguageModel | NGramLookup:
        if name == "ngram":
            return NGramLookup()
        other = self.load(name)
        if other.tokenizer != self.tokenizer:
            raise ConfigError(f"draft must have the run's own tokenizer, {name} has another")
        return other.model


def read_schema(path: Path) -> dict[str, Any]:
    """Read a JSON schema.

    Raises:
        ConfigError: If it cannot be read.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"schema {shown(path)} cannot be read: {reason(error)}") from None
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{shown(path)} is no JSON schema: {reason(error)}") from None
    if not isinstance(found, dict):
        raise ConfigError(f"{shown(path)} is no JSON schema: it must be an object")
    return found
