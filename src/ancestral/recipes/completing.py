"""Part of a row given the rest: what runs on mixed tables draw, and say of a column."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cached_property

import torch
from torch import Generator, Tensor
from torch.distributions import Categorical

from ancestral.capabilities import Completes
from ancestral.data.columns import Column, Vector
from ancestral.data.inferred import Problem, cells_under
from ancestral.data.notation import spelt
from ancestral.data.spellings import spellings
from ancestral.errors import CapabilityError, ConfigError
from ancestral.networks.sampling import draw
from ancestral.networks.units import InDataUnits
from ancestral.recipes.listing import list_models
from ancestral.recipes.runs import Run
from ancestral.settings import nearest
from ancestral.training.order import seed_of

_ROWS, _DRAWS = 1 << 16, 4_000


def open_table(run: Run, *, device: str = "cpu") -> tuple[InDataUnits, Vector]:
    """Return the model of a run on a mixed table, and its columns; raises as :func:`table_of`."""
    model = run.model(device=device)
    return model, table_of(run, model)


def table_of(run: Run, model: InDataUnits) -> Vector:
    """Return the columns of a run on a mixed table, any of which its model can be given.

    Raises:
        CapabilityError: If it is of other data, or can be given nothing; the models are named that
            can.
    """
    field = run.record.data.field
    if isinstance(field, Vector) and field.mixed and model.can(Completes):
        return field
    able = [
        info.name
        for info in list_models()
        if "mixed" in info.kinds and "completes" in info.capabilities
    ]
    raise CapabilityError(
        f"{run.record.model} in {run.folder} cannot be given columns of a mixed table; "
        f"of the models of these {', '.join(able)} can"
    )


def known_row(field: Vector, given: Mapping[str, object]) -> tuple[Tensor, Tensor]:
    """Return the values of columns that are given by name, float64 [D], and which they are, [D].

    Args:
        field: The columns.
        given: Values as the file has them, by column.

    Raises:
        ConfigError: If there is no such column, or a value is none of its column: no state, outside
            its range, beside its grid.
    """
    import pyarrow as pa

    values = torch.full((len(field.names),), torch.nan, dtype=torch.float64)
    known = torch.zeros(len(field.names), dtype=torch.bool)
    for name, value in given.items():
        if name not in field.names:
            near = nearest(name, field.names, otherwise=30)
            raise ConfigError(f"no column {name!r} to be given{near}")
        at = field.names.index(name)
        column = field.columns[at]
        word = value.strftime(column.form) if isinstance(value, date) else str(value)
        cell = spellings(name, pa.chunked_array([[word]]), ".")
        try:
            values[at] = float(cells_under(column, cell)[0])
        except Problem as problem:
            raise ConfigError(f"given {name}: {problem.text}") from None
        if math.isnan(values[at]) and not field.columns[at].gaps:
            raise ConfigError(f"given {name}: the cell is empty, and the column has no gaps")
        known[at] = True
    return values, known


@torch.no_grad()
def draw_rows(
    model: InDataUnits,
    n: int,
    given: Mapping[str, object],
    *,
    balance: str | None = None,
    seed: int = 0,
    device: str = "cpu",
) -> Tensor:
    """Return n rows of a mixed table, float64 [n, D], the columns that are given held.

    Args:
        model: That completes rows of a mixed table.
        n: Number of rows, at least 1.
        given: Values by column, as the file has them.
        balance: A category whose states come equally often.
        seed: Of the draws.
        device: Where the model is.

    Raises:
        ConfigError: If there is no such column, or what is balanced is given or is no category.
    """
    field = model.table.field
    row, known = known_row(field, given)
    x, known = row.expand(n, -1).clone(), known.expand(n, -1).clone()
    if balance is not None:
        at = _category(field, balance)
        if bool(known[0, at]):
            raise ConfigError(f"balance must not be a column that is given, got {balance}")
        x[:, at] = torch.arange(n) % len(field.columns[at].states)
        known[:, at] = True
    generator = Generator(device).manual_seed(seed_of(seed, "sample"))
    parts = [
        model.complete(a.to(device), b.to(device), generator=generator).cpu()
        for a, b in zip(x.split(_ROWS), known.split(_ROWS), strict=True)
    ]
    return torch.cat(parts)


def _category(field: Vector, name: str) -> int:
    able = [column.name for column in field.columns if column.discrete]
    if name not in able:
        raise ConfigError(
            f"balance must be a category, got {name!r}{nearest(name, able, otherwise=30)}"
        )
    return field.names.index(name)


@dataclass(frozen=True, slots=False, eq=False)
class ColumnLaw:
    """The law of one column given others.

    Args:
        column: Of which it is the law.
        cells: What its cells are called: states, values, ranges of values.
        probabilities: Of each, float64 [K], adding up to 1.
        draws: Values drawn from it, float64 [M], NaN where a cell is missing.
    """

    column: Column
    cells: tuple[str, ...]
    probabilities: Tensor
    draws: Tensor

    @property
    def name(self) -> str:
        """Of the column."""
        return self.column.name

    @cached_property
    def summary(self) -> dict[str, float | str]:
        """Mean and the ends of the middle 90%, dates as they are written; empty of a category."""
        known = self.draws[~self.draws.isnan()]
        if self.column.discrete or not len(known):
            return {}
        ends = known.quantile(torch.tensor([0.05, 0.5, 0.95], dtype=torch.float64))
        values = torch.cat((known.mean()[None], ends))
        dates = self.column.type == "date"
        shown = spelt(values.numpy(), self.column) if dates else values.tolist()
        return dict(zip(("mean", "5%", "50%", "95%"), shown, strict=True))


@torch.no_grad()
def column_laws(
    run: Run,
    targets: tuple[str, ...],
    given: Mapping[str, object],
    *,
    seed: int = 0,
    device: str = "cpu",
) -> list[ColumnLaw]:
    """Return p(column | given) of each target; of all other columns if none is named.

    Raises:
        CapabilityError: If the model can be given nothing.
        ConfigError: If there is no such column, or a target is given.
    """
    model, field = open_table(run, device=device)
    row, known = known_row(field, given)
    wanted = targets or tuple(name for name in field.names if name not in given)
    generator = Generator(device).manual_seed(seed_of(seed, "query"))
    laws = []
    for name in wanted:
        if name not in field.names:
            raise ConfigError(f"no column {name!r}{nearest(name, field.names, otherwise=30)}")
        if name in given:
            raise ConfigError(f"{name} must not be both asked for and given")
        at = field.names.index(name)
        x, seen = row[None].to(device), known[None].to(device)
        log_p = model.conditional(x, seen, at)[0].double().cpu()
        laws.append(
            ColumnLaw(
                column=field.columns[at],
                cells=model.table.names(at),
                probabilities=log_p.softmax(dim=0),
                draws=_values(model, log_p, at, generator),
            )
        )
    return laws


def _values(model: InDataUnits, log_p: Tensor, column: int, generator: Generator) -> Tensor:
    """Draw values of a column by the logarithms of its cells' probabilities [K], float64 [M]."""
    cells = torch.zeros((_DRAWS, len(model.table.field.columns)), dtype=torch.int64)
    law = Categorical(logits=log_p.to(generator.device))
    cells = cells.to(generator.device)
    cells[:, column] = draw(law, (_DRAWS,), generator)
    return model.table.inverse(cells, generator)[:, column].cpu()
