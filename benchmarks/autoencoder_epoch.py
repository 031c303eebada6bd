"""An epoch of an autoencoder of Fashion-MNIST, and what a contractive penalty costs."""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from ancestral.autoencoders import AE, Contraction, dense_networks
from ancestral.data import load, unit_interval
from ancestral.training import Budget, Game, Options, Rows, train
from benchmarks.harness import Result, compare

BATCH, LATENT, SHAPE = 128, 32, (1, 28, 28)


def autoencoder(*, hidden: tuple[int, ...] = (), contracts: bool = False) -> AE:
    penalty = Contraction(weight=0.01, probes=1) if contracts else None
    networks = dense_networks(SHAPE, LATENT, hidden=hidden)
    return AE(*networks, event_shape=SHAPE, latent=LATENT, penalty=penalty)


def our_steps(model: AE, x: Tensor, steps: int) -> Callable[[], object]:
    """Return a call that makes so many updates by the library's own loop."""
    game = Game(model.players(), Options(batch_size=BATCH), seed=0)
    reports = train(game, Rows(x), budget=Budget(steps=10**9))
    return lambda: [next(reports) for _ in range(steps)]


def loader_epoch(x: Tensor) -> Callable[[], object]:
    """Return an epoch of the plain loop: DataLoader, TensorDataset, Adam."""
    model = autoencoder()
    encoder, decoder = model.encoder, model.decoder
    loader = DataLoader(TensorDataset(x), batch_size=BATCH, shuffle=True, drop_last=True)
    adam, loss_of = torch.optim.Adam(model.parameters(), lr=1e-3), nn.MSELoss()

    def epoch() -> None:
        for (batch,) in loader:
            adam.zero_grad()
            loss = loss_of(decoder(encoder(batch)), batch)
            loss.backward()
            adam.step()

    return epoch


def run() -> Iterator[Result]:
    """Yield the comparisons."""
    torch.manual_seed(0)
    data = load("fashion-mnist").train.x
    x = unit_interval(256)(data[: 100 * BATCH])
    yield compare(
        f"epoch of an autoencoder 784-{LATENT}-784, {len(x):,} garments, batch {BATCH}",
        ours=our_steps(autoencoder(), x, len(x) // BATCH),
        peer=("a DataLoader(TensorDataset) loop", loader_epoch(x)),
        bar=5.0,
        note="the same network and batches on both sides",
    )
    wide = (512, 256)
    yield compare(
        f"contractive step, D = 784, L = {LATENT}, batch {BATCH}",
        ours=our_steps(autoencoder(hidden=wide, contracts=True), x, 20),
        peer=("a plain step", our_steps(autoencoder(hidden=wide), x, 20)),
        bar=1 / 3,
        note="at most three times a plain step is asked for",
    )
