"""Folders of pairs of images, told by the names of two subfolders: what belongs together."""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image as Picture
from PIL import ImageOps
from torch import Tensor

from ancestral.data.canvas import OUTSIDE
from ancestral.data.fields import Image, X
from ancestral.data.files import shown
from ancestral.data.images import Target, square
from ancestral.errors import DataError

_LAYOUTS: dict[tuple[str, ...], tuple[str, ...]] = {
    ("images", "masks"): ("image", "mask"),
    ("a", "b"): ("a", "b"),
}
"""Names of the subfolders, and of the fields that they hold."""

SIDES = frozenset(name for layout in _LAYOUTS for name in layout)
"""Names of the subfolders of pairs."""

_Key: TypeAlias = tuple[str, ...]
"""A split, subfolders, and the name of a file without its ending."""

_Levels: TypeAlias = tuple[NDArray[np.integer], NDArray[np.int32]]

MASK, IMAGE = "mask", "image"
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


def check_no_masks(source: Path | str, masks: str | None) -> None:
    """Refuse a folder of masks beside what is no folder of images.

    Raises:
        DataError: If one was given.
    """
    if masks is not None:
        raise DataError(f"{shown(source)}: masks={shown(masks)} is a setting of folders of images")


@dataclass(frozen=True, slots=True)
class Below:
    """Images below a folder.

    Args:
        folder: The folder.
        files: All images below it.
        split_of: Tells the split of a file below a folder, empty where there is none.
    """

    folder: Path
    files: Sequence[Path]
    split_of: Callable[[Path, Path], str]

    def named(self) -> Iterator[tuple[str, _Key, Path]]:
        """Yield each file with the subfolder in which it is, and its name below that."""
        for path in self.files:
            split = self.split_of(path, self.folder)
            parts = path.relative_to(self.folder).parts[int(bool(split)) :]
            top = parts[0].lower() if len(parts) > 1 else ""
            yield top, (split, *parts[1:-1], path.stem), path

    def all_as(self, name: str) -> Iterator[tuple[str, _Key, Path]]:
        """Yield the same, of files that all are in one subfolder ``name``, or in none."""
        for top, key, path in self.named():
            yield name, key if top in {"", name} else (key[0], top, *key[1:]), path


def find_fields(
    images: Below, masks: Below | None = None, *, unpaired: bool = False
) -> tuple[dict[str, list[Path]], list[Path]]:
    """Return the files of each field, pairs in the same order, and those without a partner.

    Pairs have the same name, whatever the ending, in the subfolders ``images`` and ``masks``, or
    ``a`` and ``b``, of ``folder`` or of each of its splits. Of the first field equal examples are
    kept in one split; the second is modelled if no other is asked for. Folders ``a`` and ``b``
    without one name in common are classes.

    Args:
        images: The folder in which the subfolders are.
        masks: Another one that holds the masks; the first then holds images alone.
        unpaired: All files of ``a`` and all of ``b`` are wanted, whatever their names.

    Raises:
        DataError: If no image has a mask, there are no folders ``a`` and ``b`` of unpaired ones,
            two files of a subfolder have the same name, or they are ``trainA`` and ``trainB``.
    """
    files, folder = images.files, images.folder
    if {"traina", "trainb"} <= {path.relative_to(folder).parts[0].lower() for path in files}:
        raise DataError(
            f"{shown(folder)}: trainA and trainB are a layout of unpaired images; rename them "
            "train/a, train/b, test/a and test/b, or name one of them to have that alone"
        )
    if unpaired:
        return _sides(images), []
    placed = images.named()
    if masks is not None:
        placed = chain(images.all_as("images"), masks.all_as("masks"))
    found, twice = _placed(placed)
    layout = _LAYOUTS.get(tuple(sorted(found)), ())
    sides = [found[name] for name in sorted(found)]
    both = [key for key in sides[0] if key in sides[-1]]
    if not layout or (not both and layout == ("a", "b")):
        return {X: list(files)}, []
    if not both:
        where = "masks" if masks is None else shown(masks.folder)
        raise DataError(
            f"{shown(folder)}: no file in {where} has the name of one in images, such as "
            f"{shown(next(iter(sides[0].values())).stem)}; name one of the two folders to have it "
            "alone"
        )
    for top, path in twice:
        raise DataError(f"{shown(folder)}: two files in {top} are called {shown(path.stem)}")
    common, pairs = set(both), zip(layout, sides, strict=True)
    alone = [path for paths in sides for key, path in paths.items() if key not in common]
    return {name: [paths[key] for key in both] for name, paths in pairs}, alone


def _placed(
    files: Iterable[tuple[str, _Key, Path]],
) -> tuple[dict[str, dict[_Key, Path]], list[tuple[str, Path]]]:
    """Return files by their subfolder and name, and those whose name was there before."""
    found: dict[str, dict[_Key, Path]] = {}
    twice: list[tuple[str, Path]] = []
    for top, key, path in files:
        names = found.setdefault(top, {})
        if key in names:
            twice.append((top, path))
        names[key] = path
    return found, twice


def _sides(images: Below) -> dict[str, list[Path]]:
    """Return all files of the subfolders ``a`` and ``b``; DataError if there are others."""
    found: dict[str, list[Path]] = {}
    for top, _, path in images.named():
        found.setdefault(top, []).append(path)
    if sorted(found) != ["a", "b"]:
        raise DataError(f"{shown(images.folder)}: unpaired images must be in two folders, a and b")
    return {name: found[name] for name in sorted(found)}


def check_masks(
    files: Sequence[Path],
    of_images: Sequence[tuple[int, int]],
    shapes: Sequence[tuple[int, int]],
    *,
    upright: bool = False,
) -> None:
    """Refuse masks that are not as large as their images: what they say lies elsewhere.

    Args:
        files: N masks.
        of_images: Height and width of the image of each.
        shapes: Their own.
        upright: Whether it is known how a camera was held; else height and width may be exchanged.

    Raises:
        DataError: If a size differs.
    """
    for path, image, mask in zip(files, of_images, shapes, strict=True):
        if image != mask if upright else sorted(image) != sorted(mask):
            sizes = " and ".join(f"{width}x{height}" for height, width in (mask, image))
            raise DataError(
                f"{shown(path)}: a mask must be as large as its image, got {sizes} pixels"
            )


def decode_mask(path: Path, size: int | None) -> tuple[_Levels, list[str]]:
    """Return a mask, [S, S] or [H, W], as places in its values, and these, in order of size.

    The values are shades of grey, entries of a palette, or colours.
    """
    with Picture.open(path) as opened:
        image = ImageOps.exif_transpose(opened)
        if image.mode == "F":
            raise ValueError("its pixels are floating-point numbers")
        if image.mode not in {"P", "1", "L"}:
            image = image.convert("I" if image.mode.startswith("I") else "RGB")
        image = image if size is None else square(image, size, smooth=False)
        pixels = np.asarray(image).astype(np.int32)
    if pixels.ndim == 3:
        grey = (pixels == pixels[:, :, :1]).all(axis=2)
        colours = COLOUR + (pixels << np.array([16, 8, 0])).sum(axis=2)
        pixels = np.where(grey, pixels[:, :, 0], colours).astype(np.int32)
    values, places = np.unique(pixels, return_inverse=True)
    few = np.uint8 if len(values) <= _MOST_LEVELS else np.int32
    return (places.reshape(pixels.shape).astype(few), values), []


def stack_masks(
    decoded: Sequence[_Levels], folder: Path, target: Target
) -> tuple[Image, Tensor, str]:
    """Return masks as levels, uint8 [N, 1, H, W]: their distinct values in order of size.

    Args:
        decoded: Masks, as :func:`decode_mask` returns them.
        folder: Where they are from.
        target: Of what shape they are, or on which canvas.

    Returns:
        What they are, the levels, and what is to be said.

    Raises:
        DataError: If more than 256 values are distinct, or 255 on a canvas.
    """
    values = np.unique(np.concatenate([own for _, own in decoded]))
    most = OUTSIDE if target.canvas else _MOST_LEVELS
    if len(values) > most:
        raise DataError(
            f"{shown(folder)}: the values of the masks name classes: there must be at most "
            f"{most} of them, got {len(values):,}"
        )
    x = np.full((len(decoded), 1, target.height, target.width), OUTSIDE, dtype=np.uint8)
    for place, (mask, own) in zip(x[:, 0], decoded, strict=True):
        place[: mask.shape[0], : mask.shape[1]] = np.searchsorted(values, own)[mask]
    names = value_names(values[:10].tolist())
    some = ", ".join(names) + (", ..." if len(values) > 10 else "")
    field = Image.of(
        torch.from_numpy(x),
        levels=max(2, len(values)),
        values=tuple(values.tolist()),
        canvas=target.canvas,
    )
    said = f"the {len(values)} values {some} are levels 0 to {len(values) - 1}"
    return field, torch.from_numpy(x), said


def value_names(values: Sequence[int]) -> tuple[str, ...]:
    """Return values of masks as people write them: shades by number, colours as in ``#ff0000``.

    Example:
        >>> value_names([0, 255, COLOUR + 0xFF0000])
        ('0', '255', '#ff0000')
    """
    return tuple(str(v) if v < COLOUR else f"#{v - COLOUR:06x}" for v in values)
