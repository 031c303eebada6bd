"""The book's U-Net for segmentation and its plain training loop, with its mistakes mended.

Mended: where masks are cropped (E-C21). The data are the caller's.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn

BATCH = 2


class ConvBlock(nn.Module):
    """Two convolutions of kernel 3, a ReLU after each."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv2d(before, after, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(after, after, 3, padding=1),
            nn.ReLU(),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map [B, C, H, W] to [B, O, H, W]."""
        return self.net(x)


class DownBlock(nn.Module):
    """A block, and half of its output in height and width; both are returned."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.conv = ConvBlock(before, after)
        self.pool = nn.MaxPool2d(2)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return what goes down, and what goes across."""
        skip = self.conv(x)
        return self.pool(skip), skip


class UpBlock(nn.Module):
    """The double in height and width, beside what comes across, and a block."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.up = nn.ConvTranspose2d(before, before // 2, kernel_size=2, stride=2)
        self.conv = ConvBlock(before, after)

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        """Map x [B, C, H, W] and skip [B, C / 2, 2 H, 2 W] to [B, O, 2 H, 2 W]."""
        return self.conv(torch.cat((self.up(x), skip), dim=1))


class UNet(nn.Module):
    """Four halvings from ``base`` channels on."""

    def __init__(self, channels: int = 3, classes: int = 3, base: int = 64) -> None:
        super().__init__()
        widths = [base * 2**i for i in range(5)]
        self.down = nn.ModuleList(
            [DownBlock(a, b) for a, b in zip([channels, *widths], widths[:4], strict=False)]
        )
        self.bottleneck = ConvBlock(widths[3], widths[4])
        self.up = nn.ModuleList([UpBlock(2 * width, width) for width in reversed(widths[:4])])
        self.head = nn.Conv2d(base, classes, kernel_size=1)

    def forward(self, x: Tensor) -> Tensor:
        """Map images [B, C, H, W] to logits [B, K, H, W]; sides are multiples of 16."""
        skips = []
        for down in self.down:
            x, skip = down(x)
            skips.append(skip)
        x = self.bottleneck(x)
        for up in self.up:
            x = up(x, skips.pop())
        return self.head(x)


def make_step(
    network: nn.Module, x: Tensor, y: Tensor, *, batch: int = BATCH, rate: float = 1e-4
) -> Callable[[], float]:
    """Build the listing's training step; each call makes one update and returns the loss.

    Args:
        network: From images to logits.
        x: Images, float32 [N, C, H, W].
        y: Masks, int64 [N, H, W].
        batch: Images of one step.
        rate: Of Adam.
    """
    optimizer = torch.optim.Adam(network.parameters(), lr=rate)
    position = 0

    def step() -> float:
        nonlocal position
        rows = slice(position, position + batch)
        position = (position + batch) % (len(x) - batch + 1)
        loss = nn.functional.cross_entropy(network(x[rows]), y[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.item()

    return step
