"""The book's conditional image VAE as a plain loop: the peer of our ``image-vae`` benchmark.

It keeps what the listing does and we do not: int64 one-hot planes expanded to full resolution and
concatenated, log of a sigmoid, two optimizers, contiguous float32 convolutions. Batches come from
memory on both sides, so that only the training step is compared.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

CLASSES = 10
LATENT = 128
BATCH = 256
SIZE = 32


class ImageEncoder(nn.Module):
    """x [B, 1, 32, 32], y [B] -> mean and log-deviation of z, each [B, 128]; 287,136 parameters."""

    def __init__(self) -> None:
        super().__init__()
        self.convolutions = nn.Sequential(
            nn.Conv2d(1 + CLASSES, 16, kernel_size=3, stride=2, padding=1),
            nn.ReLU(),
            nn.Conv2d(16, 32, kernel_size=3, stride=2, padding=1),
            nn.ReLU(),
            nn.Conv2d(32, 64, kernel_size=3, stride=2, padding=1),
            nn.ReLU(),
            nn.Flatten(),
        )
        self.linear = nn.Linear(64 * (SIZE // 8) ** 2, 2 * LATENT)

    def forward(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """Encode x of class y."""
        one_hot = functional.one_hot(y, CLASSES)[:, :, None, None]
        planes = one_hot.expand(-1, -1, x.shape[2], x.shape[3])
        h = self.convolutions(torch.cat((x, planes), dim=1))
        mean, log_std = self.linear(h).chunk(2, dim=1)
        return mean, log_std


class ImageDecoder(nn.Module):
    """z [B, 128], y [B] -> pixels [B, 1, 32, 32] in (0, 1); 165,569 parameters."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(LATENT + CLASSES, 64 * (SIZE // 8) ** 2)
        options = {"kernel_size": 3, "stride": 2, "padding": 1, "output_padding": 1}
        self.convolutions = nn.Sequential(
            nn.ConvTranspose2d(64, 32, **options),
            nn.ReLU(),
            nn.ConvTranspose2d(32, 16, **options),
            nn.ReLU(),
            nn.ConvTranspose2d(16, 1, **options),
            nn.Sigmoid(),
        )

    def forward(self, z: Tensor, y: Tensor) -> Tensor:
        """Decode z of class y."""
        one_hot = functional.one_hot(y, CLASSES)
        h = self.linear(torch.cat((z, one_hot), dim=1))
        return self.convolutions(h.reshape(-1, 64, SIZE // 8, SIZE // 8))


def loss_of(encoder: ImageEncoder, decoder: ImageDecoder, x: Tensor, y: Tensor) -> Tensor:
    """Return the listing's negative objective, constants dropped; scalar."""
    mean, log_std = encoder(x, y)
    std = torch.exp(log_std)
    z = mean + std * torch.randn_like(std)
    pixels = decoder(z, y)
    terms = x * torch.log(pixels) + (1 - x) * torch.log(1 - pixels)
    reconstruction = torch.sum(terms, dim=(1, 2, 3))
    kl = 0.5 * (torch.sum(mean**2, dim=1) + torch.sum(std**2, dim=1)) - torch.sum(log_std, dim=1)
    return -torch.mean(reconstruction - kl)


def make_step(x: Tensor, y: Tensor, seed: int = 0) -> Callable[[], float]:
    """Build the listing's training step; each call makes one update and returns the loss.

    Args:
        x: Images in [0, 1], float32 [N, 1, 32, 32], N at least 256.
        y: Labels, int64 [N].
        seed: Of the weights.
    """
    torch.manual_seed(seed)
    encoder, decoder = ImageEncoder(), ImageDecoder()
    encoder_optimizer = torch.optim.AdamW(encoder.parameters())
    decoder_optimizer = torch.optim.AdamW(decoder.parameters())
    position = 0

    def step() -> float:
        nonlocal position
        rows = slice(position, position + BATCH)
        position = (position + BATCH) % (len(x) - BATCH + 1)
        loss = loss_of(encoder, decoder, x[rows], y[rows])
        encoder_optimizer.zero_grad()
        decoder_optimizer.zero_grad()
        loss.backward()
        encoder_optimizer.step()
        decoder_optimizer.step()
        return loss.item()

    return step
