"""The blocks of Transformers over tokens: their sizes, their parts, and their first weights."""

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from ancestral.nn.attention import AdditiveScore, CausalSelfAttention, Sight
from ancestral.nn.feed_forward import FeedForward, SwiGLU
from ancestral.nn.norm import RMSNorm


@dataclass(frozen=True, slots=True, kw_only=True)
class GPTShape:
    """Sizes of a GPT; the defaults are the book's.

    Args:
        window: Tokens T that it sees.
        width: Features D of a token.
        layers: Blocks L.
        heads: Heads H of queries in each.
        head_width: Features P of a head; D / H if None.
        key_value_heads: Heads of keys and values, a divisor of H; H if None.
        expansion: Width of the feed-forward layers over D. ``swiglu`` has two thirds of it, in
            steps of 8, and so about as many parameters.

    Raises:
        ValueError: If a number is below 1, or H does not divide D and ``head_width`` is None.

    Example:
        >>> GPTShape().features_of_a_head
        64
    """

    window: int = 256
    width: int = 384
    layers: int = 6
    heads: int = 6
    head_width: int | None = None
    key_value_heads: int | None = None
    expansion: int = 4

    def __post_init__(self) -> None:
        for name in self.__slots__:
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"{name} must be at least 1, got {value}")
        if self.head_width is None and self.width % self.heads:
            raise ValueError(
                f"heads must divide the width {self.width} unless head_width is given, "
                f"got {self.heads}"
            )

    @property
    def features_of_a_head(self) -> int:
        """P."""
        return self.head_width or self.width // self.heads

    @property
    def heads_of_keys(self) -> int:
        """Heads of keys and values."""
        return self.key_value_heads or self.heads


@dataclass(frozen=True, slots=True, kw_only=True)
class GPTParts:
    """What a GPT is made of; the defaults are the book's.

    Args:
        positions: ``learned`` vectors added to the embeddings, or ``rotary``: angles.
        norm: ``layer`` (mean and variance, gain and offset) or ``rms`` (gain).
        feed_forward: ``gelu`` or ``swiglu``.
        tied: The head is the matrix of the embeddings.
        qk_norm: Queries and keys are normed before they meet.
        score: How a key answers a query: the ``dot`` product, or ``additive``: a small network.

    Raises:
        ValueError: If a name is unknown.

    Example:
        >>> GPTParts(positions="rotary", norm="rms", feed_forward="swiglu").tied
        False
    """

    positions: Literal["learned", "rotary"] = "learned"
    norm: Literal["layer", "rms"] = "layer"
    feed_forward: Literal["gelu", "swiglu"] = "gelu"
    tied: bool = False
    qk_norm: bool = False
    score: Literal["dot", "additive"] = "dot"

    def __post_init__(self) -> None:
        for name, allowed in _PARTS.items():
            if getattr(self, name) not in allowed:
                raise ValueError(
                    f"{name} must be one of {', '.join(allowed)}, got {getattr(self, name)!r}"
                )


_PARTS = {
    "positions": ("learned", "rotary"),
    "norm": ("layer", "rms"),
    "feed_forward": ("gelu", "swiglu"),
    "score": ("dot", "additive"),
}


class Block(nn.Module):
    """``y = x + attention(norm(x)); y + feed_forward(norm(y))``, with dropout of what is added.

    Source: Xiong et al. 2020, On layer normalization in the Transformer, arXiv:2002.04745.

    Args:
        shape: Sizes.
        parts: What it is made of.
        dropout: Of what is added to the tokens.
        attention_dropout: Of the attention matrices.
    """

    def __init__(
        self,
        shape: GPTShape,
        parts: GPTParts,
        *,
        dropout: float = 0.0,
        attention_dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.attention_norm = norm_of(shape, parts)
        width = shape.features_of_a_head
        self.attention = CausalSelfAttention(
            shape.width,
            heads=shape.heads,
            key_value_heads=shape.heads_of_keys,
            head_width=width,
            dropout=attention_dropout,
            qk_norm=parts.qk_norm,
            score=AdditiveScore(width) if parts.score == "additive" else None,
        )
        self.feed_forward_norm = norm_of(shape, parts)
        hidden = shape.expansion * shape.width
        if parts.feed_forward == "swiglu":
            self.feed_forward = SwiGLU(shape.width, hidden=8 * math.ceil(hidden / 12))
        else:
            self.feed_forward = FeedForward(shape.width, hidden=hidden)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, sight: Sight, layer: int = 0) -> Tensor:
        """Map x [B, S, D] to [B, S, D], or the last tokens alone, where tiles cover only those.

        ``layer`` tells which part of the state is ours.
        """
        seen = self.attention(self.attention_norm(x), sight, layer)
        x = x[:, x.shape[1] - seen.shape[1] :] + self.dropout(seen)
        return x + self.dropout(self.feed_forward(self.feed_forward_norm(x)))


def norm_of(shape: GPTShape, parts: GPTParts) -> nn.Module:
    """Return a norm of the tokens' features."""
    return RMSNorm(shape.width, eps=1e-6) if parts.norm == "rms" else nn.LayerNorm(shape.width)


@torch.no_grad()
def initialise(model: nn.Module, layers: int) -> None:
    """Draw all matrices from Normal(0, 0.02), those that add to the tokens smaller by sqrt(2 L)."""
    for name, parameter in model.named_parameters():
        if parameter.ndim == 2:
            adds = name.endswith(".out.weight")
            nn.init.normal_(parameter, std=0.02 / math.sqrt(2 * layers) if adds else 0.02)
