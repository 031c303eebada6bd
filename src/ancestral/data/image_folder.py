"""Folders of photos: each first-level subfolder is a class."""

import os
import struct
import warnings
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from itertools import count
from pathlib import Path
from typing import BinaryIO, TypeAlias, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image as Picture
from PIL import ImageOps, UnidentifiedImageError
from torch import Tensor

from ancestral.data.cache import Space, decoded_once
from ancestral.data.dataset import Examples, Loading
from ancestral.data.fields import LABEL, Category, Field, Image, X
from ancestral.data.files import reason, shown
from ancestral.data.image_pairs import (
    MASK,
    check_field,
    check_masks,
    decode_mask,
    find_fields,
    stack_masks,
)
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
    Picture.DecompressionBombError,
)
_Tell: TypeAlias = Callable[[], None]
_In = TypeVar("_In")
_Out = TypeVar("_Out")


def load_image_folder(folder: Path, loading: Loading, progress: Progress | None = None) -> Contents:
    """Read all images below a folder.

    Subfolders named ``train`` and ``test`` (and ``validation``) are the source's own splits. Two
    or more subfolders with images are classes; ``images`` and ``masks``, or ``a`` and ``b``, hold
    pairs. Hidden files are passed over, others are counted.

    Args:
        folder: Any nesting; links are followed.
        loading: Gives the size of the images, and which of a pair is modelled.
        progress: Called after each image.

    Raises:
        DataError: If there is no image, or one that cannot be read; the file is named.
    """
    files, others = _walk(folder)
    if not files:
        _refuse(folder, others)
    own_splits = _has_splits(files, folder)
    found, alone = find_fields(
        files, folder, lambda path: _split(path, folder) if own_splits else ""
    )
    check_field(folder, loading.field, found)
    apart, *second = found
    x, files = loading.field or [*found][-1], found[apart]
    fields, values, notes = _read(found, folder, loading, progress)
    if second:
        notes.append(f"{len(files)} pairs, by the names of their files: {x} given the other")
    if alone:
        notes.append(f"images without a partner passed over ({len(alone)}): {_some(alone)}")
    depth = int(own_splits) + len(second)
    classes, label_notes = _classes(files, folder, depth=depth)
    notes += label_notes
    if others:
        notes.append(f"files that are not images passed over ({len(others)}): {_some(others)}")
    labels = tuple(sorted(set(classes), key=label_order))
    if labels:
        values[LABEL] = torch.tensor([labels.index(name) for name in classes])
        fields[LABEL] = Category(states=labels)
    fields, everything = {X: fields.pop(x), **fields}, Examples(values.pop(x), values)
    apart = X if apart == x else apart
    if not own_splits:
        return Contents(fields=fields, examples=everything, apart=apart, notes=tuple(notes))
    splits = [_split(path, folder) for path in files]
    own = {
        name: everything[torch.tensor([split == name for split in splits])]
        for name in {"train", "test", *splits}
    }
    notes.append("splits taken from the subfolders " + ", ".join(sorted(own)))
    return Contents(
        fields=fields,
        examples=own["train"],
        test=own["test"],
        validation=own.get("validation"),
        apart=apart,
        notes=tuple(notes),
    )


def load_image(path: Path, loading: Loading, expected: Field | None = None) -> Contents:
    """Read one image as a set of one; as a mask, where one is expected.

    Raises:
        DataError: If it cannot be read.
    """
    name = MASK if isinstance(expected, Image) and expected.values else X
    fields, values, notes = _read({name: [path]}, path.parent, loading, None)
    return Contents(fields={X: fields[name]}, examples=Examples(values[name]), notes=tuple(notes))


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
    rest = f"; it holds {_some(others)}" if others else ", and no texts (txt)"
    raise DataError(f"{shown(folder)}: no images in this folder ({known}){rest}")


def _some(paths: Sequence[Path]) -> str:
    names = ", ".join(shown(path.name) for path in paths[:3])
    return names if len(paths) <= 3 else f"{names}, ..."


def _has_splits(files: Sequence[Path], folder: Path) -> bool:
    """Tell whether the first subfolders are the source's own splits."""
    names = {_split(path, folder) for path in files}
    return {"train", "test"} <= names <= set(_SPLITS.values())


def _split(path: Path, folder: Path) -> str:
    parts = path.relative_to(folder).parts
    return _SPLITS.get(parts[0].lower(), "") if len(parts) > 1 else ""


def _classes(files: Sequence[Path], folder: Path, *, depth: int) -> tuple[list[str], list[str]]:
    """Return the class of each file, or nothing, and what was decided."""
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
    files: Mapping[str, Sequence[Path]],
    folder: Path,
    loading: Loading,
    progress: Progress | None,
) -> tuple[dict[str, Field], dict[str, Tensor], list[str]]:
    """Return what each field is, all images of it, uint8 [N, C, S, S], and what was done."""
    fields: dict[str, Field] = {}
    values: dict[str, Tensor] = {}
    total, done = sum(map(len, files.values())), count(1)

    def tell() -> None:
        if progress is not None:
            progress(next(done), total)

    side, notes = _common_size(files, folder, loading) if len(files) > 1 else (None, [])
    for name, paths in files.items():
        read = _read_masks if name == MASK else _read_images
        fields[name], values[name], said = read(paths, folder, loading, side, tell)
        notes += [f"{name}: {line}" if len(files) > 1 else line for line in said]
    return fields, values, notes


def _common_size(
    files: Mapping[str, Sequence[Path]], folder: Path, loading: Loading
) -> tuple[int, list[str]]:
    """Return the side that all images get, each read to its end, and what is done to them."""
    with _threads() as pool:
        each = {name: list(_each(pool, _shape, paths, folder)) for name, paths in files.items()}
    shapes = [shape for one in each.values() for shape in one]
    if MASK in files:
        check_masks(files[MASK], shapes[: len(files[MASK])], each[MASK])
    target = choose_size(shapes, loading.size)
    return target or shapes[0][0], [] if target is None else [resized_note(shapes, target)]


def _read_masks(
    paths: Sequence[Path], folder: Path, loading: Loading, side: int | None, tell: _Tell
) -> tuple[Field, Tensor, list[str]]:
    """Read masks, brought to a side; None: to their own common one."""
    size, notes = (side, []) if side else _common_size({MASK: paths}, folder, loading)
    decoded, remarks = [], Counter[str]()
    with _threads() as pool:
        for mask, remark in _each(pool, partial(decode_mask, size=size), paths, folder):
            decoded.append(mask)
            remarks.update(remark)
            tell()
    field, x, note = stack_masks(decoded, folder)
    return field, x, [*notes, *_said(remarks, paths), note]


def _read_images(
    paths: Sequence[Path], folder: Path, loading: Loading, side: int | None, tell: _Tell
) -> tuple[Field, Tensor, list[str]]:
    """Read the images of one field, as masks are; many are decoded once, into a file."""

    def decode(space: Space) -> tuple[NDArray[np.uint8], list[str]]:
        size, notes = (side, []) if side else _common_size({X: paths}, folder, loading)
        images, said = _decode_all(paths, folder, size, tell, space)
        return images, notes + said

    how = ("pairs", side) if side else ("images", loading.size)
    most = len(paths) * 3 * (side or loading.size or LARGEST_KEPT) ** 2
    x, said = decoded_once(paths, how, most, decode)
    return Image.of(x), x, said


def _decode_all(
    paths: Sequence[Path], folder: Path, size: int, tell: _Tell, space: Space
) -> tuple[NDArray[np.uint8], list[str]]:
    images, remarks = space((len(paths), 3, size, size), np.uint8), Counter[str]()
    coloured = 0
    with _threads() as pool:
        decoding = _each(pool, partial(decode_image, size=size), paths, folder)
        for index, (image, remark) in enumerate(decoding):
            images[index] = image if image.ndim == 2 else image.transpose(2, 0, 1)
            coloured += image.ndim == 3
            remarks.update(remark)
            tell()
    if not coloured:
        images, colour = space((len(paths), 1, size, size), np.uint8), images
        for index, image in enumerate(colour):
            images[index] = image[:1]
    return images, [*_said(remarks, paths), _colour_note(coloured, len(paths))]


def _said(remarks: Counter[str], paths: Sequence[Path]) -> list[str]:
    return [f"{what}: {n} of {len(paths)} images" for what, n in sorted(remarks.items())]


@contextmanager
def _threads() -> Iterator[ThreadPoolExecutor]:
    """Decode in threads; what Pillow warns of is in the metadata, and damaged pixels are errors."""
    with (
        warnings.catch_warnings(),
        ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1)) as pool,
    ):
        warnings.filterwarnings("ignore", module="PIL")
        yield pool


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
    with Picture.open(path) as image:
        size = image.size
        # Reads to the end and compares the checksums where the format has them.
        image.verify()
    return size[1], size[0]


def decode_image(path: Path | BinaryIO, size: int) -> tuple[NDArray[np.uint8], list[str]]:
    """Return one image, [S, S] if it has no colour, else [S, S, 3], and what was done to it."""
    remarks = []
    with Picture.open(path) as opened:
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
        pixels = np.asarray(square(image, size))
    if pixels.ndim == 3 and not np.ptp(pixels, axis=2).any():
        pixels = pixels[:, :, 0]
    return pixels, remarks


def _eight_bits(image: Picture.Image) -> Picture.Image:
    values = np.asarray(image).astype(np.int64)
    if values.min() < 0 or values.max() > 65_535:
        raise ValueError("its pixels have more than 16 bits")
    return Picture.fromarray((values >> 8).astype(np.uint8))


def _colour_note(coloured: int, total: int) -> str:
    if coloured == 0:
        return f"{total} images, all grey: 1 channel"
    if coloured == total:
        return f"{total} images in colour: 3 channels"
    return f"{coloured} images in colour and {total - coloured} grey, all taken as 3 channels"
