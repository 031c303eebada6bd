"""Gaps of a mixed table, filled in: by draws of a run's model, or once, as well as can be."""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Generator, Tensor

from ancestral.data.answers import Answer, examples_answer
from ancestral.data.cells import on_grid
from ancestral.data.columns import Column, Vector
from ancestral.errors import ConfigError
from ancestral.networks.units import InDataUnits
from ancestral.recipes.completing import open_table
from ancestral.recipes.expecting import expected
from ancestral.recipes.runs import Run
from ancestral.training.order import seed_of

_ROWS = 1 << 16


def impute_rows(
    run: Run | str | Path, x: Tensor, *, draws: int = 1, seed: int = 0, device: str = "cpu"
) -> Tensor:
    """Return rows with their missing cells filled in, each draw anew, float64 [draws, N, D].

    Args:
        run: Of a model of mixed tables, or its folder.
        x: Rows, float64 [N, D], NaN where a cell is to be filled.
        draws: Number of draws, at least 1.
        seed: Of the draws.
        device: Where to compute.

    Raises:
        CapabilityError: If the model can be given nothing.
        ConfigError: If draws < 1.
    """
    model, _ = open_table(Run.open(run), device=device)
    return fill_gaps(model, x, draws=draws, seed=seed, device=device)


@torch.no_grad()
def fill_gaps(
    model: InDataUnits, x: Tensor, *, draws: int = 1, seed: int = 0, device: str = "cpu"
) -> Tensor:
    """Return what :func:`impute_rows` does, of a model that is open.

    Every draw is one from p(missing | known): their spread says how sure the filling is.
    """
    if draws < 1:
        raise ConfigError(f"draws must be at least 1, got {draws}")
    generator = Generator(device).manual_seed(seed_of(seed, "impute"))
    gaps = x.isnan().any(dim=1)
    filled = x.double().repeat(draws, 1, 1)
    rows = x[gaps].double().repeat(draws, 1).to(device)
    parts = [
        model.complete(part, ~part.isnan(), present=True, generator=generator).cpu()
        for part in rows.split(_ROWS)
    ]
    filled[:, gaps] = torch.cat(parts).view(draws, -1, x.shape[1])
    return filled


def best_rows(run: Run | str | Path, x: Tensor, *, seed: int = 0) -> Tensor:
    """Return rows with each missing cell at its mean, of states the most probable, float64 [N, D].

    A draw of a run's model is one of many fillings; this is the one of least squared error, of
    mixtures of Gaussians of the training and the validation rows: see
    :func:`~ancestral.recipes.expecting.expected`. It does not say how sure it is, as draws do.

    Args:
        run: Of a model of mixed tables, or its folder.
        x: Rows, float64 [N, D], NaN where a cell is to be filled.
        seed: Of where the mixtures start.

    Raises:
        CapabilityError: If the run is of other data, or its model can be given nothing.
        RunError: If the run's data have changed.
        DataError: If they cannot be read.
    """
    run = Run.open(run)
    return _best(run, open_table(run)[1], x, seed)


def fillings(
    run: Run,
    model: InDataUnits,
    x: Tensor,
    *,
    draws: int,
    best: bool,
    seed: int,
    device: str,
) -> Tensor:
    """Return draws of filled rows, or the best filling as it would be recorded, [draws, N, D].

    Raises:
        ConfigError: If draws < 1, or more than one is asked for of the best.
        RunError: If the best is asked for and the run's data have changed.
        DataError: If the best is asked for and they cannot be read.
    """
    if not best:
        return fill_gaps(model, x, draws=draws, seed=seed, device=device)
    if draws != 1:
        raise ConfigError(f"draws must be 1 where the best filling is asked for, got {draws}")
    field = model.table.field
    return torch.where(x.isnan(), on_grid(_best(run, field, x, seed), field), x)[None]


def _best(run: Run, field: Vector, x: Tensor, seed: int) -> Tensor:
    data, generator = run.data(), Generator().manual_seed(seed_of(seed, "expected"))
    rows = torch.cat((data.train.x, data.validation.x))
    return expected(x.double(), rows.double(), field.columns, generator=generator)


def impute_table(
    run: Run,
    data: str,
    *,
    draws: int = 1,
    best: bool = False,
    seed: int = 0,
    device: str = "cpu",
) -> Answer:
    """Return a table with its gaps filled in, ``draws`` times one below the other, or once, best.

    Raises:
        CapabilityError: If the model can be given nothing.
        ConfigError: If draws < 1, or more than one is asked for of the best.
        RunError: If the best is asked for and the run's data have changed.
        DataError: If the table cannot be read, or holds a value that is none of its column.
    """
    model, field = open_table(run, device=device)
    x = run.examples(data)[0].x
    filled = fillings(run, model, x, draws=draws, best=best, seed=seed, device=device)
    facts = {"n": len(x), "draws": draws, "filled": int(x.isnan().sum())}
    if draws == 1:
        return examples_answer(filled[0], field, facts, beside=run.folder / "imputed")
    number = torch.arange(1, draws + 1).repeat_interleave(len(x))[:, None].double()
    first = Column(
        name=_free_column("draw", field.names), type="integer", resolution=1, low=1, high=draws
    )
    both = Vector(columns=(first, *field.columns), mixed=True)
    rows = torch.cat((number, filled.flatten(0, 1)), dim=1)
    return examples_answer(rows, both, facts, beside=run.folder / "imputed")


def _free_column(name: str, names: Sequence[str]) -> str:
    """Return a name that no column has."""
    while name in names:
        name += "_"
    return name
