"""The book's VAE on the swiss roll as a plain loop: the peer of our ``vae`` benchmark.

It keeps what the listing does and we do not: two optimizers, a data set that scikit-learn makes
anew at every step and that is standardised by its own mean and deviation, two linear heads, a
decoder of fixed deviation 0.1, and a loss without the constants that would make it a bound.
"""

from collections.abc import Callable

import torch
from sklearn.datasets import make_swiss_roll
from torch import Tensor, nn

LATENT = 16
BATCH = 1000
DECODER_STD = 0.1


class Encoder(nn.Module):
    """x [B, 2] -> mean and log-deviation of z, each [B, 16]; 11,776 parameters."""

    def __init__(self) -> None:
        super().__init__()
        self.trunk = nn.Sequential(
            nn.Linear(2, 128),
            nn.ReLU(),
            nn.Linear(128, 64),
            nn.ReLU(),
            nn.Linear(64, 32),
            nn.ReLU(),
        )
        self.mean = nn.Linear(32, LATENT)
        self.log_std = nn.Linear(32, LATENT)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Encode x."""
        h = self.trunk(x)
        return self.mean(h), self.log_std(h)


class Decoder(nn.Module):
    """z [B, 16] -> mean of x [B, 2]; 11,234 parameters."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(LATENT, 32),
            nn.ReLU(),
            nn.Linear(32, 64),
            nn.ReLU(),
            nn.Linear(64, 128),
            nn.ReLU(),
            nn.Linear(128, 2),
        )

    def forward(self, z: Tensor) -> Tensor:
        """Decode z."""
        return self.layers(z)


def get_batch() -> Tensor:
    """Make a batch [1000, 2] as the listing does: a new set, scaled by its own scalars."""
    points, _ = make_swiss_roll(BATCH, noise=0.1)
    x = torch.tensor(points[:, [0, 2]], dtype=torch.float32)
    return (x - x.mean()) / x.std()


def loss_of(encoder: Encoder, decoder: Decoder, x: Tensor) -> Tensor:
    """Return the listing's negative objective, constants dropped; scalar."""
    mean, log_std = encoder(x)
    std = torch.exp(log_std)
    z = mean + std * torch.randn_like(std)
    reconstruction = -torch.sum((x - decoder(z)) ** 2, dim=1) / (2 * DECODER_STD**2)
    kl = 0.5 * (torch.sum(mean**2, dim=1) + torch.sum(std**2, dim=1)) - torch.sum(log_std, dim=1)
    return -torch.mean(reconstruction - kl)


def make_step(seed: int = 0) -> Callable[[], float]:
    """Build the listing's training step; each call makes one update and returns the loss."""
    torch.manual_seed(seed)
    encoder, decoder = Encoder(), Decoder()
    encoder_optimizer = torch.optim.AdamW(encoder.parameters())
    decoder_optimizer = torch.optim.AdamW(decoder.parameters())

    def step() -> float:
        x = get_batch()
        loss = loss_of(encoder, decoder, x)
        encoder_optimizer.zero_grad()
        decoder_optimizer.zero_grad()
        loss.backward()
        encoder_optimizer.step()
        decoder_optimizer.step()
        return loss.item()

    return step
