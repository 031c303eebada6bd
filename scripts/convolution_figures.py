"""Draw docs/_static/figure-59.png to figure-63.png, the book's figures of convolution, anew."""

import sys
from pathlib import Path

import torch
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from torch import Tensor
from torch.nn import functional

from ancestral.nn import (
    Interpolation,
    contributions,
    convolution_matrix,
    insert_zeros,
    interpolation_matrix,
)

STATIC = Path(__file__).resolve().parents[1] / "docs" / "_static"
INK, BLUE, RED, GREEN = "#5b6472", "#1c5fb8", "#cf4a12", "#1f8a6d"
KINDS: tuple[Interpolation, ...] = ("nearest", "linear", "cubic")


def save(figure: Figure, number: int) -> None:
    """Write a figure for the pages."""
    FigureCanvasAgg(figure).print_png(STATIC / f"figure-{number}.png")


def cells(
    axes: Axes, values: Tensor, at: tuple[float, float], colour: str, given: Tensor | None = None
) -> None:
    """Draw a matrix of whole numbers; where it was not ``given``, zeros were put in."""
    left, top = at
    given = torch.ones_like(values) if given is None else given
    for i, j in torch.cartesian_prod(*map(torch.arange, values.shape)).tolist():
        alpha, ink = (0.3, "black") if given[i, j] else (0.0, INK)
        box = Rectangle((left + j, top + i), 1, 1, facecolor=to_rgba(colour, alpha), edgecolor=INK)
        axes.add_patch(box)
        middle = {"ha": "center", "va": "center", "fontsize": 9, "color": ink}
        axes.text(left + j + 0.5, top + i + 0.5, f"{values[i, j]:.0f}", **middle)


def frame(axes: Axes, at: tuple[float, float], size: tuple[int, int], colour: str) -> None:
    """Draw a thick frame around cells."""
    axes.add_patch(Rectangle(at, *size, fill=False, edgecolor=colour, linewidth=2.5, zorder=5))


def sheet(width: float, height: float, size: tuple[float, float]) -> tuple[Figure, Axes]:
    """Return a figure of cells of one unit."""
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.subplots()
    axes.set(xlim=(-0.2, width), ylim=(height, -1.1), aspect="equal")
    axes.axis("off")
    return figure, axes


def convolution() -> None:
    """Figure 59: a kernel of 3 x 3 goes over an image in steps of 2, with a border of zeros."""
    x = torch.tensor([[1, 2, 0, 3, 1], [0, 1, 2, 1, 0], [2, 0, 1, 1, 3], [1, 1, 0, 2, 0],
                      [0, 3, 1, 0, 2]]).double()  # fmt: skip
    weight = torch.tensor([[1, 0, -1], [2, 0, -2], [0, 1, 1]]).double()
    y = convolution_matrix(weight[None, None], [5, 5], stride=2, padding=1) @ x.flatten()
    figure, axes = sheet(17, 7.2, (9, 4.2))
    border = (1, 1, 1, 1)
    given = functional.pad(torch.ones(5, 5), border)
    cells(axes, functional.pad(x, border), (0, 0), BLUE, given)
    cells(axes, weight, (8.5, 2), GREEN)
    cells(axes, y.reshape(3, 3), (13, 2), RED)
    frame(axes, (2, 0), (3, 3), RED)
    frame(axes, (14, 2), (1, 1), RED)
    titles = {"input 5 x 5, P = 1": (0, 0), "kernel 3 x 3": (8.5, 2), "S = 2: 3 x 3": (13, 2)}
    for title, (left, top) in titles.items():
        axes.text(left, top - 0.4, title, fontsize=10)
    axes.text(7.75, 3.5, "*", fontsize=18, ha="center", va="center")
    axes.text(12.25, 3.5, "=", fontsize=18, ha="center", va="center")
    save(figure, 59)


def transposed() -> None:
    """Figure 60: zeros between the inputs, then the flipped kernel in steps of 1."""
    x, weight = torch.tensor([2.0, 1.0, 3.0]), torch.tensor([1.0, 2.0, 3.0, 4.0])
    spread = functional.pad(insert_zeros(x, 2), (2, 2))
    y = functional.conv_transpose1d(x[None], weight[None, None], stride=2, padding=1)
    figure, axes = sheet(13.4, 7.2, (8, 4.8))
    rows = (
        (x, (3.0, 0), BLUE, "input, D = 3"),
        (spread, (1.0, 2), BLUE, "S - 1 = 1 zero between, K - 1 - P = 2 on each side"),
        (weight.flip(0), (3.0, 4), GREEN, "the kernel 1, 2, 3, 4, flipped"),
        (y[0], (2.5, 6), RED, "K = 4, S = 2, P = 1: twice as many"),
    )
    for values, at, colour, title in rows:
        cells(axes, values[None], at, colour, values[None] != 0)
        axes.text(at[0], at[1] - 0.25, title, fontsize=10)
    frame(axes, (3, 2), (4, 1), RED)
    frame(axes, (4.5, 6), (1, 1), RED)
    save(figure, 60)


def overlaps() -> None:
    """Figure 61: how many inputs reach each output, of kernels of 3, 4 and 5 and a stride of 2."""
    figure = Figure(figsize=(11, 2.8), layout="constrained")
    for axes, kernel in zip(figure.subplots(1, 3, sharey=True), (3, 4, 5), strict=True):
        ones = torch.ones(1, 1, kernel)
        counts = functional.conv_transpose1d(torch.ones(1, 7), ones, stride=2)[0]
        inner = [kernel - 2 < place < len(counts) - kernel + 1 for place in range(len(counts))]
        colours = [(BLUE if kernel % 2 == 0 else RED) if one else "#b9c0ca" for one in inner]
        axes.bar(range(len(counts)), counts.tolist(), color=colours, width=0.85)
        found = sorted(set(contributions(kernel, stride=2)))
        axes.set(title=f"K = {kernel}, S = 2: {' and '.join(map(str, found))}", xlabel="output")
        axes.set(xticks=range(0, len(counts), 2), yticks=range(4))
        axes.spines[["top", "right"]].set_visible(False)
    save(figure, 61)


def doubled(x: Tensor, kernel: int, weight: Tensor, *, resize: bool) -> Tensor:
    """Double the sides of an image by one kernel."""
    weight = weight[:, :, :kernel, :kernel]
    if resize:
        return functional.conv2d(functional.interpolate(x, scale_factor=2), weight, padding=1)
    return functional.conv_transpose2d(x, weight, None, 2, 1, output_padding=4 - kernel)


def checkerboard() -> None:
    """Figure 62: a smooth image enlarged three times, by equal weights and by random ones."""
    ways = (
        (3, False, "K = 3, S = 2"),
        (4, False, "K = 4, S = 2"),
        (3, True, "nearest, then K = 3"),
    )
    figure = Figure(figsize=(9.5, 6.6), layout="constrained")
    line = torch.linspace(-1.5, 1.5, 8)
    smooth = (-line[:, None].square() - line.square()).exp()[None, None]
    random = torch.rand(3, 1, 1, 4, 4, generator=torch.Generator().manual_seed(4))
    weights = {"equal weights": torch.ones_like(random), "weights at random": random}
    for row, (name, each) in zip(figure.subplots(2, 3), weights.items(), strict=True):
        for axes, (kernel, resize, way) in zip(row, ways, strict=True):
            image = smooth
            for weight in each:
                image = doubled(image, kernel, weight, resize=resize)
            axes.imshow(image[0, 0, 8:-8, 8:-8].numpy(), cmap="gray")
            axes.set_title(f"{way}, {name}", fontsize=10)
            axes.axis("off")
    save(figure, 62)


def interpolations() -> None:
    """Figure 63: six samples on a line and sixteen on a square, in between by each kind."""
    figure = Figure(figsize=(11, 6.2), layout="constrained")
    above, below = figure.subplots(2, 3)
    x = torch.tensor([0.5, 2.0, 1.0, 1.2, 3.0, 1.5]).double()
    generator = torch.Generator().manual_seed(3)
    square = torch.rand(4, 4, generator=generator, dtype=torch.float64)
    for line, image, kind in zip(above, below, KINDS, strict=True):
        fine = interpolation_matrix(6, 45, kind) @ x
        places = (torch.arange(6 * 45) + 0.5) / 45 - 0.5
        line.plot(places.numpy(), fine.numpy(), color=BLUE, linewidth=1.8)
        line.plot(range(6), x.numpy(), "o", color=RED)
        line.set(title=kind, ylim=(0, 3.4))
        line.spines[["top", "right"]].set_visible(False)
        matrix = interpolation_matrix(4, 24, kind)
        image.imshow((matrix @ square @ matrix.mT).numpy(), cmap="viridis", vmin=-0.1, vmax=1.1)
        image.set_title({"linear": "bilinear", "cubic": "bicubic"}.get(kind, kind))
        image.axis("off")
    save(figure, 63)


def main() -> int:
    """Draw all five."""
    convolution()
    transposed()
    overlaps()
    checkerboard()
    interpolations()
    return 0


if __name__ == "__main__":
    sys.exit(main())
