"""Chapter 9: autoencoders and variational autoencoders."""

from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.distributions import Bernoulli, Independent, Normal

from ancestral.autoencoders import AE, VAE, Masking, SaltAndPepper, dense_networks
from ancestral.autoencoders.conditionals import DiagonalNormal
from ancestral.book.chapters.adversarial import draw_roll
from ancestral.book.chapters.neural import garments
from ancestral.book.entry import Entry, How, Sampled
from ancestral.capabilities import Batch
from ancestral.data.projections import dimensions_for, random_projection
from ancestral.information import kl
from ancestral.training.weights import count_parameters

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ROLL = (128, 64, 32)


def dense(shape: tuple[int, ...], latent: int, hidden: tuple[int, ...]) -> tuple[int, int]:
    """Return the parameters of an encoder and its decoder."""
    encoder, decoder = dense_networks(shape, latent, hidden=hidden)
    return count_parameters(encoder), count_parameters(decoder)


def vae() -> VAE:
    """Return the book's VAE of the swiss roll."""
    return VAE(2, latent=16, hidden=ROLL, decoder_std=0.1)


def image_vae() -> tuple[float, float]:
    """Return the parameters of the book's VAE of images: encoder, decoder of means."""
    from ancestral.autoencoders.image_networks import Architecture

    sizes = Architecture(channels=1, size=32, classes=10, latent=128, width=16, decoder="book")
    encoder, decoder = sizes.encoder_network(), sizes.decoder_network(1)
    return count_parameters(encoder), count_parameters(decoder)


def kept_distances(how: How) -> float:
    """Return the share of squared distances of 200 points that a random map keeps within a half."""
    x = torch.randn(200, 1000, generator=how.noise, dtype=torch.float64)
    z = random_projection(x, dimensions_for(200, 0.5), generator=how.noise)
    pair = torch.triu_indices(200, 200, 1)
    before, after = (torch.cdist(points, points).square()[pair[0], pair[1]] for points in (x, z))
    return ((after / before - 1).abs() <= 0.5).double().mean().item()


def hit(how: How) -> tuple[float, ...]:
    """Return the values of grey pixels after salt and pepper."""
    noise = SaltAndPepper(least=0.5, most=0.5)
    return tuple(noise(torch.full((1, 1, 28, 28), 0.5), how.noise).unique().tolist())


def masked(how: How) -> Sampled:
    """Return the share of pixels that the book's mask sets to 0, of 1,000 images."""
    holes = Masking(least=0.3, most=0.7)(torch.ones(1000, 1, 28, 28), how.noise) == 0
    shares = holes.double().flatten(start_dim=1).mean(dim=1)
    return Sampled(shares.mean().item(), (shares.std() / len(shares) ** 0.5).item())


def squared_error() -> float:
    """Return torch's squared error over the book's formula, of rows of two numbers."""
    model = AE(*dense_networks((2,), 16, hidden=ROLL), event_shape=(2,), latent=16).double()
    x = torch.tensor([[0.3, -1.0], [2.0, 0.5]], dtype=torch.float64)
    with torch.no_grad():
        loss = model.players()[0].loss(Batch(x), None)
        back = model.decode(model.encode(x).mean)
    return (nn.functional.mse_loss(back, x) / (loss.total / loss.weight)).item()


def divergence_of_itself(latent: int) -> float:
    """Return KL(N(0, I) || N(0, I))."""
    prior = Independent(Normal(torch.zeros(latent).double(), 1.0), 1)
    return float(kl(prior, prior))


def constant_of_the_decoder() -> float:
    """Return the log-density at the mean of a Gaussian decoder of two numbers, sigma = 0.1."""
    zero = torch.zeros(2, dtype=torch.float64)
    return DiagonalNormal(zero, torch.full_like(zero, 0.1).log()).log_prob(zero).item()


def mass_on_greys(r: float) -> float:
    """Return the integral over [0, 1] of Bernoulli's mass, taken for a density."""
    x = torch.linspace(0, 1, 2_001, dtype=torch.float64)
    law = Bernoulli(torch.tensor(r, dtype=torch.float64), validate_args=False)
    return torch.trapezoid(law.log_prob(x).exp(), x).item()


def draw_garments(how: How) -> "Figure":  # noqa: ARG001 - every figure is drawn alike
    """Draw figure 78."""
    from ancestral.book.drawing import picture, sheet

    figure, panels = sheet(8, 4.2, across=10, down=5)
    for axes, image in zip(panels, garments().train.x[:50], strict=True):
        picture(axes, image[0])
    return figure


ENTRIES: tuple[Entry, ...] = (
    *(
        Entry(row, english, spanish, book=book, find=lambda _, count=count: count())
        for row, english, spanish, book, count in (
            (
                "AE-02",
                "Parameters of the autoencoder of the swiss roll: encoder, decoder",
                "Parámetros del autoencoder del rollo suizo: codificador, decodificador",
                (11_248, 11_234),
                lambda: dense((2,), 16, ROLL),
            ),
            (
                "AE-15.a",
                "Parameters of the denoising autoencoder",
                "Parámetros del autoencoder que quita ruido",
                484_944,
                lambda: sum(dense((1, 28, 28), 64, (256, 128))),
            ),
            (
                "VA-09",
                "Parameters of the VAE of the swiss roll: encoder, decoder",
                "Parámetros del VAE del rollo suizo: codificador, decodificador",
                (11_776, 11_234),
                lambda: (count_parameters(vae().q), count_parameters(vae().p)),
            ),
            (
                "VA-11",
                "Parameters of the VAE of images: encoder, decoder",
                "Parámetros del VAE de imágenes: codificador, decodificador",
                (287_136, 165_569),
                image_vae,
            ),
        )
    ),
    Entry(
        "AE-01",
        "Squared error by torch over the formula, D = 2",
        "Error cuadrático según torch sobre la fórmula, D = 2",
        book=1,
        errs="E-C18",
        correct=0.5,
        find=lambda _: squared_error(),
    ),
    Entry(
        "AE-07.a",
        "Dimensions for 1,000 points and an error of 0.5 (the constant left open)",
        "Dimensiones para 1,000 puntos y un error de 0.5 (la constante, sin fijar)",
        book=332,
        find=lambda _: dimensions_for(1000, 0.5),
    ),
    Entry(
        "AE-07.b",
        "Share of distances that a random map of so many keeps",
        "Proporción de distancias que conserva una aplicación al azar",
        book=1,
        find=kept_distances,
    ),
    Entry(
        "AE-14",
        "Values of grey pixels after salt and pepper",
        "Valores de píxeles grises tras sal y pimienta",
        book=(0, 0.5),
        errs="E-C12",
        correct=(0, 0.5, 1),
        find=hit,
    ),
    Entry(
        "AE-15.b",
        "Share of pixels masked, p uniform on [0.3, 0.7]",
        "Proporción de píxeles ocultos, p uniforme en [0.3, 0.7]",
        book=0.5,
        find=masked,
    ),
    Entry(
        "VA-05",
        "Log-density at the mean, D = 2, σ₀ = 0.1, that the constant leaves out",
        "Log-densidad en la media, D = 2, σ₀ = 0.1, que la constante deja fuera",
        book=0,
        within=5e-4,
        errs="E-M24",
        correct=2.767,
        find=lambda _: constant_of_the_decoder(),
    ),
    Entry(
        "VA-06",
        "Integral over grey levels of Bernoulli's mass, r = 0.9",
        "Integral sobre niveles de gris de la masa de Bernoulli, r = 0.9",
        book=1,
        within=5e-4,
        errs="E-M25",
        correct=0.364,
        find=lambda _: mass_on_greys(0.9),
    ),
    Entry(
        "VA-07",
        "KL(N(0, I) ‖ N(0, I)) with L = 16, by the listing L/2",
        "KL(N(0, I) ‖ N(0, I)) con L = 16, según el código L/2",
        book=8,
        errs="E-M24",
        correct=0,
        find=lambda _: divergence_of_itself(16),
    ),
    Entry("FG-72", "Data in the plane", "Datos en el plano", draw=draw_roll),
    Entry("FG-78", "Fifty garments", "Cincuenta prendas", draw=draw_garments),
)
