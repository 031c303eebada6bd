"""Chapter 7, its figures of convolution."""

from typing import TYPE_CHECKING, get_args

import torch
from torch import Tensor
from torch.nn import functional

from ancestral.book.entry import Entry, How
from ancestral.nn import (
    Interpolation,
    contributions,
    convolution_matrix,
    insert_zeros,
    interpolation_matrix,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK, BLUE, RED, GREEN = "#5b6472", "#1c5fb8", "#cf4a12", "#1f8a6d"


def cells(
    axes: "Axes", values: Tensor, at: tuple[float, float], colour: str, given: Tensor | None = None
) -> None:
    """Draw a matrix of whole numbers; where it was not ``given``, zeros were put in."""
    from matplotlib.colors import to_rgba
    from matplotlib.patches import Rectangle

    left, top = at
    given = torch.ones_like(values) if given is None else given
    for i, j in torch.cartesian_prod(*map(torch.arange, values.shape)).tolist():
        alpha, ink = (0.3, "black") if given[i, j] else (0.0, INK)
        box = Rectangle((left + j, top + i), 1, 1, facecolor=to_rgba(colour, alpha), edgecolor=INK)
        axes.add_patch(box)
        middle = {"ha": "center", "va": "center", "fontsize": 9, "color": ink}
        axes.text(left + j + 0.5, top + i + 0.5, f"{values[i, j]:.0f}", **middle)


def frame(axes: "Axes", at: tuple[float, float], size: tuple[int, int], colour: str) -> None:
    """Draw a thick frame around cells."""
    from matplotlib.patches import Rectangle

    axes.add_patch(Rectangle(at, *size, fill=False, edgecolor=colour, linewidth=2.5, zorder=5))


def board(width: float, height: float, size: tuple[float, float]) -> tuple["Figure", "Axes"]:
    """Return a figure of cells of one unit."""
    from ancestral.book.drawing import sheet

    figure, (axes,) = sheet(*size)
    axes.set(xlim=(-0.2, width), ylim=(height, -1.1), aspect="equal")
    axes.axis("off")
    return figure, axes


def draw_convolution(how: How) -> "Figure":
    """Figure 59: a kernel of 3 x 3 goes over an image in steps of 2, with a border of zeros."""
    x = torch.tensor([[1, 2, 0, 3, 1], [0, 1, 2, 1, 0], [2, 0, 1, 1, 3], [1, 1, 0, 2, 0],
                      [0, 3, 1, 0, 2]]).double()  # fmt: skip
    weight = torch.tensor([[1, 0, -1], [2, 0, -2], [0, 1, 1]]).double()
    y = convolution_matrix(weight[None, None], [5, 5], stride=2, padding=1) @ x.flatten()
    figure, axes = board(17, 7.2, (9, 4.2))
    border = (1, 1, 1, 1)
    given = functional.pad(torch.ones(5, 5), border)
    cells(axes, functional.pad(x, border), (0, 0), BLUE, given)
    cells(axes, weight, (8.5, 2), GREEN)
    cells(axes, y.reshape(3, 3), (13, 2), RED)
    frame(axes, (2, 0), (3, 3), RED)
    frame(axes, (14, 2), (1, 1), RED)
    titles = {
        how.say("input 5 x 5, P = 1", "entrada 5 x 5, P = 1"): (0, 0),
        how.say("kernel 3 x 3", "núcleo 3 x 3"): (8.5, 2),
        "S = 2: 3 x 3": (13, 2),
    }
    for title, (left, top) in titles.items():
        axes.text(left, top - 0.4, title, fontsize=10)
    axes.text(7.75, 3.5, "*", fontsize=18, ha="center", va="center")
    axes.text(12.25, 3.5, "=", fontsize=18, ha="center", va="center")
    return figure


def spread(x: Tensor) -> Tensor:
    """Put zeros between numbers [B, D] and around them, for K = 4, S = 2, P = 1."""
    return functional.pad(insert_zeros(x, 2), (2, 2))


def draw_transposed(how: How) -> "Figure":
    """Figure 60: zeros between the inputs, then the flipped kernel in steps of 1."""
    x, weight = torch.tensor([2.0, 1.0, 3.0]), torch.tensor([1.0, 2.0, 3.0, 4.0])
    y = functional.conv_transpose1d(x[None], weight[None, None], stride=2, padding=1)
    figure, axes = board(13.4, 7.2, (8, 4.8))
    zeros = (
        "S - 1 = 1 zero between, K - 1 - P = 2 on each side",
        "S - 1 = 1 cero entre ellos, K - 1 - P = 2 a cada lado",
    )
    flipped = ("the kernel 1, 2, 3, 4, flipped", "el núcleo 1, 2, 3, 4, invertido")
    double = ("K = 4, S = 2, P = 1: twice as many", "K = 4, S = 2, P = 1: el doble")
    rows = (
        (x, (3.0, 0), BLUE, how.say("input, D = 3", "entrada, D = 3")),
        (spread(x[None])[0], (1.0, 2), BLUE, how.say(*zeros)),
        (weight.flip(0), (3.0, 4), GREEN, how.say(*flipped)),
        (y[0], (2.5, 6), RED, how.say(*double)),
    )
    for values, at, colour, title in rows:
        cells(axes, values[None], at, colour, values[None] != 0)
        axes.text(at[0], at[1] - 0.25, title, fontsize=10)
    frame(axes, (3, 2), (4, 1), RED)
    frame(axes, (4.5, 6), (1, 1), RED)
    return figure


def draw_overlaps(how: How) -> "Figure":
    """Figure 61: how many inputs reach each output, of kernels of 3, 4 and 5 and a stride of 2."""
    from ancestral.book.drawing import sheet

    figure, panels = sheet(11, 2.8, across=3, sharey=True)
    joint = how.say(" and ", " y ")
    for axes, kernel in zip(panels, (3, 4, 5), strict=True):
        ones = torch.ones(1, 1, kernel)
        counts = functional.conv_transpose1d(torch.ones(1, 7), ones, stride=2)[0]
        inner = [kernel - 2 < place < len(counts) - kernel + 1 for place in range(len(counts))]
        colours = [(BLUE if kernel % 2 == 0 else RED) if one else "#b9c0ca" for one in inner]
        axes.bar(range(len(counts)), counts.tolist(), color=colours, width=0.85)
        found = sorted(set(contributions(kernel, stride=2)))
        axes.set(title=f"K = {kernel}, S = 2: {joint.join(map(str, found))}")
        axes.set(xlabel=how.say("output", "salida"))
        axes.set(xticks=range(0, len(counts), 2), yticks=range(4))
    return figure


def doubled(x: Tensor, kernel: int, weight: Tensor, *, resize: bool) -> Tensor:
    """Double the sides of an image by one kernel."""
    weight = weight[:, :, :kernel, :kernel]
    if resize:
        return functional.conv2d(functional.interpolate(x, scale_factor=2), weight, padding=1)
    return functional.conv_transpose2d(x, weight, None, 2, 1, output_padding=4 - kernel)


def draw_checkerboard(how: How) -> "Figure":
    """Figure 62: a smooth image enlarged three times, by equal weights and by random ones."""
    from ancestral.book.drawing import picture, sheet

    ways = (
        (3, False, "K = 3, S = 2"),
        (4, False, "K = 4, S = 2"),
        (3, True, how.say("nearest, then K = 3", "vecino, luego K = 3")),
    )
    figure, panels = sheet(9.5, 6.6, across=3, down=2)
    line = torch.linspace(-1.5, 1.5, 8)
    smooth = (-line[:, None].square() - line.square()).exp()[None, None]
    random = torch.rand(3, 1, 1, 4, 4, generator=torch.Generator().manual_seed(4))
    weights = {
        how.say("equal weights", "pesos iguales"): torch.ones_like(random),
        how.say("weights at random", "pesos al azar"): random,
    }
    cases = [(name, each, *way) for name, each in weights.items() for way in ways]
    for axes, (name, each, kernel, resize, way) in zip(panels, cases, strict=True):
        image = smooth
        for weight in each:
            image = doubled(image, kernel, weight, resize=resize)
        picture(axes, image[0, 0, 8:-8, 8:-8], f"{way}, {name}", cmap="gray")
    return figure


def draw_interpolations(how: How) -> "Figure":
    """Figure 63: six samples on a line and sixteen on a square, in between by each kind."""
    from ancestral.book.drawing import picture, sheet

    figure, panels = sheet(11, 6.2, across=3, down=2)
    x = torch.tensor([0.5, 2.0, 1.0, 1.2, 3.0, 1.5]).double()
    generator = torch.Generator().manual_seed(3)
    square = torch.rand(4, 4, generator=generator, dtype=torch.float64)
    names = {
        "nearest": how.say("nearest", "vecino"),
        "linear": how.say("linear", "lineal"),
        "cubic": how.say("cubic", "cúbica"),
    }
    places = (torch.arange(6 * 45) + 0.5) / 45 - 0.5
    for line, image, kind in zip(panels[:3], panels[3:], get_args(Interpolation), strict=True):
        fine = interpolation_matrix(6, 45, kind) @ x
        line.plot(places.numpy(), fine.numpy(), color=BLUE, linewidth=1.8)
        line.plot(range(6), x.numpy(), "o", color=RED)
        line.set(title=names[kind], ylim=(0, 3.4))
        matrix = interpolation_matrix(4, 24, kind)
        both = "" if kind == "nearest" else "bi"
        picture(image, matrix @ square @ matrix.mT, both + names[kind], cmap="viridis")
    return figure


FIGURES: tuple[Entry, ...] = (
    Entry(
        "FG-59",
        "A convolution with K = 3, S = 2, P = 1",
        "Una convolución con K = 3, S = 2, P = 1",
        draw=draw_convolution,
    ),
    Entry(
        "FG-60",
        "A transposed convolution as a stride of one half",
        "Una convolución transpuesta como un paso de un medio",
        draw=draw_transposed,
    ),
    Entry(
        "FG-61",
        "Inputs that reach each output, K = 3, 4 and 5",
        "Entradas que alcanzan cada salida, K = 3, 4 y 5",
        book=(2, 1, 2, 2, 3, 2),
        find=lambda _: tuple(n for k in (3, 4, 5) for n in contributions(k, stride=2)),
        draw=draw_overlaps,
    ),
    Entry("FG-62", "Checkerboards", "Tableros de ajedrez", draw=draw_checkerboard),
    Entry("FG-63", "Interpolations", "Interpolaciones", draw=draw_interpolations),
)
