"""Random parts of images that belong together, cut and turned alike."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Generator, Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class Crops:
    """Cuts a square from each of some images at a random place, and turns it.

    Args:
        side: Of the squares, in pixels. Smaller images are filled up.
        turns: ``none``; ``mirror``: left and right are exchanged in half of them; ``all``: one of
            the eight ways to lay a square.

    Raises:
        ValueError: If side is below 1.

    Example:
        >>> mask = torch.zeros(2, 1, 20, 30, dtype=torch.uint8)
        >>> together = (torch.rand(2, 3, 20, 30), 0.0), (mask, 255)
        >>> [part.shape for part in Crops(side=16)(together)]
        [torch.Size([2, 3, 16, 16]), torch.Size([2, 1, 16, 16])]
    """

    side: int
    turns: str = "all"

    def __post_init__(self) -> None:
        if self.side < 1:
            raise ValueError(f"side must be at least 1, got {self.side}")

    def __call__(
        self,
        together: Sequence[tuple[Tensor, float]],
        sizes: Sequence[tuple[int, int]] | None = None,
        generator: Generator | None = None,
    ) -> list[Tensor]:
        """Return parts [B, C, S, S] of the same places of what belongs together.

        Args:
            together: Images [B, C, H, W] of one height and width, and what fills smaller ones up.
            sizes: Height and width of each of B, in its upper left corner; None: all of it.
            generator: Of places and turns.
        """
        (first, _), *_ = together
        n, side = len(first), self.side
        sizes = sizes or [(first.shape[2], first.shape[3])] * n
        where = torch.rand(n, 2, generator=generator, device=first.device).tolist()
        turns = torch.randint(8, (n,), generator=generator, device=first.device).tolist()
        found = [x.new_full((n, x.shape[1], side, side), fill) for x, fill in together]
        for i, ((height, width), (down, right)) in enumerate(zip(sizes, where, strict=True)):
            rows, columns = (
                slice(begin, min(begin + side, end))
                for begin, end in (
                    (_start(height, side, down), height),
                    (_start(width, side, right), width),
                )
            )
            for (x, _), target in zip(together, found, strict=True):
                part = x[i, :, rows, columns]
                target[i, :, : part.shape[1], : part.shape[2]] = part
                target[i] = self._turned(target[i], turns[i])
        return found

    def _turned(self, part: Tensor, turn: int) -> Tensor:
        """Return a part [C, S, S] in one of eight ways."""
        if self.turns == "none":
            return part
        part = part.flip(2) if turn % 2 else part
        return part if self.turns == "mirror" else part.rot90(turn // 2, (1, 2)).clone()


def _start(length: int, side: int, share: float) -> int:
    return int(share * (max(0, length - side) + 1))
