"""Data frame in, data frame out: rows drawn and gaps filled in the types of the user's table."""

from collections.abc import Mapping
from pathlib import Path

import torch

from ancestral.data.columns import Vector
from ancestral.data.frames import Frame, as_frame, filled_frame, noted_schema, schema_of_file
from ancestral.data.schema import loading_like
from ancestral.data.typed import contents_of_arrow
from ancestral.data.words import arrow_table
from ancestral.errors import CapabilityError
from ancestral.recipes.completing import open_table
from ancestral.recipes.imputing import fillings
from ancestral.recipes.runs import Run
from ancestral.recipes.sampling import Asked, draw_table


def sample(
    run: Run | str | Path,
    n: int | None = None,
    *,
    conditions: Mapping[str, object] | None = None,
    balance: str | None = None,
    seed: int = 0,
    device: str = "cpu",
) -> Frame:
    """Return rows drawn from a run on a table, in the types of the table.

    Args:
        run: The run, or its folder.
        n: Number of rows, at least 1; None for 16.
        conditions: Values of some columns, which are held; what else the model can be given.
        balance: A category whose states come equally often, of a mixed table.
        seed: Of the draws.
        device: Where to compute.

    Returns:
        A data frame of the library, and of the types, of the one that the run was fitted to; of
        a run on a file a table of Arrow.

    Raises:
        CapabilityError: If the run is not of a table, or the model cannot do what is asked.
        ConfigError: If n < 1, a column is unknown, or a value is none of its column.
        RunError: If it is not a run or has no weights.

    Example:
        >>> import pyarrow as pa
        >>> from tempfile import TemporaryDirectory
        >>> from ancestral.recipes import fit
        >>> table = pa.table({"sex": ["f", "m"] * 20, "age": [31, None, 40, 52] * 10})
        >>> with TemporaryDirectory() as folder:
        ...     run = fit("latent-class", table, out=f"{folder}/run")
        ...     sample(run, 2, conditions={"sex": "f"})["sex"].to_pylist()
        ['f', 'f']
    """
    run = Run.open(run)
    if not isinstance(run.record.data.field, Vector):
        raise CapabilityError(f"{run.folder} is not of a table; sample_run gives its draws")
    settings = {} if balance is None else {"balance": balance}
    asked = Asked(n=n, given=conditions or {}, settings=settings, seed=seed, device=device)
    x, field = draw_table(run, asked)
    return as_frame(x, field, schema_of_file(run.record.data.source))


def impute(
    run: Run | str | Path,
    frame: Frame,
    *,
    draws: int = 1,
    best: bool = False,
    seed: int = 0,
    device: str = "cpu",
) -> list[Frame]:
    """Return a data frame with its gaps filled in, ``draws`` times, or once, as well as can be.

    Every draw is one from p(missing | known). Columns that the run leaves out stay as they are.

    Args:
        run: A run on a mixed table, or its folder.
        frame: Of pandas or polars, or a table of Arrow, with the columns of the run.
        draws: Number of draws, at least 1.
        best: Fill each gap with its mean, of states the most probable, in place of a draw: what
            :func:`~ancestral.recipes.imputing.best_rows` gives, at the nearest recorded number.
        seed: Of the draws.
        device: Where to compute.

    Raises:
        CapabilityError: If the model can be given nothing.
        ConfigError: If draws < 1, or more than one is asked for of the best.
        RunError: If the best is asked for and the run's data have changed.
        DataError: If a column is missing, or holds a value that is none of its column.

    Example:
        >>> import pyarrow as pa
        >>> from tempfile import TemporaryDirectory
        >>> from ancestral.recipes import fit
        >>> table = pa.table({"sex": ["f", "m"] * 20, "age": [31, None, 40, 52] * 10})
        >>> with TemporaryDirectory() as folder:
        ...     run = fit("latent-class", table, out=f"{folder}/run")
        ...     first, second = impute(run, table, draws=2)
        >>> first["age"].null_count, first["age"].type
        (0, DataType(int64))
    """
    run = Run.open(run)
    model, field = open_table(run, device=device)
    table = arrow_table(frame, "the table")
    loading = loading_like(run.record.data.loading, field)
    x = contents_of_arrow(table, loading, "the table", field).examples.x
    # Rows without any cell at the end are filled in as well.
    empty = x.new_full((table.num_rows - len(x), x.shape[1]), torch.nan)
    x = torch.cat([x, empty])
    filled = fillings(run, model, x, draws=draws, best=best, seed=seed, device=device)
    schema = noted_schema(frame, table)
    return [filled_frame(table, rows, field, schema) for rows in filled]
