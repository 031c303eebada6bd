"""A training iteration of the GAN on the swiss roll, batch 1000: our loop against the book's."""

from collections.abc import Callable, Iterator

import torch

from ancestral.adversarial import GAN, GameRules
from ancestral.data import load
from ancestral.training import Budget, Game, Options, Rows, train
from benchmarks import book_gan
from benchmarks.harness import Result, compare


def our_step() -> Callable[[], object]:
    """Drive the library's own loop, one report a call, on the book's networks and losses."""
    x = load("swiss-roll").train.x.float()
    rules = GameRules(loss="saturating", penalty=0.0)
    model = GAN(2, latent=book_gan.LATENT, hidden=(32, 64, 128), rules=rules)
    options = Options(batch_size=book_gan.BATCH, betas=(0.5, 0.999), weight_decay=0.0)
    game = Game(model.players(), options, seed=0)
    reports = train(game, Rows(x), budget=Budget(steps=10**6))
    return lambda: next(reports)


def run() -> Iterator[Result]:
    """Yield the comparison."""
    torch.manual_seed(0)
    _, theirs = book_gan.make_step()
    yield compare(
        "GAN training iteration, swiss roll, batch 1000",
        ours=our_step(),
        peer=("the book's plain loop", theirs),
        bar=1.3,
        calls=150,
        note="same networks and losses on both sides, no penalty",
    )
