"""Chapter 2, first half: Bayesian networks, paradigms as networks, latent variables."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import numpy as np
import torch

from ancestral.adversarial import GAN
from ancestral.autoencoders import VAE
from ancestral.autoregressive import GPT, GPTShape
from ancestral.book.entry import Entry, How
from ancestral.book.reasons import OTHERS
from ancestral.classic import (
    HMM,
    KDE,
    CategoricalEmissions,
    DiagonalGaussians,
    GaussianMixture,
    MarkovChain,
    NaiveBayes,
)
from ancestral.data import intrinsic_dimension, load, render_circles
from ancestral.data.fields import Image
from ancestral.data.toys import swiss_roll_3d
from ancestral.diffusion import Denoiser, Diffusion
from ancestral.networks import DAG, joint, query, student_network
from ancestral.nn import TimedMLP

if TYPE_CHECKING:
    from matplotlib.figure import Figure

POINTS, WIDTH, WINDOW = 5, 0.1, 5


def asked(target: str, **given: int) -> float:
    """Return p(target = 1 | given) of the student network."""
    return query(student_network(), [target], given=given).probabilities[target]["1"]


def tables() -> tuple[float, ...]:
    """Return the free parameters of the student network, and of a full table."""
    network = student_network()
    nodes = [network.table(name).probabilities for name in network.graph.names]
    whole = joint(network, network.graph.names)
    return sum(table[..., 1:].numel() for table in nodes), whole.numel() - 1


def distributions() -> tuple[float, ...]:
    """Return how many laws x4 has given all that come before it, and given its parents."""
    network = student_network()
    states = [len(network.states(name)) for name in network.graph.names[:-1]]
    table = network.table("x4").probabilities
    return float(np.prod(states)), table.numel() // table.shape[-1]


def numbers_of(height: int, width: int, channels: int) -> int:
    """Return how many numbers an image is."""
    return Image(channels=channels, height=height, width=width).event_shape.numel()


def kernels(features: int, how: How) -> KDE:
    """Return the density of five points in the unit interval or square."""
    return KDE(features, bandwidth=WIDTH).fit(how.uniform(POINTS, features))


def integral(features: int, how: How) -> float:
    """Return the integral of that density over the line or the plane."""
    line = torch.linspace(-0.8, 1.8, 521, dtype=torch.float64)
    grid = torch.cartesian_prod(*[line] * features).reshape(-1, features)
    density = kernels(features, how).log_prob(grid).exp().reshape([len(line)] * features)
    for _ in range(features):
        density = torch.trapezoid(density, line)
    return density.item()


def printed_normaliser(how: How) -> float:
    """Return the integral in the plane where the normaliser is that of the line."""
    return integral(2, how) * (2 * torch.pi * WIDTH**2) ** 0.5


def draw_kernels(how: How) -> "Figure":
    """Draw figure 28."""
    from ancestral.book.drawing import BLUE, INK, RED, sheet

    model = kernels(1, how)
    x = torch.linspace(-0.4, 1.4, 400, dtype=torch.float64)
    figure, (axes,) = sheet(6, 2.8)
    for point in model.data:
        one = KDE(1, bandwidth=WIDTH).fit(point[None])
        axes.plot(x.numpy(), one.log_prob(x[:, None]).exp().numpy() / POINTS, color=INK, lw=0.8)
    axes.plot(x.numpy(), model.log_prob(x[:, None]).exp().numpy(), color=BLUE, lw=2)
    axes.plot(model.data[:, 0].numpy(), [0] * POINTS, "o", color=RED)
    axes.set(xlabel="x", title=how.say("five points, h = 0.1", "cinco puntos, h = 0.1"))
    return figure


def draw_kernels_in_the_plane(how: How) -> "Figure":
    """Draw figure 29."""
    from ancestral.book.drawing import RED, sheet

    model = kernels(2, how)
    line = torch.linspace(-0.4, 1.4, 120, dtype=torch.float64)
    grid = torch.stack(torch.meshgrid(line, line, indexing="xy"), dim=-1)
    density = model.log_prob(grid.reshape(-1, 2)).exp().reshape(120, 120)
    figure, (axes,) = sheet(3.8, 3.6)
    axes.contour(line.numpy(), line.numpy(), density.numpy(), levels=9, cmap="viridis")
    axes.plot(*model.data.T.numpy(), "o", color=RED)
    axes.set(aspect="equal", title=how.say("circular level curves", "curvas de nivel circulares"))
    return figure


def draw_sheet(how: How) -> "Figure":  # noqa: ARG001 - every figure is drawn alike
    """Draw figure 35."""
    from ancestral.book.drawing import sheet

    points = swiss_roll_3d(2_000, np.random.default_rng(0))
    figure, (axes,) = sheet(4.6, 4, subplot_kw={"projection": "3d"})
    turn = np.hypot(points[:, 0], points[:, 2])
    axes.scatter(*points.T, c=turn, s=4, cmap="viridis", rasterized=True)
    return figure


def roll_dimension(how: How) -> float:  # noqa: ARG001 - every number is found alike
    """Return how many dimensions the rolled sheet fills."""
    return intrinsic_dimension(torch.from_numpy(swiss_roll_3d(2_000, np.random.default_rng(0))))


def digits_dimension(how: How) -> float:  # noqa: ARG001 - every number is found alike
    """Return how many dimensions the digits of MNIST fill."""
    return intrinsic_dimension(load("mnist").train.x[:4_000])


def _diffusion() -> Mapping[str, DAG]:
    return Diffusion(Denoiser(TimedMLP(2, hidden=(8,))), (2,)).graph


def _text() -> DAG:
    return GPT(8, shape=GPTShape(window=WINDOW, width=8, layers=1, heads=1)).graph["p"]


NETWORKS: Mapping[str, tuple[str, str, Callable[[], DAG]]] = {
    "FG-23": (
        "The student network; edges",
        "La red del estudiante; arcos",
        lambda: student_network().graph,
    ),
    "FG-24": ("A mixture", "Una mezcla", lambda: GaussianMixture(2).graph["p"]),
    "FG-25": (
        "Naive Bayes",
        "Bayes ingenuo",
        lambda: NaiveBayes(DiagonalGaussians(2, 4)).network.graph,
    ),
    "FG-26": ("A Markov chain", "Una cadena de Markov", lambda: MarkovChain(2).graph["p"]),
    "FG-27": (
        "A hidden Markov model",
        "Un modelo oculto de Markov",
        lambda: HMM(CategoricalEmissions(2, symbols=2)).graph["p"],
    ),
    "FG-30": ("An autoregressive model; edges", "Un modelo autorregresivo; arcos", _text),
    "FG-31.p": ("A VAE: the decoder", "Un VAE: el decodificador", lambda: VAE(2).graph["p"]),
    "FG-31.q": ("A VAE: the encoder", "Un VAE: el codificador", lambda: VAE(2).graph["q"]),
    "FG-32.p": ("A GAN: the generator", "Una GAN: el generador", lambda: GAN(2).graph["p"]),
    "FG-32.q": ("A GAN: the critic", "Una GAN: el discriminador", lambda: GAN(2).graph["q"]),
    "FG-33.q": ("Diffusion: noise is put in", "Difusión: entra ruido", lambda: _diffusion()["q"]),
    "FG-33.p": ("Diffusion: noise is taken out", "Difusión: sale", lambda: _diffusion()["p"]),
    "FG-34": ("A flow", "Un flujo", lambda: DAG({"z": (), "x": ("z",)})),
}
EDGES: Mapping[str, int] = {"FG-23": 4, "FG-30": WINDOW * (WINDOW - 1) // 2}
"""How many the book's drawing has, where that is told."""

ENTRIES: tuple[Entry, ...] = (
    *(
        Entry(row, english, spanish, book=book, within=within, find=lambda _, a=asks: a())
        for row, english, spanish, book, within, asks in (
            ("BN-02.a", "p(x₂ = 1)", "p(x₂ = 1)", 0.695, 0.0, lambda: asked("x2")),
            (
                "BN-02.b",
                "p(x₁ = 1 | x₂ = 0), 45/61",
                "p(x₁ = 1 | x₂ = 0), 45/61",
                0.74,
                0.005,
                lambda: asked("x1", x2=0),
            ),
            (
                "BN-02.c",
                "p(x₂ = 1, x₃ = 1)",
                "p(x₂ = 1, x₃ = 1)",
                0.546,
                0.0,
                lambda: joint(student_network(), ["x2", "x3"])[1, 1].item(),
            ),
            (
                "BN-02.d",
                "p(x₃ = 1 | x₂ = 1), 546/695",
                "p(x₃ = 1 | x₂ = 1), 546/695",
                0.79,
                0.005,
                lambda: asked("x3", x2=1),
            ),
            (
                "BN-04.a",
                "Laws of x₄ given all before it, and given its parents",
                "Leyes de x₄ dado todo lo anterior, y dados sus padres",
                (8, 4),
                0.0,
                distributions,
            ),
            (
                "BN-04.b",
                "Free parameters of the network, and of a full table (implied)",
                "Parámetros libres de la red, y de una tabla completa (implícitos)",
                (9, 15),
                0.0,
                tables,
            ),
            (
                "GP-11.a",
                "Numbers of a CelebA photo, 178 × 218 × 3",
                "Números de una foto de CelebA, 178 × 218 × 3",
                116_412,
                0.0,
                lambda: numbers_of(218, 178, 3),
            ),
            (
                "GP-12",
                "Numbers of a picture of a circle, 256 × 256",
                "Números de una imagen de un círculo, 256 × 256",
                65_536,
                0.0,
                lambda: render_circles(torch.tensor([30.0, 100.0, 80.0])).numel(),
            ),
        )
    ),
    Entry(
        "GP-11.b",
        "Numbers of a digit of MNIST",
        "Números de un dígito de MNIST",
        book=728,
        errs="E-T02",
        correct=784,
        find=lambda _: numbers_of(28, 28, 1),
    ),
    Entry(
        "GP-11.c",
        "Intrinsic dimension of MNIST, of 4,000 digits",
        "Dimensión intrínseca de MNIST, de 4,000 dígitos",
        book=12,
        within=4,
        find=digits_dimension,
    ),
    Entry(
        "GP-02.a",
        "Integral of a kernel density of five points, D = 1 and D = 2",
        "Integral de una densidad de núcleos de cinco puntos, D = 1 y D = 2",
        book=(1, 1),
        within=1e-4,
        find=lambda how: (integral(1, how), integral(2, how)),
    ),
    Entry(
        "GP-02.b",
        "Integral of the D = 2 density under the normaliser as printed, h = 0.1",
        "Integral de la densidad con D = 2 con el normalizador impreso, h = 0.1",
        book=1,
        within=1e-4,
        errs="E-M10",
        correct=0.2507,
        find=printed_normaliser,
    ),
    *(
        Entry(
            row,
            english,
            spanish,
            book=EDGES.get(row),
            find=(lambda _, graph=graph: len(graph().edges)) if row in EDGES else None,
            draw=lambda _, graph=graph: graph().draw(),
        )
        for row, (english, spanish, graph) in NETWORKS.items()
    ),
    Entry(
        "FG-28",
        "Kernel density of five points on a line; its integral",
        "Densidad de núcleos de cinco puntos en una recta; su integral",
        book=1,
        within=1e-4,
        find=lambda how: integral(1, how),
        draw=draw_kernels,
    ),
    Entry(
        "FG-29",
        "Kernel density of five points in the plane; its integral",
        "Densidad de núcleos de cinco puntos en el plano; su integral",
        book=1,
        within=1e-4,
        find=lambda how: integral(2, how),
        draw=draw_kernels_in_the_plane,
    ),
    Entry(
        "FG-35",
        "The swiss roll in space; dimensions that it fills",
        "El rollo suizo en el espacio; dimensiones que llena",
        book=2,
        within=0.3,
        find=roll_dimension,
        draw=draw_sheet,
    ),
    Entry("FG-36", "Between two faces", "Entre dos rostros", reason=OTHERS),
    Entry("FG-37", "More and less of a smile", "Más y menos sonrisa", reason=OTHERS),
)
