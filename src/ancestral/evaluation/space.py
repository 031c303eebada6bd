"""The space in which examples are compared: the same for every model of a data set."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, one_hot

from ancestral.data.dataset import Dataset
from ancestral.data.transforms import standardise

COARSE = 1024
"""Images with more values are averaged down for the Frechet distance, which costs D^3."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Space:
    """User units -> rows of float64 in which one distance makes sense.

    Vectors: each column minus its mean, over its standard deviation, both of the training split
    (a constant column is only centred). Toy sets come in standardised units and stay as
    they are. Tables of states: an indicator for each state of each column, over the root of 2, so
    that the squared distance of two rows is the number of cells that differ (a missing cell is half
    a cell from every state, none from another missing one). Images: grey levels
    over the highest level, so from 0 to 1, laid out as a row.

    Args:
        shift: Subtracted, broadcast against [N, *event].
        scale: Divides, broadcast against [N, *event].
        event_shape: Of one example.
        unit: Name of the unit of distance.
        sizes: Number of states of each column of tables.

    Example:
        >>> shape = torch.Size([1, 2, 2])
        >>> space = Space(shift=torch.zeros(()), scale=torch.tensor(255.0), event_shape=shape,
        ...               unit="grey range")
        >>> space(torch.zeros(5, 1, 2, 2, dtype=torch.uint8)).shape
        torch.Size([5, 4])
    """

    shift: Tensor
    scale: Tensor
    event_shape: torch.Size
    unit: str
    sizes: tuple[int, ...] = ()

    @classmethod
    def of(cls, data: Dataset, *, standard: bool = False) -> "Space":
        """Return the space of a data set; ``standard`` if its vectors are standardised already."""
        shift, scale = torch.zeros((), dtype=torch.float64), torch.ones((), dtype=torch.float64)
        unit = "standardised units"
        if data.kind == "images":
            scale, unit = scale * (data.levels - 1), "grey range"
        elif data.kind == "tables":
            scale, unit = scale * math.sqrt(2), "root of differing cells"
        elif not standard:
            columns = standardise(data.train)
            shift, scale = columns.mean, columns.std
        return cls(
            shift=shift,
            scale=scale,
            event_shape=data.event_shape,
            unit=unit,
            sizes=tuple(map(len, data.states)),
        )

    def __call__(self, x: Tensor) -> Tensor:
        """Return rows [N, D] for examples [N, *event] in user units."""
        if self.sizes:
            # Of a missing cell, -1, no indicator is 1.
            hot = [
                one_hot(of.long() + 1, n + 1)[:, 1:] for of, n in zip(x.T, self.sizes, strict=True)
            ]
            x = torch.cat(hot, dim=1)
        return ((x.double() - self.shift) / self.scale).flatten(start_dim=1)

    def coarse(self, rows: Tensor) -> Tensor:
        """Return rows [N, D'] of images halved in height and width until D' <= 1024."""
        if len(self.event_shape) != 3:
            return rows
        images = rows.reshape(-1, *self.event_shape)
        while images[0].numel() > COARSE and min(images.shape[2:]) > 1:
            images = avg_pool2d(images, 2)
        return images.flatten(start_dim=1)
