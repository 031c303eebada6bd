"""Draw docs/_static/compare.png, the picture of the README, anew: real data beside samples."""

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from torch import Generator, Tensor
from torch.nn.functional import pad

from ancestral.data import load
from ancestral.recipes import fit
from ancestral.training import Budget

OUT = Path(__file__).resolve().parents[1] / "docs" / "_static" / "compare.png"
ROLL = ("kde", "gmm", "vae", "gan")
DIGITS = ("kde", "gmm", "image-vae", "gan")
STEPS = {"swiss-roll": 5_000, "digits": 3_000}
COLOURS = {
    "real data": "#5b6472",
    "kde": "#1c5fb8",
    "gmm": "#cf4a12",
    "vae": "#1f8a6d",
    "gan": "#8d1a7c",
}
POINTS, SIDE = 6_000, 8


def samples(model: str, data: str, n: int, folder: Path) -> Tensor:
    """Fit the defaults and draw n samples."""
    run = fit(model, data, budget=Budget(steps=STEPS[data]), out=folder / f"{model}-{data}")
    return run.model().sample(n, generator=Generator().manual_seed(0))


def scatter(axes: Axes, x: Tensor, title: str) -> None:
    """Draw points on fixed axes."""
    axes.plot(*x[:POINTS].T.numpy(), ",", color=COLOURS[title], rasterized=True)
    axes.set(title=title, xlim=(-2.3, 2.3), ylim=(-2.3, 2.3), aspect="equal")


def mosaic(axes: Axes, images: Tensor, title: str | None) -> None:
    """Draw 64 images, eight in a row."""
    cells = pad(images[: SIDE * SIDE, 0], (1, 1, 1, 1))
    size = cells.shape[-1]
    rows = cells.reshape(SIDE, SIDE, size, size).permute(0, 2, 1, 3)
    axes.imshow(rows.reshape(SIDE * size, SIDE * size).numpy(), cmap="gray_r")
    if title:
        axes.set_title(title, fontsize=10)


def main() -> int:
    """Fit everything and draw."""
    figure = Figure(figsize=(11, 4.8), layout="constrained")
    grid = figure.subplots(2, 5)
    scatter(grid[0, 0], load("swiss-roll").test.x, "real data")
    mosaic(grid[1, 0], load("digits").test.x, None)
    with TemporaryDirectory() as folder:
        for column, (above, below) in enumerate(zip(ROLL, DIGITS, strict=True), 1):
            scatter(grid[0, column], samples(above, "swiss-roll", POINTS, Path(folder)), above)
            images = samples(below, "digits", SIDE * SIDE, Path(folder))
            mosaic(grid[1, column], images, below if below != above else None)
    for axes in grid.flat:
        axes.axis("off")
    FigureCanvasAgg(figure).print_png(OUT)
    return 0


if __name__ == "__main__":
    sys.exit(main())
