"""The named sources, described without loading anything heavy."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

FASHION_MNIST = Path("/usr/share/datasets/fashion-mnist")
"""Where Debian's package puts it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceInfo:
    """One named source.

    Args:
        name: What to write in place of DATA.
        kind: ``"vectors"`` or ``"images"``.
        event_shape: Shape of one example.
        sizes: Examples in training, validation and test, in words.
        about: One sentence.
        available: It can be loaded here and now.
        how: How to get it where it is not available; empty where it is.

    Example:
        >>> [info.event_shape for info in describe() if info.name == "digits"]
        [(1, 8, 8)]
    """

    name: str
    kind: Literal["vectors", "images"]
    event_shape: tuple[int, ...]
    sizes: str
    about: str
    available: bool = True
    how: str = ""


def data_root() -> Path:
    """Return the folder of downloaded data: ``$ANCESTRAL_DATA``, or ``../shared/data``."""
    return Path(os.environ.get("ANCESTRAL_DATA") or "../shared/data")


def mnist_folders() -> list[Path]:
    """Return where MNIST is looked for, best first."""
    return [data_root() / "mnist", data_root() / "MNIST"]


def fashion_mnist_folders() -> list[Path]:
    """Return where Fashion-MNIST is looked for, best first."""
    return [FASHION_MNIST, data_root() / "fashion-mnist", data_root() / "FashionMNIST"]


MNIST_BINARY = "mnist-binary"

FOLDERS: dict[str, Callable[[], list[Path]]] = {
    "mnist": mnist_folders,
    "fashion-mnist": fashion_mnist_folders,
    MNIST_BINARY: mnist_folders,
}

_MNIST = (
    "put the four IDX files of MNIST into the folder mnist/ and point the variable "
    "ANCESTRAL_DATA at the folder that holds it"
)

HOW: dict[str, str] = {
    "mnist": _MNIST,
    "fashion-mnist": "apt-get install dataset-fashion-mnist, or put its four IDX files into the "
    "folder fashion-mnist/ and point the variable ANCESTRAL_DATA at the folder that holds it",
    MNIST_BINARY: _MNIST,
}

_TOYS = {
    "swiss-roll": "a rolled sheet seen from its side",
    "moons": "two interleaved half circles",
    "ring": "eight Gaussians on a circle",
    "checkerboard": "eight squares of a board, uniform inside",
    "pinwheel": "five bent arms",
}

NAMES: tuple[str, ...] = (*_TOYS, "digits", "fashion-mnist", "mnist", MNIST_BINARY)
"""Every name that ``load`` knows."""


def describe() -> list[SourceInfo]:
    """Return all named sources, in the order in which they are listed."""
    toys = [
        SourceInfo(
            name=name,
            kind="vectors",
            event_shape=(2,),
            sizes="20,000 / 10,000 / 10,000",
            about=about,
        )
        for name, about in _TOYS.items()
    ]
    digits = SourceInfo(
        name="digits",
        kind="images",
        event_shape=(1, 8, 8),
        sizes="1,797, split by seed",
        about="handwritten digits of scikit-learn, 17 grey levels, 10 labels",
    )
    return [
        *toys,
        digits,
        _idx("fashion-mnist", "photographs of clothes, 10 labels"),
        _idx("mnist", "handwritten digits, 10 labels"),
        _idx(MNIST_BINARY, "the same in black and white, each pixel drawn once"),
    ]


def _idx(name: str, about: str) -> SourceInfo:
    found = any(folder.is_dir() for folder in FOLDERS[name]())
    return SourceInfo(
        name=name,
        kind="images",
        event_shape=(1, 28, 28),
        sizes="60,000 split by seed / 10,000 its own test",
        about=about,
        available=found,
        how="" if found else HOW[name],
    )
