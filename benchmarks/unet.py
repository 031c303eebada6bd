"""A training step of the book's U-Net, 256x256: our loop against the book's."""

from collections.abc import Callable, Iterator

import torch
from torch import Generator, Tensor
from torch.nn.functional import cross_entropy

from ancestral.capabilities import Batch, Loss, Player
from ancestral.nn import PlainUNet
from ancestral.training import Budget, Game, Options, Rows, train
from benchmarks import book_unet
from benchmarks.harness import Result, compare

SIDE, CLASSES = 256, 3


def scenes(n: int = 8) -> tuple[Tensor, Tensor]:
    """Make n smooth images in [0, 1], and masks of where a channel is the brightest."""
    coarse = torch.rand(n, 3, 16, 16, generator=Generator().manual_seed(0))
    images = torch.nn.functional.interpolate(coarse, size=SIDE, mode="bilinear")
    return images, images.argmax(dim=1)


def our_step(network: PlainUNet, x: Tensor, y: Tensor) -> Callable[[], object]:
    """Drive the library's own loop, one report a call."""

    def loss(batch: Batch, _: Generator | None) -> Loss:
        total = cross_entropy(network(batch.x), batch.given["mask"], reduction="sum")
        return Loss(total, batch.given["mask"].numel())

    options = Options(batch_size=book_unet.BATCH, learning_rate=1e-4, large_products=True)
    game = Game([Player(name="unet", module=network, loss=loss)], options, seed=0)
    reports = train(game, Rows(x, {"mask": y}), budget=Budget(steps=10**6))
    return lambda: next(reports)


def run() -> Iterator[Result]:
    """Yield the comparison, of networks with the same weights."""
    torch.manual_seed(0)
    x, y = scenes()
    ours, peer = PlainUNet(3, outputs=CLASSES), book_unet.UNet(3, CLASSES)
    for mine, theirs in zip(ours.parameters(), _ordered(peer), strict=True):
        mine.data.copy_(theirs.data)
    with torch.no_grad():
        torch.testing.assert_close(ours(x[:1]), peer(x[:1]), rtol=0, atol=1e-4)
    yield compare(
        f"U-Net training step, {SIDE}x{SIDE}, batch {book_unet.BATCH}",
        ours=our_step(ours, x, y),
        peer=("the book's plain loop", book_unet.make_step(peer, x, y)),
        bar=1.2,
        rounds=5,
        note="31,031,875 parameters on both sides; bf16 where the CPU has it: 2.3 is asked there",
    )


def _ordered(peer: book_unet.UNet) -> list[Tensor]:
    """Return its parameters in the order of ours."""
    ups = [*reversed(peer.up)]
    modules = [*peer.down, peer.bottleneck, *(b.up for b in ups), *(b.conv for b in ups), peer.head]
    return [parameter for module in modules for parameter in module.parameters()]
