"""From contents to a dataset: split by seed, duplicates across splits removed, fingerprint."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ancestral.data.columns import Vector
from ancestral.data.dataset import Dataset, Examples, Fresh, Loading
from ancestral.data.fields import LABEL, Field, WithFields, X
from ancestral.data.plain import to_plain
from ancestral.errors import DataError

MINIMUM_ROWS = 10
"""Fewer rows cannot be split in three with something to learn from."""

FEW_VALUES = 32
"""A table whose columns hold whole numbers with at most so many values each is discrete."""

_RAW_KEY_BYTES = 64
_PART = 4096  # Rows that are looked at together, so that memory does not grow with the data.


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Contents(WithFields):
    """What a reader found, before it is split.

    Args:
        fields: What ``x`` and the given fields are.
        examples: What is to be split: all of it, or all but the source's own splits.
        test: The source's own test split, if it has one.
        validation: The source's own validation split, if it has one.
        apart: The field of which equal examples are kept in one split.
        notes: What was inferred or changed while reading.
        fresh: Draws new examples of a toy set.
    """

    fields: Mapping[str, Field]
    examples: Examples
    test: Examples | None = None
    validation: Examples | None = None
    apart: str = X
    notes: tuple[str, ...] = ()
    fresh: Fresh | None = None


def assemble(contents: Contents, *, name: str, source: str, loading: Loading) -> Dataset:
    """Split the contents and make a dataset of them.

    Each split is in random order, so that its first rows are a fair sample of it. Equal rows are
    kept in one split only: in the official test split if there is one, else in training. Tables
    of discrete columns and mixed ones keep theirs: such a distribution consists of equal rows.

    Raises:
        DataError: If there are fewer than 10 rows, or if no row of a split is left.
    """
    if len(contents.examples) < MINIMUM_ROWS:
        raise DataError(
            f"{source}: needs at least {MINIMUM_ROWS} rows, got {len(contents.examples)}"
        )
    official = contents.test is not None
    splits = _cut(contents, loading)
    notes = list(contents.notes)
    # The split that wins a duplicate comes first.
    order = (2, 0, 1) if official else (0, 1, 2)
    fresh = _unseen([splits[i][contents.apart] for i in order])
    copies = sum(int((~mask).sum()) for mask in fresh)
    removed = 0
    if copies and _discrete(contents.fields[contents.apart], splits[0][contents.apart]):
        notes.append(
            f"{copies} rows stand in two splits; kept, because such a table holds equal rows"
        )
    elif copies:
        removed = copies
        kept = {i: splits[i][mask] for i, mask in zip(order, fresh, strict=True)}
        splits = (kept[0], kept[1], kept[2])
        winner = "the test split, which is the source's own" if official else "training"
        notes.append(f"{removed} duplicates across the splits removed; they stay in {winner}")
    _refuse_empty(splits, source, removed)
    return Dataset(
        name=name,
        source=source,
        fields=contents.fields,
        train=splits[0],
        validation=splits[1],
        test=splits[2],
        official_split=official,
        duplicates_removed=removed,
        fingerprint=_fingerprint(contents, splits),
        notes=tuple(notes),
        fresh=contents.fresh,
    )


def _cut(contents: Contents, loading: Loading) -> tuple[Examples, Examples, Examples]:
    generator = np.random.default_rng([loading.seed, 0])
    examples, test, validation = contents.examples, contents.test, contents.validation
    rest = examples[torch.from_numpy(generator.permutation(len(examples)))]
    sizes = [max(1, round(fraction * len(examples))) for fraction in loading.fractions]
    if test is None:
        test, rest = rest[: sizes[1]], rest[sizes[1] :]
    else:
        test = test[torch.from_numpy(generator.permutation(len(test)))]
    if validation is None:
        validation, rest = rest[: sizes[0]], rest[sizes[0] :]
    return rest, validation, test


def _row_keys(x: Tensor) -> list[bytes]:
    """Return one key a row, equal exactly where rows are: the bytes, or a 128-bit digest."""
    keys: list[bytes] = []
    for part in x.split(_PART):
        # Adding zero turns -0.0 into 0.0, which is the same number with other bytes.
        flat = (part + 0.0 if part.is_floating_point() else part).flatten(start_dim=1)
        rows = flat.contiguous().numpy()
        if rows.shape[1] * rows.itemsize <= _RAW_KEY_BYTES:
            keys += rows.view(f"V{rows.shape[1] * rows.itemsize}").ravel().tolist()
        else:
            keys += [hashlib.blake2b(row, digest_size=16).digest() for row in rows]
    return keys


def _unseen(splits: Sequence[Tensor]) -> list[Tensor]:
    """Return a mask for each split: True where no EARLIER split holds an equal row."""
    seen: set[bytes] = set()
    masks = []
    for x in splits:
        keys = _row_keys(x)
        masks.append(torch.tensor([key not in seen for key in keys], dtype=torch.bool))
        seen.update(keys)
    return masks


def _discrete(field: Field, x: Tensor) -> bool:
    """Tell whether equal examples are what such data consist of: every column has few values.

    Mixed tables do, whose recorded rows have probabilities: held-out rows without the commonest
    ones would be of another law than the one that is learned.
    """
    if not isinstance(field, Vector):
        return False
    if field.mixed:
        return True
    if field.states:
        return all(column.discrete for column in field.columns)
    whole = all(bool((part == part.round()).all()) for part in x.split(_PART))
    return whole and all(len(column.unique()) <= FEW_VALUES for column in x.unbind(1))


def _refuse_empty(splits: Sequence[Examples], source: str, removed: int) -> None:
    for name, split in zip(("training", "validation", "test"), splits, strict=True):
        if len(split) == 0:
            why = "there are too few rows for these fractions"
            if removed:
                why = f"{removed} duplicates across the splits are removed, few rows are distinct"
            raise DataError(f"{source}: nothing is left of the {name} split; {why}")


def _fingerprint(contents: Contents, splits: Sequence[Examples]) -> str:
    """Hash contents and splits; byte order and file names do not enter."""
    digest = hashlib.sha256()
    header = [contents.kind, contents.columns, contents.labels, contents.levels]
    header += [contents.states] if contents.states else []
    if contents.fields.keys() - {X, LABEL}:
        header += [{name: to_plain(field) for name, field in contents.fields.items()}]
    digest.update(json.dumps(header).encode())
    for split in splits:
        for name, value in [("x", split.x), *sorted(split.given.items())]:
            array = value.contiguous().numpy()
            array = array.astype(array.dtype.newbyteorder("<"), copy=False)
            digest.update(f"{name} {array.dtype.str} {array.shape}".encode())
            digest.update(np.ascontiguousarray(array).ravel().data)
    return digest.hexdigest()
