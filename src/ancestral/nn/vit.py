"""The vision Transformer: patches of an image that all see one another."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ancestral.nn.attention import Sight
from ancestral.nn.patches import grid, patchify
from ancestral.nn.transformer import Block, GPTParts, GPTShape, initialise, norm_of


class ViT(nn.Module):
    """An image to a vector: blocks as a GPT's over its patches, in both directions, and their mean.

    Positions are learned. Sides that are no multiple of the patch are filled up with zeros.

    Source: Dosovitskiy et al. 2021, An Image is Worth 16x16 Words, arXiv:2010.11929; the mean of
    the patches in place of a token for the class: Beyer, Zhai & Kolesnikov 2022, Better plain ViT
    baselines for ImageNet-1k, arXiv:2205.01580.

    Args:
        event_shape: Channels C, height H and width W of the images.
        outputs: Width O of the vector.
        patch: Side of a patch, at least 1.
        width: Features D of a patch, a multiple of ``heads``.
        layers: Blocks, at least 1.
        heads: Heads of attention.
        dropout: Of what is added to the patches, in training, in [0, 1).

    Raises:
        ValueError: If an argument is out of its range.

    Example:
        >>> ViT((1, 28, 28), 10, patch=4, width=32, layers=2)(torch.zeros(5, 1, 28, 28)).shape
        torch.Size([5, 10])
    """

    def __init__(
        self,
        event_shape: tuple[int, int, int],
        outputs: int,
        *,
        patch: int = 4,
        width: int = 64,
        layers: int = 4,
        heads: int = 4,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        if min(*event_shape, outputs) < 1 or not 0 <= dropout < 1:
            raise ValueError(
                "event_shape and outputs must be at least 1 and dropout in [0, 1), "
                f"got {event_shape}, {outputs} and {dropout}"
            )
        channels, *size = event_shape
        rows, columns = grid(size, patch)
        shape = GPTShape(window=rows * columns, width=width, layers=layers, heads=heads)
        parts = GPTParts()
        self.patch = patch
        self.blocks = nn.ModuleList(Block(shape, parts, dropout=dropout) for _ in range(layers))
        self.norm = norm_of(shape, parts)
        self.out = nn.Linear(width, outputs)
        initialise(self, layers)
        self.first = nn.Linear(channels * patch**2, width)
        self.positions = nn.Parameter(0.02 * torch.randn(rows * columns, width))

    def forward(self, x: Tensor) -> Tensor:
        """Map images [B, C, H, W] to [B, O]."""
        x = self.first(patchify(x, self.patch)) + self.positions
        for block in self.blocks:
            x = block(x, Sight(causal=False))
        return self.out(self.norm(x).mean(1))

    def hidden(self) -> Sequence[nn.Parameter]:
        """Return the matrices of the blocks: what the optimizer ``muon`` moves in its own way."""
        return [p for p in self.blocks.parameters() if p.ndim == 2]
