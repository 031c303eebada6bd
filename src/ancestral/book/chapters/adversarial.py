"""Chapter 7: generative adversarial networks, convolution, U-Net."""

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from ancestral.adversarial import (
    GAN,
    GameRules,
    GrowingGenerator,
    ImageGenerator,
    game_value,
    non_saturating_loss,
    saturating_loss,
)
from ancestral.book.chapters import convolution
from ancestral.book.chapters.neural import memory
from ancestral.book.entry import Entry, How
from ancestral.book.reasons import OTHERS, OTHERS_DRAWING
from ancestral.data import load
from ancestral.nn import (
    PlainUNet,
    contributions,
    convolution_matrix,
    convolution_size,
    transposed_size,
)
from ancestral.training.weights import count_parameters

if TYPE_CHECKING:
    from matplotlib.figure import Figure

UNSURE = 3.4e-4
"""What the critic of the book's example gives a generated image, D(G(z))."""


def gan() -> GAN:
    """Return the book's GAN of the swiss roll."""
    return GAN(2, latent=16, hidden=(32, 64, 128), rules=GameRules(loss="saturating"))


def slopes(d: float) -> tuple[float, float]:
    """Return the slopes of the two losses of a generator in the critic's logit, at D = d."""
    logit = torch.tensor([d], dtype=torch.float64).logit().requires_grad_()
    losses = (saturating_loss(logit).sum(), non_saturating_loss(logit).sum())
    first, second = (torch.autograd.grad(loss, logit)[0].item() for loss in losses)
    return first, second


def slope_in_d() -> float:
    """Return the slope of log(1 - d) in d itself."""
    d = torch.tensor([UNSURE], dtype=torch.float64, requires_grad=True)
    return torch.autograd.grad(saturating_loss(d.logit()).sum(), d)[0].item()


def size_of(network: nn.Module, latent: int) -> tuple[float, ...]:
    """Return the shape of the images that a generator makes of latents."""
    return tuple(network(torch.zeros(2, latent)).shape[1:])


def first_side() -> int:
    """Return the side of the first images of a network that grows."""
    network = GrowingGenerator(16, (3, 256, 256), width=2)
    network.growth.at(0.0)
    return network.native(torch.zeros(2, 16)).shape[-1]


def unet() -> int:
    """Return the parameters of the book's U-Net."""
    with torch.device("meta"):
        return count_parameters(PlainUNet(3, outputs=3))


def rank() -> int:
    """Return the rank of a kernel of 3 x 3 that is applied as one layer."""
    torch.manual_seed(0)
    return int(torch.linalg.matrix_rank(nn.Conv2d(1, 1, 3).weight[0, 0]))


def flipped() -> float:
    """Return how far the transpose is from zeros and the kernel as it is, not flipped."""
    x, weight = torch.tensor([[2.0, 1.0, 3.0]]), torch.tensor([[[1.0, 2.0, 3.0, 4.0]]])
    direct = nn.functional.conv1d(convolution.spread(x), weight)
    exact = nn.functional.conv_transpose1d(x, weight, stride=2, padding=1)
    return (direct - exact).abs().max().item()


def band(weight: Tensor) -> tuple[float, ...]:
    """Return the matrix of a convolution of five numbers, row by row."""
    return tuple(convolution_matrix(weight[None, None], [5]).flatten().tolist())


def draw_losses(how: How) -> "Figure":
    """Draw figure 53, in d as in the book and in the logit, where training moves."""
    from ancestral.book.drawing import BLUE, RED, sheet

    d = torch.linspace(0.002, 0.998, 400, dtype=torch.float64)
    names = (how.say("saturating", "saturante"), how.say("non-saturating", "no saturante"))
    figure, panels = sheet(9, 3.2, across=2)
    for axes, x, label in zip(panels, (d, d.logit()), ("d = D(G(z))", "logit"), strict=True):
        logit = d.logit()
        axes.plot(x.numpy(), saturating_loss(logit).numpy(), color=RED, label=names[0])
        axes.plot(x.numpy(), non_saturating_loss(logit).numpy(), color=BLUE, label=names[1])
        axes.set(xlabel=label, ylim=(-6.5, 6.5))
        axes.legend(frameon=False)
    return figure


def draw_roll(how: How) -> "Figure":  # noqa: ARG001 - every figure is drawn alike
    """Draw figure 54."""
    from ancestral.book.drawing import INK, plane, sheet

    figure, (axes,) = sheet(3.6, 3.6)
    plane(axes, load("swiss-roll").test.x[:3_000], INK, "", reach=2.2)
    return figure


def draw_digits(how: How) -> "Figure":  # noqa: ARG001 - every figure is drawn alike
    """Draw figure 56."""
    from ancestral.book.drawing import picture, sheet

    data = load("mnist")
    figure, panels = sheet(8, 3.4, across=5, down=2)
    for label, axes in enumerate(panels):
        row = int((data.train.given["label"] == label).nonzero()[0])
        picture(axes, data.train.x[row, 0], data.labels[label])
    return figure


ENTRIES: tuple[Entry, ...] = (
    Entry(
        "GA-03.a",
        "Value of the game where the critic knows nothing, −ln 2",
        "Valor del juego donde el discriminador no sabe nada, −ln 2",
        book=-0.6931,
        within=5e-5,
        find=lambda _: game_value(torch.zeros(3).double(), torch.zeros(5).double()).item(),
    ),
    Entry(
        "GA-03.b",
        "The same with the second ½ of the printed formula",
        "Lo mismo con el segundo ½ de la fórmula impresa",
        book=-0.3466,
        within=5e-5,
        errs="E-M17",
        correct=-0.6931,
        find=lambda _: game_value(torch.zeros(3).double(), torch.zeros(5).double()).item(),
    ),
    Entry(
        "GA-06",
        f"Slope of the saturating and the other loss in the logit, at d = {UNSURE}",
        "Pendiente de la pérdida saturante y de la otra en el logit, en d = 0.00034",
        book=(-UNSURE, -0.99966),
        within=5e-7,
        find=lambda _: slopes(UNSURE),
    ),
    Entry(
        "GA-07",
        f"Slope of log(1 − d) in d, at d = {UNSURE}: almost none?",
        "Pendiente de log(1 − d) en d, en d = 0.00034: ¿casi nula?",
        book=0,
        within=5e-4,
        errs="E-M19",
        correct=-1.0003,
        find=lambda _: slope_in_d(),
    ),
    Entry(
        "GA-09",
        "Parameters of the GAN of the swiss roll: generator, discriminator",
        "Parámetros de la GAN del rollo suizo: generador, discriminador",
        book=(11_234, 10_753),
        find=lambda _: (count_parameters(gan().generator), count_parameters(gan().critic)),
    ),
    Entry(
        "CV-02",
        "Matrix of a kernel (1, 2, 3) on five numbers",
        "Matriz de un núcleo (1, 2, 3) sobre cinco números",
        book=(1, 2, 3, 0, 0, 0, 1, 2, 3, 0, 0, 0, 1, 2, 3),
        find=lambda _: band(torch.tensor([1.0, 2.0, 3.0])),
    ),
    Entry(
        "CV-04",
        "Rank of a layer's kernel of 3 × 3: each axis alone would give",
        "Rango de un núcleo de 3 × 3: cada eje por separado daría",
        book=1,
        errs="E-M21",
        correct=3,
        find=lambda _: rank(),
    ),
    Entry(
        "CV-05",
        "Side of 5 × 5 after K = 3, S = 2, P = 1",
        "Lado de 5 × 5 tras K = 3, S = 2, P = 1",
        book=3,
        find=lambda _: convolution_size(5, 3, stride=2, padding=1),
    ),
    Entry(
        "CV-07.a",
        "Side of 16 after a transposed K = 4, S = 2, P = 1 and K = 2, S = 2",
        "Lado de 16 tras una transpuesta K = 4, S = 2, P = 1 y K = 2, S = 2",
        book=(32, 32),
        find=lambda _: (
            transposed_size(16, 4, stride=2, padding=1),
            transposed_size(16, 2, stride=2),
        ),
    ),
    Entry(
        "CV-07.b",
        "Error of the transpose where the kernel is not flipped",
        "Error de la transpuesta si el núcleo no se invierte",
        book=0,
        within=0.5,
        errs="E-M20",
        correct=8,
        find=lambda _: flipped(),
    ),
    Entry(
        "CV-07.c",
        "Side of 4 after the listing's K = 3, S = 2, P = 1, output padding 1",
        "Lado de 4 tras K = 3, S = 2, P = 1 y relleno de salida 1 del código",
        book=7,
        errs="E-C20",
        correct=8,
        find=lambda _: transposed_size(4, 3, stride=2, padding=1, output_padding=1),
    ),
    Entry(
        "CV-08",
        "Inputs that reach the outputs for K = 3, 4 and 5, S = 2",
        "Entradas que alcanzan las salidas con K = 3, 4 y 5, S = 2",
        book=(2, 1, 2, 2, 3, 2),
        find=lambda _: tuple(n for k in (3, 4, 5) for n in contributions(k, stride=2)),
    ),
    Entry(
        "AR-01",
        "Shape of a DCGAN's images",
        "Forma de las imágenes de una DCGAN",
        book=(3, 64, 64),
        find=lambda _: size_of(ImageGenerator(100, (3, 64, 64), width=4), 100),
    ),
    Entry(
        "AR-02",
        "Steps that Adam remembers at β₁ = 0.9 and at the β₁ = 0.5 of GANs",
        "Pasos que recuerda Adam con β₁ = 0.9 y con el β₁ = 0.5 de las GAN",
        book=(10, 2),
        within=1e-6,
        find=lambda _: (memory(0.9), memory(0.5)),
    ),
    Entry(
        "AR-05",
        "Shape of a SAGAN's images",
        "Forma de las imágenes de una SAGAN",
        book=(3, 128, 128),
        find=lambda _: size_of(ImageGenerator(128, (3, 128, 128), width=4, attention=64), 128),
    ),
    Entry(
        "AR-07",
        "First side of a ProGAN's images (the last is 1024, here at most 256)",
        "Primer lado de las imágenes de una ProGAN (el último es 1024, aquí a lo más 256)",
        book=4,
        find=lambda _: first_side(),
    ),
    Entry(
        "UN-03",
        "Parameters of the U-Net listing",
        "Parámetros del código de la U-Net",
        book=31_031_875,
        find=lambda _: unet(),
    ),
    Entry("FG-52", "Training of a GAN", "Entrenamiento de una GAN", reason=OTHERS_DRAWING),
    Entry(
        "FG-53",
        "The generator's two losses; their slopes in the logit at the left end",
        "Las dos pérdidas del generador; sus pendientes en el logit, a la izquierda",
        book=(-UNSURE, -0.99966),
        within=5e-7,
        find=lambda _: slopes(UNSURE),
        draw=draw_losses,
    ),
    Entry("FG-54", "The swiss roll", "El rollo suizo", draw=draw_roll),
    Entry("FG-56", "A digit of each class", "Un dígito de cada clase", draw=draw_digits),
    *convolution.FIGURES,
    Entry("FG-64", "Between two of a DCGAN's images", "Entre dos imágenes", reason=OTHERS),
    Entry("FG-65", "Arithmetic of latents", "Aritmética de latentes", reason=OTHERS),
    Entry("FG-66", "Attention of a SAGAN", "Atención de una SAGAN", reason=OTHERS),
    Entry("FG-67", "ProGAN", "ProGAN", reason=OTHERS),
    Entry("FG-68", "Autoencoder and U-Net", "Autoencoder y U-Net", reason=OTHERS_DRAWING),
)
