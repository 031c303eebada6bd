"""Tokenizers: words, characters or pieces of bytes, and the way back to text."""

import codecs
import json
from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self, TypeAlias, cast, get_args

from ancestral.capabilities import SpecialTokens
from ancestral.data.files import atomic, reason, shown
from ancestral.errors import DataError

if TYPE_CHECKING:
    from tokenizers import Tokenizer as Library

TokenizerKind: TypeAlias = Literal["bpe", "word", "character"]

SPECIAL_NAMES = ("<BOS>", "<EOS>", "<UNK>", "<PAD>")
"""Names of the special tokens, in the order of their ids."""

WORD = r"\p{Nd}|[^\p{L}\p{N}_\s]|[\p{L}\p{N}_]+|\s"
r"""The book's ``\d|[^\w\s]|\w+|\s``, in classes that mean the same to Rust as to Python."""

_ALL = 2**31 - 1
_LONG = 10_000  # Characters that take about a millisecond to encode, or more.
_OFTEN = 5  # A piece of bytes that stands more rarely in the training text teaches nothing.
_SPLIT = {"word": WORD, "character": r"[\s\S]"}


class Tokenizer:
    """Text to token ids and back; a :class:`tokenizers.Tokenizer` with checked special tokens.

    The last four ids are BOS, EOS, UNK and PAD; no text encodes to the first two or the last, also
    where it spells ``<BOS>``. ``word`` is the book's: digits that lead a run stand alone, every
    mark and blank is a token, words decode without a separator; what training did not see is UNK.
    ``character`` takes code points. ``bpe`` joins pieces of bytes, knows every text and is the
    one without UNK. The text is kept as it is: nothing is normalised.

    Source: Sennrich et al. 2016, Neural machine translation of rare words with subword units,
    arXiv:1508.07909 (BPE); Radford et al. 2019 (bytes).

    Args:
        library: As ``train`` and ``load`` make it; the special tokens are its last four.

    Raises:
        DataError: If it is none of the three kinds, or its last tokens are others.

    Example:
        >>> tokenizer = Tokenizer.train(["a b c d"], kind="word")
        >>> tokenizer.encode("a b c d e")
        [1, 0, 2, 0, 3, 0, 4, 0, 7]
        >>> tokenizer.decode([1, 0, 7], skip_special=False), tokenizer.special.pad
        ('a <UNK>', 8)
    """

    def __init__(self, library: "Library") -> None:
        self._library = library
        # Not part of the library's own format: text never spells a special token.
        library.encode_special_tokens = True
        self.vocabulary: int = library.get_vocab_size()
        self.special = SpecialTokens.of(self.vocabulary)
        names = tuple(library.id_to_token(index) for index in self.special if index >= 0)
        if names != SPECIAL_NAMES:
            raise DataError(
                f"the last tokens of a tokenizer must be {', '.join(SPECIAL_NAMES)}, got {names}"
            )
        self.kind: TokenizerKind = _kind(json.loads(library.to_str()))

    @classmethod
    def train(
        cls, texts: Iterable[str], *, kind: TokenizerKind = "bpe", pieces: int = 4096
    ) -> Self:
        """Learn a vocabulary; equal texts in equal order give an equal tokenizer.

        Args:
            texts: Documents, read once.
            kind: ``word`` and ``character`` keep every distinct token, sorted by code points.
            pieces: Most tokens of ``bpe``, the 256 bytes and 4 special ones included.

        Raises:
            DataError: If ``tokenizers`` is not installed.
            ValueError: If the kind is unknown or pieces is below 261.

        Example:
            >>> Tokenizer.train(["tres tristes tigres"], kind="character").vocabulary
            11
        """
        if kind not in get_args(TokenizerKind):
            raise ValueError(f"kind must be bpe, word or character, got {kind!r}")
        if pieces < 261:
            raise ValueError(f"pieces must be at least 261, got {pieces}")
        library = _learn_pieces(texts, pieces) if kind == "bpe" else _learn_words(texts, kind)
        added = _import().AddedToken
        library.add_special_tokens(
            [added(name, special=True, normalized=False) for name in SPECIAL_NAMES]
        )
        return cls(library)

    def __len__(self) -> int:
        return self.vocabulary

    def __repr__(self) -> str:
        return f"Tokenizer(kind={self.kind!r}, vocabulary={self.vocabulary})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Tokenizer) and self.to_json() == other.to_json()

    def __hash__(self) -> int:
        return hash(self.to_json())

    def __getstate__(self) -> str:
        return self.to_json()

    def __setstate__(self, state: str) -> None:
        self.__init__(_import().Tokenizer.from_str(state))

    @property
    def library(self) -> "Library":
        """Return the tokenizer of the ``tokenizers`` library, for export."""
        return self._library

    def encode(self, text: str) -> list[int]:
        """Return the ids of a text, without BOS and EOS.

        Raises:
            ValueError: If the text holds a lone surrogate, which is no character.
        """
        if len(text) > _LONG:  # Only in batches does the library let other threads go on.
            return self.encode_batch([text])[0]
        return self._library.encode(_clean(text), add_special_tokens=False).ids

    def encode_batch(self, texts: Sequence[str]) -> list[list[int]]:
        """Return the ids of each text; on all cores."""
        found = self._library.encode_batch_fast(
            [_clean(text) for text in texts], add_special_tokens=False
        )
        return [encoding.ids for encoding in found]

    def offsets(self, text: str) -> list[tuple[int, int]]:
        """Return the first character of each token and the one after its last.

        Tokens that are parts of one character all name that character.
        """
        return self._library.encode(_clean(text), add_special_tokens=False).offsets

    def decode(self, ids: Iterable[int], *, skip_special: bool = True) -> str:
        """Return the text of the ids; bytes that are not UTF-8 become U+FFFD.

        Args:
            ids: In [0, V).
            skip_special: Leave special tokens out; else they are spelled, as ``<UNK>``.

        Raises:
            ValueError: If an id is outside [0, V).
        """
        table = self._bytes if skip_special else self._spelled
        return b"".join([table[self._known(index)] for index in ids]).decode("utf-8", "replace")

    def token(self, index: int) -> str:
        """Return a token as people read it; bytes that are no text become U+FFFD.

        Raises:
            ValueError: If the id is outside [0, V).
        """
        return self._spelled[self._known(index)].decode("utf-8", "replace")

    def token_bytes(self, index: int) -> bytes:
        """Return the bytes that a token adds to a text; none for special tokens.

        Raises:
            ValueError: If the id is outside [0, V).
        """
        return self._bytes[self._known(index)]

    def stream(self, *, skip_special: bool = True) -> "Stream":
        """Return a decoder that is fed one token after the other."""
        return Stream(self, skip_special=skip_special)

    def to_json(self) -> str:
        """Return the tokenizer in the format of the ``tokenizers`` library, its ``tokenizer.json``.

        It keeps no word of it that special tokens spelled in a text stay text: tell
        ``transformers`` so by ``split_special_tokens=True``.
        """
        return self._library.to_str()

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Return the tokenizer that ``to_json`` wrote.

        Raises:
            DataError: If the text is not one, or ``tokenizers`` is not installed.
        """
        library = _import().Tokenizer
        try:
            found = library.from_str(text)
        except Exception as error:  # The library raises nothing narrower.
            raise DataError(f"not a tokenizer: {reason(error)}") from error
        return cls(found)

    def save(self, path: Path | str) -> None:
        """Write ``tokenizer.json``.

        Raises:
            RunError: If the file cannot be written.
        """
        with atomic(Path(path)) as draft:
            draft.write_text(self.to_json(), "utf-8")

    @classmethod
    def load(cls, path: Path | str) -> Self:
        """Read what ``save`` wrote.

        Raises:
            DataError: If the file cannot be read, or holds no such tokenizer.
        """
        try:
            return cls.from_json(Path(path).read_text("utf-8"))
        except (OSError, UnicodeDecodeError, DataError) as error:
            raise DataError(f"{shown(path)}: {reason(error)}") from error

    def _known(self, index: int) -> int:
        if not 0 <= index < self.vocabulary:
            raise ValueError(f"ids must be in [0, {self.vocabulary}), got {index}")
        return int(index)

    @cached_property
    def _spelled(self) -> list[bytes]:
        names = [self._library.id_to_token(index) or "" for index in range(self.vocabulary)]
        if self.kind == "bpe":
            byte = _byte_letters()
            pieces = [bytes([byte[letter] for letter in name]) for name in names[:-4]]
        else:
            pieces = [name.encode() for name in names[:-4]]
        return pieces + [name.encode() for name in SPECIAL_NAMES]

    @cached_property
    def _bytes(self) -> list[bytes]:
        return [*self._spelled[:-4], b"", b"", b"", b""]


class Stream:
    """Text of tokens as they come; a character is held back until all of its bytes are there.

    What is fed and what ``finish`` returns add up to ``decode`` of all ids.

    Args:
        tokenizer: Whose tokens they are.
        skip_special: As in ``decode``.

    Example:
        >>> tokenizer = Tokenizer.train(["uno"], pieces=261)
        >>> stream = Stream(tokenizer)
        >>> [stream.feed([index]) for index in tokenizer.encode("año")], stream.finish()
        (['a', '', 'ñ', 'o'], '')
    """

    def __init__(self, tokenizer: Tokenizer, *, skip_special: bool = True) -> None:
        self._tokenizer = tokenizer
        self._special = range(0) if skip_special else range(tokenizer.special.bos, len(tokenizer))
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def feed(self, ids: Iterable[int]) -> str:
        """Return the text that these ids complete.

        Raises:
            ValueError: If an id is outside [0, V).
        """
        found = self._tokenizer
        return self._decoder.decode(
            b"".join(
                [
                    found.token(index).encode()
                    if index in self._special
                    else found.token_bytes(index)
                    for index in ids
                ]
            )
        )

    def finish(self) -> str:
        """Return what was held back, U+FFFD where it is no character, and start over."""
        return self._decoder.decode(b"", final=True)


def library_version() -> str:
    """Return the version of ``tokenizers``: another one may train another vocabulary.

    Raises:
        DataError: If it is not installed.
    """
    return str(_import().__version__)


def _import() -> Any:  # noqa: ANN401 - the optional library itself
    try:
        import tokenizers  # Optional, and needed for text only.
    except ImportError as error:
        raise DataError("text needs the package tokenizers: pip install tokenizers") from error
    return tokenizers


def _learn_words(texts: Iterable[str], kind: str) -> "Library":
    """Keep every distinct token of the texts, sorted."""
    found = _words({}, kind)
    trainer = _import().trainers.WordLevelTrainer(
        vocab_size=_ALL, min_frequency=0, show_progress=False, special_tokens=[]
    )
    found.train_from_iterator(texts, trainer)
    # The model itself must hold UNK. No word and no character spells a special token.
    names = [*sorted(found.get_vocab()), *SPECIAL_NAMES]
    return _words({token: index for index, token in enumerate(names)}, kind)


def _words(vocabulary: dict[str, int], kind: str) -> "Library":
    t = _import()
    library = t.Tokenizer(t.models.WordLevel(vocabulary, unk_token="<UNK>"))
    library.pre_tokenizer = t.pre_tokenizers.Split(t.Regex(_SPLIT[kind]), "isolated")
    library.decoder = t.decoders.Fuse()
    return library


def _learn_pieces(texts: Iterable[str], pieces: int) -> "Library":
    t = _import()
    library = t.Tokenizer(t.models.BPE())
    library.pre_tokenizer = t.pre_tokenizers.ByteLevel(add_prefix_space=False)
    library.decoder = t.decoders.ByteLevel()
    trainer = t.trainers.BpeTrainer(
        vocab_size=pieces - len(SPECIAL_NAMES),
        initial_alphabet=sorted(t.pre_tokenizers.ByteLevel.alphabet()),
        min_frequency=_OFTEN,
        show_progress=False,
    )
    library.train_from_iterator(texts, trainer)
    return library


def _kind(content: dict[str, Any]) -> TokenizerKind:
    """Tell the kind by the library's own description."""
    splitter = content.get("pre_tokenizer") or {}
    pattern = (splitter.get("pattern") or {}).get("Regex")
    plain = content.get("normalizer") is None
    if plain and content["model"]["type"] == "BPE" and splitter.get("type") == "ByteLevel":
        return "bpe"
    for kind, known in _SPLIT.items():
        if plain and content["model"]["type"] == "WordLevel" and pattern == known:
            return cast(TokenizerKind, kind)
    raise DataError("the tokenizer must be of bytes, words or characters as made here")


def _byte_letters() -> dict[str, int]:
    """Return the byte that each letter of a byte-level vocabulary stands for (GPT-2's table)."""
    visible = [*range(33, 127), *range(161, 173), *range(174, 256)]
    hidden = [byte for byte in range(256) if byte not in set(visible)]
    letters = {chr(byte): byte for byte in visible}
    return letters | {chr(256 + index): byte for index, byte in enumerate(hidden)}


def _clean(text: str) -> str:
    """Refuse lone surrogates, of which the library says only that they are no text."""
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ValueError(
            f"text must hold no lone surrogate, got {text[error.start]!r} at {error.start}"
        ) from error
    return text
