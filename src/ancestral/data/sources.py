"""One door for all data: a name, a file or a folder becomes a dataset."""

import torch
from torch import Tensor

from ancestral.data import toys
from ancestral.data.dataset import Dataset, Examples, Loading
from ancestral.data.splitting import Contents, assemble
from ancestral.errors import DataError


def load(source: str, loading: Loading = Loading()) -> Dataset:
    """Load."""
    if source in toys.TOYS:
        return assemble(_toy(source), name=source, source=source, loading=loading)
    if source == "digits":
        return assemble(_digits(), name=source, source=source, loading=loading)
    raise DataError(f"unknown data {source!r}")


def fresh(name: str, n: int, *, seed: int) -> Tensor | None:
    """Return new draws of a toy set, in its fixed units; None for anything else."""
    return toys.draw(name, n, 1, seed) if name in toys.TOYS else None


def _toy(name: str) -> Contents:
    train, validation, test = (
        Examples(toys.draw(name, size, 0, split)) for split, size in enumerate(toys.SIZES)
    )
    return Contents(
        kind="vectors", examples=train, validation=validation, test=test, columns=("x", "y")
    )


def _digits() -> Contents:
    from sklearn.datasets import load_digits  # Heavy, and needed for this source only.

    bunch = load_digits()
    x = torch.from_numpy(bunch.images).to(torch.uint8)[:, None]
    label = torch.from_numpy(bunch.target).long()
    return Contents(
        kind="images",
        examples=Examples(x, {"label": label}),
        labels=tuple(str(name) for name in bunch.target_names),
        levels=17,
    )
