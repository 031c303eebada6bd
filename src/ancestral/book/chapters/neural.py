"""Chapter 1, second half: neural networks and their data."""

from functools import cache
from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.func import grad

from ancestral.book.entry import Entry, How
from ancestral.classic import Classifier
from ancestral.data import Dataset, load
from ancestral.nn import MLP
from ancestral.training.weights import count_parameters

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def memory(beta: float) -> float:
    """Return the steps that Adam's mean remembers: all a gradient does to it, over the first."""
    weight = nn.Parameter(torch.zeros((), dtype=torch.float64))
    adam = torch.optim.Adam([weight], betas=(beta, 0.999))
    means = []
    for step in range(600):
        weight.grad = torch.full_like(weight, float(step == 0))
        adam.step()
        means.append(adam.state[weight]["exp_avg"].item())
    return sum(means) / means[0]


def scale_of_ones() -> float:
    """Return the root of Adam's second moment, unbiased, after ten gradients of 1."""
    weight = nn.Parameter(torch.zeros((), dtype=torch.float64))
    adam = torch.optim.Adam([weight])
    for _ in range(10):
        weight.grad = torch.ones_like(weight)
        adam.step()
    return (adam.state[weight]["exp_avg_sq"] / (1 - 0.999**10)).sqrt().item()


def step_of(rate: float) -> float:
    """Return the sign of the change of the loss in one step of gradient descent."""
    weight = nn.Parameter(torch.ones((), dtype=torch.float64))
    descent = torch.optim.SGD([weight], lr=rate)
    before = weight.square()
    before.backward()
    descent.step()
    return (weight.square() - before).sign().item()


def error_on_sine() -> float:
    """Return the greatest error of a network of 32 and 32 units on the sine, after 500 steps."""
    torch.manual_seed(0)
    x = torch.linspace(-torch.pi, torch.pi, 256)[:, None]
    network = MLP(1, 1, hidden=(32, 32), activation=nn.Tanh)
    adam = torch.optim.Adam(network.parameters(), lr=1e-2)
    for _ in range(500):
        adam.zero_grad()
        (network(x) - x.sin()).square().mean().backward()
        adam.step()
    return (network(x) - x.sin()).abs().max().item()


def steeper(x: float) -> float:
    """Return the sign of the slope of tanh less that of the sigmoid."""
    at = torch.tensor(x, dtype=torch.float64)
    return (grad(torch.tanh)(at) - grad(torch.sigmoid)(at)).sign().item()


def sizes() -> tuple[int, ...]:
    """Return the parameters of each layer of the book's classifier, and of all of it."""
    model = Classifier((1, 28, 28), 10, hidden=(4,))
    layers = [module for module in model.modules() if isinstance(module, nn.Linear)]
    return (*map(count_parameters, layers), count_parameters(model))


def dropout(how: How) -> float:
    """Return what dropout with p = 0.2 makes of a 1 that it keeps."""
    torch.manual_seed(how.noise.initial_seed())
    return nn.Dropout(0.2)(torch.ones(5, 5, dtype=torch.float64)).max().item()


def running_mean() -> float:
    """Return what batch norm remembers of the mean after one batch of ones."""
    norm = nn.BatchNorm2d(1)
    norm(torch.ones(2, 1, 3, 3))
    assert norm.running_mean is not None
    return norm.running_mean.item()


def double_softmax() -> float:
    """Return the loss of a certain and right answer that went through two softmaxes."""
    certain = torch.eye(10, dtype=torch.float64)
    return nn.functional.cross_entropy(certain, torch.arange(10)).item()


@cache
def garments() -> Dataset:
    """Return Fashion-MNIST."""
    return load("fashion-mnist")


def draw_garment(how: How) -> "Figure":
    """Draw figure 20."""
    from ancestral.book.drawing import picture, sheet

    data = garments()
    figure, (axes,) = sheet(2.6, 2.8)
    row = int(torch.randint(len(data.train), (), generator=how.noise))
    label = data.labels[int(data.train.given["label"][row])]
    picture(axes, data.train.x[row, 0], label)
    return figure


def draw_sizes(how: How) -> "Figure":
    """Draw figure 21, the table of a network's parameters."""
    from ancestral.book.drawing import sheet

    first, second, whole = sizes()
    figure, (axes,) = sheet(5.5, 1.9)
    rows = [
        [how.say("hidden layer, 784 to 4", "capa oculta, 784 a 4"), f"{first:,}"],
        [how.say("output layer, 4 to 10", "capa de salida, 4 a 10"), f"{second:,}"],
        [how.say("all", "todo"), f"{whole:,}"],
    ]
    columns = [how.say("layer", "capa"), how.say("parameters", "parámetros")]
    table = axes.table(rows, colLabels=columns, loc="center", colWidths=[0.6, 0.3])
    table.scale(1, 1.6)
    axes.axis("off")
    return figure


ENTRIES: tuple[Entry, ...] = (
    Entry(
        "NN-04.a",
        "Steps that Adam remembers at β₁ = 0.9",
        "Pasos que recuerda Adam con β₁ = 0.9",
        book=10,
        within=1e-6,
        find=lambda _: memory(0.9),
    ),
    Entry(
        "NN-04.b",
        "Steps that Adam remembers at β₁ = 0.5",
        "Pasos que recuerda Adam con β₁ = 0.5",
        book=2,
        within=1e-6,
        find=lambda _: memory(0.5),
    ),
    Entry(
        "NN-04.c",
        "Adam's √v̂ after equal gradients of 1: their standard deviation?",
        "La √v̂ de Adam tras gradientes iguales a 1: ¿su desviación estándar?",
        book=0,
        within=1e-6,
        errs="E-M32",
        correct=1,
        find=lambda _: scale_of_ones(),
    ),
    Entry(
        "NN-02",
        "Sign of the change of θ², from 1, in a step of rate 1.1: does any rate lower it?",
        "Signo del cambio de θ², desde 1, en un paso de tasa 1.1: ¿toda tasa lo baja?",
        book=-1,
        errs="E-M09",
        correct=1,
        find=lambda _: step_of(1.1),
    ),
    Entry(
        "NN-08",
        "Greatest error of an MLP on the sine over [−π, π]",
        "Mayor error de un MLP en el seno sobre [−π, π]",
        book=0,
        within=0.05,
        find=lambda _: error_on_sine(),
    ),
    Entry(
        "NN-17",
        "Sign of tanh′ − σ′ at 3: are tanh's slopes larger near the extremes?",
        "Signo de tanh′ − σ′ en 3: ¿tiene tanh más pendiente cerca de los extremos?",
        book=1,
        errs="E-M31",
        correct=-1,
        find=lambda _: steeper(3.0),
    ),
    Entry(
        "NN-13.a",
        "Parameters of the classifier: hidden layer, output layer, all",
        "Parámetros del clasificador: capa oculta, capa de salida, todos",
        book=(3140, 50, 3190),
        find=lambda _: sizes(),
    ),
    Entry(
        "NN-13.b",
        "Kilobytes of the classifier at 4 bytes a parameter",
        "Kilobytes del clasificador con 4 bytes por parámetro",
        book=12,
        within=0.5,
        errs="E-T08",
        correct=12.76,
        find=lambda _: sizes()[-1] * torch.float32.itemsize / 1e3,
    ),
    Entry(
        "NN-13.c",
        "Gigabytes of LLaMA 3.1-405B at 4 bytes a parameter",
        "Gigabytes de LLaMA 3.1-405B con 4 bytes por parámetro",
        book=1620,
        find=lambda _: 405 * torch.float32.itemsize,
    ),
    Entry(
        "NN-15",
        "Least loss of the classifier whose softmax is taken twice",
        "Menor pérdida del clasificador que toma dos veces la softmax",
        book=0,
        within=5e-5,
        errs="E-C01",
        correct=1.4612,
        find=lambda _: double_softmax(),
    ),
    Entry(
        "NN-18",
        "What dropout with p = 0.2 makes of a 1 that stays",
        "En qué convierte dropout con p = 0.2 un 1 que queda",
        book=1.25,
        find=dropout,
    ),
    Entry(
        "NN-19",
        "Running mean after one batch of mean 1, if λ were PyTorch's momentum of 0.1",
        "Media móvil tras un lote de media 1, si λ fuera el momentum 0.1 de PyTorch",
        book=0.9,
        within=1e-6,
        errs="E-C17",
        correct=0.1,
        find=lambda _: running_mean(),
    ),
    Entry(
        "DS-03",
        "Fashion-MNIST: training images, classes, pixels",
        "Fashion-MNIST: imágenes de entrenamiento, clases, píxeles",
        book=(60_000, 10, 784),
        find=lambda _: (
            len(garments().train) + len(garments().validation),
            len(garments().labels),
            garments().event_shape.numel(),
        ),
    ),
    Entry(
        "EX-01",
        "Shape of what an MLP from 64 to 8 makes of 256 rows",
        "Forma de lo que un MLP de 64 a 8 hace de 256 filas",
        book=(256, 8),
        find=lambda _: tuple(MLP(64, 8, hidden=(32,))(torch.zeros(256, 64)).shape),
    ),
    Entry("FG-20", "A garment and its label", "Una prenda y su etiqueta", draw=draw_garment),
    Entry(
        "FG-21",
        "Table of the classifier's parameters",
        "Tabla de los parámetros del clasificador",
        book=(3140, 50, 3190),
        find=lambda _: sizes(),
        draw=draw_sizes,
    ),
)
