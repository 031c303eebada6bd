"""Sources of data, splits, transforms and files of samples.

Names are imported when they are first asked for, so that the list of sources costs no torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ancestral.data.catalogue import SourceInfo, describe
    from ancestral.data.conllu import Sentence, read_conllu
    from ancestral.data.dataset import Dataset, Examples, Kind, Loading
    from ancestral.data.intrinsic import intrinsic_dimension
    from ancestral.data.sources import fresh, load, read
    from ancestral.data.transforms import (
        Affine,
        Compose,
        Dequantise,
        Flatten,
        Levels,
        Transform,
        build,
        dequantise,
        standardise,
        symmetric,
        unit_interval,
    )
    from ancestral.data.writing import image_grid, write_samples

__all__ = [
    "Affine",
    "Compose",
    "Dataset",
    "Dequantise",
    "Examples",
    "Flatten",
    "Kind",
    "Levels",
    "Loading",
    "Sentence",
    "SourceInfo",
    "Transform",
    "build",
    "dequantise",
    "describe",
    "fresh",
    "image_grid",
    "intrinsic_dimension",
    "load",
    "read",
    "read_conllu",
    "standardise",
    "symmetric",
    "unit_interval",
    "write_samples",
]

_HOME = {
    "SourceInfo": "catalogue",
    "describe": "catalogue",
    "Sentence": "conllu",
    "read_conllu": "conllu",
    "Dataset": "dataset",
    "Examples": "dataset",
    "Kind": "dataset",
    "Loading": "dataset",
    "intrinsic_dimension": "intrinsic",
    "fresh": "sources",
    "load": "sources",
    "read": "sources",
    "image_grid": "writing",
    "write_samples": "writing",
}


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME.get(name, 'transforms')}"), name)


def __dir__() -> list[str]:
    return __all__
