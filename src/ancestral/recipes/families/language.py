"""Language models: counts of n-grams, recurrent networks, Transformers."""

from dataclasses import asdict, dataclass, fields, replace
from functools import partial
from typing import Literal, Self

from torch import nn

from ancestral.autoregressive import GPT, GPTParts, GPTShape, RecurrentLM
from ancestral.autoregressive.recurrent import Cell
from ancestral.autoregressive.sizes import (
    HEAD_WIDTH,
    HEADS,
    LAYERS,
    PARTS,
    RECURRENT_WIDTHS,
    TextSize,
    rate_of_width,
)
from ancestral.classic.chains.language import NGramLanguageModel
from ancestral.classic.chains.smoothing import AddK, KneserNey, WittenBell
from ancestral.data.fields import Shape
from ancestral.data.transforms import States
from ancestral.evaluation import chosen as figures
from ancestral.recipes.recipe import Recipe
from ancestral.settings import arguments, at_least, chosen, require, shares
from ancestral.training.budget import Budget
from ancestral.training.options import MUON_RATE, Options


@dataclass(frozen=True, slots=True, kw_only=True)
class NGramConfig:
    """Counts of the last tokens.

    Args:
        order: Tokens that a count spans, the predicted one included, at least 1.
        smoothing: How what was never seen gets its share.
        k: What ``add-k`` adds to every count, above 0.
    """

    order: int = 3
    smoothing: Literal["add-k", "witten-bell", "kneser-ney"] = "kneser-ney"
    k: float = 0.01

    def __post_init__(self) -> None:
        at_least(self, order=1)
        require(self, "k", self.k > 0, "above 0")


@dataclass(frozen=True, slots=True, kw_only=True)
class BigramConfig:
    """Counts of pairs.

    Args:
        k: What is added to every count, above 0.
    """

    k: float = 0.01

    def __post_init__(self) -> None:
        require(self, "k", self.k > 0, "above 0")


@dataclass(frozen=True, slots=True, kw_only=True)
class KneserNeyConfig:
    """Counts under interpolated modified Kneser-Ney smoothing.

    Args:
        order: Tokens that a count spans, the predicted one included, at least 2.
    """

    order: int = 3

    def __post_init__(self) -> None:
        at_least(self, order=2)


@dataclass(frozen=True, slots=True, kw_only=True)
class RecurrentConfig:
    """A recurrent network.

    Args:
        size: One dial: it sets layers, width and learning rate. ``medium`` has the book's width.
        layers: Recurrent layers, at least 1; None: by ``size``.
        width: Of embeddings and states, at least 1; None: by ``size``.
        dropout: Share of features put to zero in training, in [0, 1).
    """

    size: TextSize = "small"
    layers: int = chosen()
    width: int = chosen()
    dropout: float = 0.1

    def __post_init__(self) -> None:
        at_least(self, layers=1, width=1)
        shares(self, "dropout")

    def resolved(self, shape: Shape) -> Self:  # noqa: ARG002 - every config's signature
        """Return the config with its layers and its width."""
        return replace(
            self,
            layers=self.layers or (1 if self.size in {"tiny", "small"} else 2),
            width=self.width or RECURRENT_WIDTHS[self.size],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class GPTConfig:
    """A GPT: the book's from ``medium`` on, below with modern parts, which learn more of less text.

    Args:
        size: One dial: it sets layers, width, heads, parts and learning rate. ``medium`` is the
            book's.
        parts: The ``book``'s, or ``modern``: rotary, rms, swiglu, qk_norm and tied; None: by
            ``size``. Each can be set by itself.
        layers: Blocks, at least 1; None: by ``size``.
        width: Of embeddings, at least 1, a multiple of ``heads``; None: by ``size``.
        heads: Attention heads, at least 1; None: by ``size``.
        groups: Heads of keys and values, a divisor of ``heads``; None: as many as ``heads``.
        positions: ``learned`` as in the book, or ``rotary``; None: by ``parts``, as the next four.
        norm: ``layer`` as in the book, or ``rms``.
        feed_forward: ``gelu`` as in the book, or ``swiglu``.
        qk_norm: Normalise queries and keys.
        tied: The head shares the embedding's weights.
        score: Of a key for a query: ``dot`` as in the book, or ``additive``, learned and slow.
        dropout: Share of features put to zero in training, in [0, 1); None: by ``size``.
        attention_dropout: The same of the attention matrix, which costs a fifth of the speed.
    """

    size: TextSize = "small"
    layers: int = chosen()
    width: int = chosen()
    heads: int = chosen()
    groups: int = chosen()
    parts: Literal["book", "modern"] = chosen()
    positions: Literal["learned", "rotary"] = chosen()
    norm: Literal["layer", "rms"] = chosen()
    feed_forward: Literal["gelu", "swiglu"] = chosen()
    qk_norm: bool = chosen()
    tied: bool = chosen()
    score: Literal["dot", "additive"] = "dot"
    dropout: float = chosen()
    attention_dropout: float = 0.0

    def __post_init__(self) -> None:
        at_least(self, layers=1, width=1, heads=1, groups=1)
        shares(self, "dropout", "attention_dropout")

    def resolved(self, shape: Shape) -> Self:  # noqa: ARG002 - every config's signature
        """Return the config with its layers, width, heads, parts and dropout."""
        heads = self.heads or HEADS[self.size]
        width = self.width or heads * HEAD_WIDTH[self.size]
        require(self, "width", width % heads == 0, f"a multiple of heads = {heads}")
        groups = self.groups or heads
        require(self, "groups", heads % groups == 0, f"a divisor of heads = {heads}")
        small = self.size in {"tiny", "small"}
        kind = self.parts or ("modern" if small else "book")
        parts = asdict(PARTS[kind])
        if (width // heads) % 2:  # Angles turn features in pairs.
            parts["positions"] = "learned"
        given = {name: value for name in parts if (value := getattr(self, name)) is not None}
        return replace(
            self,
            layers=self.layers or LAYERS[self.size],
            width=width,
            heads=heads,
            groups=groups,
            parts=kind,
            **(parts | given),
            dropout=(0.3 if small else 0.1) if self.dropout is None else self.dropout,
        )


_OPTIONS = Options(
    batch_size=16,
    betas=(0.9, 0.95),
    weight_decay=0.1,
    warmup=50,
    max_grad_norm=1.0,
    validate_every=100,
    patience=10,
    large_products=True,
)
"""Of the training of language models; the rate comes from the size of the network."""

_GPT_OPTIONS = replace(_OPTIONS, optimizer="muon", hidden_weight_decay=1.0, batch_size=8)
"""Of a GPT: after the same steps Muon was far ahead of AdamW, see the notes on performance."""


def _ngram(config: NGramConfig, shape: Shape) -> nn.Module:
    """Return a model of n-grams, not fitted yet."""
    known = {"add-k": AddK(config.k), "witten-bell": WittenBell(), "kneser-ney": KneserNey()}
    smoothing = known[config.smoothing]
    return NGramLanguageModel(shape.vocabulary, order=config.order, smoothing=smoothing)


def _gpt(config: GPTConfig, shape: Shape) -> nn.Module:
    """Return a GPT whose window is that of the data."""
    return GPT(
        shape.vocabulary,
        shape=GPTShape(
            window=shape.event_shape[0] - 1,
            width=config.width,
            layers=config.layers,
            heads=config.heads,
            key_value_heads=config.groups,
        ),
        parts=GPTParts(**{part.name: getattr(config, part.name) for part in fields(GPTParts)}),
        dropout=config.dropout,
        attention_dropout=config.attention_dropout,
    )


_recipe = partial(
    Recipe,
    paradigm="classic",
    transform=lambda _data: States("tokens"),
    kinds=("text",),
    chosen_by=figures.BITS_PER_CHAR,
)
_trained = partial(
    _recipe, paradigm="autoregressive", budget={"text": Budget(steps=2_000)}, epochs_apart=1
)


def _recurrent(name: str, cell: Cell, summary: str) -> Recipe:
    """Return the recipe of a recurrent network of a kind of cells."""
    return _trained(
        name=name,
        summary=summary,
        config=RecurrentConfig,
        build=lambda config, shape: RecurrentLM(
            shape.vocabulary, cell=cell, **arguments(config, "size")
        ),
        options={"text": _OPTIONS},
        rate=lambda config: rate_of_width(config.width),
        adapted=lambda model: model.layers,
    )


RECIPES = (
    _recipe(
        name="bigram",
        summary="counts of pairs of tokens",
        config=BigramConfig,
        build=lambda config, shape: NGramLanguageModel(
            shape.vocabulary, order=2, smoothing=AddK(config.k)
        ),
    ),
    _recipe(
        name="ngram",
        summary="counts of the last tokens, with the smoothing of your choice",
        config=NGramConfig,
        build=_ngram,
    ),
    _recipe(
        name="kneser-ney",
        summary="trigrams under interpolated modified Kneser-Ney smoothing",
        config=KneserNeyConfig,
        build=lambda config, shape: NGramLanguageModel(
            shape.vocabulary, order=config.order, smoothing=KneserNey()
        ),
    ),
    _recurrent("rnn", "elman", "Elman's recurrent network, the book's"),
    _recurrent("lstm", "lstm", "recurrent network with gated memory"),
    _recurrent("gru", "gru", "recurrent network with two gates"),
    _trained(
        name="gpt",
        summary="Transformer that predicts the next token, the book's by default",
        config=GPTConfig,
        build=_gpt,
        options={"text": _GPT_OPTIONS},
        rate=lambda config: MUON_RATE * rate_of_width(config.width),
        adapted=lambda model: model.blocks,
    ),
)
