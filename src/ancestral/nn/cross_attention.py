"""Attention of one sequence to another one: a picture's places look at the tokens of a text."""

from torch import Tensor, nn
from torch.nn import functional


class CrossAttention(nn.Module):
    """``softmax(Q K^T / sqrt P) V``, queries from x, keys and values from a context; no biases.

    Source: Vaswani et al. 2017, arXiv:1706.03762, sec. 3.2.3; in a U-Net: Rombach et al. 2022,
    High-Resolution Image Synthesis with Latent Diffusion Models, arXiv:2112.10752, sec. 3.3.

    Args:
        width: Features D of x.
        context: Features E of a token of the context.
        heads: Heads H, at least 1.
        head_width: Features P of a head.

    Raises:
        ValueError: If heads < 1.

    Example:
        >>> import torch
        >>> layer = CrossAttention(32, context=16, heads=4, head_width=8)
        >>> layer(torch.zeros(2, 9, 32), torch.zeros(2, 5, 16)).shape
        torch.Size([2, 9, 32])
    """

    def __init__(self, width: int, *, context: int, heads: int, head_width: int) -> None:
        super().__init__()
        if heads < 1:
            raise ValueError(f"heads must be at least 1, got {heads}")
        self.heads = heads
        self.query = nn.Linear(width, heads * head_width, bias=False)
        self.key_value = nn.Linear(context, 2 * heads * head_width, bias=False)
        self.out = nn.Linear(heads * head_width, width, bias=False)

    def forward(self, x: Tensor, context: Tensor, seen: Tensor | None = None) -> Tensor:
        """Return what each place of x finds in the context, [B, S, D].

        Args:
            x: [B, S, D].
            context: Tokens, [B, T, E].
            seen: Which of them are looked at, bool [B, T], one or more a row; all if None.
        """
        queries = self.query(x).unflatten(2, (self.heads, -1)).transpose(1, 2)
        pair = self.key_value(context).unflatten(2, (2 * self.heads, -1)).transpose(1, 2)
        keys, values = pair.chunk(2, dim=1)
        mask = None if seen is None else seen[:, None, None, :]
        found = functional.scaled_dot_product_attention(queries, keys, values, attn_mask=mask)
        return self.out(found.transpose(1, 2).flatten(2))
