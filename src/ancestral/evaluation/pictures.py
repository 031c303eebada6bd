"""Pictures made of pixels: strips of images, log-density maps.

All return PNG bytes; :func:`data_uri` puts them inside a page.
"""

import base64
import io
import math

import numpy as np
import torch
from PIL import Image
from torch import Tensor

CLEAR = (0, 0, 0, 0)


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
    if images.ndim != 4 or len(images) == 0 or images.shape[1] not in (1, 3):
        raise ValueError(f"images must be [N, 1 or 3, H, W], got {list(images.shape)}")
    pixels = images.cpu().double().mul(255 / (levels - 1)).round().clamp(0, 255)
    cells = pixels.to(torch.uint8).expand(-1, 3, -1, -1).permute(0, 2, 3, 1).numpy()
    height, width = cells.shape[1:3]
    step = width + max(1, round(min(height, width) / 16))
    canvas = Image.new("RGBA", ((len(cells) - 1) * step + width, height), CLEAR)
    for i, cell in enumerate(cells):
        canvas.paste(Image.fromarray(cell), (i * step, 0))
    return _png(canvas.convert("LA") if images.shape[1] == 1 else canvas)


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


def _colormap() -> np.ndarray:
    """Return viridis, uint8 [256, 3]: even to the eye, also in grey and for the colour-blind."""
    from matplotlib import colormaps

    return (colormaps["viridis"](np.arange(256))[:, :3] * 255).round().astype(np.uint8)


def _png(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format="PNG", optimize=True)
    return buffer.getvalue()
