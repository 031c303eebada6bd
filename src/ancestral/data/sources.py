"""One door for all data: a name, a file or a folder becomes a dataset."""

import difflib
import os
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

import torch
from torch import Tensor

from ancestral.data import toys
from ancestral.data.arrays import load_npy, load_npz
from ancestral.data.catalogue import FOLDERS, HOW, MNIST_BINARY, NAMES
from ancestral.data.columns import Vector
from ancestral.data.dataset import Dataset, Examples, Loading
from ancestral.data.discrete import load_states
from ancestral.data.fields import LABEL, Field, Image, X, labelled
from ancestral.data.files import ending, files_below, reason, shown
from ancestral.data.idx import (
    FASHION_LABELS,
    find_idx,
    load_idx_file,
    load_idx_folder,
)
from ancestral.data.image_decoding import SUFFIXES
from ancestral.data.image_folder import Progress, load_image, load_image_folder
from ancestral.data.image_pairs import check_field, check_no_masks
from ancestral.data.images import fit_size
from ancestral.data.splitting import Contents, assemble
from ancestral.data.stream import load_stream
from ancestral.data.text.columns import TABLES as TEXTS
from ancestral.data.text.corpus import load_corpus
from ancestral.data.text.tokenizer import Tokenizer
from ancestral.data.typed import load_table
from ancestral.data.words import TABLES
from ancestral.errors import DataError

_DEFAULT = Loading()

FILES: dict[str, Callable[[Path, Loading, Field | None], Contents]] = {
    **dict.fromkeys(TABLES, load_table),
    ".npy": lambda path, loading, _: load_npy(path, loading),
    ".npz": lambda path, loading, _: load_npz(path, loading),
}
"""Readers by the ending of a file's name; IDX files are known by their names."""

_OTHERS = {
    ".txt": "text is read as tokens, by a run's tokenizer",
    ".bif": "this is a Bayesian network, not data; ask it with `ancestral query`",
}


def load(
    source: str,
    loading: Loading = _DEFAULT,
    *,
    tokenizer: Tokenizer | None = None,
    progress: Progress | None = None,
) -> Dataset:
    """Load data by name, from a file, or from a folder.

    Args:
        source: A name of ``describe()``, or a path: csv, tsv, parquet, npy, npz, IDX, txt, or a
            folder of IDX files, of images or of texts. A name wins over a file that is called the
            same.
        loading: Seed of the split, size of images, label column; for text ``loading.text``:
            tokenizer, window, batching, and what a document is.
        tokenizer: Of text, as a run has it, in place of a new one.
        progress: Called while images are decoded or documents tokenised, with the number done and
            the total.

    Returns:
        The data in the user's units, split in three.

    Raises:
        DataError: If there is no such data, or if it cannot be used; in one line.

    Example:
        >>> load("moons").event_shape
        torch.Size([2])
    """
    path = Path(source).expanduser()
    if loading.stream:
        if not path.is_dir() or loading.discrete:
            raise DataError(f"{shown(path)}: a stream is a folder of parquet or tar files")
        return load_stream(path, loading)
    column = loading.text.column
    told = source and source not in NAMES and not loading.discrete
    if told and (column is not None or _is_text(path)):
        _refuse_label(path, loading)
        if column is not None and path.suffix.lower() not in TEXTS:
            raise DataError(f"{shown(path)}: has no column {column!r}: it is no table")
        check_field(path, loading.field)
        check_no_masks(path, loading.masks)
        return load_corpus(path, loading, tokenizer=tokenizer, progress=progress)
    contents, name, where = _find(source, loading, progress)
    return assemble(contents, name=name, source=where, loading=loading)


def read(
    source: str, loading: Loading = _DEFAULT, *, expected: Field | None = None
) -> tuple[Examples, Contents]:
    """Read all examples in the order of the file, not split; one image counts as a set of one.

    Args:
        source: As for ``load``, or one file of an image.
        loading: Size of images, label column.
        expected: What ``x`` should be: states are then read under its names, masks by value.

    Returns:
        The examples, with those of the source's own splits at the end, and what else was read.

    Raises:
        DataError: If there is no such data, if it cannot be read, or if it is text: that is read
            by ``tokenise_documents`` with the tokenizer of a run.

    Example:
        >>> examples, contents = read("moons")
        >>> len(examples), contents.columns
        (40000, ('x', 'y'))
    """
    path = Path(source).expanduser()
    if source not in NAMES and path.suffix.lower() in SUFFIXES and path.is_file():
        contents = load_image(path, loading, expected)
    else:
        contents, _, _ = _find(source, loading, None, expected)
    parts = [contents.examples, contents.validation, contents.test]
    found = [part for part in parts if part is not None]
    given = {name: torch.cat([part.given[name] for part in found]) for name in found[0].given}
    return Examples(torch.cat([part.x for part in found]), given), contents


def fresh(name: str, n: int, *, seed: int) -> Tensor | None:
    """Draw new points of a toy set, in the same fixed units as ``load`` gives.

    Args:
        name: Name of the source.
        n: At least 1.
        seed: At least 0; no seed gives points of the three splits.

    Returns:
        Points, float64 [n, 2]; None if the source is not a toy set.

    Example:
        >>> fresh("ring", 5, seed=0).shape
        torch.Size([5, 2])
    """
    return toys.draw(name, n, 1, seed) if name in toys.TOYS else None


def _find(
    source: str, loading: Loading, progress: Progress | None, expected: Field | None = None
) -> tuple[Contents, str, str]:
    """Return the contents, a short name, and the source in a form that can be kept."""
    path = Path(source).expanduser()
    if source in NAMES or not path.is_dir():
        check_field(source, loading.field)
        check_no_masks(source, loading.masks)
    if source in NAMES:
        if loading.label is not None:
            raise DataError(f"{source}: has no column {loading.label!r} to be the label")
        return _named(source, loading), source, source
    if not source or not path.exists():
        _unknown(source)
    try:
        contents = _from_path(path, loading, progress, expected)
    except OSError as error:
        raise DataError(f"{shown(path)}: cannot be read: {reason(error)}") from error
    absolute = Path(os.path.abspath(path))
    name = shown(absolute.name if path.is_dir() else absolute.name.split(".")[0])
    return contents, name or "data", str(absolute)


def _named(name: str, loading: Loading) -> Contents:
    if name in toys.TOYS:
        return _toy(name)
    if name == "digits":
        return _digits(loading)
    if name == MNIST_BINARY:
        return _black_and_white(_named("mnist", loading))
    for folder in FOLDERS[name]():
        if folder.is_dir() and (files := find_idx(folder)):
            names = FASHION_LABELS if name == "fashion-mnist" else ()
            return load_idx_folder(files, loading, names)
    raise DataError(f"{name}: not on this machine; {HOW[name]}")


def _toy(name: str) -> Contents:
    train, validation, test = (
        Examples(toys.draw(name, size, 0, split)) for split, size in enumerate(toys.SIZES)
    )
    return Contents(
        fields={X: Vector.of_numbers(("x", "y"))},
        examples=train,
        validation=validation,
        test=test,
        fresh=lambda n, seed: toys.draw(name, n, 1, seed),
    )


def _digits(loading: Loading) -> Contents:
    from sklearn.datasets import load_digits  # Heavy, and needed for this source only.

    pixels, target = load_digits(return_X_y=True)
    images = torch.as_tensor(pixels).to(torch.uint8).reshape(-1, 1, 8, 8)
    x, notes = fit_size(images, loading.size)
    label = torch.as_tensor(target).long()
    return Contents(
        fields=labelled(Image.of(x, levels=17), tuple("0123456789")),
        examples=Examples(x, {LABEL: label}),
        notes=notes,
    )


def _black_and_white(contents: Contents) -> Contents:
    """Draw each pixel once from Bernoulli(level / 255): seed 0, the training images, then the test.

    Source: Salakhutdinov & Murray 2008, On the quantitative analysis of deep belief networks. Their
    own draw is another; thresholded images are not comparable.
    """
    noise = torch.Generator().manual_seed(0)

    def drawn(part: Examples) -> Examples:
        bits = [torch.rand(some.shape, generator=noise) < some / 255 for some in part.x.split(4096)]
        return Examples(torch.cat(bits).to(torch.uint8), part.given)

    examples = drawn(contents.examples)
    test = None if contents.test is None else drawn(contents.test)
    fields = {**contents.fields, X: Image.of(examples.x, levels=2)}
    note = "pixels drawn once from Bernoulli(level / 255), seed 0"
    return replace(
        contents, fields=fields, examples=examples, test=test, notes=(*contents.notes, note)
    )


def _from_path(
    path: Path, loading: Loading, progress: Progress | None, expected: Field | None
) -> Contents:
    suffix = ending(path)
    if path.is_dir() or suffix not in FILES:
        _refuse_label(path, loading)
    if path.is_dir():
        return _folder(path, loading, progress)
    if not path.is_file():
        raise DataError(f"{shown(path)}: neither a file nor a folder")
    if path.stat().st_size == 0:
        raise DataError(f"{shown(path)}: the file is empty")
    if loading.discrete and not loading.mixed:
        return load_states(path, loading, expected)
    if suffix in FILES:
        return FILES[suffix](path, loading, expected)
    if "ubyte" in path.name or "idx" in suffix:
        return load_idx_file(path, loading)
    _unreadable(path, suffix)


def _refuse_label(path: Path, loading: Loading) -> None:
    if loading.label is not None:
        raise DataError(
            f"{shown(path)}: the label {loading.label!r} must be a column of a table; "
            "images take theirs from subfolders"
        )


def _is_text(path: Path) -> bool:
    """Tell a text file, and a folder, not of IDX files, that holds more of them than of images."""
    if not path.is_dir():
        return path.suffix.lower() == ".txt" and path.is_file()
    if find_idx(path) is not None:
        return False
    endings = Counter(file.suffix.lower() for file in files_below(path))
    return endings[".txt"] > sum(endings[suffix] for suffix in SUFFIXES)


def _folder(path: Path, loading: Loading, progress: Progress | None) -> Contents:
    files = find_idx(path)
    if files is None:
        return load_image_folder(path, loading, progress)
    check_field(path, loading.field)
    check_no_masks(path, loading.masks)
    fashion = any("fashion" in part.lower() for part in files.train.parts)
    return load_idx_folder(files, loading, FASHION_LABELS if fashion else ())


def _unreadable(path: Path, suffix: str) -> NoReturn:
    if suffix in _OTHERS:
        raise DataError(f"{shown(path)}: {_OTHERS[suffix]}")
    if suffix in SUFFIXES:
        raise DataError(f"{shown(path)}: one image is not a set; name the folder that holds it")
    known = ", ".join(name[1:] for name in FILES)
    raise DataError(
        f"{shown(path)}: the ending {suffix!r} is unknown; readable are {known}, txt, IDX "
        "files (...-ubyte) and folders of images or texts"
    )


def _unknown(source: str) -> NoReturn:
    near = difflib.get_close_matches(source.lower(), NAMES, n=3, cutoff=0.5)
    if os.sep in source or Path(source).suffix:
        raise DataError(f"{shown(source)}: no such file or folder")
    hint = f"did you mean {' or '.join(near)}?" if near else f"the names are {', '.join(NAMES)}"
    raise DataError(f"no data of the name {source!r}, and no such file or folder; {hint}")
