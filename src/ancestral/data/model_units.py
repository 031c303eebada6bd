"""From the user's units to a model's, fitted on the training split, by the kind of data."""

import math
from collections.abc import Callable, Mapping
from typing import Any

import torch

from ancestral.data.cells import Cells, fit_cells
from ancestral.data.columns import Vector
from ancestral.data.dataset import Dataset, Examples
from ancestral.data.described import Kind
from ancestral.data.transforms import (
    Affine,
    Compose,
    Dequantise,
    Flatten,
    Levels,
    States,
    Steps,
    Transform,
)
from ancestral.errors import ConfigError, DataError


def standardise(train: Examples) -> Affine:
    """Fit mean and standard deviation of each column; a constant column is only centred.

    Args:
        train: The training split, x [N, D].

    Raises:
        DataError: If the numbers are too large to square in float64.
    """
    x = train.x.double()
    mean, std = x.mean(dim=0), x.std(dim=0, correction=0)
    if not bool(torch.isfinite(std).all()):
        column = int((~torch.isfinite(std)).nonzero()[0, 0]) + 1
        raise DataError(f"column {column} holds numbers too large to standardise; rescale it")
    # A constant column's deviation is rounding, at most 1e-16 of its size.
    constant = std <= 1e-13 * torch.maximum(x.amax(dim=0), -x.amin(dim=0))
    return Affine(mean, torch.where(constant, 1.0, std))


def dequantise(train: Examples, levels: int, *, standard: bool) -> Dequantise:
    """Make images continuous; with ``standard``, of mean 0 and deviation 1 over all pixels.

    Args:
        train: The training split, x uint8 [N, C, H, W].
        levels: Number of grey levels, from 2 to 256.
        standard: Standardise by one mean and one deviation, fitted on ``train``.
    """
    if not standard:
        return Dequantise(levels)
    parts = train.x.split(4096)  # Counting makes eight bytes of each.
    each = [torch.bincount(part.flatten(), minlength=levels) for part in parts]
    counts = torch.stack(each).sum(dim=0).double()
    weights = counts / counts.sum()
    centres = (torch.arange(len(weights), dtype=torch.float64) + 0.5) / levels
    mean = (weights * centres).sum()
    # Uniform noise inside a bin of width 1 / levels adds a twelfth of its square.
    variance = (weights * (centres - mean).square()).sum() + 1 / (12 * levels**2)
    return Dequantise(levels, mean=mean.item(), std=math.sqrt(variance.item()))


def unit_interval(levels: int) -> Levels:
    """Return the map of grey levels onto [0, 1]."""
    return Levels(levels)


def symmetric(levels: int) -> Levels:
    """Return the map of grey levels onto [-1, 1]."""
    return Levels(levels, low=-1.0, high=1.0)


def flat(data: Dataset) -> Transform:
    """Return the transform for fully connected models: standard units, pixels, or cells."""
    return _FLAT[data.kind](data)


def noiseless(data: Dataset) -> Transform:
    """Return the transform for models that only read x: as :func:`flat`, nothing added."""
    return _NOISELESS[data.kind](data)


def cells(data: Dataset, *, most: int = 100) -> Cells:
    """Return the transform for models of mixed tables: a cell a column, about ``most`` of each.

    Raises:
        DataError: If the data are no rows of columns.
    """
    if not isinstance(data.field, Vector):
        raise DataError(f"{data.name} has no columns to cut into cells")
    return fit_cells(data.train.x, data.field, most=most)


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
    "mixed": cells,
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


def build(spec: Mapping[str, Any]) -> Transform:
    """Make the transform that a spec describes; ``load_state_dict`` then fills its buffers.

    Raises:
        ConfigError: If the kind is unknown.

    Example:
        >>> build(Levels(256, low=-1.0).spec())(torch.zeros(5, 1, 8, 8, dtype=torch.uint8)).min()
        tensor(-1.)
    """
    parts = {name: value for name, value in spec.items() if name != "kind"}
    try:
        return _BUILD[spec["kind"]](**parts)
    except (KeyError, TypeError):
        raise ConfigError(f"not the description of a transform: {dict(spec)}") from None


_BUILD: dict[str, Callable[..., Transform]] = {
    "affine": lambda event_shape: Affine(torch.zeros(event_shape), torch.ones(event_shape)),
    "states": lambda: States("states"),
    "tokens": lambda: States("tokens"),
    "levels": Levels,
    "dequantise": Dequantise,
    "steps": Steps,
    "flatten": Flatten,
    "cells": Cells.of_spec,
    "compose": lambda parts: Compose([build(part) for part in parts]),
}
