"""A training step of the VAE on the swiss roll, batch 1000: our loop against the book's."""

from collections.abc import Callable, Iterator

import torch

from ancestral.autoencoders import VAE
from ancestral.data import load
from ancestral.training import Budget, Game, Options, Rows, train
from benchmarks import book_vae
from benchmarks.harness import Result, compare


def our_step() -> Callable[[], object]:
    """Drive the library's own loop, one report a call, on the book's architecture."""
    x = load("swiss-roll").train.x.float()
    model = VAE(2, latent=16, hidden=(128, 64, 32))
    game = Game(model.players(), Options(batch_size=1000), seed=0)
    reports = train(game, Rows(x), budget=Budget(steps=10**6))
    return lambda: next(reports)


def run() -> Iterator[Result]:
    """Yield the comparison."""
    torch.manual_seed(0)
    yield compare(
        "VAE training step, swiss roll, batch 1000",
        ours=our_step(),
        peer=("the book's plain loop", book_vae.make_step()),
        bar=1.4,
        calls=150,
        note="same widths and latent size on both sides",
    )
