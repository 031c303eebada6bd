"""Folders of pairs of images, told by the names of two subfolders: what belongs together."""

from collections.abc import Callable, Collection, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image as Picture
from PIL import ImageOps
from torch import Tensor

from ancestral.data.fields import Image, X
from ancestral.data.files import shown
from ancestral.data.images import square
from ancestral.errors import DataError

_LAYOUTS: dict[tuple[str, ...], tuple[str, ...]] = {
    ("images", "masks"): ("image", "mask"),
    ("a", "b"): ("a", "b"),
}
"""Names of the subfolders, and of the fields that they hold."""

MASK = "mask"
_MOST_LEVELS = 256
COLOUR = 1 << 24
"""Added to the number of a colour, so that it is not taken for a shade of grey."""


def check_field(source: Path | str, asked: str | None, fields: Collection[str] = ()) -> None:
    """Refuse to model a field that there is not.

    Raises:
        DataError: If one was asked for that is not among the fields.
    """
    if asked is not None and asked not in fields:
        rule = "that is a setting of pairs of images, folders images and masks, or a and b"
        rule = f"its fields are {' and '.join(fields)}" if len(fields) > 1 else rule
        raise DataError(f"{shown(source)}: has no field {asked!r}: {rule}")


def find_fields(
    files: Sequence[Path], folder: Path, split_of: Callable[[Path], str]
) -> tuple[dict[str, list[Path]], list[Path]]:
    """Return the files of each field, pairs in the same order, and those without a partner.

    Pairs have the same name, whatever the ending, in the subfolders ``images`` and ``masks``, or
    ``a`` and ``b``, of ``folder`` or of each of its splits. Of the first field equal examples are
    kept in one split; the second is modelled if no other is asked for. Folders ``a`` and ``b``
    without one name in common are classes.

    Args:
        files: All images below the folder.
        folder: Where the subfolders are.
        split_of: Tells the split of a file, empty where the folder has none.

    Raises:
        DataError: If no image has a mask, two files of a subfolder have the same name, or the
            layout is that of unpaired images, ``trainA`` and ``trainB``.
    """
    if {"traina", "trainb"} <= {path.relative_to(folder).parts[0].lower() for path in files}:
        raise DataError(
            f"{shown(folder)}: trainA and trainB are the layout of unpaired images, which no model "
            "takes; name one of its subfolders to have that alone"
        )
    found: dict[str, dict[tuple[str, ...], Path]] = {}
    twice: list[tuple[str, Path]] = []
    for path in files:
        split = split_of(path)
        parts = path.relative_to(folder).parts[int(bool(split)) :]
        top = parts[0].lower() if len(parts) > 1 else ""
        names, key = found.setdefault(top, {}), (split, *parts[1:-1], path.stem)
        if key in names:
            twice.append((top, path))
        names[key] = path
    layout = _LAYOUTS.get(tuple(sorted(found)), ())
    sides = [found[name] for name in sorted(found)]
    both = [key for key in sides[0] if key in sides[-1]]
    if not layout or (not both and layout == ("a", "b")):
        return {X: list(files)}, []
    if not both:
        raise DataError(
            f"{shown(folder)}: no file in masks has the name of one in images, such as "
            f"{shown(files[0].stem)}; name one of the two folders to have it alone"
        )
    for top, path in twice:
        raise DataError(f"{shown(folder)}: two files in {top} are called {shown(path.stem)}")
    common, pairs = set(both), zip(layout, sides, strict=True)
    alone = [path for paths in sides for key, path in paths.items() if key not in common]
    return {name: [paths[key] for key in both] for name, paths in pairs}, alone


def check_masks(
    files: Sequence[Path], of_images: Sequence[tuple[int, int]], shapes: Sequence[tuple[int, int]]
) -> None:
    """Refuse masks that are not as large as their images: what they say lies elsewhere.

    Args:
        files: N masks.
        of_images: Height and width of the image of each.
        shapes: Their own.

    Raises:
        DataError: If a size differs; how a camera was held may differ.
    """
    for path, image, mask in zip(files, of_images, shapes, strict=True):
        if sorted(image) != sorted(mask):
            sizes = " and ".join(f"{width}x{height}" for height, width in (mask, image))
            raise DataError(
                f"{shown(path)}: a mask must be as large as its image, got {sizes} pixels"
            )


def decode_mask(path: Path, size: int) -> tuple[NDArray[np.int32], list[str]]:
    """Return the values of a mask, [S, S]: shades of grey, entries of a palette, or colours."""
    with Picture.open(path) as opened:
        image = ImageOps.exif_transpose(opened)
        if image.mode == "F":
            raise ValueError("its pixels are floating-point numbers")
        if image.mode not in {"P", "1", "L"}:
            image = image.convert("I" if image.mode.startswith("I") else "RGB")
        pixels = np.asarray(square(image, size, smooth=False)).astype(np.int32)
    if pixels.ndim == 3:
        grey = (pixels == pixels[:, :, :1]).all(axis=2)
        colours = COLOUR + (pixels << np.array([16, 8, 0])).sum(axis=2)
        pixels = np.where(grey, pixels[:, :, 0], colours).astype(np.int32)
    return pixels, []


def stack_masks(decoded: Sequence[NDArray[np.int32]], folder: Path) -> tuple[Image, Tensor, str]:
    """Return masks as levels, uint8 [N, 1, S, S]: their distinct values in order of size.

    Returns:
        What they are, the levels, and what is to be said.

    Raises:
        DataError: If more than 256 are distinct.
    """
    masks = np.stack(decoded)[:, None]
    values = np.unique(masks)
    if len(values) > _MOST_LEVELS:
        raise DataError(
            f"{shown(folder)}: the values of the masks name classes: there must be at most "
            f"{_MOST_LEVELS} of them, got {len(values):,}"
        )
    x = torch.from_numpy(np.searchsorted(values, masks).astype(np.uint8))
    names = [str(v) if v < COLOUR else f"#{v - COLOUR:06x}" for v in values[:10].tolist()]
    some = ", ".join(names) + (", ..." if len(values) > 10 else "")
    field = Image.of(x, levels=max(2, len(values)), values=tuple(values.tolist()))
    return field, x, f"the {len(values)} values {some} are levels 0 to {len(values) - 1}"
