"""Transforms of columns of numbers: those recorded in steps, and those that never vary."""

import math
from dataclasses import replace

import torch
from torch import Generator, Tensor

from ancestral.data.columns import Vector
from ancestral.data.fields import Shape, X
from ancestral.data.transform import Spec, Transform


class Recorded(Transform):
    """Numbers spread evenly over the steps at which they were recorded, columns for themselves.

    ``y = x + (u - 1/2) step`` with u ~ Uniform(0, 1): by Jensen's inequality the mean of log p(y)
    is a lower bound on the log of the mean density of the recorded cell, P(cell) / step, which no
    spike makes larger than 1 / step. The way back rounds as the data are written, and keeps to
    their range. Of a column without step or decimals nothing is changed.

    Source: Theis, van den Oord & Bethge 2016, arXiv:1511.01844, sec. 3.1.

    Args:
        step: Of each column, [D]; 0: no noise.
        decimals: To which each is rounded, [D]; -1: not rounded.
        low: Least number of each, [D]; steps are counted from it.
        high: Greatest number of each, [D].

    Example:
        >>> one = torch.ones(2)
        >>> transform = Recorded(one, -one, 0 * one, 9 * one)
        >>> transform.inverse(torch.tensor([[2.4, 11.0]])), transform.exact
        (tensor([[2., 9.]], dtype=torch.float64), False)
    """

    step: Tensor
    decimals: Tensor
    low: Tensor
    high: Tensor

    def __init__(self, step: Tensor, decimals: Tensor, low: Tensor, high: Tensor) -> None:
        super().__init__()
        self.exact = not bool((step > 0).any())
        values = {"step": step, "decimals": decimals, "low": low, "high": high}
        for name, value in values.items():
            self.register_buffer(name, value.double())

    def forward_and_log_det(
        self, x: Tensor, generator: Generator | None = None
    ) -> tuple[Tensor, Tensor]:
        """Return the numbers somewhere in their cells, and zeros."""
        if not self.exact:
            noise = torch.rand(x.shape, generator=generator, device=x.device, dtype=self.step.dtype)
            x = x + (noise - 0.5) * self.step
        return x, torch.zeros(len(x), dtype=torch.float64, device=x.device)

    def inverse(self, y: Tensor, generator: Generator | None = None) -> Tensor:
        """Return the nearest recorded numbers, float64 [B, D]; what is not finite stays so."""
        del generator  # Nothing is drawn.
        y, gridded, written = y.double(), self.step > 0, self.decimals >= 0
        steps = ((y - self.low) / torch.where(gridded, self.step, 1.0)).round()
        found = torch.where(gridded, self.low + steps * self.step, y)
        places = 10.0 ** self.decimals.clamp_min(0)
        found = torch.where(written, (found * places).round() / places, found)
        kept = torch.maximum(self.low, torch.minimum(found, self.high))
        return torch.where((gridded | written) & y.isfinite(), kept, y)

    def spec(self) -> Spec:
        """Return the kind, the number of columns and whether noise is added."""
        return {"kind": "recorded", "columns": len(self.step), "noise": not self.exact}


class Varying(Transform):
    """The columns that vary; one that holds the same in every row is given back as it is.

    It has probability 1, and a row that holds something else there has probability 0.

    Args:
        varies: Which columns vary, bool [D].
        values: Of those that do not, [D]; 0 of those that do.

    Example:
        >>> transform = Varying(torch.tensor([True, False]), torch.tensor([0.0, 7.0]))
        >>> y, log_det = transform.forward_and_log_det(torch.tensor([[1.0, 7.0], [1.0, 8.0]]))
        >>> y.shape, log_det
        (torch.Size([2, 1]), tensor([0., -inf], dtype=torch.float64))
    """

    varies: Tensor
    values: Tensor

    def __init__(self, varies: Tensor, values: Tensor) -> None:
        super().__init__()
        self.register_buffer("varies", varies)
        self.register_buffer("values", values.double())

    def forward_and_log_det(
        self, x: Tensor, generator: Generator | None = None
    ) -> tuple[Tensor, Tensor]:
        """Return the columns that vary, and 0, or -inf where another does not hold its value."""
        del generator  # Nothing is drawn.
        same = ((x == self.values) | self.varies).all(dim=1)
        zero = torch.zeros((), dtype=torch.float64, device=x.device)
        return x[:, self.varies], torch.where(same, zero, -math.inf)

    def inverse(self, y: Tensor, generator: Generator | None = None) -> Tensor:
        """Return all columns, float64 [B, D]."""
        del generator  # Nothing is drawn.
        x = self.values.expand(len(y), -1).clone()
        x[:, self.varies] = y.double()
        return x

    def spec(self) -> Spec:
        """Return the kind and the number of all columns."""
        return {"kind": "varying", "columns": len(self.values)}

    def shape(self, shape: Shape) -> Shape:
        """Return the field of the columns that vary."""
        field = shape.fields[X]
        if not isinstance(field, Vector):
            return shape
        pairs = zip(field.columns, self.varies.tolist(), strict=True)
        columns = tuple(column for column, varies in pairs if varies)
        return Shape({**shape.fields, X: replace(field, columns=columns)})
