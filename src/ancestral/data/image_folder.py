"""Folders of photos: each first-level subfolder is a class."""

import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import count
from pathlib import Path
from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ancestral.data.cache import Space, decoded_once
from ancestral.data.dataset import Examples, Loading
from ancestral.data.fields import LABEL, Category, Field, Image, X
from ancestral.data.files import passed_over, shown
from ancestral.data.image_decoding import (
    SUFFIXES,
    decode_image,
    each,
    shape_of,
    threads,
    upright_shape,
)
from ancestral.data.image_pairs import (
    IMAGE,
    MASK,
    SIDES,
    Below,
    check_field,
    check_masks,
    decode_mask,
    find_fields,
    stack_masks,
)
from ancestral.data.images import LARGEST_KEPT, Target, choose_size, resized_note
from ancestral.data.splitting import Contents, side_by_side
from ancestral.data.tables import label_order
from ancestral.errors import DataError

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
_PARTNERS = 10
"""Of images without a partner, so many are named."""

_Tell: TypeAlias = Callable[[], None]


def load_image_folder(folder: Path, loading: Loading, progress: Progress | None = None) -> Contents:
    """Read all images below a folder.

    Subfolders named ``train``, ``val`` and ``test`` (also ``training``, ``valid``, ``validation``,
    ``testing``) are the source's own splits, the first and one of the others at least. Two or more
    subfolders with images are classes; ``images`` and ``masks``, or ``a`` and ``b``, hold pairs.
    What is hidden, or a system's own, is passed over, others are counted.

    Args:
        folder: Any nesting; links are followed.
        loading: Gives the size of the images, and which of a pair is modelled.
        progress: Called after each image.

    Raises:
        DataError: If there is no image, or some cannot be read, which are named, or if they are
            unpaired images of two kinds.
    """
    files, others = _walk(folder)
    if not files:
        _refuse(folder, others)
    files, outside = _in_splits(files, folder)
    own_splits = outside is not None
    found, alone = _fields(files, folder, loading, own_splits=own_splits)
    check_field(folder, loading.field, found)
    apart, *second = found
    x, files = loading.field or [*found][-1], found[apart]
    fields, values, notes = _read(found, folder, loading, progress)
    if second and not loading.unpaired:
        notes.append(f"{len(files)} pairs, by the names of their files: {x} given the other")
    if alone:
        names = _some(alone, _PARTNERS)
        notes.append(f"images without a partner passed over ({len(alone)}): {names}")
    if outside:
        notes.append(f"images outside the splits passed over ({len(outside)}): {_some(outside)}")
    if others:
        notes.append(f"files that are not images passed over ({len(others)}): {_some(others)}")
    fields = {_name(name, x): field for name, field in fields.items()}
    values = {_name(name, x): value for name, value in values.items()}
    fields = {X: fields.pop(X), **fields}
    if loading.unpaired:
        found = {_name(name, x): paths for name, paths in found.items() if own_splits}
        splits = {name: [_split(path, folder) for path in found[name]] for name in found}
        return _unpaired(fields, values, splits, notes)
    classes, label_notes = _classes(files, folder, depth=int(own_splits), pairs=bool(second))
    notes += label_notes
    labels = tuple(sorted(set(classes), key=label_order))
    if labels:
        values[LABEL] = torch.tensor([labels.index(name) for name in classes])
        fields[LABEL] = Category(states=labels)
    return _contents(fields, values, _name(apart, x), files if own_splits else [], folder, notes)


def _contents(
    fields: dict[str, Field],
    values: dict[str, Tensor],
    apart: str,
    files: Sequence[Path],
    folder: Path,
    notes: list[str],
) -> Contents:
    """Return the examples, in the splits in whose subfolders the files are; none: in one piece."""
    everything = Examples(values.pop(X), values)
    if not files:
        return Contents(fields=fields, examples=everything, apart=apart, notes=tuple(notes))
    splits = [_split(path, folder) for path in files]
    own = {
        name: everything[torch.tensor([split == name for split in splits])]
        for name in sorted({*splits})
    }
    drawn = "" if "test" in own else "; the test split is drawn from train"
    notes.append(f"splits taken from the subfolders {', '.join(own)}{drawn}")
    return Contents(
        fields=fields,
        examples=own["train"],
        test=own.get("test"),
        validation=own.get("validation"),
        apart=apart,
        notes=tuple(notes),
    )


def _name(field: str, x: str) -> str:
    """Return what a field is called where ``x`` is modelled: the other one of two is an image."""
    return X if field == x else IMAGE if field in ("a", "b") else field


def _unpaired(
    fields: dict[str, Field],
    values: dict[str, Tensor],
    splits: Mapping[str, Sequence[str]],
    notes: list[str],
) -> Contents:
    """Return two kinds of images, x and another one, that belong together in no way."""
    counts = f"{len(values[IMAGE])} images and {len(values[X])} that they are to become"
    notes = [*notes, f"{counts}, unpaired: each kind is split by itself"]
    if not splits:
        examples, loose = Examples(values[X]), {IMAGE: values[IMAGE]}
        return Contents(fields=fields, examples=examples, loose=loose, notes=tuple(notes))

    def part(split: str) -> Examples | None:
        own = {
            name: values[name][torch.tensor([one == split for one in splits[name]])]
            for name in values
        }
        return side_by_side(own) if any(map(len, own.values())) else None

    train = part("train")
    return Contents(
        fields=fields,
        examples=train or Examples(values[X][:0]),
        test=part("test"),
        validation=part("validation"),
        apart=IMAGE,
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
        children[:] = [name for name in children if not passed_over(name)]
        for name in names:
            if not name.startswith("."):
                path = Path(place, name)
                (files if path.suffix.lower() in SUFFIXES else others).append(path)
    return sorted(files, key=lambda path: path.parts), sorted(others)


def _refuse(folder: Path, others: Sequence[Path]) -> None:
    known = ", ".join(sorted(suffix[1:] for suffix in SUFFIXES))
    rest = f"; it holds {_some(others)}" if others else ", and no texts (txt)"
    raise DataError(f"{shown(folder)}: no images in this folder ({known}){rest}")


def _fields(
    files: Sequence[Path], folder: Path, loading: Loading, *, own_splits: bool
) -> tuple[dict[str, list[Path]], list[Path]]:
    """Return the files of each field, and those without a partner."""

    def split_of(path: Path, above: Path) -> str:
        return _split(path, above) if own_splits else ""

    if loading.masks is None:
        return find_fields(Below(folder, files, split_of), unpaired=loading.unpaired)
    elsewhere = Path(loading.masks)
    images = [path for path in files if elsewhere not in path.parents]
    masks = Below(elsewhere, _masks(elsewhere), split_of)
    return find_fields(Below(folder, images, split_of), masks)


def _masks(folder: Path) -> list[Path]:
    files = _walk(folder)[0] if folder.is_dir() else []
    if not files:
        raise DataError(f"masks must be a folder of images, got {shown(folder)}")
    return files


def _some(paths: Sequence[Path], most: int = 3) -> str:
    names = ", ".join(shown(path.name) for path in paths[:most])
    return names if len(paths) <= most else f"{names}, ..."


def _in_splits(files: list[Path], folder: Path) -> tuple[list[Path], list[Path] | None]:
    """Return the images in the source's own splits and those outside; None: it has no splits."""
    names = {_split(path, folder) for path in files}
    if "train" not in names or names == {"train", ""}:
        return files, None
    inside = [path for path in files if _split(path, folder)]
    return inside, [path for path in files if not _split(path, folder)]


def _split(path: Path, folder: Path) -> str:
    parts = path.relative_to(folder).parts
    return _SPLITS.get(parts[0].lower(), "") if len(parts) > 1 else ""


def _classes(
    files: Sequence[Path], folder: Path, *, depth: int, pairs: bool
) -> tuple[list[str], list[str]]:
    """Return the class of each file, or nothing, and what was decided."""
    folders = [path.relative_to(folder).parts[:-1] for path in files]
    if pairs and {parts[depth].lower() for parts in folders if len(parts) > depth} <= SIDES:
        depth += 1
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
    """Return what each field is, all images of it, uint8 [N, C, H, W], and what was done."""
    fields: dict[str, Field] = {}
    values: dict[str, Tensor] = {}
    total, done = sum(map(len, files.values())), count(1)

    def tell() -> None:
        if progress is not None:
            progress(next(done), total)

    together = len(files) > 1 or (loading.native and loading.size is None)
    target, notes = _target(files, folder, loading) if together else (None, [])
    for name, paths in files.items():
        read = _read_masks if name == MASK else _read_images
        fields[name], values[name], said = read(paths, folder, loading, target, tell)
        notes += [f"{name}: {line}" if len(files) > 1 else line for line in said]
    return fields, values, notes


def _target(
    files: Mapping[str, Sequence[Path]], folder: Path, loading: Loading
) -> tuple[Target, list[str]]:
    """Return the shape that all images get, each read to its end, and what is done to them."""
    native = loading.native and loading.size is None
    with threads() as pool:
        everything = [path for paths in files.values() for path in paths]
        shapes = list(each(pool, shape_of, everything, folder))
        if native:
            shapes = list(each(pool, upright_shape, everything, folder))
    if MASK in files:
        n = len(files[MASK])
        check_masks(files[MASK], shapes[:n], shapes[-n:], upright=native)
    if native:
        return Target.canvas_of(shapes)
    if loading.alike and loading.size is None and len(set(shapes)) == 1:
        return Target.canvas_of(shapes)
    asked = choose_size(shapes, loading.size)
    side = asked or shapes[0][0]
    return Target(side, side), [] if asked is None else [resized_note(shapes, side)]


def _read_masks(
    paths: Sequence[Path], folder: Path, loading: Loading, target: Target | None, tell: _Tell
) -> tuple[Field, Tensor, list[str]]:
    """Read masks, brought to a shape; None: to their own common one."""
    target, notes = (target, []) if target else _target({MASK: paths}, folder, loading)
    decoded, remarks = [], Counter[str]()
    with threads() as pool:
        for mask, remark in each(pool, partial(decode_mask, size=target.side), paths, folder):
            decoded.append(mask)
            remarks.update(remark)
            tell()
    field, x, note = stack_masks(decoded, folder, target)
    return field, x, [*notes, *_said(remarks, paths), note]


def _read_images(
    paths: Sequence[Path], folder: Path, loading: Loading, target: Target | None, tell: _Tell
) -> tuple[Field, Tensor, list[str]]:
    """Read the images of one field, as masks are; many are decoded once, into a file."""

    def decode(space: Space) -> tuple[NDArray[np.uint8], list[str]]:
        into, notes = (target, []) if target else _target({X: paths}, folder, loading)
        images, said = _decode_all(paths, folder, into, tell, space)
        return images, notes + said

    how = ("pairs", target.how) if target else ("images", loading.size)
    pixels = target.height * target.width if target else (loading.size or LARGEST_KEPT) ** 2
    x, said = decoded_once(paths, how, len(paths) * 3 * pixels, decode)
    return Image.of(x, canvas=target is not None and target.canvas), x, said


def _decode_all(
    paths: Sequence[Path], folder: Path, target: Target, tell: _Tell, space: Space
) -> tuple[NDArray[np.uint8], list[str]]:
    shape = (target.height, target.width)
    images, remarks = space((len(paths), 3, *shape), np.uint8), Counter[str]()
    coloured = 0
    with threads() as pool:
        decoding = each(pool, partial(decode_image, size=target.side), paths, folder)
        for index, (image, remark) in enumerate(decoding):
            place = images[index]
            if image.shape[:2] != shape:
                place[:] = 0
                place = place[:, : image.shape[0], : image.shape[1]]
            place[:] = image if image.ndim == 2 else image.transpose(2, 0, 1)
            coloured += image.ndim == 3
            remarks.update(remark)
            tell()
    if not coloured:
        images, colour = space((len(paths), 1, *shape), np.uint8), images
        for index, image in enumerate(colour):
            images[index] = image[:1]
    return images, [*_said(remarks, paths), _colour_note(coloured, len(paths))]


def _said(remarks: Counter[str], paths: Sequence[Path]) -> list[str]:
    return [f"{what}: {n} of {len(paths)} images" for what, n in sorted(remarks.items())]


def _colour_note(coloured: int, total: int) -> str:
    if coloured == 0:
        return f"{total} images, all grey: 1 channel"
    if coloured == total:
        return f"{total} images in colour: 3 channels"
    return f"{coloured} images in colour and {total - coloured} grey, all taken as 3 channels"
