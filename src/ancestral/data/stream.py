"""Data past one disk: a folder of parquet or tar files, of which a few parts at a time are read."""

import hashlib
import io
import json
import os
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ancestral.data.cache import cached
from ancestral.data.columns import Vector
from ancestral.data.dataset import Dataset, Examples, Loading
from ancestral.data.fields import LABEL, Image, labelled
from ancestral.data.files import shown
from ancestral.data.image_folder import SUFFIXES, decode_image
from ancestral.data.images import DEFAULT_SIZE
from ancestral.data.tables import (
    check_columns,
    check_finite,
    check_numeric,
    label_index,
    label_name,
    label_names,
    label_order,
    numbers,
)
from ancestral.errors import DataError

SHOWN = 20_000
"""Examples of training that are kept in memory: transforms are fitted on them, figures see them."""

HELD = 10_000
"""Examples of validation and of test, at most about so many."""

_LEAST = 10
"""Chunks below which nothing can be held out."""


@dataclass(frozen=True, slots=True, eq=False)
class Stream:
    """The training examples of a folder, chunk by chunk.

    Args:
        chunks: File and, of parquet, row group.
        sizes: Examples of each, int64 [K].
        labels: Names of the labels.
        loading: Label column, and size of images.
    """

    chunks: Sequence[tuple[Path, int]]
    sizes: Tensor
    labels: tuple[str, ...]
    loading: Loading

    def read(self, chunk: int) -> tuple[Tensor, Mapping[str, Tensor]]:
        """Return the examples of a chunk, and their labels.

        Raises:
            DataError: If it is damaged, or not what it was when the stream was opened.
        """
        path, number = self.chunks[chunk]
        read = _read_tar if path.suffix == ".tar" else partial(_read_group, number=number)
        try:
            x, names = read(path, self.loading)
        except (OSError, ValueError, KeyError, tarfile.TarError) as error:
            raise DataError(f"{shown(path)}: cannot be read: {error}") from error
        if len(x) != int(self.sizes[chunk]):
            raise DataError(f"{shown(path)}: has changed since the stream was opened")
        if not self.labels:
            return x, {}
        if not {*names} <= {*self.labels}:
            raise DataError(f"{shown(path)}: holds examples without a label, or with a new one")
        places = {name: place for place, name in enumerate(self.labels)}
        return x, {LABEL: torch.tensor([places[name] for name in names])}

    def some(self, chunks: Sequence[int]) -> "Stream":
        """Return the stream of some of the chunks."""
        return Stream(
            [self.chunks[k] for k in chunks], self.sizes[list(chunks)], self.labels, self.loading
        )

    def examples(self, most: int) -> Examples:
        """Return the first examples in memory: of whole chunks until there are ``most``."""
        parts, count = [], 0
        for chunk in range(len(self.chunks)):
            if count < most:
                parts.append(self.read(chunk))
                count += len(parts[-1][0])
        given = {name: torch.cat([part[1][name] for part in parts]) for name in parts[0][1]}
        return Examples(torch.cat([part[0] for part in parts]), given)


def load_stream(folder: Path, loading: Loading) -> Dataset:
    """Open a folder of parquet files of numbers, or of tar files of images.

    A chunk is a row group, or a tar file whose members are images and, of the same stems, their
    labels (``.cls``). Whole chunks, chosen by the seed of the split, are validation and test.

    Raises:
        DataError: If there are fewer than ten chunks, or a file is damaged or of another kind.
    """
    files = sorted(path for path in folder.rglob("*") if path.suffix in (".parquet", ".tar"))
    if not files or len({path.suffix for path in files}) > 1:
        raise DataError(f"{shown(folder)}: a stream is of files that are all parquet, or all tar")
    stats = [(path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in files]
    key = hashlib.sha256(repr(("named labels", stats, loading.label)).encode()).hexdigest()
    said = cached(key, lambda _: _survey(files, loading), kind="streams")[1]
    chunks = [(files[place], number) for place, number, _ in said["chunks"]]
    sizes = torch.tensor([size for _, _, size in said["chunks"]], dtype=torch.int64)
    if len(chunks) < _LEAST:
        raise DataError(f"{shown(folder)}: a stream needs {_LEAST} chunks, got {len(chunks)}")
    whole = Stream(chunks, sizes, tuple(said["labels"]), loading)
    order = np.random.default_rng([loading.seed, 0]).permutation(len(chunks)).tolist()
    held = []
    for fraction in loading.fractions:
        some, wanted = [order.pop()], min(HELD, fraction * int(sizes.sum()))
        while int(sizes[some].sum()) < wanted and len(order) > _LEAST // 2:
            some.append(order.pop())
        held.append(whole.some(some))
    train = whole.some(sorted(order))
    columns, side = said["columns"], loading.size or DEFAULT_SIZE
    field = Vector.of_numbers(columns) if columns else Image(channels=3, height=side, width=side)
    shown_chunks = train.some(np.random.default_rng(loading.seed).permutation(len(order)).tolist())
    count = int(train.sizes.sum())
    known = json.dumps([[stat[:2] for stat in stats], said, asdict(loading)])
    return Dataset(
        name=shown(folder.name),
        source=str(folder.absolute()),
        fields=labelled(field, whole.labels),
        train=shown_chunks.examples(SHOWN),
        validation=held[0].examples(HELD),
        test=held[1].examples(HELD),
        fingerprint=hashlib.sha256(known.encode()).hexdigest(),
        notes=(
            f"streamed: {count:,} training examples in {len(order)} chunks of {len(files)} files",
            "transforms are fitted on some of them, and duplicates are not looked for",
        ),
        stream=train,
    )


def _survey(files: Sequence[Path], loading: Loading) -> dict[str, Any]:
    """Return the chunks as place of the file, number and size; the columns and the labels."""
    survey = _survey_tar if files[0].suffix == ".tar" else _survey_parquet
    chunks, columns, labels = [], [], set[str]()
    for place, path in enumerate(files):
        try:
            sizes, names, found = survey(path, loading)
        except (OSError, ValueError, tarfile.TarError) as error:
            raise DataError(f"{shown(path)}: cannot be read: {error}") from error
        if place and names != columns:
            raise DataError(f"{shown(path)}: has other columns than {shown(files[0])}")
        columns = names
        chunks += [(place, number, size) for number, size in enumerate(sizes) if size]
        labels |= found
    return {"chunks": chunks, "columns": columns, "labels": sorted(labels, key=label_order)}


def _survey_parquet(path: Path, loading: Loading) -> tuple[list[int], list[str], set[str]]:
    from pyarrow import parquet

    with parquet.ParquetFile(path) as file:
        columns = list(file.schema_arrow.names)
        check_columns(path, columns)
        at = label_index(path, columns, loading.label)
        check_numeric(path, file.schema_arrow, at)
        labels = set[str]()
        if at is not None:
            column = file.read([columns[at]]).column(0)
            labels = {label_name(value) for value in column.unique().to_pylist()}
            if "" in labels:
                label_names(path, columns[at], column)  # Refuses it, by its row.
        sizes = [file.metadata.row_group(k).num_rows for k in range(file.num_row_groups)]
    return sizes, [name for place, name in enumerate(columns) if place != at], labels


def _read_group(path: Path, loading: Loading, *, number: int) -> tuple[Tensor, list[str]]:
    from pyarrow import parquet

    with parquet.ParquetFile(path) as file:
        table = file.read_row_group(number)
    names: list[str] = []
    if loading.label is not None:
        names = [label_name(value) for value in table.column(loading.label).to_pylist()]
        table = table.drop_columns([loading.label])
    pairs = zip(table.column_names, table.columns, strict=True)
    values = np.stack([numbers(path, name, column) for name, column in pairs], axis=1)
    check_finite(path, table.column_names, values)
    return torch.from_numpy(values), names


def _survey_tar(path: Path, loading: Loading) -> tuple[list[int], list[str], set[str]]:
    del loading
    labels = set[str]()
    with tarfile.open(path) as archive:
        images = 0
        for member in archive:
            images += Path(member.name).suffix.lower() in SUFFIXES
            if member.name.endswith(".cls"):
                labels.add(_text(archive, member))
    return [images], [], labels


def _read_tar(path: Path, loading: Loading) -> tuple[Tensor, list[str]]:
    size, images, names = loading.size or DEFAULT_SIZE, [], {}
    with tarfile.open(path) as archive:
        for member in archive:
            stem, suffix = os.path.splitext(member.name)
            if suffix == ".cls":
                names[stem] = _text(archive, member)
            elif suffix.lower() in SUFFIXES and (file := archive.extractfile(member)) is not None:
                pixels = decode_image(io.BytesIO(file.read()), size)[0]
                colour = pixels if pixels.ndim == 3 else pixels[:, :, None].repeat(3, axis=2)
                images.append((stem, colour.transpose(2, 0, 1)))
    labels = [names.get(stem, "") for stem, _ in images]
    return torch.from_numpy(np.stack([pixels for _, pixels in images])), labels


def _text(archive: tarfile.TarFile, member: tarfile.TarInfo) -> str:
    file = archive.extractfile(member)
    if file is None or not (text := file.read().decode("utf-8").strip()):
        raise ValueError(f"{member.name} holds no label")
    return text
