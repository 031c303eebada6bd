"""Sources of data, splits, transforms and files of samples.

Names are imported when they are first asked for, so that the list of sources costs no torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ancestral.data.arrow import as_arrow
    from ancestral.data.catalogue import SourceInfo, describe
    from ancestral.data.circles import locate_circles, render_circles
    from ancestral.data.columns import Column, Vector
    from ancestral.data.conllu import Sentence, read_conllu
    from ancestral.data.dataset import Dataset, Examples, Loading, TextLoading
    from ancestral.data.described import Kind
    from ancestral.data.fields import Category, Image, Shape, Tokens
    from ancestral.data.intrinsic import intrinsic_dimension
    from ancestral.data.model_units import (
        build,
        dequantise,
        standardise,
        symmetric,
        unit_interval,
    )
    from ancestral.data.sources import fresh, load, read
    from ancestral.data.text import Corpus, Documents, Tokenizer, load_corpus, tokenise_documents
    from ancestral.data.transforms import (
        Affine,
        Compose,
        Dequantise,
        Flatten,
        Levels,
        Transform,
    )
    from ancestral.data.typed import contents_of_arrow
    from ancestral.data.writing import image_grid, write_samples

__all__ = [
    "Affine",
    "Category",
    "Column",
    "Compose",
    "Corpus",
    "Dataset",
    "Dequantise",
    "Documents",
    "Examples",
    "Flatten",
    "Image",
    "Kind",
    "Levels",
    "Loading",
    "Sentence",
    "Shape",
    "SourceInfo",
    "TextLoading",
    "Tokenizer",
    "Tokens",
    "Transform",
    "Vector",
    "as_arrow",
    "build",
    "contents_of_arrow",
    "dequantise",
    "describe",
    "fresh",
    "image_grid",
    "intrinsic_dimension",
    "load",
    "load_corpus",
    "locate_circles",
    "read",
    "read_conllu",
    "render_circles",
    "standardise",
    "symmetric",
    "tokenise_documents",
    "unit_interval",
    "write_samples",
]

_HOME = {
    "as_arrow": "arrow",
    "contents_of_arrow": "typed",
    "locate_circles": "circles",
    "render_circles": "circles",
    "SourceInfo": "catalogue",
    "describe": "catalogue",
    "Sentence": "conllu",
    "read_conllu": "conllu",
    "Dataset": "dataset",
    "Examples": "dataset",
    "Loading": "dataset",
    "TextLoading": "dataset",
    "Category": "fields",
    "Column": "columns",
    "Image": "fields",
    "Kind": "described",
    "Shape": "fields",
    "Tokens": "fields",
    "Vector": "columns",
    "intrinsic_dimension": "intrinsic",
    "build": "model_units",
    "dequantise": "model_units",
    "standardise": "model_units",
    "symmetric": "model_units",
    "unit_interval": "model_units",
    "fresh": "sources",
    "load": "sources",
    "read": "sources",
    "Corpus": "text",
    "Documents": "text",
    "Tokenizer": "text",
    "load_corpus": "text",
    "tokenise_documents": "text",
    "image_grid": "writing",
    "write_samples": "writing",
}


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME.get(name, 'transforms')}"), name)


def __dir__() -> list[str]:
    return __all__
