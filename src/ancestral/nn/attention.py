"""Causal self-attention: all heads in one product, and a state that is read step by step."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from ancestral.nn.key_value_cache import Slots
from ancestral.nn.norm import RMSNorm
from ancestral.nn.rotary import rotate

_SMALL = 200
"""Up to so many tokens, training keeps the attention matrices: on the CPU, the way back of the
kernel that does not was measured to take 7 times as long at 49 tokens, 1.4 times at 196."""


@dataclass(frozen=True, slots=True)
class Tiling:
    """The last queries of a pass in tiles, each with the only keys that any of its queries sees.

    Args:
        queries: Queries of each tile.
        keys: Lengths of the pieces into which the keys are cut.
        pieces: Of each tile, which of them it sees.
        masks: Of each tile, what is added to the scores, [B or 1, 1, S, K].
    """

    queries: Sequence[int]
    keys: Sequence[int]
    pieces: Sequence[Sequence[int]]
    masks: Sequence[Tensor]

    @classmethod
    def cover(cls, seen: Tensor, dtype: torch.dtype, *, size: int = 64) -> "Tiling":
        """Return tiles of so many queries for what is seen, bool [B, S, K]: most are small.

        Example:
            >>> seen = torch.ones(2, 128, 128, dtype=torch.bool).tril()
            >>> [mask.shape[-1] for mask in Tiling.cover(seen, torch.float32).masks]
            [64, 128]
        """
        parts = seen.split(size, dim=1)
        wanted = torch.stack([part.any(1).any(0) for part in parts])
        # A piece ends where it matters to any tile.
        ends = (wanted[:, 1:] != wanted[:, :-1]).any(0).nonzero()[:, 0] + 1
        edges = [0, *ends.tolist(), seen.shape[2]]
        keys = [end - first for first, end in pairwise(edges)]
        sees = wanted[:, edges[:-1]].tolist()
        pieces = [[i for i, one in enumerate(row) if one] for row in sees]
        masks = []
        for part, row in zip(parts, wanted, strict=True):
            part = part[:, :, row]
            mask = torch.zeros(part.shape, dtype=dtype, device=part.device)
            masks.append(mask.masked_fill_(~part, -torch.inf)[:, None])
        return cls([part.shape[1] for part in parts], keys, pieces, masks)


@dataclass(frozen=True, slots=True)
class Sight:
    """What the tokens of one pass see, the same in every layer.

    Args:
        mask: Added to the scores, [B or 1, 1, S, K]; None hides nothing but what ``causal`` does.
        causal: Token i sees the keys 0 to i.
        rotation: Cosines and sines, [B or 1, 1, S, P]; None without rotary positions.
        slots: Where keys and values are kept; None for a pass without a state.
        tiles: In place of the mask, where most of what it spans is not seen. Only what their
            queries see is returned.
    """

    mask: Tensor | None = None
    causal: bool = True
    rotation: tuple[Tensor, Tensor] | None = None
    slots: Slots | None = None
    tiles: Tiling | None = None


class AdditiveScore(nn.Module):
    """``s_ij = v . tanh(A q_i + B k_j)``: how well a key answers a query, learned by a network.

    It holds a vector of P features for each pair of tokens, so it takes P times the memory of a
    product.

    Source: Bahdanau et al. 2015, arXiv:1409.0473, sec. A.1.2.
    """

    def __init__(self, head_width: int) -> None:
        super().__init__()
        self.query = nn.Linear(head_width, head_width, bias=False)
        self.key = nn.Linear(head_width, head_width, bias=False)
        self.out = nn.Linear(head_width, 1, bias=False)

    def forward(self, queries: Tensor, keys: Tensor) -> Tensor:
        """Return the scores [B, H, S, K] of queries [B, H, S, P] and keys [B, H, K, P]."""
        pairs = self.query(queries)[..., :, None, :] + self.key(keys)[..., None, :, :]
        return self.out(torch.tanh(pairs))[..., 0]


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
        score: A learned score in place of ``Q K^T / sqrt P``.

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
        score: AdditiveScore | None = None,
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
        self.query_norm = RMSNorm(head_width, eps=1e-6) if qk_norm else None
        self.key_norm = RMSNorm(head_width, eps=1e-6) if qk_norm else None
        self.score = score

    def forward(self, x: Tensor, sight: Sight, layer: int = 0) -> Tensor:
        """Map x [B, S, D] to [B, S, D]; ``layer`` tells which part of the state is ours."""
        queries, keys, values = self._project(x, sight)
        if sight.slots is None:
            return self.out(self._attend(queries, keys, values, sight))
        pair = torch.stack((keys, values))
        seen = x.new_zeros(*x.shape[:2], self.heads * self.head_width, dtype=queries.dtype)
        for part in sight.slots.parts:
            keys, values = part.store(layer, pair)
            seen[part.rows, : part.steps] = self._attend(
                queries[part.rows, :, : part.steps],
                keys.to(queries.dtype),
                values.to(queries.dtype),
                Sight(mask=part.mask, causal=part.begin),
            )
        return self.out(seen)

    def _attend(self, queries: Tensor, keys: Tensor, values: Tensor, sight: Sight) -> Tensor:
        """Return what the queries [B, H, S, P] see, the heads side by side, [B, S, H P]."""
        dropout = self.dropout if self.training else 0.0
        if sight.tiles is not None:
            return self._by_tiles(queries, keys, values, sight.tiles)
        small = max(queries.shape[2], keys.shape[2]) <= _SMALL
        if self.score is not None or (small and queries.requires_grad):
            weights = functional.dropout(self._weights(queries, keys, sight), dropout)
            seen = weights @ self._for_all_heads(values)
        else:
            seen = functional.scaled_dot_product_attention(
                queries,
                keys,
                values,
                attn_mask=sight.mask,
                dropout_p=dropout,
                is_causal=sight.causal and sight.mask is None,
                enable_gqa=self.heads != self.key_value_heads,
            )
        return seen.transpose(1, 2).flatten(2)

    def _by_tiles(self, queries: Tensor, keys: Tensor, values: Tensor, tiles: Tiling) -> Tensor:
        """Attend tile by tile; of so few queries, plain products are faster than the fused one."""
        rows = queries[:, :, -sum(tiles.queries) :].split([*tiles.queries], dim=2)
        keys_of, values_of = (x.split([*tiles.keys], dim=2) for x in (keys, values))
        found = []
        for row, pieces, mask in zip(rows, tiles.pieces, tiles.masks, strict=True):
            own = torch.cat([keys_of[i] for i in pieces], dim=2)
            weights = self._weights(row, own, Sight(mask=mask))
            weights = functional.dropout(weights, self.dropout, self.training)
            own = torch.cat([values_of[i] for i in pieces], dim=2)
            found.append((weights @ self._for_all_heads(own)).transpose(1, 2))
        return torch.cat(found, dim=1).flatten(2)

    def weights(self, x: Tensor, sight: Sight) -> Tensor:
        """Return the attention matrices for x [B, T, D], [B, H, T, T]; every row sums to 1."""
        queries, keys, _ = self._project(x, sight)
        return self._weights(queries, keys, sight)

    def _weights(self, queries: Tensor, keys: Tensor, sight: Sight) -> Tensor:
        keys = self._for_all_heads(keys)
        if self.score is None:
            scores = queries @ keys.mT / self.head_width**0.5
        else:
            scores = self.score(queries, keys)
        if sight.mask is not None:
            return (scores + sight.mask).softmax(-1)
        if not sight.causal:
            return scores.softmax(-1)
        # A sum: its way back, unlike that of filling in, is free.
        return (scores + scores.new_full(scores.shape[-2:], -torch.inf).triu(1)).softmax(-1)

    def _for_all_heads(self, x: Tensor) -> Tensor:
        """Repeat keys or values [B, G, K, P] for the heads that share them, [B, H, K, P]."""
        return x.repeat_interleave(self.heads // self.key_value_heads, dim=1)

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
