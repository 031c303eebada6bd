"""From contents to a dataset: split by seed, copies across splits removed, fingerprint."""

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from torch import Tensor

from ancestral.data.columns import Vector
from ancestral.data.dataset import Dataset, Examples, Fresh, Loading
from ancestral.data.fields import LABEL, Field, WithFields, X
from ancestral.data.plain import to_plain
from ancestral.data.recorded import grid_of, recorded
from ancestral.errors import DataError

MINIMUM_ROWS = 10
"""Fewer rows cannot be split in three with something to learn from."""

BY_CHANCE = 0.05
"""Of a column whose numbers are old ones by chance more often, equal rows are natural."""

ATOM_ROWS, ATOM_SHARE = 5, 0.01
"""A row that stands so often, and holds so much of the data, is an atom of their law."""

_RAW_KEY_BYTES = 64
_PART = 4096  # Rows that are looked at together, so that memory does not grow with the data.
_JUDGED = 100_000  # Rows that tell whether equal ones are natural.
_MANY = 0.1  # Of the held-out rows: if more are copies, the file is to be looked at.


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Contents(WithFields):
    """What a reader found, before it is split.

    Args:
        fields: What ``x`` and the given fields are.
        examples: What is to be split: all of it, or all but the source's own splits.
        loose: Values of fields that belong to no example: each is split by itself, and laid beside
            those of x, the shorter one again and again.
        test: The source's own test split, if it has one.
        validation: The source's own validation split, if it has one.
        apart: The field of which equal examples are kept in one split.
        notes: What was inferred or changed while reading.
        fresh: Draws new examples of a toy set.
    """

    fields: Mapping[str, Field]
    examples: Examples
    loose: Mapping[str, Tensor] = field(default_factory=dict)
    test: Examples | None = None
    validation: Examples | None = None
    apart: str = X
    notes: tuple[str, ...] = ()
    fresh: Fresh | None = None


def assemble(contents: Contents, *, name: str, source: str, loading: Loading) -> Dataset:
    """Split the contents and make a dataset of them.

    Each split is in random order, so that its first rows are a fair sample of it.

    The held-out rows must be of the law of the data, and none may be known by heart. Equal images
    are copies: they are kept in one split only, in the official test split if there is one, else
    in training. Of rows it depends on whether two independent ones could be equal. They can where
    every column's values recur: categories, and numbers whose recorded steps are well filled (more
    than one in twenty of the cells amid them); such rows all stay, and so do those of mixed tables,
    whose recorded rows have probabilities. Otherwise one column's numbers
    are so fine that equal rows are copies, and are treated as images are; but for a row that
    stands five times or more and holds a hundredth of the data, such as the zeros of rain: it is
    an atom of their law, and stays in every split.

    Raises:
        DataError: If there are fewer than 10 rows, no row of a split is left, or all are equal.
    """
    rows = min(map(len, (contents.examples, *contents.loose.values())))
    if rows < MINIMUM_ROWS:
        raise DataError(f"{source}: needs at least {MINIMUM_ROWS} rows, got {rows}")
    official = contents.test is not None
    splits = _cut(contents, loading)
    # The split that wins a duplicate comes first.
    order = (2, 0, 1) if official else (0, 1, 2)
    parts = [splits[i][contents.apart] for i in order]
    fresh, said = _without_copies(contents.fields[contents.apart], parts, official=official)
    removed = sum(int((~mask).sum()) for mask in fresh)
    if removed:
        kept = {i: splits[i][mask] for i, mask in zip(order, fresh, strict=True)}
        splits = (kept[0], kept[1], kept[2])
    _refuse_empty(splits, source, removed)
    x, told = contents.fields[X], ()
    if contents.fresh is None:  # Draws of a law were recorded by nobody.
        x, told = recorded(x, [split.x for split in splits])
    if isinstance(x, Vector) and all(c.constant and not c.discrete for c in x.columns):
        raise DataError(f"{source}: every row is the same: there is nothing to model")
    return Dataset(
        name=name,
        source=source,
        fields={**contents.fields, X: x},
        train=splits[0],
        validation=splits[1],
        test=splits[2],
        official_split=official,
        duplicates_removed=removed,
        fingerprint=_fingerprint(contents, splits),
        notes=(*contents.notes, *said, *told),
        fresh=contents.fresh,
    )


def _cut(contents: Contents, loading: Loading) -> tuple[Examples, Examples, Examples]:
    if not contents.loose:
        return _cut_rows(contents, loading)
    cut: dict[str, list[Tensor]] = {}
    for name, values in {X: contents.examples.x, **contents.loose}.items():
        own = replace(contents, examples=Examples(values), loose={})
        parts = [part.x for part in _cut_rows(own, loading)]
        masks = _unseen([row_keys(part) for part in parts])
        cut[name] = [part[mask] for part, mask in zip(parts, masks, strict=True)]
    train, validation, test = (
        side_by_side({name: parts[i] for name, parts in cut.items()}) for i in range(3)
    )
    return train, validation, test


def side_by_side(values: Mapping[str, Tensor]) -> Examples:
    """Return examples of fields of different lengths, the shorter ones again and again.

    Raises:
        DataError: If a field has no values.

    Example:
        >>> side_by_side({"x": torch.arange(3), "image": torch.arange(2)}).given["image"]
        tensor([0, 1, 0])
    """
    if missing := [name for name, value in values.items() if not len(value)]:
        raise DataError(f"a split has no {missing[0]}: unpaired images need both in each")
    rows = torch.arange(max(map(len, values.values())))
    given = {name: value[rows % len(value)] for name, value in values.items()}
    return Examples(given.pop(X), given)


def _cut_rows(contents: Contents, loading: Loading) -> tuple[Examples, Examples, Examples]:
    generator = np.random.default_rng([loading.seed, 0])
    examples, test, validation = contents.examples, contents.test, contents.validation
    sizes = [max(1, round(fraction * len(examples))) for fraction in loading.fractions]
    order = torch.from_numpy(generator.permutation(len(examples)))
    if loading.even and contents.labels:
        wanted = [size for size, own in ((sizes[1], test), (sizes[0], validation)) if own is None]
        order = _even(order, examples[LABEL][order], wanted)
    rest = examples[order]
    if test is None:
        test, rest = rest[: sizes[1]], rest[sizes[1] :]
    else:
        test = test[torch.from_numpy(generator.permutation(len(test)))]
    if validation is None:
        validation, rest = rest[: sizes[0]], rest[sizes[0] :]
    return rest, validation, test


def _even(order: Tensor, labels: Tensor, sizes: Sequence[int]) -> Tensor:
    """Return an order in which the first ``sizes`` rows have their share of each label, each.

    Args:
        order: Of the rows, [N].
        labels: Of the rows in that order, [N].
        sizes: Of the splits that are cut off one after another; the order of each is as before.
    """
    left, parts = torch.ones(len(order), dtype=torch.bool), list[Tensor]()
    for size in sizes:
        rows = left.nonzero()[:, 0]
        rows = rows[labels[rows].argsort(stable=True)]
        # Evenly far apart in the order of the labels: of each at most one more than its share.
        taken = rows[(torch.arange(size) * len(rows) + len(rows) // 2) // size]
        left[taken] = False
        parts.append(taken.sort().values)
    return order[torch.cat([*parts, left.nonzero()[:, 0]])]


def row_keys(x: Tensor) -> list[bytes]:
    """Return one key a row, equal exactly where rows are: the bytes, or a 128-bit digest."""
    keys: list[bytes] = []
    for part in x.split(_PART):
        if part.is_floating_point():  # Of one zero, and of one NaN.
            part = torch.where(part.isnan(), torch.inf, part) + 0.0
        flat = part.flatten(start_dim=1)
        rows = flat.contiguous().numpy()
        if rows.shape[1] * rows.itemsize <= _RAW_KEY_BYTES:
            keys += rows.view(f"V{rows.shape[1] * rows.itemsize}").ravel().tolist()
        else:
            keys += [hashlib.blake2b(row, digest_size=16).digest() for row in rows]
    return keys


def _without_copies(
    field: Field, parts: Sequence[Tensor], *, official: bool
) -> tuple[list[Tensor], tuple[str, ...]]:
    """Return a mask for each split, the one that wins a copy first, and what is to be said."""
    keys = [row_keys(x) for x in parts]
    masks = _unseen(keys)
    equal = sum(int((~mask).sum()) for mask in masks)
    if not equal:
        return masks, ()
    stay = f"{equal:,} rows stand in two splits; kept, "
    atoms: set[bytes] = set()
    if isinstance(field, Vector):
        rows = parts[1 if official else 0][:_JUDGED]
        if _natural(field, rows):
            everywhere = [torch.ones_like(mask) for mask in masks]
            return everywhere, (f"{stay}for in such data rows are equal by chance",)
        atoms = _atoms(keys)
    each = zip(masks, keys, strict=True)
    masks = [mask | torch.tensor([key in atoms for key in own]) for mask, own in each]
    removed = sum(int((~mask).sum()) for mask in masks)
    if not removed:
        return masks, (f"{stay}for each is a large part of the data",)
    winner = "the test split, which is the source's own" if official else "training"
    said = f"{removed} duplicates across the splits removed; they stay in {winner}"
    lost = removed / sum(map(len, keys[1:]))
    if lost > _MANY:
        said += f"; they were {lost:.0%} of the other splits: look for copies in the data"
    return masks, (said,)


def _unseen(keys: Sequence[Sequence[bytes]]) -> list[Tensor]:
    """Return a mask for each split: True where no EARLIER split holds an equal row."""
    seen: set[bytes] = set()
    masks = []
    for own in keys:
        masks.append(torch.tensor([key not in seen for key in own], dtype=torch.bool))
        seen.update(own)
    return masks


def _atoms(keys: Sequence[Sequence[bytes]]) -> set[bytes]:
    """Return the rows that stand so often that chance, and no copying, must have made them."""
    counts = Counter(key for own in keys for key in own)
    least = max(ATOM_ROWS, ATOM_SHARE * counts.total())
    return {key for key, count in counts.items() if count >= least}


def _natural(field: Vector, x: Tensor) -> bool:
    """Tell whether two independent rows of x [N, D] may well be equal, judged by each column.

    Those of mixed tables count as such, for their recorded rows have probabilities: held-out rows
    without the commonest ones would be of another law than the one that is learned.
    """
    if field.mixed:
        return True
    keys = row_keys(x)
    first = dict(zip(keys, range(len(keys)), strict=True))
    distinct = x[torch.tensor([*first.values()])]
    for column, all_cells, cells in zip(field.columns, x.T, distinct.T, strict=True):
        if column.discrete or not cells.is_floating_point():
            continue
        cells, all_cells = cells[~cells.isnan()], all_cells[~all_cells.isnan()]
        if not len(cells):
            continue
        recurring = 1 - len(cells.unique()) / len(cells)
        if max(recurring, grid_of(all_cells.double().numpy()).filled) < BY_CHANCE:
            return False
    return True


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
