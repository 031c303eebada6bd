"""What every source of data becomes: three splits in the user's own units."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, overload

from torch import Tensor

from ancestral.data.cache import take_rows
from ancestral.data.fields import Field, WithFields, X
from ancestral.errors import ConfigError, RunError
from ancestral.settings import at_least

if TYPE_CHECKING:
    from ancestral.data.stream import Stream
    from ancestral.data.text.corpus import Corpus

AskedUnit: TypeAlias = Literal["auto", "lines", "paragraphs", "files", "windows"]
"""What a document of a text is to be."""

Fresh: TypeAlias = Callable[[int, int], Tensor]
"""(n, seed) -> n new draws [n, *event] from the distribution itself."""


@dataclass(frozen=True, slots=True, eq=False)
class Examples:
    """Examples of one split, in the user's units.

    Args:
        x: Vectors: float64 [N, D]; images: uint8 [N, C, H, W]; tables: states, uint8 [N, D],
            int16 with -1 where a cell is missing;
            text: windows of token ids, int32 [N, T + 1], of which T are predicted.
        given: What else is known of each example, by the name of its field: labels int64 [N],
            images uint8 [N, C, H, W].

    Example:
        >>> import torch
        >>> examples = Examples(torch.zeros(5, 2), {"label": torch.arange(5)})
        >>> len(examples), examples[1:3].given["label"]
        (5, tensor([1, 2]))
    """

    x: Tensor
    given: Mapping[str, Tensor] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.x)

    @overload
    def __getitem__(self, index: str) -> Tensor: ...
    @overload
    def __getitem__(self, index: Tensor | slice) -> "Examples": ...
    def __getitem__(self, index: str | Tensor | slice) -> "Tensor | Examples":
        """Return a field by its name, or examples: by a slice, positions [M] or a mask [N].

        Of large data no copy is made in memory: they lie in the cache, in that order.
        """
        if isinstance(index, str):
            return self.x if index == X else self.given[index]
        given = {name: take_rows(value, index) for name, value in self.given.items()}
        return Examples(take_rows(self.x, index), given)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Dataset(WithFields):
    """Data split in three, with everything needed to load it again and to name its parts.

    Args:
        name: A source's name, or a file's stem.
        source: What the user wrote, a name or an absolute path.
        fields: What ``x`` is, and what the fields given of each example are, by name.
        train: The training split; the only one that transforms and models are fitted on.
        validation: Chooses the best weights.
        test: Seen by evaluation only.
        official_split: The test split is the source's own, whatever the seed.
        duplicates_removed: Examples dropped because an equal one stands in another split.
        fingerprint: SHA-256 of contents and splits, hexadecimal.
        notes: What was inferred or changed, one sentence each, to be said aloud.
        fresh: Draws new examples of a toy set, whose units are standardised; None for others.
        corpus: Text: the documents of the splits and their tokenizer; None for others.
        stream: Where the training examples are too many for one disk: all of them, chunk by chunk;
            ``train`` then holds some of them.
    """

    name: str
    source: str
    fields: Mapping[str, Field]
    train: Examples
    validation: Examples
    test: Examples
    official_split: bool = False
    duplicates_removed: int = 0
    fingerprint: str = ""
    notes: tuple[str, ...] = ()
    fresh: Fresh | None = None
    corpus: "Corpus | None" = None
    stream: "Stream | None" = None

    @property
    def training_examples(self) -> int:
        """How many examples are trained on."""
        return len(self.train) if self.stream is None else int(self.stream.sizes.sum())

    @property
    def text(self) -> "Corpus":
        """The documents of the splits and their tokenizer.

        Raises:
            ValueError: If the data are not text.
        """
        if self.corpus is None:
            raise ValueError(f"{self.name} holds no text")
        return self.corpus


def as_field(mine: Field, other: Field, x: Tensor, *, who: str, source: str) -> Tensor:
    """Return examples of one field as another has them: its numbers of states, labels and values.

    Args:
        mine: What is expected.
        other: What there is.
        x: The examples.
        who: Subject and verb of the message, such as "RUN models".
        source: Where the examples come from.

    Raises:
        RunError: If they are no examples of such a field.
        DataError: If they hold a state, a label or a value that ``mine`` does not.
    """
    if (words := mine.difference(other, x)) is not None:
        raise RunError(f"{who} {words[0]}, {source} {words[1]}")
    return mine.recode(x, other, source)


def adopt(data: Dataset, fields: Mapping[str, Field], *, who: str, source: str) -> Dataset:
    """Return a data set whose fields, as far as it has them, are those of ``fields``.

    Args:
        data: The data.
        fields: By name: states, labels and values are then numbered as in these.
        who: Subject and verb of the message, such as "RUN models".
        source: Where the data come from.

    Raises:
        RunError: If a field differs.
        DataError: If one holds a state, a label or a value that the other does not.
    """
    shared = {name: field for name, field in fields.items() if name in data.fields}

    def turned(examples: Examples) -> Examples:
        values = {X: examples.x, **examples.given}
        for name, mine in shared.items():
            theirs, x = data.fields[name], values[name]
            values[name] = as_field(mine, theirs, x, who=who, source=source)
        return Examples(values.pop(X), values)

    return replace(
        data,
        train=turned(data.train),
        validation=turned(data.validation),
        test=turned(data.test),
        fields={**data.fields, **shared},
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class TextLoading:
    """How text becomes tokens and windows.

    Args:
        tokenizer: ``bpe``: pieces of bytes, learned; ``word``: the book's; ``character``.
        pieces: Vocabulary of ``bpe``, the special tokens included, at least 260 + 1.
        window: Tokens that a window predicts, T, at least 2.
        batching: ``packed``: documents one after the other, nothing cut away; ``padded``: one
            document a window, cut or filled, as in the book.
        documents: What a document is: a line, a paragraph (between blank lines), a file, or a
            window of about 1,000 bytes; ``auto`` tells by the text.
        column: Of a table (csv, tsv, parquet, json, jsonl) the column of texts, each a document.

    Raises:
        ConfigError: If a value is outside its range.

    Example:
        >>> TextLoading(tokenizer="word").window
        256
    """

    tokenizer: Literal["bpe", "word", "character"] = "bpe"
    pieces: int = 4096
    window: int = 256
    batching: Literal["packed", "padded"] = "packed"
    documents: AskedUnit = "auto"
    column: str | None = None

    def __post_init__(self) -> None:
        at_least(self, pieces=261, window=2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Loading:
    """How to load: every choice that changes what comes out.

    Args:
        seed: Of the split, at least 0.
        size: Images: side in pixels after the centre crop; None keeps images that are all square,
            equal and at most 64 pixels wide, and brings others to 32.
        fractions: Shares of validation and test, each above 0, together below 1. A source's own
            test split is kept instead.
        label: Column of a table that is the label; None for no label.
        native: Images: where no size is asked for, each keeps its own, on a canvas as large as the
            largest.
        alike: Images: where no size is asked for and all have the same, they keep it, on a canvas.
        unpaired: Images of the folders ``a`` and ``b`` belong together in no way: each side is
            split by itself, and the shorter one begins again.
        field: Of pairs of images, the field that is modelled, ``x``; None for ``mask`` of images
            and masks, ``b`` of the folders ``a`` and ``b``.
        masks: A folder of the masks of a folder of images, where they do not lie beside each other.
        even: Give each split its share of each label.
        discrete: Read a table as one of states: every cell is a name, whatever it looks like.
        mixed: Read a table as one of typed columns; None: where a cell is a word, a gap or a date.
        columns: Of a table, those that are read, whatever they hold; none: all.
        drop: Columns of a table that are left out.
        schema: What is said of columns of a table, by their names: attributes of ``Column``.
        header: Whether the first row of a text names the columns; None: if it is unlike the rows.
        missing: Of a table of states, take cells that say nothing (empty, ``?`` or ``*``) as -1.
        stream: Data past one disk: a folder of parquet or tar files, read as they are needed.
        text: How text becomes tokens.

    Raises:
        ConfigError: If a value is outside its range.

    Example:
        >>> Loading(size=32).fractions
        (0.1, 0.1)
    """

    seed: int = 0
    size: int | None = None
    native: bool = False
    alike: bool = False
    unpaired: bool = False
    fractions: tuple[float, float] = (0.1, 0.1)
    label: str | None = None
    schema: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    field: str | None = None
    masks: str | None = None
    even: bool = False
    discrete: bool = False
    mixed: bool | None = None
    columns: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()
    header: bool | None = None
    missing: bool = False
    stream: bool = False
    text: TextLoading = TextLoading()

    def __post_init__(self) -> None:
        if self.seed < 0:
            raise ConfigError(f"seed must be at least 0, got {self.seed}")
        if self.size is not None and not 1 <= self.size <= 4096:
            raise ConfigError(f"size must be between 1 and 4096 pixels, got {self.size}")
        if len(self.fractions) != 2 or min(self.fractions) <= 0 or sum(self.fractions) >= 1:
            raise ConfigError(
                "fractions must be two shares above 0 that leave something for training, "
                f"got {self.fractions}"
            )
