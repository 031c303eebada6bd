"""Samples on disk, in the units, columns and file format of the data."""

import io
import json
import math
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from csv import writer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from PIL import Image as Picture
from torch import Tensor

from ancestral.data.arrow import as_arrow, as_text
from ancestral.data.columns import Vector
from ancestral.data.fields import LABEL, Field, Image, Tokens, X
from ancestral.data.files import atomic, disk_errors, shown
from ancestral.data.notation import compute
from ancestral.errors import ConfigError, RunError

if TYPE_CHECKING:
    import pyarrow

TABLES = (".csv", ".tsv", ".parquet", ".json", ".jsonl")
"""Endings of files that tables are written to."""
ARRAYS = (".npy", ".npz")
"""Endings of files that samples are written to besides."""

_OURS = re.compile(r"\d+\.png|grid\.png")
_GRID_IMAGES = 100
_LINES = 1 << 16
_GAP = 2


def write_samples(
    x: Tensor,
    path: Path,
    field: Field,
) -> Path:
    """Write samples, whole or not at all; a file that stands there is replaced.

    Rows become a table, see :func:`write_table`, or an array in npy or npz. Every cell of a table
    is written as its column was recorded: with its decimals and in its range, a date in its
    pattern, a state by its name, a gap by its word; parquet has the type of each column. Numbers
    of which no resolution is known read back exactly. Images become a folder of
    PNG files and ``grid.png`` of the first hundred, a single ``.png`` grid of all, or an array in
    npy or npz. In PNG files the grey levels are spread over 0..255; arrays keep them.

    Args:
        x: Samples in the user's units: float [N, D], or uint8 [N, C, H, W].
        path: Where to.
        field: What they are: its columns, or its grey levels.

    Returns:
        The path written, with the suffix that was added if there was none.

    Raises:
        ConfigError: If the suffix is not one of these.
        RunError: If the path cannot be written, or is a folder that holds other files.

    Example:
        >>> folder = Path(tempfile.mkdtemp())
        >>> write_samples(torch.zeros(2, 1), folder / "s", Vector.of_numbers(["age"])).name
        's.csv'
    """
    suffix = path.suffix.lower()
    if suffix in ARRAYS:
        return _write_array(_arrays(x, field), path)
    return _WRITERS[type(field)](x, path, field)


def _write_images(x: Tensor, path: Path, field: Image) -> Path:
    suffix, levels = path.suffix.lower(), field.levels
    if suffix == ".png":
        picture = image_grid(x, levels)
        with atomic(path) as draft:
            picture.save(draft, format="PNG")
        return path
    if suffix:
        raise ConfigError(f"images are written to a folder, png, npy or npz, got {shown(path)!r}")
    return _write_folder(x, path, levels)


def write_table(columns: Mapping[str, Any], path: Path, *, kind: str = "tables") -> Path:
    r"""Write a table, whole or not at all; a file that stands there is replaced.

    The ending decides: csv (also without one), tsv, parquet; json is a list of rows, jsonl a row a
    line. JSON has no word for numbers that are not finite: they become null.

    Args:
        columns: Values of each column by its name: arrays or lists, all of the same length.
        path: Where to.
        kind: What the table is of, for the message.

    Returns:
        The path written, with the suffix that was added if there was none.

    Raises:
        ConfigError: If the suffix is not one of these.
        RunError: If the path cannot be written.

    Example:
        >>> path = Path(tempfile.mkdtemp()) / "t.jsonl"
        >>> write_table({"token": ["sol", "mar"], "surprise": [0.5, 2.0]}, path).read_text()
        '{"token": "sol", "surprise": 0.5}\n{"token": "mar", "surprise": 2.0}\n'
    """
    import pyarrow as pa

    path = table_path(path, kind=kind)
    table = pa.table(list(columns.values()), names=list(columns))
    with atomic(path) as draft:
        _write_as(path.suffix.lower(), table, draft)
    return path


def table_path(path: Path, *, kind: str = "tables", others: Sequence[str] = ()) -> Path:
    """Return the path of a table, csv without a suffix.

    Args:
        path: Where to.
        kind: What the table is of, for the message.
        others: Endings that are allowed besides.

    Raises:
        ConfigError: If the suffix is not one that tables are written to.
    """
    path = path if path.suffix else path.with_suffix(".csv")
    known = [*TABLES, *others]
    if path.suffix.lower() not in known:
        *most, last = (ending[1:] for ending in known)
        raise ConfigError(f"{kind} are written to {', '.join(most)} or {last}, got {shown(path)!r}")
    return path


def csv_lines(rows: Iterable[Sequence[object]], delimiter: str = ",") -> Iterator[str]:
    r"""Yield the lines of separated values, a cell between quotes where it needs them.

    Example:
        >>> list(csv_lines([["a", "b,c"], [1, 2.5]]))
        ['a,"b,c"\n', '1,2.5\n']
    """
    for row in rows:
        line = io.StringIO()
        writer(line, delimiter=delimiter, lineterminator="\n").writerow(row)
        yield line.getvalue()


def check_samples_path(path: Path, field: Field) -> Path:
    """Return where samples of a field are written to: a table is a csv where no ending is given.

    Raises:
        ConfigError: If such samples are not written to that ending.
    """
    return _PLACES.get(type(field), lambda path, _: path)(path, field)


def image_grid(
    x: Tensor, levels: int = 256, *, columns: int | None = None, scale: int | None = None
) -> Picture.Image:
    """Lay images side by side on white.

    Args:
        x: Images, uint8 [N, C, H, W], N at least 1, with 1 or 3 channels.
        levels: Grey levels, spread over 0..255.
        columns: Images in a row; about as many as rows if None.
        scale: Each pixel becomes a square of so many; if None, 64 pixels an image or more.

    Raises:
        ValueError: If there are no images.

    Example:
        >>> image_grid(torch.zeros(6, 1, 8, 8, dtype=torch.uint8), 17, columns=3, scale=1).size
        (32, 22)
    """
    if len(x) == 0:
        raise ValueError("a grid needs at least 1 image, got 0")
    columns = min(columns or math.ceil(math.sqrt(len(x))), len(x))
    if scale is None:
        scale = max(1, 64 // max(x.shape[2:])) if len(x) <= 400 else 1
    pixels = _visible(x, levels).repeat_interleave(scale, dim=1).repeat_interleave(scale, dim=2)
    height, width = pixels.shape[1] + _GAP, pixels.shape[2] + _GAP
    rows = math.ceil(len(x) / columns)
    shape = (rows * height + _GAP, columns * width + _GAP, pixels.shape[3])
    canvas = torch.full(shape, 255, dtype=torch.uint8)
    for index, image in enumerate(pixels):
        top, left = _GAP + index // columns * height, _GAP + index % columns * width
        canvas[top : top + image.shape[0], left : left + image.shape[1]] = image
    return _picture(canvas)


def write_walk(x: Tensor, ends: Tensor, path: Path, *, field: Image) -> Path:
    """Write a walk of images as samples are written; a ``.png`` is one row, its ends beside it.

    Of one end, it stands to the left.

    Args:
        x: The way, [steps, C, H, W].
        ends: The images between which it leads, or the one from which, [1 or 2, C, H, W].
        path: Where to.
        field: What they are.

    Raises:
        ConfigError: If the suffix is none of images.
        RunError: If the path cannot be written.
    """
    if path.suffix.lower() != ".png":
        return write_samples(x, path, field)
    scale = max(1, 64 // max(x.shape[2:]))
    parts = [
        image_grid(part, field.levels, columns=len(part), scale=scale)
        for part in (ends[:1], x, ends[1:])
        if len(part)
    ]
    space = parts[0].width // 4
    width = sum(part.width for part in parts) + (len(parts) - 1) * space
    strip, left = Picture.new(parts[1].mode, (width, parts[1].height), "white"), 0
    for part in parts:
        strip.paste(part, (left, 0))
        left += part.width + space
    with atomic(path) as draft:
        strip.save(draft, format="PNG")
    return path


def _visible(x: Tensor, levels: int) -> Tensor:
    """Return images for the eye, uint8 [N, H, W, C] on 0..255."""
    spread = x if levels == 256 else (x.float() * (255 / (levels - 1))).round().to(torch.uint8)
    return spread.permute(0, 2, 3, 1).cpu()


def _picture(pixels: Tensor) -> Picture.Image:
    array = pixels.contiguous().numpy()
    return Picture.fromarray(array[:, :, 0] if array.shape[2] == 1 else array)


def _arrays(x: Tensor, field: Field) -> dict[str, np.ndarray]:
    """Return what an array file holds: ``x``, and the names of the labels of rows of numbers."""
    if not isinstance(field, Vector) or field.mixed or field.kind != "mixed":
        return {X: x.cpu().numpy()}
    numbers = [not column.discrete for column in field.columns]
    (label,) = (column for column in field.columns if column.discrete)
    places = x[:, [not number for number in numbers]].long().flatten().cpu()
    return {X: x[:, numbers].cpu().numpy(), LABEL: np.array(label.states)[places]}


def _write_array(arrays: Mapping[str, np.ndarray], path: Path) -> Path:
    content = io.BytesIO()
    if path.suffix.lower() == ".npy":
        np.save(content, arrays[X])
    else:
        np.savez_compressed(content, allow_pickle=False, **arrays)
    with atomic(path) as draft:
        # Not by NumPy, which does not say that the disk is full.
        draft.write_bytes(content.getbuffer())
    return path


def _write_rows(x: Tensor, path: Path, field: Vector) -> Path:
    path = _row_place(path, field)
    suffix = path.suffix.lower()
    with atomic(path) as draft:
        if suffix in {".csv", ".tsv"}:
            _write_text(x, draft, field, "\t" if suffix == ".tsv" else ",")
        else:
            _write_as(suffix, as_arrow(x, field, dates_as_text=suffix != ".parquet"), draft)
    return path


def _write_text(x: Tensor, draft: Path, field: Vector, delimiter: str) -> None:
    """Write separated values, each cell as its column writes it, between quotes where it must."""
    import pyarrow as pa

    join, columns = compute().binary_join_element_wise, []
    blank = '""' if len(field.columns) == 1 else ""  # A line without anything would be no row.
    for cells in as_text(x, field):
        words = cells.dictionary.to_pylist()
        lines = (line[:-1] for line in csv_lines(([word] for word in words), delimiter))
        shown = [line if word else blank for word, line in zip(words, lines, strict=True)]
        columns.append((pa.array(shown, pa.string()), cells.indices))
    with draft.open("w", encoding="utf-8", newline="") as file:
        file.write(next(csv_lines([field.names], delimiter)))
        for start in range(0, len(x), _LINES):
            parts = [words.take(codes[start : start + _LINES]) for words, codes in columns]
            file.writelines(f"{line}\n" for line in join(*parts, delimiter).to_pylist())


def _row_place(path: Path, field: Vector) -> Path:
    return table_path(path, kind=field.kind, others=ARRAYS)


def _text_place(path: Path, field: Tokens) -> Path:
    del field
    if path.suffix.lower() in ARRAYS:
        raise ConfigError(f"texts are written as they are or to tables, got {shown(path)!r}")
    return path


_PLACES: dict[type[Field], Callable[[Path, Any], Path]] = {
    Vector: _row_place,
    Tokens: _text_place,
}
"""What refuses an ending before any work, for fields that go to one file."""

_WRITERS: dict[type[Field], Callable[[Tensor, Path, Any], Path]] = {
    Vector: _write_rows,
    Image: _write_images,
}


def _write_as(suffix: str, table: "pyarrow.Table", draft: Path) -> None:
    from pyarrow import csv, parquet

    if suffix == ".parquet":
        parquet.write_table(table, draft)
    elif suffix in {".csv", ".tsv"}:
        delimiter = "\t" if suffix == ".tsv" else ","
        style = csv.WriteOptions(include_header=False, delimiter=delimiter, quoting_style="needed")
        with draft.open("wb") as file:
            # Written here: pyarrow puts every name between quotes, needed or not.
            file.write(next(csv_lines([table.column_names], delimiter)).encode())
            csv.write_csv(table, file, style)
    else:
        rows = [json.dumps(_finite(row), ensure_ascii=False) for row in table.to_pylist()]
        text = "".join(f"{row}\n" for row in rows)
        if suffix == ".json":
            text = "[" + ",\n ".join(rows) + "]\n"
        draft.write_text(text, encoding="utf-8")


def _finite(row: Mapping[str, object]) -> dict[str, object]:
    return {
        name: None if isinstance(value, float) and not math.isfinite(value) else value
        for name, value in row.items()
    }


def _write_folder(x: Tensor, path: Path, levels: int) -> Path:
    old = _old_folder(path)
    with disk_errors(path):
        draft = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name[:64]}-"))
        try:
            digits = len(str(max(len(x) - 1, 1)))
            for index, image in enumerate(_visible(x, levels)):
                _picture(image).save(draft / f"{index:0{digits}d}.png")
            if len(x):
                image_grid(x[:_GRID_IMAGES], levels).save(draft / "grid.png")
            draft.chmod(0o755)
            if old:
                shutil.rmtree(path)
            os.replace(draft, path)
        finally:
            shutil.rmtree(draft, ignore_errors=True)
    return path


def _old_folder(path: Path) -> bool:
    """Say whether earlier samples stand at the path; refuse to replace anything else."""
    if not path.exists():
        return False
    if not path.is_dir():
        raise RunError(f"cannot write the folder {shown(path)}: a file has that name")
    others = [name for name in os.listdir(path) if not _OURS.fullmatch(name)]
    if others:
        raise RunError(
            f"cannot write the folder {shown(path)}: it holds other files ({shown(others[0])})"
        )
    return True
