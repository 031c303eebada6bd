"""Images from files: many at once, and all that cannot be read told together."""

import os
import struct
import warnings
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import BinaryIO, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Picture
from PIL import ImageOps, UnidentifiedImageError

from ancestral.data.files import reason, shown
from ancestral.data.images import square
from ancestral.errors import DataError

SUFFIXES = frozenset((".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff"))

_UNREADABLE = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    struct.error,
    zlib.error,
    Picture.DecompressionBombError,
)
_TOLD = 10
_ORIENTATION = 0x0112
_Out = TypeVar("_Out")


@contextmanager
def threads() -> Iterator[ThreadPoolExecutor]:
    """Decode in threads; what Pillow warns of is in the metadata, and damaged pixels are errors."""
    with (
        warnings.catch_warnings(),
        ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1)) as pool,
    ):
        warnings.filterwarnings("ignore", module="PIL")
        yield pool


def each(
    pool: ThreadPoolExecutor, function: Callable[[Path], _Out], paths: Sequence[Path], folder: Path
) -> Iterator[_Out]:
    """Apply a function to all files in threads.

    Raises:
        DataError: At the end, if it failed for some: the first ten are named, each with why. Where
            shapes are asked for, those whose pixels cannot be decoded are among them.
    """
    bad: dict[Path, Exception] = {}
    for path, tried in zip(paths, pool.map(partial(_tried, function), paths), strict=True):
        if tried[1] is None:
            yield tried[0]
        else:
            bad[path] = tried[1]
    if bad and function is shape_of:
        rest = [path for path in paths if path not in bad]
        again = pool.map(partial(_tried, partial(decode_image, size=1)), rest)
        found = zip(rest, again, strict=True)
        bad |= {path: error for path, (_, error) in found if error is not None}
    if bad:
        raise DataError(f"{shown(folder)}: {_told(bad, folder)}") from next(iter(bad.values()))


def _tried(
    function: Callable[[Path], _Out], path: Path
) -> tuple[_Out, None] | tuple[None, Exception]:
    try:
        return function(path), None
    except _UNREADABLE as error:
        return None, error


def _told(bad: Mapping[Path, Exception], folder: Path) -> str:
    """Return the names of files that cannot be read, at most ten, with why."""
    names = {shown(os.path.relpath(path, folder)): _why(path, bad[path]) for path in sorted(bad)}
    if len(names) == 1:
        [(name, why)] = names.items()
        return f"the image {name} cannot be read: {why}"
    some = [f"{name} ({why})" for name, why in names.items()][:_TOLD]
    more = f" and {len(names) - _TOLD:,} more" if len(names) > _TOLD else ""
    return f"{len(names):,} images cannot be read: {', '.join(some)}{more}"


def _why(path: Path, error: Exception) -> str:
    if path.is_symlink() and not path.exists():
        return "a link to nothing"
    if isinstance(error, UnidentifiedImageError):
        return "no image of a known kind" if path.stat().st_size else "the file is empty"
    if isinstance(error, Picture.DecompressionBombError):
        return reason(error).partition(", could")[0].lower()
    if type(error) is ValueError or (isinstance(error, OSError) and error.strerror):
        return reason(error)
    return f"damaged or cut short ({reason(error)})"


def shape_of(path: Path) -> tuple[int, int]:
    """Return height and width of an image in a file."""
    with Picture.open(path) as image:
        size = image.size
        # Reads to the end and compares the checksums where the format has them.
        image.verify()
    return size[1], size[0]


def upright_shape(path: Path) -> tuple[int, int]:
    """Return height and width of an image in a file, held as the camera was."""
    with Picture.open(path) as image:
        width, height = image.size
        return (width, height) if image.getexif().get(_ORIENTATION, 1) > 4 else (height, width)


def decode_image(path: Path | BinaryIO, size: int | None) -> tuple[NDArray[np.uint8], list[str]]:
    """Return one image, [S, S] if it has no colour, else [S, S, 3], and what was done to it.

    Without a size it keeps its own, [H, W] or [H, W, 3].
    """
    remarks = []
    with Picture.open(path) as opened:
        if size is not None:
            # JPEG decodes at a fraction of its size much faster; twice the target loses nothing.
            opened.draft(opened.mode, (2 * size, 2 * size))
        if getattr(opened, "n_frames", 1) > 1:
            remarks.append("several frames, the first is taken")
        image = ImageOps.exif_transpose(opened)
        if image.mode.startswith("I"):
            image = _eight_bits(image)
            remarks.append("16 bits reduced to 8")
        elif image.has_transparency_data:
            paper = Picture.new("RGBA", image.size, "white")
            image = Picture.alpha_composite(paper, image.convert("RGBA")).convert("RGB")
            remarks.append("transparency laid on white")
        elif image.mode == "F":
            raise ValueError("its pixels are floating-point numbers")
        else:
            image = image.convert("L" if image.mode in {"1", "L"} else "RGB")
        pixels = np.asarray(image if size is None else square(image, size))
    if pixels.ndim == 3 and not np.ptp(pixels, axis=2).any():
        pixels = pixels[:, :, 0]
    return pixels, remarks


def _eight_bits(image: Picture.Image) -> Picture.Image:
    values = np.asarray(image).astype(np.int64)
    if values.min() < 0 or values.max() > 65_535:
        raise ValueError("its pixels have more than 16 bits")
    return Picture.fromarray((values >> 8).astype(np.uint8))
