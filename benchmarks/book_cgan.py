"""The book's conditional GAN on MNIST as a plain loop: the peer of our ``cgan_step`` benchmark.

It keeps what the listing does and we do not: the critic is called once for real and once for
generated images, and the gradients of the generator's turns pass through its weights, too.
"""

from collections.abc import Callable
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

LATENT, CLASSES, EMBEDDING, PIXELS = 64, 10, 16, 784
BATCH, G_STEPS, SMOOTH = 128, 2, 0.9


class Generator(nn.Module):
    """z [B, 64] and label [B] -> images [B, 1, 28, 28] on [-1, 1]; 1,484,976 parameters."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(CLASSES, EMBEDDING)
        layers: list[nn.Module] = []
        for before, after in pairwise((LATENT + EMBEDDING, 256, 512, 1024)):
            layers += [nn.Linear(before, after), nn.BatchNorm1d(after), nn.LeakyReLU(0.2)]
        self.layers = nn.Sequential(*layers, nn.Linear(1024, PIXELS), nn.Tanh())

    def forward(self, z: Tensor, label: Tensor) -> Tensor:
        """Return images."""
        x = self.layers(torch.cat((z, self.embedding(label)), dim=1))
        return x.view(-1, 1, 28, 28)


class Discriminator(nn.Module):
    """Images [B, 1, 28, 28] and label [B] -> logits [B, 1]; 1,476,769 parameters."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(CLASSES, EMBEDDING)
        layers: list[nn.Module] = []
        for before, after in pairwise((PIXELS + EMBEDDING, 1024, 512, 256)):
            layers += [nn.Linear(before, after), nn.LeakyReLU(0.2), nn.Dropout(0.3)]
        self.layers = nn.Sequential(*layers, nn.Linear(256, 1))

    def forward(self, x: Tensor, label: Tensor) -> Tensor:
        """Return logits."""
        return self.layers(torch.cat((x.flatten(start_dim=1), self.embedding(label)), dim=1))


def initialise(module: nn.Module) -> None:
    """Draw the weights of a linear layer from N(0, 0.02); its bias is 0."""
    if isinstance(module, nn.Linear):
        nn.init.normal_(module.weight, 0.0, 0.02)
        nn.init.zeros_(module.bias)


def make_step(x: Tensor, labels: Tensor) -> Callable[[], float]:
    """Return the listing's iteration, on images [N, 1, 28, 28]: one update of D, two of G."""
    torch.manual_seed(0)
    generator, critic = Generator().apply(initialise), Discriminator().apply(initialise)
    settings = {"lr": 2e-4, "betas": (0.5, 0.999)}
    g_optimizer = torch.optim.Adam(generator.parameters(), **settings)
    d_optimizer = torch.optim.Adam(critic.parameters(), **settings)
    real_target, fake_target = torch.full((BATCH, 1), SMOOTH), torch.zeros(BATCH, 1)

    def step() -> float:
        rows = torch.randint(len(x), (BATCH,))
        real, label = x[rows], labels[rows]
        fake = generator(torch.randn(BATCH, LATENT), label).detach()
        d_loss = 0.5 * (
            binary_cross_entropy_with_logits(critic(real, label), real_target)
            + binary_cross_entropy_with_logits(critic(fake, label), fake_target)
        )
        d_optimizer.zero_grad()
        d_loss.backward()
        d_optimizer.step()
        for _ in range(G_STEPS):
            fake = generator(torch.randn(BATCH, LATENT), label)
            g_loss = binary_cross_entropy_with_logits(critic(fake, label), torch.ones(BATCH, 1))
            g_optimizer.zero_grad()
            g_loss.backward()
            g_optimizer.step()
        return d_loss.item()

    return step
