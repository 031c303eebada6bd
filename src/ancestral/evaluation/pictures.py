"""Pictures made of pixels: strips and grids of images, log-density maps, paths between points.

All return PNG bytes; :func:`data_uri` puts them inside a page. matplotlib is used through its
object interface only, so that no window system and no global figure is touched.
"""

import base64
import io
import math

import numpy as np
import torch
from PIL import Image
from torch import Tensor

CLEAR, INK, ACCENT = (0, 0, 0, 0), "#5b6472", "#d9480f"


def data_uri(png: bytes) -> str:
    """Return PNG bytes as an address that holds the picture itself.

    Example:
        >>> data_uri(b"png")
        'data:image/png;base64,cG5n'
    """
    return "data:image/png;base64," + base64.b64encode(png).decode("ascii")


def image_strip(images: Tensor, levels: int) -> bytes:
    """Set images side by side, one pixel for a pixel, with a clear gap between them.

    Args:
        images: uint8 [N, C, H, W] with C 1 (grey) or 3 (colour), values 0 .. levels - 1.
        levels: Number of levels; the highest is drawn white.

    Raises:
        ValueError: If there is no image, or C is neither 1 nor 3.
    """
    return image_grid(images, levels, columns=len(images))


def image_grid(images: Tensor, levels: int, *, columns: int | None = None) -> bytes:
    """Set images in rows, one pixel for a pixel, with clear gaps between them.

    Args:
        images: uint8 [N, C, H, W] with C 1 (grey) or 3 (colour), values 0 .. levels - 1.
        levels: Number of levels; the highest is drawn white.
        columns: Images in a row; about a square if None.

    Raises:
        ValueError: If there is no image, or C is neither 1 nor 3.
    """
    if images.ndim != 4 or len(images) == 0 or images.shape[1] not in (1, 3):
        raise ValueError(f"images must be [N, 1 or 3, H, W], got {list(images.shape)}")
    columns = columns or math.ceil(math.sqrt(len(images)))
    pixels = images.cpu().double().mul(255 / (levels - 1)).round().clamp(0, 255)
    cells = pixels.to(torch.uint8).expand(-1, 3, -1, -1).permute(0, 2, 3, 1).numpy()
    height, width = cells.shape[1:3]
    gap = max(1, round(min(height, width) / 16))
    rows = math.ceil(len(cells) / columns)
    size = (columns * (width + gap) - gap, rows * (height + gap) - gap)
    canvas = Image.new("RGBA", size, CLEAR)
    for i, cell in enumerate(cells):
        at = (i % columns * (width + gap), i // columns * (height + gap))
        canvas.paste(Image.fromarray(cell), at)
    if images.shape[1] == 1:
        canvas = canvas.convert("LA")
    return _png(canvas)


def density_map(log_density: Tensor, *, low: float, high: float) -> bytes:
    """Colour log densities on a square grid, dark for low and bright for high.

    Args:
        log_density: Nats, [S * S], row by row from the top; -inf is as dark as ``low``.
        low: Log density of the darkest colour.
        high: Log density of the brightest colour, above ``low``.
    """
    side = math.isqrt(log_density.numel())
    level = (log_density.cpu().double().reshape(side, side) - low) / (high - low)
    level = torch.nan_to_num(level, nan=0.0).clamp(0, 1)
    return _png(Image.fromarray(_colormap()[(level * 255).round().long().numpy()]))


def color_bar() -> bytes:
    """Return the colours of :func:`density_map` from low to high, as a strip of 256 pixels."""
    return _png(Image.fromarray(_colormap()[None]))


def interpolation_strip(images: Tensor, levels: int, *, scale: int = 6) -> bytes:
    """Draw a path through images as a strip, enlarged for a file that is looked at by itself.

    Args:
        images: uint8 [N, C, H, W], from the first end to the other.
        levels: Number of levels of the images.
        scale: Pixels for each pixel.
    """
    with Image.open(io.BytesIO(image_strip(images, levels))) as strip:
        size = (strip.width * scale, strip.height * scale)
        return _png(strip.resize(size, Image.Resampling.NEAREST))


def interpolation_path(
    path: Tensor, reference: Tensor, *, columns: tuple[str, ...] = ("x", "y")
) -> bytes:
    """Draw a path of points over a scatter of data.

    Args:
        path: Points [N, 2] in data units, from the first end to the other.
        reference: Data [M, 2] in the same units; at most 5,000 are drawn.
        columns: Names of the two coordinates.

    Raises:
        ValueError: If the points are not two-dimensional.
    """
    # Imported here: half a second that only this picture needs.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    if path.ndim != 2 or path.shape[1] != 2:
        raise ValueError(f"path must be [N, 2], got {list(path.shape)}")
    figure = Figure(figsize=(6, 6), dpi=150, layout="constrained")
    canvas = FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.scatter(*reference[:5000].T.numpy(), s=4, color=INK, alpha=0.3, linewidths=0)
    axes.plot(*path.T.numpy(), color=ACCENT, marker="o", markersize=4.5, linewidth=1.5)
    for point, text in ((path[0], "A"), (path[-1], "B")):
        axes.annotate(
            text,
            (float(point[0]), float(point[1])),
            xytext=(7, 7),
            textcoords="offset points",
            fontweight="bold",
        )
    # Dollar signs would start a formula, and a wrong one raises.
    axes.set_xlabel(columns[0].replace("$", r"\$"))
    axes.set_ylabel(columns[1].replace("$", r"\$"))
    axes.spines[["top", "right"]].set_visible(False)
    buffer = io.BytesIO()
    canvas.print_png(buffer, metadata={"Software": None})  # No version: the same bytes anywhere.
    return buffer.getvalue()


def _colormap() -> np.ndarray:
    """Return viridis, uint8 [256, 3]: even to the eye, also in grey and for the colour-blind."""
    from matplotlib import colormaps

    return (colormaps["viridis"](np.arange(256))[:, :3] * 255).round().astype(np.uint8)


def _png(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format="PNG", optimize=True)
    return buffer.getvalue()
