"""Data that lie in memory: arrays, tensors and data frames are kept in the cache, as files."""

import hashlib
import io
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from torch import Tensor

from ancestral.data.cache import cached
from ancestral.data.dataset import Dataset, Loading
from ancestral.data.files import shown
from ancestral.data.frames import noted_schema, storable
from ancestral.data.sources import load
from ancestral.data.text.tokenizer import Tokenizer
from ancestral.data.words import arrow_table
from ancestral.errors import DataError

Data: TypeAlias = Any
"""A name, a file or a folder; a :class:`Dataset`; an array, a tensor or a data frame."""


def load_any(data: Data, loading: Loading, *, tokenizer: Tokenizer | None = None) -> Dataset:
    """Load data by name or from a file, or what lies in memory as its file would be loaded.

    Of what lies in memory a copy is kept in the cache (``$ANCESTRAL_CACHE``), under a name made of
    its contents, so that runs on it can be resumed and evaluated.

    Args:
        data: A name, a file or a folder; data that are loaded already, which stay as they are; an
            array or a tensor, [N], [N, D] or images; a data frame or a table of any library that
            has Arrow's or the data frame interchange protocol: pandas, polars, pyarrow.
        loading: As for :func:`load`.
        tokenizer: Of text, likewise.

    Raises:
        DataError: If it is none of these, or cannot be used.

    Example:
        >>> import os, tempfile
        >>> os.environ["ANCESTRAL_CACHE"] = tempfile.mkdtemp()
        >>> load_any(np.random.randn(100, 3), Loading()).event_shape
        torch.Size([3])
    """
    if isinstance(data, Dataset):
        return data
    if isinstance(data, str | Path):
        return load(str(data), loading, tokenizer=tokenizer)
    name, content = _file(data)

    def build(folder: Path) -> dict[str, Any]:
        (folder / name).write_bytes(content)
        return {}

    folder, _ = cached(hashlib.sha256(content).hexdigest()[:32], build, kind="memory")
    try:
        return load(str(folder / name), loading, tokenizer=tokenizer)
    except DataError as error:
        word = "the " + name.partition(".")[0]
        raise DataError(error.args[0].replace(shown(folder / name), word)) from None


def _file(data: Data) -> tuple[str, bytes]:
    """Return the name and the bytes of a file of these data."""
    content = io.BytesIO()
    if isinstance(data, Tensor | np.ndarray):
        array = data.detach().cpu().numpy() if isinstance(data, Tensor) else data
        if array.dtype.hasobject:
            raise DataError(f"the array must hold numbers, got Python objects ({array.dtype})")
        np.save(content, array, allow_pickle=False)
        return "array.npy", content.getvalue()
    from pyarrow import parquet

    parquet.write_table(_table(data), content)
    return "table.parquet", content.getvalue()


def _table(data: Data) -> Any:  # noqa: ANN401 - pyarrow's classes have no types
    if not (hasattr(data, "__arrow_c_stream__") or hasattr(data, "__dataframe__")):
        raise DataError(
            "data must be a name, a file, a folder, a Dataset, an array, a tensor or a data "
            f"frame, got {type(data).__name__}"
        )
    table = arrow_table(data, "the table")
    # The rows' own names are no columns; samples come back in the frame's types.
    index = [name for name in table.column_names if name.startswith("__index_level_")]
    table = table.drop_columns(index)
    return storable(table).replace_schema_metadata(noted_schema(data, table).metadata)
