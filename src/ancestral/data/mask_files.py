"""Images from files one by one, and what was made of them back into files of their names."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import torch
from PIL import Image as Picture
from torch import Tensor

from ancestral.data.fields import Image
from ancestral.data.files import atomic, atomic_folder, files_below, shown
from ancestral.data.image_decoding import SUFFIXES, decode_image, each, shape_of, threads
from ancestral.data.image_pairs import COLOUR, value_names
from ancestral.data.writing import csv_lines
from ancestral.errors import ConfigError, DataError, RunError

SHARES, SIZES = "classes.csv", "images.csv"
"""Beside masks: the share of each class in each of them; beside other images: their sizes."""

_WHAT = {SHARES: "masks", SIZES: "images"}


def image_files(source: Path) -> list[tuple[Path, Path]]:
    """Return the images at a path, one file or a folder, each with the name that it has there.

    Of a folder with ``images`` in it, and ``masks``, those in ``images``.

    Raises:
        DataError: If there is none, or some cannot be read, which are named.
    """
    if source.is_file():
        found, folder = [source], source.parent
    else:
        inner = source / "images"
        folder = inner if inner.is_dir() and (source / "masks").is_dir() else source
        found = [path for path in files_below(folder) if path.suffix.lower() in SUFFIXES]
    if not found:
        raise DataError(f"{shown(source)}: no image, and no folder of images")
    with threads() as pool:
        list(each(pool, shape_of, found, folder))
    return [(path, path.relative_to(folder)) for path in sorted(found)]


def read_images(files: Iterable[Path], field: Image, *, who: str) -> Iterator[Tensor]:
    """Yield images, uint8 [C, H, W], as a field has them: those of a canvas at their own size.

    Args:
        files: Each is decoded when it is asked for.
        field: Its channels: a grey image has three alike, too.
        who: Subject and verb of the message, such as "RUN takes".

    Raises:
        DataError: If one has colours and the field has none, or cannot be read.
    """
    size = None if field.canvas else field.width
    with threads() as pool:
        for path in files:
            pixels, _ = next(each(pool, partial(decode_image, size=size), [path], path.parent))
            x = torch.from_numpy(pixels.copy())
            x = x[None] if x.ndim == 2 else x.permute(2, 0, 1)
            if len(x) > field.channels:
                raise DataError(f"{shown(path)}: has colours, {who} grey images")
            yield x.expand(field.channels, -1, -1)


def mask_picture(mask: Tensor, values: Sequence[int]) -> Picture.Image:
    """Return a mask of classes, [H, W], as its file has it: shades, or colours.

    Example:
        >>> mask_picture(torch.tensor([[0, 1]]), [0, COLOUR + 0xFF0000]).getpixel((1, 0))
        (255, 0, 0)
    """
    table = np.array(values)
    if table.max() < COLOUR:
        wide = np.uint8 if table.max() < 256 else np.uint16 if table.max() < 1 << 16 else np.int32
        return Picture.fromarray(table.astype(wide)[mask.numpy()])
    tones = [((v - COLOUR) >> s) & 255 if v >= COLOUR else v for v in values for s in (16, 8, 0)]
    return Picture.fromarray(np.array(tones, np.uint8).reshape(-1, 3)[mask.numpy()])


def write_masks(
    masks: Iterable[tuple[Path, Tensor]], names: Sequence[Path], path: Path, field: Image
) -> Path:
    """Write masks, whole or not at all: a folder of PNG files, or one alone as a ``.png``.

    A file has the name of its image and the values of the masks that the field was read from. The
    folder has a table, ``classes.csv``, of the share of each class in each mask.

    Args:
        masks: The name of an image, and classes [H, W].
        names: All the names.
        path: Where to; a folder that masks were written to is replaced.
        field: Of the masks.

    Raises:
        ConfigError: If the ending is another one, or of one file and there are more.
        RunError: If the path cannot be written, or is a folder of something else.
    """

    def told(mask: Tensor) -> list[str]:
        counts = mask.flatten().bincount(minlength=len(field.values))
        return [f"{v / mask.numel():.6g}" for v in counts.tolist()]

    each = ((name, mask_picture(mask, field.values), told(mask)) for name, mask in masks)
    return _write(each, names, path, SHARES, value_names(field.values))


def write_images(images: Iterable[tuple[Path, Tensor]], names: Sequence[Path], path: Path) -> Path:
    """Write images, uint8 [C, H, W], under the names of those that they were made of.

    Beside them in a folder is a table of their sizes, ``images.csv``. Arguments and errors are
    those of :func:`write_masks`.
    """

    def picture(x: Tensor) -> Picture.Image:
        return Picture.fromarray((x[0] if len(x) == 1 else x.permute(1, 2, 0)).numpy())

    each = ((name, picture(x), [str(x.shape[2]), str(x.shape[1])]) for name, x in images)
    return _write(each, names, path, SIZES, ("width", "height"))


def _write(
    made: Iterable[tuple[Path, Picture.Image, Sequence[str]]],
    names: Sequence[Path],
    path: Path,
    table: str,
    columns: Sequence[str],
) -> Path:
    """Write pictures whole or not at all, one or a folder with a table of what is told of each."""
    what, suffix, n = _WHAT[table], path.suffix.lower(), len(names)
    if suffix not in ("", ".png") or (suffix and n > 1):
        raise ConfigError(f"{n} {what} are written to a folder, one to a png, got {shown(path)!r}")
    if not suffix and path.exists() and not (path / table).is_file():
        raise RunError(f"cannot write the folder {shown(path)}: it holds other files than {what}")
    if suffix:
        ((_, picture, _),) = made
        with atomic(path) as draft:
            picture.save(draft, format="PNG")
        return path
    often = Counter(name.with_suffix("") for name in names)
    rows: list[list[object]] = [["image", *columns]]
    with atomic_folder(path) as draft:
        for name, picture, told in made:
            twice = often[name.with_suffix("")] > 1
            to = draft / (name.parent / (name.name if twice else name.stem))
            to.parent.mkdir(parents=True, exist_ok=True)
            picture.save(to.with_name(to.name + ".png"))
            rows.append([str(name), *told])
        (draft / table).write_text("".join(csv_lines(rows)), encoding="utf-8")
    return path
