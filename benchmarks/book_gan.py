"""The book's GAN on the swiss roll as a plain loop: the peer of our ``gan`` benchmark.

It keeps what the listing does and we do not: a critic that ends in a sigmoid and losses on its
rounded probabilities, the saturating generator loss, a data set that scikit-learn makes anew at
every step and that is standardised by its own mean and deviation, no penalty and no average of
the weights. The sign of the critic's second term is the corrected one.
"""

from collections.abc import Callable

import torch
from sklearn.datasets import make_swiss_roll
from torch import Tensor, nn

LATENT = 16
BATCH = 1000


def make_generator() -> nn.Module:
    """Build z [B, 16] -> x [B, 2]; 11,234 parameters."""
    return nn.Sequential(
        nn.Linear(LATENT, 32),
        nn.ReLU(),
        nn.Linear(32, 64),
        nn.ReLU(),
        nn.Linear(64, 128),
        nn.ReLU(),
        nn.Linear(128, 2),
    )


def make_discriminator() -> nn.Module:
    """Build x [B, 2] -> probability that x is real [B, 1]; 10,753 parameters."""
    return nn.Sequential(
        nn.Linear(2, 128),
        nn.ReLU(),
        nn.Linear(128, 64),
        nn.ReLU(),
        nn.Linear(64, 32),
        nn.ReLU(),
        nn.Linear(32, 1),
        nn.Sigmoid(),
    )


def get_batch() -> Tensor:
    """Make a batch [1000, 2] as the listing does: a new set, scaled by its own scalars."""
    points, _ = make_swiss_roll(BATCH, noise=0.1)
    x = torch.tensor(points[:, [0, 2]], dtype=torch.float32)
    return (x - x.mean()) / x.std()


def make_step(seed: int = 0) -> tuple[nn.Module, Callable[[], float]]:
    """Return the listing's generator and its training step, one update of each network.

    Each call of the step returns the critic's loss.
    """
    torch.manual_seed(seed)
    generator, discriminator = make_generator(), make_discriminator()
    settings = {"lr": 1e-3, "betas": (0.5, 0.999)}
    g_optimizer = torch.optim.Adam(generator.parameters(), **settings)
    d_optimizer = torch.optim.Adam(discriminator.parameters(), **settings)

    def step() -> float:
        real = get_batch()
        fake = generator(torch.randn(BATCH, LATENT)).detach()
        d_value = torch.log(discriminator(real)) + torch.log(1 - discriminator(fake))
        d_loss = -0.5 * d_value.mean()
        d_optimizer.zero_grad()
        d_loss.backward()
        d_optimizer.step()

        fake = generator(torch.randn(BATCH, LATENT))
        g_loss = 0.5 * torch.log(1 - discriminator(fake)).mean()
        g_optimizer.zero_grad()
        g_loss.backward()
        g_optimizer.step()
        return d_loss.item()

    return generator, step
