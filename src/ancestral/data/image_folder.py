"""Folders of photos: each first-level subfolder is a class."""

import os
import struct
import warnings
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import BinaryIO, TypeAlias, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor

from ancestral.data.cache import LARGE, Space, decoded, digest_of_files
from ancestral.data.dataset import Examples, Loading
from ancestral.data.files import reason, shown
from ancestral.data.images import LARGEST_KEPT, choose_size, resized_note, square
from ancestral.data.splitting import Contents
from ancestral.data.tables import label_order
from ancestral.errors import DataError

SUFFIXES = frozenset((".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff"))

Progress: TypeAlias = Callable[[int, int], None]
"""Called with the number of images decoded so far and with their total."""

_SPLITS = {
    "train": "train",
    "training": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "test": "test",
    "testing": "test",
}
_UNREADABLE = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    struct.error,
    zlib.error,
    Image.DecompressionBombError,
)
_In = TypeVar("_In")
_Out = TypeVar("_Out")


def load_image_folder(folder: Path, loading: Loading, progress: Progress | None = None) -> Contents:
    """Read all images below a folder.

    Subfolders named ``train`` and ``test`` (and ``validation``) are the source's own splits. Two
    or more subfolders with images are classes. Hidden files are passed over, others are counted.

    Args:
        folder: Any nesting; links are followed.
        loading: Gives the size of the images.
        progress: Called after each image.

    Raises:
        DataError: If there is no image, or one that cannot be read; the file is named.
    """
    files, others = _walk(folder)
    if not files:
        _refuse(folder, others)
    splits = _own_splits(files, folder)
    images, notes = _read(files, folder, loading, progress)
    classes, label_notes = _classes(files, folder, nested=splits is not None)
    notes += label_notes
    if others:
        notes.append(f"files that are not images passed over ({len(others)}): {_some(others)}")
    labels = tuple(sorted(set(classes), key=label_order))
    given = {}
    if labels:
        given["label"] = torch.tensor([labels.index(name) for name in classes])
    everything = Examples(images, given)
    if splits is None:
        return Contents(
            kind="images", examples=everything, labels=labels, levels=256, notes=tuple(notes)
        )
    own = {
        name: everything[torch.tensor([split == name for split in splits])] for name in set(splits)
    }
    notes.append("splits taken from the subfolders " + ", ".join(sorted(own)))
    return Contents(
        kind="images",
        examples=own["train"],
        test=own["test"],
        validation=own.get("validation"),
        labels=labels,
        levels=256,
        notes=tuple(notes),
    )


def load_image(path: Path, loading: Loading) -> Contents:
    """Read one image as a set of one.

    Raises:
        DataError: If it cannot be read.
    """
    pixels, notes = _read([path], path.parent, loading, None)
    return Contents(kind="images", examples=Examples(pixels), levels=256, notes=tuple(notes))


def _walk(folder: Path) -> tuple[list[Path], list[Path]]:
    """Return images and other files, sorted; each real folder is entered once."""
    files, others, entered = [], [], set()
    for place, children, names in os.walk(folder, followlinks=True):
        real = os.path.realpath(place)
        if real in entered:
            children.clear()
            continue
        entered.add(real)
        children[:] = [name for name in children if not name.startswith((".", "__MACOSX"))]
        for name in names:
            if not name.startswith("."):
                path = Path(place, name)
                (files if path.suffix.lower() in SUFFIXES else others).append(path)
    return sorted(files, key=lambda path: path.parts), sorted(others)


def _refuse(folder: Path, others: Sequence[Path]) -> None:
    known = ", ".join(sorted(suffix[1:] for suffix in SUFFIXES))
    if not others:
        raise DataError(f"{shown(folder)}: no images in this folder ({known}), and no texts (txt)")
    raise DataError(
        f"{shown(folder)}: no images in this folder ({known}); it holds {_some(others)}"
    )


def _some(paths: Sequence[Path]) -> str:
    names = ", ".join(shown(path.name) for path in paths[:3])
    return names if len(paths) <= 3 else f"{names}, ..."


def _own_splits(files: Sequence[Path], folder: Path) -> list[str] | None:
    tops = [path.relative_to(folder).parts[:-1][:1] for path in files]
    names = {top[0].lower() if top else "" for top in tops}
    if names in ({"images", "masks"}, {"a", "b"}) and _paired(files):
        pair = " and ".join(sorted(names))
        raise DataError(
            f"{shown(folder)}: {pair} are pairs of images, which no model here reads yet; "
            "name one of the two folders"
        )
    if not {"train", "test"} <= {_SPLITS.get(name) for name in names} or not names <= set(_SPLITS):
        return None
    return [_SPLITS[top[0].lower()] for top in tops]


def _paired(files: Sequence[Path]) -> bool:
    """Tell pairs from classes: every name stands twice."""
    return set(Counter(path.stem for path in files).values()) == {2}


def _classes(files: Sequence[Path], folder: Path, *, nested: bool) -> tuple[list[str], list[str]]:
    """Return the class of each file, or nothing, and what was decided."""
    depth = int(nested)
    folders = [path.relative_to(folder).parts[:-1] for path in files]
    names = [parts[depth] if len(parts) > depth else "" for parts in folders]
    distinct = set(names)
    if len(distinct) < 2:
        return [], []
    if "" in distinct:
        loose = names.count("")
        return [], [f"no labels, because images lie outside the subfolders ({loose})"]
    return [shown(name) for name in names], [f"{len(distinct)} labels from the subfolders"]


def _read(
    files: Sequence[Path], folder: Path, loading: Loading, progress: Progress | None
) -> tuple[Tensor, list[str]]:
    """Return all images, [N, C, S, S], and what was done to them; many are decoded once."""

    def decode(space: Space) -> tuple[NDArray[np.uint8], list[str]]:
        return _decode_all(files, folder, loading, progress, space)

    if len(files) * 3 * (loading.size or LARGEST_KEPT) ** 2 < LARGE:
        images, notes = decode(np.empty)
        return torch.from_numpy(images), notes
    return decoded(digest_of_files(files, "images", loading.size), decode)


def _decode_all(
    files: Sequence[Path],
    folder: Path,
    loading: Loading,
    progress: Progress | None,
    space: Space,
) -> tuple[NDArray[np.uint8], list[str]]:
    notes: list[str] = []
    with (
        warnings.catch_warnings(),
        ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1)) as pool,
    ):
        # What Pillow warns of is in the metadata; damaged pixels are errors.
        warnings.filterwarnings("ignore", module="PIL")
        shapes = list(_each(pool, _shape, files, folder))
        target = choose_size(shapes, loading.size)
        if target is not None:
            notes.append(resized_note(shapes, target))
        size = target or shapes[0][0]
        images, remarks = space((len(files), 3, size, size), np.uint8), Counter[str]()
        coloured = 0
        decoding = _each(pool, lambda path: decode_image(path, size), files, folder)
        for index, (image, remark) in enumerate(decoding):
            images[index] = image if image.ndim == 2 else image.transpose(2, 0, 1)
            coloured += image.ndim == 3
            remarks.update(remark)
            if progress is not None:
                progress(index + 1, len(files))
    notes += [
        f"{remark}: {count} of {len(files)} images" for remark, count in sorted(remarks.items())
    ]
    notes.append(_colour_note(coloured, len(files)))
    if not coloured:
        images, colour = space((len(files), 1, size, size), np.uint8), images
        for index, image in enumerate(colour):
            images[index] = image[:1]
    return images, notes


def _each(
    pool: ThreadPoolExecutor, function: Callable[[_In], _Out], paths: Sequence[_In], folder: Path
) -> Iterator[_Out]:
    """Apply a function to all files in threads; the first file that fails is named."""
    results = pool.map(function, paths)
    for path in paths:
        try:
            yield next(results)
        except _UNREADABLE as error:
            name = shown(os.path.relpath(str(path), folder))
            unknown = isinstance(error, UnidentifiedImageError)
            raise DataError(
                f"{shown(folder)}: the image {name} cannot be read, it is damaged or cut short "
                f"({'not an image' if unknown else reason(error)})"
            ) from error


def _shape(path: Path) -> tuple[int, int]:
    with Image.open(path) as image:
        size = image.size
        # Reads to the end and compares the checksums where the format has them.
        image.verify()
    return size[1], size[0]


def decode_image(path: Path | BinaryIO, size: int) -> tuple[NDArray[np.uint8], list[str]]:
    """Return one image, [S, S] if it has no colour, else [S, S, 3], and what was done to it."""
    remarks = []
    with Image.open(path) as opened:
        # JPEG decodes at a fraction of its size much faster; twice the target loses nothing.
        opened.draft(opened.mode, (2 * size, 2 * size))
        if getattr(opened, "n_frames", 1) > 1:
            remarks.append("several frames, the first is taken")
        image = ImageOps.exif_transpose(opened)
        if image.mode.startswith("I"):
            image = _eight_bits(image)
            remarks.append("16 bits reduced to 8")
        elif image.has_transparency_data:
            paper = Image.new("RGBA", image.size, "white")
            image = Image.alpha_composite(paper, image.convert("RGBA")).convert("RGB")
            remarks.append("transparency laid on white")
        elif image.mode == "F":
            raise ValueError("its pixels are floating-point numbers")
        else:
            image = image.convert("L" if image.mode in {"1", "L"} else "RGB")
        pixels = np.asarray(square(image, size))
    if pixels.ndim == 3 and not np.ptp(pixels, axis=2).any():
        pixels = pixels[:, :, 0]
    return pixels, remarks


def _eight_bits(image: Image.Image) -> Image.Image:
    values = np.asarray(image).astype(np.int64)
    if values.min() < 0 or values.max() > 65_535:
        raise ValueError("its pixels have more than 16 bits")
    return Image.fromarray((values >> 8).astype(np.uint8))


def _colour_note(coloured: int, total: int) -> str:
    if coloured == 0:
        return f"{total} images, all grey: 1 channel"
    if coloured == total:
        return f"{total} images in colour: 3 channels"
    return f"{coloured} images in colour and {total - coloured} grey, all taken as 3 channels"
