"""What can be set for language models; see :mod:`ancestral.recipes.configs`."""

from dataclasses import dataclass, replace
from typing import Any, Literal, Self, TypeAlias

from ancestral.data.fields import Shape
from ancestral.recipes.configs import chosen
from ancestral.recipes.settings import require

TextSize: TypeAlias = Literal["tiny", "small", "medium", "large"]

_HEADS: dict[TextSize, int] = {"tiny": 2, "small": 4, "medium": 6, "large": 12}
_LAYERS: dict[TextSize, int] = {"tiny": 2, "small": 4, "medium": 6, "large": 12}
_HEAD_WIDTH: dict[TextSize, int] = {"tiny": 32, "small": 32, "medium": 64, "large": 64}
_WIDTHS = {size: _HEADS[size] * _HEAD_WIDTH[size] for size in _HEADS}

_PARTS: dict[str, dict[str, Any]] = {
    "book": {
        "positions": "learned",
        "norm": "layer",
        "feed_forward": "gelu",
        "qk_norm": False,
        "tied": False,
    },
    "modern": {
        "positions": "rotary",
        "norm": "rms",
        "feed_forward": "swiglu",
        "qk_norm": True,
        "tied": True,
    },
}

MUON_RATE = 3.0
"""The best rates of Muon in those of AdamW."""

_RECURRENT_WIDTHS: dict[TextSize, int] = {"tiny": 64, "small": 256, "medium": 384, "large": 768}


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
        require(self, "order", self.order >= 1, "at least 1")
        require(self, "k", self.k > 0, "above 0")

    def resolved(self, shape: Shape) -> Self:  # noqa: ARG002 - every config's signature
        """Return the config as it is."""
        return self


@dataclass(frozen=True, slots=True, kw_only=True)
class BigramConfig:
    """Counts of pairs.

    Args:
        k: What is added to every count, above 0.
    """

    k: float = 0.01

    def __post_init__(self) -> None:
        require(self, "k", self.k > 0, "above 0")

    def resolved(self, shape: Shape) -> Self:  # noqa: ARG002 - every config's signature
        """Return the config as it is."""
        return self


@dataclass(frozen=True, slots=True, kw_only=True)
class KneserNeyConfig:
    """Counts under interpolated modified Kneser-Ney smoothing.

    Args:
        order: Tokens that a count spans, the predicted one included, at least 2.
    """

    order: int = 3

    def __post_init__(self) -> None:
        require(self, "order", self.order >= 2, "at least 2")

    def resolved(self, shape: Shape) -> Self:  # noqa: ARG002 - every config's signature
        """Return the config as it is."""
        return self


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
    layers: int | None = chosen()
    width: int | None = chosen()
    dropout: float = 0.1

    def __post_init__(self) -> None:
        for name in ("layers", "width"):
            value = getattr(self, name)
            require(self, name, value is None or value >= 1, "at least 1")
        require(self, "dropout", 0 <= self.dropout < 1, "in [0, 1)")

    def resolved(self, shape: Shape) -> Self:  # noqa: ARG002 - every config's signature
        """Return the config with its layers and its width."""
        return replace(
            self,
            layers=self.layers or (1 if self.size in {"tiny", "small"} else 2),
            width=self.width or _RECURRENT_WIDTHS[self.size],
        )

    @property
    def learning_rate(self) -> float:
        """The peak rate: wide networks take smaller steps."""
        return rate_of_width(self.width or _RECURRENT_WIDTHS[self.size])


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
    layers: int | None = chosen()
    width: int | None = chosen()
    heads: int | None = chosen()
    groups: int | None = chosen()
    parts: Literal["book", "modern"] | None = chosen()
    positions: Literal["learned", "rotary"] | None = chosen()
    norm: Literal["layer", "rms"] | None = chosen()
    feed_forward: Literal["gelu", "swiglu"] | None = chosen()
    qk_norm: bool | None = chosen()
    tied: bool | None = chosen()
    score: Literal["dot", "additive"] = "dot"
    dropout: float | None = chosen()
    attention_dropout: float = 0.0

    def __post_init__(self) -> None:
        for name in ("layers", "width", "heads", "groups"):
            value = getattr(self, name)
            require(self, name, value is None or value >= 1, "at least 1")
        for name in ("dropout", "attention_dropout"):
            value = getattr(self, name)
            require(self, name, value is None or 0 <= value < 1, "in [0, 1)")

    def resolved(self, shape: Shape) -> Self:  # noqa: ARG002 - every config's signature
        """Return the config with its layers, width, heads, parts and dropout."""
        heads = self.heads or _HEADS[self.size]
        width = self.width or heads * _HEAD_WIDTH[self.size]
        require(self, "width", width % heads == 0, f"a multiple of heads = {heads}")
        groups = self.groups or heads
        require(self, "groups", heads % groups == 0, f"a divisor of heads = {heads}")
        small = self.size in {"tiny", "small"}
        kind = self.parts or ("modern" if small else "book")
        parts = dict(_PARTS[kind])
        if (width // heads) % 2:  # Angles turn features in pairs.
            parts["positions"] = "learned"
        given = {name: value for name in parts if (value := getattr(self, name)) is not None}
        return replace(
            self,
            layers=self.layers or _LAYERS[self.size],
            width=width,
            heads=heads,
            groups=groups,
            parts=kind,
            **(parts | given),
            dropout=(0.3 if small else 0.1) if self.dropout is None else self.dropout,
        )

    @property
    def learning_rate(self) -> float:
        """The peak rate of ``muon``: wide networks take smaller steps."""
        return MUON_RATE * rate_of_width(self.width or _WIDTHS[self.size])


def rate_of_width(width: int) -> float:
    """Return a peak learning rate for AdamW: 1e-3 at 384 features, falling with their root.

    Example:
        >>> rate_of_width(384)
        0.001
    """
    return min(5e-3, 1e-3 * (384 / width) ** 0.5)
