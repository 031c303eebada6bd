"""Self-attention of an image's places, faded in by a gate that begins at 0."""

import torch
from torch import Tensor, nn

_NARROWER = 8
"""Queries, keys and values have so many times fewer channels than the map."""


class PixelAttention(nn.Module):
    """Each place of a map reads all others: ``y = gate * W_O sum_j a_j v_j + x``.

    The weights a are the softmax over places j of ``q . k_j``, without the usual division by a
    root and without a norm; W_Q, W_K, W_V and W_O are convolutions of kernel 1 and have no biases.
    At the start the gate is 0 and the layer is the identity.

    Source: Zhang et al. 2019, Self-Attention Generative Adversarial Networks, arXiv:1805.08318,
    sec. 3.

    Args:
        channels: Channels C of the map.

    Example:
        >>> PixelAttention(16)(torch.zeros(5, 16, 4, 4)).shape
        torch.Size([5, 16, 4, 4])
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        inner = max(1, channels // _NARROWER)
        self.query, self.key, self.value = (
            nn.Conv2d(channels, inner, 1, bias=False) for _ in range(3)
        )
        self.out = nn.Conv2d(inner, channels, 1, bias=False)
        self.gate = nn.Parameter(torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        """Map x [B, C, H, W] to the same shape."""
        query, key, value = (part(x).flatten(2) for part in (self.query, self.key, self.value))
        weights = (query.transpose(1, 2) @ key).softmax(dim=-1)
        read = value @ weights.transpose(1, 2)
        return self.gate * self.out(read.unflatten(2, x.shape[2:])) + x
