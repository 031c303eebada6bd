"""The diffusion Transformer: patches of an image, modulated by time and label."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from ancestral.nn.attention import CausalSelfAttention, Sight
from ancestral.nn.feed_forward import FeedForward
from ancestral.nn.film import film
from ancestral.nn.patches import grid, patchify, unpatchify
from ancestral.nn.time_embedding import TimeEmbedding
from ancestral.nn.zeroed import zeroed


class DiT(nn.Module):
    """A Transformer over the patches of an image; the output starts at zero.

    Positions are learned. Sides that are no multiple of the patch are filled up with zeros inside.

    Source: Peebles & Xie 2023, Scalable Diffusion Models with Transformers, arXiv:2212.09748,
    sec. 3.2 (adaLN-Zero).

    Args:
        event_shape: Channels C, height H and width W of the images.
        classes: Number K of labels; index K is "no label"; 0 for none.
        patch: Side of a patch, at least 1.
        width: Features D of a patch, a multiple of ``heads``.
        depth: Blocks, at least 1.
        heads: Heads of attention.
        times: How many times an example has: 1, or 2 where an interval is meant.

    Raises:
        ValueError: If an argument is out of its range.

    Example:
        >>> network = DiT((1, 28, 28), classes=10, patch=4, width=64, depth=2)
        >>> network(torch.zeros(5, 1, 28, 28), torch.rand(5), torch.arange(5)).shape
        torch.Size([5, 1, 28, 28])
    """

    def __init__(
        self,
        event_shape: tuple[int, int, int],
        *,
        classes: int = 0,
        patch: int = 4,
        width: int = 192,
        depth: int = 6,
        heads: int = 4,
        times: int = 1,
    ) -> None:
        super().__init__()
        if min(event_shape) < 1 or depth < 1:
            raise ValueError(
                f"event_shape and depth must be at least 1, got {event_shape} and {depth}"
            )
        if heads < 1 or width % heads:
            raise ValueError(f"width must be a multiple of the {heads} heads, got {width}")
        channels, *size = event_shape
        self.patch, self.size = patch, (size[0], size[1])
        rows, columns = grid(self.size, patch)
        pixels = channels * patch**2
        self.embedding = TimeEmbedding(width, classes=classes, times=times)
        self.first = nn.Linear(pixels, width)
        self.positions = nn.Parameter(0.02 * torch.randn(rows * columns, width))
        self.blocks = nn.ModuleList([DiTBlock(width, heads=heads) for _ in range(depth)])
        self.modulation = zeroed(nn.Linear(width, 2 * width))
        self.out = zeroed(nn.Linear(width, pixels))

    def forward(self, z: Tensor, time: Tensor, label: Tensor | None = None) -> Tensor:
        """Map z [B, C, H, W], time [B] and label [B] int64 to [B, C, H, W]."""
        features = functional.silu(self.embedding(time, label))
        x = self.first(patchify(z, self.patch)) + self.positions
        for block in self.blocks:
            x = block(x, features)
        scale, shift = self.modulation(features)[:, None].chunk(2, dim=-1)
        return unpatchify(self.out(film(_norm(x), scale, shift)), self.patch, self.size)


class DiTBlock(nn.Module):
    """Attention and a feed-forward network, each scaled, moved and gated by features.

    The layer that gives scales, shifts and gates starts at zero, and so the block as the identity.

    Args:
        width: Features D of a token, and of what modulates it.
        heads: Heads of attention; divides D.

    Example:
        >>> DiTBlock(32, heads=4)(torch.zeros(2, 9, 32), torch.zeros(2, 32)).shape
        torch.Size([2, 9, 32])
    """

    def __init__(self, width: int, *, heads: int) -> None:
        super().__init__()
        self.attention = CausalSelfAttention(
            width, heads=heads, key_value_heads=heads, head_width=width // heads
        )
        self.feed_forward = FeedForward(width, hidden=4 * width)
        self.modulation = zeroed(nn.Linear(width, 6 * width))

    def forward(self, x: Tensor, features: Tensor) -> Tensor:
        """Map x [B, N, D] and features [B, D] to [B, N, D]."""
        scales, shifts, gates = self.modulation(features)[:, None].chunk(3, dim=-1)
        (scale, scale_2), (shift, shift_2), (gate, gate_2) = (
            each.chunk(2, dim=-1) for each in (scales, shifts, gates)
        )
        seen = self.attention(film(_norm(x), scale, shift), Sight(causal=False))
        x = torch.addcmul(x, gate, seen)
        return torch.addcmul(x, gate_2, self.feed_forward(film(_norm(x), scale_2, shift_2)))


def _norm(x: Tensor) -> Tensor:
    return functional.layer_norm(x, x.shape[-1:], eps=1e-6)
