"""From the user's units to a model's, fitted on the training split, by the kind of data."""

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import torch
from sklearn.covariance import ledoit_wolf
from torch import Tensor

from ancestral.data.cells import Cells, fit_cells
from ancestral.data.column_transforms import Recorded, Varying
from ancestral.data.columns import Column, Vector
from ancestral.data.dataset import Dataset, Examples
from ancestral.data.described import Kind
from ancestral.data.fields import Image, X
from ancestral.data.grey_bins import GreyBins, fit_grey_bins
from ancestral.data.recorded import varying
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
from ancestral.data.whitening import Whiten, fit_whitening
from ancestral.errors import ConfigError, DataError

_FEW = 100
"""Rows for each column below which a covariance is shrunk."""


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


def fit_transform(fit: Callable[[Dataset], Transform], data: Dataset) -> Transform:
    """Fit a transform on the columns that vary; those of one value are left out, and given back.

    Args:
        fit: From data to a transform of their rows.
        data: Of any kind.
    """
    field = varying(data.field)
    if not isinstance(field, Vector) or field == data.field:
        return fit(data)
    columns = _columns(data)
    varies = torch.tensor([not column.constant for column in columns])
    lows = torch.tensor([column.low or 0 for column in columns], dtype=torch.float64)
    only = Varying(varies, torch.where(varies, 0, lows))

    def without(examples: Examples) -> Examples:
        return Examples(only(examples.x), examples.given)

    splits = (without(split) for split in (data.train, data.validation, data.test))
    train, validation, test = splits
    fields = {**data.fields, X: field}
    less = replace(data, fields=fields, train=train, validation=validation, test=test)
    return Compose([only, fit(less)])


def flat(data: Dataset) -> Transform:
    """Return the transform for fully connected models: standard units, pixels, or cells.

    Numbers recorded in steps, such as whole ones, and grey levels are spread over their steps.
    """
    return _FLAT[data.kind](data)


def uncorrelated(data: Dataset) -> Transform:
    """Return the transform for flows: as :func:`flat`, of rows without correlations, too.

    A flow that begins as the identity begins as the Gaussian of the data. The covariance of few
    rows is shrunk towards independence, by the rule of Ledoit & Wolf 2004, A well-conditioned
    estimator for large-dimensional covariance matrices.
    """
    if data.kind != "vectors":
        return flat(data)
    recorded = _recorded(data)
    affine = standardise(data.train)
    units = (data.train.x.double() - affine.mean) / affine.std
    covariance = units.T @ units / len(units)
    if len(units) < _FEW * units.shape[1]:
        covariance = torch.from_numpy(ledoit_wolf(units.numpy(), assume_centered=True)[0])
    noise = torch.zeros_like(affine.std) if recorded is None else recorded.step / affine.std
    factor = torch.linalg.cholesky(covariance + (noise.square() / 12 + 1e-9).diag())
    whiten = Whiten(affine.mean, affine.std[:, None] * factor)
    return whiten if recorded is None else Compose([recorded, whiten])


def noiseless(data: Dataset) -> Transform:
    """Return the transform for models that only read x: as :func:`flat`, nothing added."""
    return _NOISELESS[data.kind](data)


def copied(data: Dataset) -> Transform:
    """Return the transform for models that give x back: nothing is added to it.

    Columns are standardised, and on the way back rounded as they were recorded; images have their
    grey levels on [0, 1].
    """
    if isinstance(data.field, Image):
        return grey(data)
    affine, recorded = standardise(data.train), _recorded(data)
    if recorded is None:
        return affine
    written = Recorded(0 * recorded.step, recorded.decimals, recorded.low, recorded.high)
    return Compose([written, affine])


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


def states(data: Dataset, *, most: int = 8) -> Transform:
    """Return the transform for models of states: as they are, cells, or at most so many bins.

    Raises:
        DataError: If the data are no states, columns of a mixed table or images.
    """
    if isinstance(data.field, Image):
        return fit_grey_bins(data.train, data.field, most=most)
    return States() if data.kind == "tables" else cells(data, most=32)


def white(data: Dataset) -> Transform:
    """Return the transform for models whose steps are alike in all directions.

    Pixels in a row without correlations; columns as of :func:`flat`.
    """
    if not isinstance(data.field, Image):
        return flat(data)
    return _in_a_row(data, Dequantise(data.levels), fit_whitening(data.train, data.levels))


def _standardised(data: Dataset) -> Transform:
    return standardise(data.train)


def _spread(data: Dataset) -> Transform:
    """Return standardised columns, those recorded in steps spread over them."""
    affine, recorded = standardise(data.train), _recorded(data)
    if recorded is None:
        return affine
    # Uniform noise over a step adds a twelfth of its square.
    std = (affine.std.square() + recorded.step.square() / 12).sqrt()
    return Compose([recorded, Affine(affine.mean, std)])


def _recorded(data: Dataset) -> Recorded | None:
    """Return the transform of how columns were recorded; None if all are at full precision."""
    columns = _columns(data)
    if all(column.low is None for column in columns):
        return None

    def each(values: list[float]) -> Tensor:
        return torch.tensor(values, dtype=torch.float64)

    return Recorded(
        each([column.resolution or 0 for column in columns]),
        each([int(column.form) if column.form.isdecimal() else -1 for column in columns]),
        each([column.low or 0 for column in columns]),
        each([column.high or 0 for column in columns]),
    )


def _columns(data: Dataset) -> tuple[Column, ...]:
    return data.field.columns if isinstance(data.field, Vector) else ()


def _in_a_row(data: Dataset, pixels: Transform, *more: Transform) -> Transform:
    return Compose([pixels, Flatten(tuple(data.event_shape)), *more])


_FLAT: dict[Kind, Callable[[Dataset], Transform]] = {
    "vectors": _spread,
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
    each, recorded = standardise(data.train), _recorded(data)
    mean = each.mean.mean()
    std = (data.train.x - mean).square().mean().sqrt()
    std = torch.where(std > 0, std, 1.0)
    one = Affine(mean.expand_as(each.mean), std.expand_as(each.std))
    return Compose([*([] if recorded is None else [recorded]), one, Steps()])


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


def _any_recorded(columns: int, *, noise: bool) -> Recorded:
    none = torch.zeros(columns)
    return Recorded(none + float(noise), none, none, none)


_BUILD: dict[str, Callable[..., Transform]] = {
    "affine": lambda event_shape: Affine(torch.zeros(event_shape), torch.ones(event_shape)),
    "states": lambda: States("states"),
    "tokens": lambda: States("tokens"),
    "levels": Levels,
    "dequantise": Dequantise,
    "recorded": _any_recorded,
    "varying": lambda columns: Varying(torch.ones(columns) > 0, torch.zeros(columns)),
    "steps": Steps,
    "flatten": Flatten,
    "cells": Cells.of_spec,
    "grey-bins": GreyBins.of_spec,
    "whiten": lambda features: Whiten(torch.zeros(features), torch.eye(features)),
    "compose": lambda parts: Compose([build(part) for part in parts]),
}
