"""The space in which examples are compared: the same for every model of a data set."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, one_hot

from ancestral.data.columns import Column
from ancestral.data.dataset import Examples
from ancestral.data.model_units import standardise

COARSE = 1024
"""Images with more values are averaged down for the Frechet distance, which costs D^3."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Space:
    """User units -> rows of float64 in which one distance makes sense.

    Args:
        shift: Subtracted, broadcast against [N, *event], states as indicators.
        scale: Divides, likewise.
        event_shape: Of one example.
        unit: Name of the unit of distance.
        sizes: Number of states of each column of a row, 0 for numbers; empty where there are none.

    Example:
        >>> space = Space.of_images(torch.Size([1, 2, 2]), 256)
        >>> space(torch.zeros(5, 1, 2, 2, dtype=torch.uint8)).shape
        torch.Size([5, 4])
    """

    shift: Tensor
    scale: Tensor
    event_shape: torch.Size
    unit: str
    sizes: tuple[int, ...] = ()

    @classmethod
    def of_columns(cls, columns: Sequence[Column], train: Examples, *, standard: bool) -> "Space":
        """Return the space of rows, column by column.

        Numbers: minus their mean, over their standard deviation, both of the training split (a
        constant column is only centred); ``standard`` numbers stay as they are. States: an
        indicator for each, over the root of 2, so that the squared distance of two rows is the
        number of cells that differ (a missing cell is half a cell from every state, none from
        another missing one). A missing number is at the mean.
        """
        sizes = tuple(len(column.states) if column.discrete else 0 for column in columns)
        numbers = torch.tensor([size == 0 for size in sizes])
        ones = torch.ones(len(sizes), dtype=torch.float64)
        shift, scale = 0 * ones, torch.where(numbers, ones, math.sqrt(2))
        if not standard and bool(numbers.any()):
            x = train.x[:, numbers].double()
            fitted = standardise(Examples(torch.where(x.isnan(), x.nanmean(dim=0), x)))
            shift[numbers], scale[numbers] = fitted.mean, fitted.std
        repeats = torch.tensor([max(1, size) for size in sizes])
        model = {"standardised units": numbers.any(), "root of differing cells": not numbers.all()}
        return cls(
            shift=shift.repeat_interleave(repeats),
            scale=scale.repeat_interleave(repeats),
            event_shape=torch.Size([len(sizes)]),
            unit=" and ".join(unit for unit, there in model.items() if there),
            sizes=sizes if any(sizes) else (),
        )

    @classmethod
    def of_images(cls, event_shape: torch.Size, levels: int) -> "Space":
        """Return the space of images: grey levels over the highest, from 0 to 1, as a row."""
        zero = torch.zeros((), dtype=torch.float64)
        return cls(shift=zero, scale=zero + levels - 1, event_shape=event_shape, unit="grey range")

    def __call__(self, x: Tensor) -> Tensor:
        """Return rows [N, D] for examples [N, *event] in user units."""
        if self.sizes:
            # Of a missing cell, -1, no indicator is 1.
            columns = [
                one_hot(cells.long() + 1, size + 1)[:, 1:] if size else cells[:, None]
                for cells, size in zip(x.T, self.sizes, strict=True)
            ]
            x = torch.cat(columns, dim=1)
        rows = ((x.double() - self.shift) / self.scale).flatten(start_dim=1)
        return torch.where(rows.isnan(), 0.0, rows)

    def coarse(self, rows: Tensor) -> Tensor:
        """Return rows [N, D'] of images halved in height and width until D' <= 1024."""
        if len(self.event_shape) != 3:
            return rows
        images = rows.reshape(-1, *self.event_shape)
        while images[0].numel() > COARSE and min(images.shape[2:]) > 1:
            images = avg_pool2d(images, 2)
        return images.flatten(start_dim=1)
