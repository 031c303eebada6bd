"""A training step of the VAE on the swiss roll, batch 1000: our loop against the book's.

And, where pythae is installed, an epoch of its trainer; the widths are the book's on all sides.
"""

import sys
import tempfile
from collections.abc import Callable, Iterator
from importlib.util import find_spec

import torch
from torch import Tensor

from ancestral.autoencoders import VAE
from ancestral.data import load
from ancestral.training import Budget, Game, Options, Rows, train
from benchmarks import book_vae
from benchmarks.harness import Result, compare

BATCH, LATENT, HIDDEN = 1000, 16, (128, 64, 32)


def our_steps(x: Tensor, steps: int = 1) -> Callable[[], object]:
    """Drive the library's own loop, so many reports a call, on the book's architecture."""
    model = VAE(2, latent=LATENT, hidden=HIDDEN)
    game = Game(model.players(), Options(batch_size=BATCH), seed=0)
    reports = train(game, Rows(x), budget=Budget(steps=10**6))
    return lambda: [next(reports) for _ in range(steps)]


def pythae_epoch(x: Tensor, folder: str) -> Callable[[], object]:
    """Return an epoch of pythae's trainer, by its own loader, optimizer and callbacks."""
    from pythae.data.datasets import BaseDataset
    from pythae.models import VAE as Theirs
    from pythae.models import VAEConfig
    from pythae.models.base.base_utils import ModelOutput
    from pythae.models.nn import BaseDecoder, BaseEncoder
    from pythae.trainers import BaseTrainer, BaseTrainerConfig

    class Encoder(BaseEncoder):
        def __init__(self) -> None:
            super().__init__()
            self.network = book_vae.Encoder()

        def forward(self, x: Tensor) -> ModelOutput:
            mean, log_std = self.network(x)
            return ModelOutput(embedding=mean, log_covariance=2 * log_std)

    class Decoder(BaseDecoder):
        def __init__(self) -> None:
            super().__init__()
            self.network = book_vae.Decoder()

        def forward(self, z: Tensor) -> ModelOutput:
            return ModelOutput(reconstruction=self.network(z))

    model = Theirs(VAEConfig(input_dim=(2,), latent_dim=LATENT), Encoder(), Decoder())
    how = BaseTrainerConfig(output_dir=folder, per_device_train_batch_size=BATCH, no_cuda=True)
    rows = BaseDataset(x, torch.zeros(len(x)))
    trainer = BaseTrainer(model=model, train_dataset=rows, training_config=how)
    trainer.prepare_training()
    return lambda: trainer.train_step(epoch=1)


def run() -> Iterator[Result]:
    """Yield the comparisons."""
    torch.manual_seed(0)
    x = load("swiss-roll").train.x.float()
    yield compare(
        "VAE training step, swiss roll, batch 1000",
        ours=our_steps(x),
        peer=("the book's plain loop", book_vae.make_step()),
        bar=1.4,
        calls=150,
        note="same widths and latent size on both sides",
    )
    if find_spec("pythae") is None:
        print("pythae is not installed: its trainer is left out", file=sys.stderr)
        return
    with tempfile.TemporaryDirectory() as folder:
        yield compare(
            f"VAE epoch of {len(x):,} points, swiss roll, batch 1000",
            ours=our_steps(x, len(x) // BATCH),
            peer=("pythae's trainer", pythae_epoch(x, folder)),
            bar=4.0,
            calls=3,
            note="same widths and latent size on both sides",
        )
