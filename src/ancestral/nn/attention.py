"""Causal self-attention: all heads in one product, and a state that is read step by step."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from ancestral.nn.key_value_cache import Slots
from ancestral.nn.rotary import rotate


@dataclass(frozen=True, slots=True)
class Sight:
    """What the tokens of one pass see, the same in every layer.

    Args:
        mask: Added to the scores, [B or 1, 1, S, K]; None hides nothing but what ``causal`` does.
        causal: Token i sees the keys 0 to i.
        rotation: Cosines and sines, [B or 1, 1, S, P]; None without rotary positions.
        slots: Where keys and values are kept; None for a pass without a state.
    """

    mask: Tensor | None = None
    causal: bool = True
    rotation: tuple[Tensor, Tensor] | None = None
    slots: Slots | None = None


class CausalSelfAttention(nn.Module):
    """``softmax(Q K^T / sqrt P) V`` over the tokens up to one's own, without biases.

    Queries, keys and values of all heads come from one product.

    Source: Vaswani et al. 2017, arXiv:1706.03762, sec. 3.2; fewer heads of keys than of queries:
    Ainslie et al. 2023, GQA, arXiv:2305.13245; norms of queries and keys: Henry et al. 2020,
    arXiv:2010.04245, here with a gain for each feature.

    Args:
        width: Features D of a token.
        heads: Heads H of queries.
        key_value_heads: Heads of keys and values; divides H.
        head_width: Features P of a head.
        dropout: Of the entries of the attention matrix, in training. Not 0 means that the matrix is
            computed and kept: slower.
        qk_norm: Norm queries and keys by their root mean square.

    Raises:
        ValueError: If ``key_value_heads`` does not divide ``heads``.

    Example:
        >>> layer = CausalSelfAttention(32, heads=4, key_value_heads=2, head_width=8)
        >>> layer(torch.zeros(2, 5, 32), Sight()).shape
        torch.Size([2, 5, 32])
    """

    def __init__(
        self,
        width: int,
        *,
        heads: int,
        key_value_heads: int,
        head_width: int,
        dropout: float = 0.0,
        qk_norm: bool = False,
    ) -> None:
        super().__init__()
        if min(heads, key_value_heads) < 1 or heads % key_value_heads:
            raise ValueError(
                f"key_value_heads must divide the {heads} heads, got {key_value_heads}"
            )
        self.heads, self.key_value_heads, self.head_width = heads, key_value_heads, head_width
        self.dropout = dropout
        self.qkv = nn.Linear(width, (heads + 2 * key_value_heads) * head_width, bias=False)
        self.out = nn.Linear(heads * head_width, width, bias=False)
        self.query_norm = nn.RMSNorm(head_width) if qk_norm else None
        self.key_norm = nn.RMSNorm(head_width) if qk_norm else None

    def forward(self, x: Tensor, sight: Sight, layer: int = 0) -> Tensor:
        """Map x [B, S, D] to [B, S, D]; ``layer`` tells which part of the state is ours."""
        queries, keys, values = self._project(x, sight)
        if sight.slots is not None:
            keys, values = sight.slots.store(layer, keys, values)
            keys, values = keys.to(queries.dtype), values.to(queries.dtype)
        rows, queries = len(queries), queries[: len(keys)]
        seen = functional.scaled_dot_product_attention(
            queries,
            keys,
            values,
            attn_mask=sight.mask,
            dropout_p=self.dropout if self.training else 0.0,
            is_causal=sight.causal and sight.mask is None,
            enable_gqa=self.heads != self.key_value_heads,
        )
        seen = seen.transpose(1, 2).flatten(2)
        if len(seen) < rows:  # Those that read nothing.
            seen = functional.pad(seen, (0, 0, 0, 0, 0, rows - len(seen)))
        return self.out(seen)

    def weights(self, x: Tensor, sight: Sight) -> Tensor:
        """Return the attention matrices for x [B, T, D], [B, H, T, T]; every row sums to 1."""
        queries, keys, _ = self._project(x, sight)
        keys = keys.repeat_interleave(self.heads // self.key_value_heads, dim=1)
        scores = queries @ keys.mT / self.head_width**0.5
        if sight.mask is not None:
            return (scores + sight.mask).softmax(-1)
        hidden = torch.ones(scores.shape[-2:], dtype=torch.bool, device=x.device).triu(1)
        return scores.masked_fill(hidden, -torch.inf).softmax(-1)

    def _project(self, x: Tensor, sight: Sight) -> tuple[Tensor, Tensor, Tensor]:
        """Return queries [B, H, S, P], and keys and values [B, G, S, P]."""
        groups = [self.heads, self.key_value_heads, self.key_value_heads]
        joint = self.qkv(x).unflatten(-1, (sum(groups), self.head_width)).transpose(1, 2)
        queries, keys, values = joint.split(groups, dim=1)
        if self.query_norm is not None and self.key_norm is not None:
            queries, keys = self.query_norm(queries), self.key_norm(keys)
        if sight.rotation is not None:
            queries, keys = rotate(queries, *sight.rotation), rotate(keys, *sight.rotation)
        return queries, keys, values
