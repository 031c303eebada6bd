"""IDX, the file format of MNIST and its kin: a magic number, dimensions, then the bytes.

Source: LeCun, Cortes & Burges, The MNIST database of handwritten digits, "File formats".
"""

import gzip
import math
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from ancestral.data.dataset import Examples, Loading
from ancestral.data.fields import LABEL, Image, labelled
from ancestral.data.files import reason, shown
from ancestral.data.images import fit_size
from ancestral.data.splitting import Contents
from ancestral.errors import DataError

_TYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}

FASHION_LABELS = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)


@dataclass(frozen=True, slots=True)
class IdxFolder:
    """The files of one set: images and labels, of training and of test, where present."""

    train: Path
    train_labels: Path | None
    test: Path | None
    test_labels: Path | None


def read_idx(path: Path) -> NDArray[np.generic]:
    """Read one IDX file, plain or compressed with gzip.

    Returns:
        An array of the file's shape and type, in this machine's byte order.

    Raises:
        DataError: If the file is cut short, too long, damaged or not IDX.
    """
    content = _content(path)
    if len(content) < 4 or content[:2] != b"\0\0" or content[2] not in _TYPES or not content[3]:
        raise DataError(f"{shown(path)}: not an IDX file, or cut short")
    start = 4 + 4 * content[3]
    if len(content) < start:
        raise DataError(f"{shown(path)}: cut short inside its header")
    shape = struct.unpack(f">{content[3]}I", content[4:start])
    dtype = np.dtype(_TYPES[content[2]])
    expected = math.prod(shape) * dtype.itemsize
    if len(content) - start != expected:
        raise DataError(
            f"{shown(path)}: cut short or damaged; its header promises {expected} bytes, "
            f"it holds {len(content) - start}"
        )
    array = np.frombuffer(content, dtype=dtype, offset=start).reshape(shape)
    return array.astype(dtype.newbyteorder("="))


def _content(path: Path) -> bytes:
    content = path.read_bytes()
    if content[:2] != b"\x1f\x8b":
        return content
    try:
        return gzip.decompress(content)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(
            f"{shown(path)}: the compressed file is cut short or damaged: {reason(error)}"
        ) from error


def find_idx(folder: Path) -> IdxFolder | None:
    """Return the IDX files of a folder, or of torchvision's ``NAME/raw`` below it.

    Raises:
        DataError: If several sets lie below the folder, or if images lack one of their parts.
    """
    places = [folder, folder / "raw"]
    places += sorted(child / "raw" for child in folder.iterdir() if child.is_dir())
    found = {place: train for place in places if (train := _part(place, "train", "images"))}
    if not found:
        return None
    if len(found) > 1:
        names = ", ".join(shown(place) for place in found)
        raise DataError(f"{shown(folder)}: holds several sets, name one of them: {names}")
    [(place, train)] = found.items()
    return IdxFolder(
        train,
        _part(place, "train", "labels"),
        _part(place, "t10k", "images") or _part(place, "test", "images"),
        _part(place, "t10k", "labels") or _part(place, "test", "labels"),
    )


def _part(folder: Path, split: str, part: str) -> Path | None:
    dimensions = {"images": 3, "labels": 1}[part]
    for joint in "-.":
        for ending in ("", ".gz"):
            path = folder / f"{split}-{part}{joint}idx{dimensions}-ubyte{ending}"
            if path.is_file():
                return path
    return None


def load_idx_folder(files: IdxFolder, loading: Loading, names: tuple[str, ...] = ()) -> Contents:
    """Read one set; its own test split is kept.

    Args:
        files: What ``find_idx`` returned.
        loading: Gives the size of the images.
        names: Label names; the numbers themselves where empty.
    """
    labelled = files.train_labels is not None and (
        files.test is None or files.test_labels is not None
    )
    examples, notes = _examples(files.train, files.train_labels if labelled else None, loading)
    test = None
    if files.test is not None:
        test, _ = _examples(files.test, files.test_labels if labelled else None, loading)
        if test.x.shape[1:] != examples.x.shape[1:]:
            raise DataError(f"{shown(files.test)}: its images have another size than training's")
    if not labelled and (files.train_labels or files.test_labels):
        notes = (*notes, "labels ignored, because one of the splits has none")
    return _contents(examples, test, notes, names)


def load_idx_file(path: Path, loading: Loading) -> Contents:
    """Read one file of images, with the labels that lie beside it under the usual name."""
    beside = path.with_name(path.name.replace("images", "labels").replace("idx3", "idx1"))
    labels = beside if beside != path and beside.is_file() else None
    examples, notes = _examples(path, labels, loading)
    if labels is not None:
        notes = (*notes, f"labels read from {shown(labels.name)}")
    return _contents(examples, None, notes, ())


def _examples(
    path: Path, labels: Path | None, loading: Loading
) -> tuple[Examples, tuple[str, ...]]:
    images = read_idx(path)
    if images.ndim != 3 or images.dtype != np.uint8:
        raise DataError(
            f"{shown(path)}: images must be bytes in 3 dimensions, "
            f"got {images.dtype} in {images.ndim}"
        )
    x, notes = fit_size(torch.from_numpy(images)[:, None], loading.size)
    if labels is None:
        return Examples(x), notes
    values = read_idx(labels)
    if values.ndim != 1 or not np.issubdtype(values.dtype, np.integer) or len(values) != len(x):
        raise DataError(f"{shown(labels)}: must hold {len(x)} whole numbers, one for each image")
    if len(values) and values.min() < 0:
        raise DataError(f"{shown(labels)}: labels must be at least 0, got {values.min()}")
    return Examples(x, {LABEL: torch.from_numpy(values.astype(np.int64))}), notes


def _contents(
    examples: Examples, test: Examples | None, notes: tuple[str, ...], names: tuple[str, ...]
) -> Contents:
    labels: tuple[str, ...] = ()
    if LABEL in examples.given:
        parts = [part.given[LABEL] for part in (examples, test) if part is not None]
        count = 1 + max((int(part.max()) for part in parts if len(part)), default=-1)
        labels = names if len(names) >= count else tuple(str(value) for value in range(count))
    return Contents(
        fields=labelled(Image.of(examples.x), labels), examples=examples, test=test, notes=notes
    )
