"""Random parts of images and of their masks, cut and turned alike."""

from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from ancestral.data.canvas import OUTSIDE, extent


@dataclass(frozen=True, slots=True, kw_only=True)
class Crops:
    """Cuts a square from each image and its mask at a random place, and turns both.

    Args:
        side: Of the squares, in pixels. Of smaller images there is more: 0, masks 255.
        turns: ``none``; ``mirror``: left and right are exchanged in half of them; ``all``: one of
            the eight ways to lay a square.

    Raises:
        ValueError: If side is below 1.

    Example:
        >>> mask = torch.zeros(2, 1, 20, 30, dtype=torch.uint8)
        >>> [part.shape for part in Crops(side=16)(torch.rand(2, 3, 20, 30), mask)]
        [torch.Size([2, 3, 16, 16]), torch.Size([2, 1, 16, 16])]
    """

    side: int
    turns: str = "all"

    def __post_init__(self) -> None:
        if self.side < 1:
            raise ValueError(f"side must be at least 1, got {self.side}")

    def __call__(
        self, image: Tensor, mask: Tensor, generator: Generator | None = None
    ) -> tuple[Tensor, Tensor]:
        """Return images [B, C, S, S] and masks [B, 1, S, S] cut from larger ones on a canvas."""
        n, side = len(image), self.side
        where = torch.rand(n, 2, generator=generator, device=image.device).tolist()
        turns = torch.randint(8, (n,), generator=generator, device=image.device).tolist()
        images = image.new_zeros(n, image.shape[1], side, side)
        masks = mask.new_full((n, 1, side, side), OUTSIDE)
        for i, (down, right) in enumerate(where):
            height, width = extent(mask[i])
            top, left = _start(height, side, down), _start(width, side, right)
            rows, columns = (
                slice(first, min(first + side, end))
                for first, end in ((top, height), (left, width))
            )
            for source, target in ((image[i], images[i]), (mask[i], masks[i])):
                part = source[:, rows, columns]
                target[:, : part.shape[1], : part.shape[2]] = part
                target.copy_(self._turned(target, turns[i]))
        return images, masks

    def _turned(self, part: Tensor, turn: int) -> Tensor:
        """Return a part [C, S, S] in one of eight ways."""
        if self.turns == "none":
            return part
        part = part.flip(2) if turn % 2 else part
        return part if self.turns == "mirror" else part.rot90(turn // 2, (1, 2))


def _start(length: int, side: int, share: float) -> int:
    return int(share * (max(0, length - side) + 1))
