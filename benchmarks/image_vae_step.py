"""A training step of the conditional image VAE, 32x32, batch 256: our loop against the book's."""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from ancestral.autoencoders import CrossEntropyImageVAE
from ancestral.training import Budget, Game, Options, Rows, train
from benchmarks import book_image_vae
from benchmarks.harness import Result, compare


def images(n: int = 2048) -> tuple[Tensor, Tensor]:
    """Make n smooth grey images in [0, 1], [n, 1, 32, 32], and labels; content does not matter."""
    generator = torch.Generator().manual_seed(0)
    coarse = torch.rand(n, 1, 8, 8, generator=generator)
    labels = torch.randint(10, (n,), generator=generator)
    return torch.nn.functional.interpolate(coarse, size=32, mode="bilinear"), labels


def our_step(x: Tensor, y: Tensor) -> Callable[[], object]:
    """Drive the library's own loop, one report a call, on the book's networks."""
    model = CrossEntropyImageVAE(channels=1, size=32, classes=10, latent=128, decoder="book")
    options = Options(batch_size=256, channels_last=True, large_products=True)
    game = Game(model.players(), options, seed=0)
    reports = train(game, Rows(x, {"label": y}), budget=Budget(steps=10**6))
    return lambda: next(reports)


def run() -> Iterator[Result]:
    """Yield the comparison."""
    torch.manual_seed(0)
    x, y = images()
    yield compare(
        "image VAE training step, 32x32, batch 256",
        ours=our_step(x, y),
        peer=("the book's plain loop", book_image_vae.make_step(x, y)),
        bar=1.5,
        calls=15,
        note="the book's networks and Bernoulli loss on both sides; bf16 where the CPU has it",
    )
