"""Paper and ink of the book's figures, and how they are kept: SVG and PNG."""

from io import BytesIO
from itertools import chain
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from torch import Tensor

INK, BLUE, RED, GREEN = "#5b6472", "#1c5fb8", "#cf4a12", "#1f8a6d"
COLOURS = (BLUE, RED, GREEN, "#8d1a7c", "#d08a00", INK)


def sheet(
    width: float,
    height: float,
    *,
    across: int = 1,
    down: int = 1,
    **how: Any,  # noqa: ANN401 - as of ``subplots``
) -> tuple[Figure, list[Axes]]:
    """Return a figure of so many inches, and its panels row by row."""
    figure = Figure(figsize=(width, height), layout="constrained")
    panels = figure.subplots(down, across, squeeze=False, **how)
    for axes in panels.flat:
        axes.spines[["top", "right"]].set_visible(False)
    return figure, list(chain.from_iterable(panels))


def plane(axes: Axes, x: Tensor, colour: str, title: str, *, reach: float | None = None) -> None:
    """Draw points [N, 2] on axes of one scale, from -reach to reach."""
    axes.plot(*x.T.numpy(), ".", color=colour, markersize=1.6, rasterized=True)
    axes.set(title=title, aspect="equal")
    if reach is not None:
        axes.set(xlim=(-reach, reach), ylim=(-reach, reach))


def picture(axes: Axes, image: Tensor, title: str = "", *, cmap: str = "gray_r") -> None:
    """Draw grey levels [H, W] without axes."""
    axes.imshow(image.numpy(), cmap=cmap)
    axes.axis("off")
    axes.set_title(title, fontsize=9)


def svg(figure: Figure) -> bytes:
    """Return the figure as SVG; the same figure gives the same bytes."""
    file = BytesIO()
    with mpl.rc_context({"svg.hashsalt": "ancestral"}):
        FigureCanvasSVG(figure).print_svg(file, metadata={"Date": None, "Creator": "ancestral"})
    return file.getvalue()


def png(figure: Figure) -> bytes:
    """Return the figure as PNG."""
    file = BytesIO()
    FigureCanvasAgg(figure).print_png(file, metadata={"Software": "ancestral"})
    return file.getvalue()
