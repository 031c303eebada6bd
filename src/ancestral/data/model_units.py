"""From the user's units to a model's, fitted on the training split, by the kind of data."""

from collections.abc import Callable

import torch

from ancestral.data.dataset import Dataset
from ancestral.data.fields import Kind
from ancestral.data.transforms import (
    Affine,
    Compose,
    Flatten,
    States,
    Steps,
    Transform,
    dequantise,
    standardise,
    unit_interval,
)


def flat(data: Dataset) -> Transform:
    """Return the transform for models of vectors: standardised columns, or pixels in a row."""
    return _FLAT[data.kind](data)


def noiseless(data: Dataset) -> Transform:
    """Return the transform for models that only read x: as :func:`flat`, nothing added."""
    return _NOISELESS[data.kind](data)


def grey(data: Dataset) -> Transform:
    """Return the transform for models that give mass to grey levels: onto [0, 1], no noise."""
    return unit_interval(data.levels)


def _standardised(data: Dataset) -> Transform:
    return standardise(data.train)


def _in_a_row(data: Dataset, pixels: Transform) -> Transform:
    return Compose([pixels, Flatten(tuple(data.event_shape))])


_FLAT: dict[Kind, Callable[[Dataset], Transform]] = {
    "vectors": _standardised,
    "images": lambda data: _in_a_row(data, dequantise(data.train, data.levels, standard=True)),
}
_NOISELESS: dict[Kind, Callable[[Dataset], Transform]] = {
    "vectors": _standardised,
    "images": lambda data: _in_a_row(data, unit_interval(data.levels)),
}


def series(data: Dataset) -> Transform:
    """Return the transform for sequences: one mean and deviation for all steps, or their states."""
    return _SERIES[data.kind](data)


def _numbers(data: Dataset) -> Transform:
    each = standardise(data.train)
    mean = each.mean.mean()
    std = (data.train.x - mean).square().mean().sqrt()
    std = torch.where(std > 0, std, 1.0)
    return Compose([Affine(mean.expand_as(each.mean), std.expand_as(each.std)), Steps()])


_SERIES: dict[Kind, Callable[[Dataset], Transform]] = {
    "vectors": _numbers,
    "tables": lambda _data: States(),
}
