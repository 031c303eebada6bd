"""A training iteration of the conditional GAN, batch 128, two updates of G: ours and the book's.

In single precision, and in that which the processor's instructions allow (``auto``). Without
bf16 on the processor the second is the first again, and no bar is set.
"""

from collections.abc import Callable, Iterator
from typing import Literal

import torch
from torch import Tensor

from ancestral.adversarial import GameRules, ImageGAN
from ancestral.training import Budget, Game, Options, Rows, train
from benchmarks import book_cgan
from benchmarks.harness import Result, compare

_IMAGES = 4_096


def our_step(
    x: Tensor, label: Tensor, precision: Literal["auto", "float32"]
) -> Callable[[], object]:
    """Drive the library's own loop, one report a call, on the book's networks."""
    torch.manual_seed(0)
    model = ImageGAN(
        book_cgan.Generator(),
        book_cgan.Discriminator(),
        event_shape=(1, 28, 28),
        latent=book_cgan.LATENT,
        classes=book_cgan.CLASSES,
        rules=GameRules(penalty=0.0, smoothing=0.1, updates=(1, book_cgan.G_STEPS)),
    )
    options = Options(
        batch_size=book_cgan.BATCH,
        learning_rate=2e-4,
        betas=(0.5, 0.999),
        weight_decay=0.0,
        precision=precision,
        large_products=precision == "auto",
    )
    game = Game(model.players(), options, seed=0)
    reports = train(game, Rows(x, {"label": label}), budget=Budget(steps=10**6))
    return lambda: next(reports)


def run() -> Iterator[Result]:
    """Yield the two comparisons."""
    generator = torch.Generator().manual_seed(0)
    x = 2 * torch.rand(_IMAGES, 1, 28, 28, generator=generator) - 1
    label = torch.randint(book_cgan.CLASSES, (_IMAGES,), generator=generator)
    has_bf16 = bool(torch.cpu.get_capabilities().get("avx512_bf16"))
    for precision, bar in (("float32", 1.2), ("auto", 1.9 if has_bf16 else 0.0)):
        yield compare(
            f"CGAN training iteration, batch 128, two updates of G, {precision}",
            ours=our_step(x, label, precision),
            peer=("the book's plain loop", book_cgan.make_step(x, label)),
            bar=bar,
            calls=20,
            note="same networks and losses on both sides; images of noise",
        )
