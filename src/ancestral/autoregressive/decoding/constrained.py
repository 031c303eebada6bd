"""Text that matches a regular expression, or JSON that fits a schema: a mask at each token."""

import json
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor

from ancestral.capabilities import SpecialTokens
from ancestral.errors import ConfigError

_NO_TOKEN = "NoExtensionBias"  # So llguidance calls an empty mask where the text may not end.
_UNSPELT = "it asks for characters that no token of the vocabulary spells"


class Grammar:
    """Holds what is generated to a grammar, by the library ``llguidance``.

    Made by :meth:`regex` or :meth:`json`; give it to ``generate(..., constraint=)``. It composes
    with every rule: its mask comes first.

    Example:
        >>> pieces = [b"a", b"b", b"ab", b"", b"", b"", b""]
        >>> grammar = Grammar.regex("[ab]b?", pieces)
        >>> grammar.allowed().nonzero().flatten().tolist()
        [0, 1, 2]
        >>> grammar.accept(0)
        >>> grammar.allowed().nonzero().flatten().tolist()  # Or EOS: the text may end here.
        [1, 4]
    """

    def __init__(self, matcher: Any, vocabulary: int) -> None:  # noqa: ANN401 (llguidance's own)
        self._matcher, self._vocabulary = matcher, vocabulary

    @classmethod
    def regex(cls, pattern: str, pieces: Sequence[bytes]) -> Self:
        """Return what matches a regular expression as a whole (Rust's syntax, no look-around).

        ``pieces`` are the bytes of each token, the four special ones last. Raises ConfigError if
        the expression cannot be read, or llguidance is missing.
        """
        guidance = _library()
        return cls._made(lambda: guidance.LLMatcher.grammar_from_regex(pattern), pieces)

    @classmethod
    def json(cls, schema: Mapping[str, Any], pieces: Sequence[bytes]) -> Self:
        """Return the JSON texts that fit a schema; the rest is as in :meth:`regex`."""
        guidance = _library()
        text = json.dumps(dict(schema))
        return cls._made(lambda: guidance.LLMatcher.grammar_from_json_schema(text), pieces)

    def fresh(self) -> Self:
        """Return a constraint for a row of its own, at the beginning."""
        matcher = self._matcher.deep_copy()
        matcher.reset()
        return type(self)(matcher, self._vocabulary)

    def copy(self) -> Self:
        """Return a constraint that stands where this one stands, and goes on by itself."""
        return type(self)(self._matcher.deep_copy(), self._vocabulary)

    def allowed(self) -> Tensor:
        """Return which tokens may come next, bool [V]; EOS where the text may end.

        Raises ConfigError if the grammar is too large to be followed, or asks for what no token
        spells.
        """
        bits = np.frombuffer(self._matcher.compute_bitmask(), dtype=np.uint8)
        if self._matcher.is_error():
            error = self._matcher.get_error()
            reason = _UNSPELT if _NO_TOKEN in error else _telling_line(error)
            raise ConfigError(f"the grammar cannot be followed: {reason}")
        mask = np.unpackbits(bits, bitorder="little")[: self._vocabulary].astype(np.bool_)
        if mask.sum() == 1 and not self._may_come(int(mask.argmax())):
            raise ConfigError(f"the grammar cannot be followed: {_UNSPELT}")
        special = SpecialTokens.of(self._vocabulary)
        ends = self._matcher.is_accepting() or self._matcher.is_stopped() or not mask.any()
        mask[[*special]] = False
        mask[special.eos] = ends
        return torch.from_numpy(mask)

    def _may_come(self, token: int) -> bool:
        """Check the one token of a mask: of forced text llguidance skips what no token spells."""
        special = SpecialTokens.of(self._vocabulary)
        return token in special or self._matcher.validate_tokens([token]) == 1

    def accept(self, token: int) -> None:
        """Go on by a token that was allowed."""
        if token != SpecialTokens.of(self._vocabulary).eos:
            self._matcher.consume_token(token)

    @classmethod
    def _made(cls, grammar: Callable[[], str], pieces: Sequence[bytes]) -> Self:
        guidance = _library()
        try:
            made = grammar()
            matcher = guidance.LLMatcher(_tokenizer(tuple(pieces)), made, log_level=0)
        except ValueError as error:
            raise ConfigError(f"the grammar cannot be read: {_telling_line(error)}") from error
        if matcher.is_error():
            raise ConfigError(f"the grammar cannot be read: {_telling_line(matcher.get_error())}")
        return cls(matcher, len(pieces))


class _Pieces:
    """What llguidance asks of a tokenizer."""

    def __init__(self, pieces: Sequence[bytes]) -> None:
        special = SpecialTokens.of(len(pieces))
        self.eos_token_id, self.bos_token_id = special.eos, special.bos
        self.special_token_ids = [*special]
        self.tokens = [
            f"<{name}>".encode() if (name := names.get(number)) else bytes(piece)
            for names in [{token: name for name, token in special._asdict().items()}]
            for number, piece in enumerate(pieces)
        ]
        self._ids: dict[bytes, int] = {}
        for number, piece in enumerate(pieces[:-4]):
            self._ids.setdefault(bytes(piece), number)
        self._longest = max(map(len, self._ids), default=1)

    def __call__(self, text: bytes | str) -> list[int]:
        """Cut text into the longest tokens from left to right; what no token spells is left out."""
        rest = text.encode() if isinstance(text, str) else text
        found: list[int] = []
        while rest:
            sizes = range(min(self._longest, len(rest)), 0, -1)
            size = next((size for size in sizes if rest[:size] in self._ids), 0)
            if size:
                found.append(self._ids[rest[:size]])
            rest = rest[max(size, 1) :]
        return found


@lru_cache(maxsize=2)  # To read a vocabulary takes far longer than to read a grammar.
def _tokenizer(pieces: tuple[bytes, ...]) -> Any:  # noqa: ANN401 (llguidance's own)
    guidance = _library()
    return guidance.LLTokenizer(guidance.TokenizerWrapper(_Pieces(pieces)))


def _library() -> Any:  # noqa: ANN401 (a module without types)
    try:
        import llguidance
    except ImportError as error:
        raise ConfigError("a grammar needs llguidance: pip install llguidance") from error
    return llguidance


def _telling_line(error: object) -> str:
    """Return the first line of an error, and what the parser of regular expressions says."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    said = [line.removeprefix("error: ") for line in lines if line.startswith("error: ")]
    return " ".join((lines[0], *said))
