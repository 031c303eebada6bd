"""Mixed tables as rows of cells: one categorical node a column, for models of every kind.

A number is cut into cells of its recorded grid; inside a cell the recorded values have a fixed law
that is counted once. So the log-probability of a row is that of its cells, which a model gives,
plus that of its values inside them, which is the log-determinant here: every model of a table is
scored by the probability of what was RECORDED, and none gains by a spike between two values.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from ancestral.data.columns import Column, Vector
from ancestral.data.fields import Shape, X
from ancestral.data.notation import spelt
from ancestral.data.plain import from_plain, to_plain
from ancestral.data.transforms import Spec, Transform
from ancestral.errors import DataError

UNKNOWN = -1
"""The cell of a value that is not known."""

_MOST_POINTS = 2.0**53
"""Most steps of a range: what float64 tells apart."""

_ROWS_OF_AN_ATOM = 5
"""Fewest rows of a value that has a probability of its own inside its cell: one that fewer people
have is not given back as such, and tells little of who was in the training split."""

_ROWS_OF_A_BIN, _ALONE = 20, 5
"""Fewest rows of a bin, in which the values of a cell are equally likely; and a value has a cell of
its own that comes up a fifth as often as a cell."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Law:
    """The cells of one number and the law inside each; grid points count from ``low``.

    Args:
        starts: First grid point of each cell, int64 [K], rising from 0.
        edges: First grid point of each bin, and one past the last bin, int64 [B + 1]; the cells'
            starts are among them.
        mass: Probability of each bin inside its cell, without that of the atoms, [B].
        atoms: Grid points that were recorded again and again, int64 [A], rising.
        atom_mass: Probability of each inside its cell, [A].
    """

    starts: Tensor
    edges: Tensor
    mass: Tensor
    atoms: Tensor
    atom_mass: Tensor

    @property
    def widths(self) -> Tensor:
        """How many grid points each bin holds, [B]."""
        return self.edges.diff()


PARTS: tuple[str, ...] = ("starts", "edges", "mass", "atoms", "atom_mass")
"""The tensors of a law; those of all columns are kept one after the other."""


class Cells(Transform):
    """Rows of a mixed table [N, D] as rows of cells, int64 [N, D].

    A missing cell is the first cell of its column, where the column has gaps; where it has none
    there is nothing known, and the cell is -1. States are their own cells.

    Source: cells as nodes: Tiwald et al. 2025, TabularARGN, arXiv:2501.12012, sec. 3; the law of
    values inside a cell is absolute discounting, Ney, Essen & Kneser 1994.

    Args:
        field: The columns.
        laws: Of each column of numbers, in order; tensors of the right sizes are enough where
            ``load_state_dict`` fills them.

    Example:
        >>> field = Vector(columns=(Column(name="n", resolution=1, low=0, high=3),), mixed=True)
        >>> cells = fit_cells(torch.tensor([[0.0], [3.0]]).repeat(20, 1), field, most=2)
        >>> cells(torch.tensor([[0.0], [3.0]]))
        tensor([[0],
                [1]])
    """

    def __init__(self, field: Vector, laws: Sequence[Law]) -> None:
        super().__init__()
        self.field = field
        self.sizes = [{name: len(getattr(law, name)) for name in PARTS} for law in laws]
        for name in PARTS:
            parts = [getattr(law, name) for law in laws]
            self.register_buffer(name, torch.cat(parts) if parts else torch.zeros(0))

    def forward_and_log_det(
        self, x: Tensor, generator: Generator | None = None
    ) -> tuple[Tensor, Tensor]:
        """Return the cells, int64 [B, D], and the log-probability of the values inside them."""
        del generator  # Nothing is drawn.
        cells, log_mass = self.located(x)
        return cells, log_mass.sum(dim=1)

    def located(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return the cells of rows x [B, D], and log P(value | cell) of each, float64 [B, D].

        Of a value that is not known the logarithm is 0.
        """
        cells, log_mass = [], []
        for values, (column, law) in zip(x.double().unbind(1), self._columns(), strict=True):
            known = ~values.isnan()
            filled = values.where(known, column.low or 0.0)
            if law is None:
                place, log = filled.long(), torch.zeros_like(values)
            else:
                place, log = _inside(_points(filled, column), law)
            first = int(column.gaps)  # The cell of missing values comes first.
            cells.append((place + first).where(known, first - 1))
            log_mass.append(log.where(known, 0.0))
        return torch.stack(cells, dim=1), torch.stack(log_mass, dim=1)

    def inverse(self, y: Tensor, generator: Generator | None = None) -> Tensor:
        """Draw values inside the cells y [B, D], float64 [B, D]; NaN where a cell is missing."""
        values = []
        for cells, (column, law) in zip(y.unbind(1), self._columns(), strict=True):
            place = (cells - int(column.gaps)).clamp_min(0)
            numbers = law and _values(_draw(place, law, generator), column)
            value = place.double() if numbers is None else numbers
            values.append(value.where(cells >= int(column.gaps), math.nan))
        return torch.stack(values, dim=1)

    def shape(self, shape: Shape) -> Shape:
        """Return the field of cells: a category a column."""
        states = [self.names(index) for index in range(len(self.field.columns))]
        return Shape({**shape.fields, X: Vector.of_states(self.field.names, states)})

    def names(self, index: int) -> tuple[str, ...]:
        """Return what the cells of a column are called: states, values or the ends of each."""
        column, law = list(self._columns())[index]
        gap = ("missing",) if column.gaps else ()
        if law is None:
            return (*gap, *column.states)
        ends = torch.cat((law.starts[1:] - 1, law.edges[-1:] - 1))
        one, two = (spelt(_values(points, column).numpy(), column) for points in (law.starts, ends))
        pairs = zip(one, two, strict=True)
        return (*gap, *(low if low == high else f"{low} to {high}" for low, high in pairs))

    def spec(self) -> Spec:
        """Return the columns and the sizes of their laws."""
        return {"kind": "cells", "field": to_plain(self.field), "sizes": self.sizes}

    @classmethod
    def of_spec(cls, *, field: Spec, sizes: Sequence[Mapping[str, int]]) -> "Cells":
        """Return the transform that :meth:`spec` describes, its numbers still to be loaded."""
        columns = from_plain(field)
        if not isinstance(columns, Vector):
            raise TypeError(f"cells are of columns, got {type(columns).__name__}")
        return cls(columns, [_empty(some) for some in sizes])

    def _columns(self) -> Iterator[tuple[Column, Law | None]]:
        """Return each column with its law; categories have none."""
        at, sizes = dict.fromkeys(PARTS, 0), iter(self.sizes)
        for column in self.field.columns:
            if column.discrete:
                yield column, None
                continue
            found: dict[str, Tensor] = {}
            size = next(sizes)
            for name in PARTS:
                found[name] = self.get_buffer(name)[at[name] : at[name] + size[name]]
                at[name] += size[name]
            yield column, Law(**found)


def fit_cells(x: Tensor, field: Vector, *, most: int = 100) -> Cells:
    """Cut the numbers of a mixed table into cells of about equal numbers of rows.

    A value that fills a cell alone has its own. Inside a cell, values that five rows have are
    atoms, each discounted, and what is left is spread over bins of some 20 rows, evenly over the
    grid points of each: every value from ``low`` to ``high`` has a probability above 0.

    Args:
        x: The training split, float64 [N, D], NaN where a cell is missing.
        field: Its columns, mixed.
        most: Cells of a column, about; at least 1. A cell holds no fewer than 20 rows, but for the
            last one.

    Raises:
        ValueError: If ``most`` < 1.
    """
    if most < 1:
        raise ValueError(f"most must be at least 1, got {most}")
    laws = []
    for values, column in zip(x.double().unbind(1), field.columns, strict=True):
        if not column.discrete:
            laws.append(_fit(_points(values[~values.isnan()], column), _last(column), most))
    return Cells(field, laws)


def _fit(points: Tensor, last: int, most: int) -> Law:
    values, counts = points.unique(return_counts=True)
    once, twice = int((counts == 1).sum()), int((counts == 2).sum())
    discount = min(1.0, max(0.05, once / max(1, once + 2 * twice)))
    target = max(_ROWS_OF_A_BIN, len(points) / most)
    starts = _starts(values, counts, target, alone=max(_ROWS_OF_A_BIN, target / _ALONE))
    again = counts >= _ROWS_OF_AN_ATOM
    rest = counts.double().where(~again, discount)
    bins = _starts(values, rest, _ROWS_OF_A_BIN, alone=_ROWS_OF_A_BIN)
    edges = torch.cat((starts, bins, starts.new_tensor([last + 1])))
    edges = edges.unique()
    widths = edges.diff().double()
    cell_of_bin = _place(starts, edges[:-1])
    # One row more, spread over the whole cell, so that no grid point is impossible.
    mass = widths / _sums(cell_of_bin, widths, len(starts))[cell_of_bin]
    mass.index_add_(0, _place(edges, values), rest)
    cell_of_value = _place(starts, values)
    rows = _sums(cell_of_value, counts.double(), len(starts)) + 1
    return Law(
        starts=starts,
        edges=edges,
        mass=mass / rows[cell_of_bin],
        atoms=values[again],
        atom_mass=(counts[again].double() - discount) / rows[cell_of_value[again]],
    )


def _starts(values: Tensor, weights: Tensor, target: float, *, alone: float) -> Tensor:
    """Return where groups of neighbours begin: of ``target`` weight, or one of ``alone``."""
    found, filled = [0], 0.0
    for value, weight in zip(values.tolist(), weights.tolist(), strict=True):
        if filled >= target or (filled > 0 and weight >= alone):
            found.append(value)
            filled = 0.0
        filled += target if weight >= alone else weight
    return torch.tensor(found).unique()


def _place(starts: Tensor, points: Tensor) -> Tensor:
    """Return in which interval each point lies, given the first point of each."""
    return torch.searchsorted(starts, points, right=True) - 1


def _sums(group: Tensor, values: Tensor, groups: int) -> Tensor:
    return torch.zeros(groups, dtype=values.dtype).index_add_(0, group, values)


def _inside(points: Tensor, law: Law) -> tuple[Tensor, Tensor]:
    """Return the cell of each grid point, and its log-probability inside the cell."""
    probability = (law.mass / law.widths)[_place(law.edges, points)]
    if len(law.atoms):
        near = torch.searchsorted(law.atoms, points).clamp_max(len(law.atoms) - 1)
        probability = probability + law.atom_mass[near].where(law.atoms[near] == points, 0.0)
    return _place(law.starts, points), probability.log()


def _draw(place: Tensor, law: Law, generator: Generator | None) -> Tensor:
    """Draw a grid point inside each cell, float64 [B]."""
    first = torch.cat((law.edges[:-1], law.atoms))
    width = torch.cat((law.widths, torch.ones_like(law.atoms)))
    mass = torch.cat((law.mass, law.atom_mass))
    # The parts of cell c fill the line from c to c + 1: one search finds cell and part.
    order = _place(law.starts, first).argsort(stable=True)
    line = mass[order].cumsum(0)
    line = line * (len(law.starts) / line[-1])  # Each cell's masses add up to 1.
    shape, device = (2, len(place)), place.device
    u, v = torch.rand(shape, generator=generator, dtype=torch.float64, device=device)
    part = torch.searchsorted(line, place + u, right=True).clamp_max(len(line) - 1)
    chosen = order[part]
    return first[chosen] + (v * width[chosen]).floor()


def _points(values: Tensor, column: Column) -> Tensor:
    """Return the grid points of numbers, int64; those outside the range count as its ends."""
    scaled = (values - (column.low or 0.0)) / (column.resolution or 1.0)
    return scaled.round().long().clamp(0, _last(column))


def _values(points: Tensor, column: Column) -> Tensor:
    """Return the numbers of grid points, float64, rounded to the decimals of the grid."""
    step = column.resolution or 1.0
    values = (column.low or 0.0) + points.double() * step
    # The digits of the least value of a fine column are not those of all.
    digits = max(0, math.ceil(-math.log10(step)) + (0 if column.fine else 2))
    rounded = values.round(decimals=digits) if digits < 16 else values
    return rounded.clamp(column.low, column.high) if column.high is not None else rounded


def on_grid(x: Tensor, field: Vector) -> Tensor:
    """Return rows [N, D] of a mixed table, the numbers at the nearest recorded ones; NaN stays."""
    return torch.stack(
        [
            values
            if column.discrete
            else _values(_points(values.nan_to_num(column.low or 0.0), column), column).where(
                ~values.isnan(), math.nan
            )
            for values, column in zip(x.unbind(1), field.columns, strict=True)
        ],
        dim=1,
    )


def _last(column: Column) -> int:
    low, step = column.low or 0.0, column.resolution or 1.0
    last = ((column.high if column.high is not None else low) - low) / step
    if not last < _MOST_POINTS:
        raise DataError(f"column {column.name!r} has too wide a range for steps of {step:g}")
    return round(last)


def _empty(sizes: Mapping[str, int]) -> Law:
    kinds = {name: torch.float64 if "mass" in name else torch.int64 for name in PARTS}
    return Law(**{name: torch.zeros(size, dtype=kinds[name]) for name, size in sizes.items()})
