"""NumPy's own files: npy and npz, never unpickled."""

import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ancestral.data.dataset import Examples, Loading
from ancestral.data.fields import LABEL, Image, labelled
from ancestral.data.files import reason, shown
from ancestral.data.images import fit_size
from ancestral.data.splitting import Contents
from ancestral.data.tables import check_finite, encode_labels, table_contents
from ancestral.errors import DataError

_DAMAGE = (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile, zlib.error)


def load_npy(path: Path, loading: Loading) -> Contents:
    """Read one array: [N] or [N, D] numbers, or uint8 images in 3 or 4 dimensions.

    Raises:
        DataError: If it cannot be read or is none of these.
    """
    if loading.label is not None:
        raise DataError(f"{shown(path)}: an npy file has no column {loading.label!r}; use npz")
    with path.open("rb") as file:
        array = _open(path, file)
        if not isinstance(array, np.ndarray):
            raise DataError(f"{shown(path)}: this is an npz archive; give it the ending .npz")
    return _contents(path, array, None, loading, [])


def load_npz(path: Path, loading: Loading) -> Contents:
    """Read an archive: ``x``, and ``label`` or ``y`` where there are labels.

    Raises:
        DataError: If it cannot be read, or if none of its arrays is the data.
    """
    with path.open("rb") as file:
        archive = _open(path, file)
        if isinstance(archive, np.ndarray):
            raise DataError(f"{shown(path)}: this is a single array; give it the ending .npy")
        names = list(archive.files)
        key, notes = _data_key(path, names)
        label = _label_key(path, names, key, loading.label)
        x = _member(path, archive, key)
        y = None if label is None else _member(path, archive, label)
    ignored = [name for name in names if name not in {key, label}]
    if ignored:
        notes.append(f"other arrays passed over: {', '.join(ignored)}")
    return _contents(path, x, y, loading, notes)


def _open(path: Path, file: BinaryIO) -> "NDArray[np.generic] | np.lib.npyio.NpzFile":
    try:
        return np.load(file, allow_pickle=False)
    except _DAMAGE as error:
        raise DataError(
            f"{shown(path)}: not a NumPy file, damaged, or it holds Python objects "
            f"({reason(error)})"
        ) from error


def _member(path: Path, archive: Mapping[str, NDArray[np.generic]], key: str) -> NDArray:
    try:
        return archive[key]
    except _DAMAGE as error:
        raise DataError(
            f"{shown(path)}: the array {key!r} is damaged or holds Python objects ({reason(error)})"
        ) from error


def _data_key(path: Path, names: list[str]) -> tuple[str, list[str]]:
    for key in ("x", "images"):
        if key in names:
            return key, []
    rest = [name for name in names if name not in {LABEL, "y"}]
    if len(rest) == 1:
        return rest[0], [f"the array {rest[0]!r} is taken as the data"]
    holds = ", ".join(names) or "nothing"
    raise DataError(f"{shown(path)}: no array 'x'; the archive holds {holds}")


def _label_key(path: Path, names: list[str], data: str, asked: str | None) -> str | None:
    if asked is not None:
        if asked not in names or asked == data:
            raise DataError(
                f"{shown(path)}: no array {asked!r} for the label; there is {', '.join(names)}"
            )
        return asked
    return next((key for key in (LABEL, "y") if key in names), None)


def _contents(
    path: Path,
    array: NDArray[np.generic],
    label: NDArray[np.generic] | None,
    loading: Loading,
    notes: list[str],
) -> Contents:
    if not (np.issubdtype(array.dtype, np.number) or array.dtype == np.bool_) or np.iscomplexobj(
        array
    ):
        raise DataError(f"{shown(path)}: the array must hold real numbers, got {array.dtype}")
    names = None if label is None else _label_names(path, label, len(array) if array.ndim else 0)
    if array.ndim in (3, 4):
        return _images(path, array, names, loading, notes)
    if array.ndim not in (1, 2) or (array.ndim == 2 and array.shape[1] == 0):
        raise DataError(
            f"{shown(path)}: the array must be [N, D], or images in 3 or 4 dimensions, "
            f"got the shape {list(array.shape)}"
        )
    values = (array[:, None] if array.ndim == 1 else array).astype(np.float64)
    columns = [f"x{index}" for index in range(1, values.shape[1] + 1)]
    check_finite(path, columns, values)
    return table_contents(path, columns, values, names, notes)


def _images(
    path: Path,
    array: NDArray[np.generic],
    names: list[str] | None,
    loading: Loading,
    notes: list[str],
) -> Contents:
    if array.dtype != np.uint8:
        raise DataError(
            f"{shown(path)}: an array of {array.ndim} dimensions is taken as images, whose "
            f"pixels must be uint8, got {array.dtype}"
        )
    x, layout = _channels_first(path, torch.from_numpy(np.ascontiguousarray(array)))
    if 0 in x.shape[1:]:
        raise DataError(f"{shown(path)}: the images have no pixels, shape {list(array.shape)}")
    x, resized = fit_size(x, loading.size)
    given: dict[str, Tensor] = {}
    labels: tuple[str, ...] = ()
    if names is not None:
        given[LABEL], labels = encode_labels(path, names)
    return Contents(
        fields=labelled(Image.of(x), labels),
        examples=Examples(x, given),
        notes=(*notes, f"images laid out as {layout}", *resized),
    )


def _channels_first(path: Path, x: Tensor) -> tuple[Tensor, str]:
    if x.ndim == 3:
        return x[:, None], "[N, H, W]"
    if x.shape[1] in (1, 3):
        return x, "[N, C, H, W]"
    if x.shape[3] in (1, 3):
        return x.permute(0, 3, 1, 2).contiguous(), "[N, H, W, C]"
    raise DataError(f"{shown(path)}: images need 1 or 3 channels, got the shape {list(x.shape)}")


def _label_names(path: Path, label: NDArray[np.generic], rows: int) -> list[str]:
    if label.shape != (rows,):
        raise DataError(
            f"{shown(path)}: the labels must be one for each of {rows} rows, "
            f"got the shape {list(label.shape)}"
        )
    if label.dtype.kind not in "iubU":
        raise DataError(f"{shown(path)}: labels must be whole numbers or words, got {label.dtype}")
    return [str(value).strip() for value in label.tolist()]
