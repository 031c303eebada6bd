"""Filling gaps: ``tabular-ar`` against scikit-learn's IterativeImputer and miceforest, same masks.

miceforest (MIT) has an environment of its own, for its release needs an older LightGBM::

    python3.11 -m venv forest
    forest/bin/pip install miceforest==6.0.5 lightgbm==4.6.0
    ANCESTRAL_PEER_IMPUTATION=forest/bin/python python -m benchmarks imputation

Each side is fitted on the table with the gaps in it. Errors are those of ``impute --best``, which
needs the columns of the run and not its network; the intervals are those of draws from the network.
IterativeImputer fills with what it predicts, and reads states as columns of zeros and ones, one
fewer than there are states; miceforest with the mean of its draws, a state with the commonest.
"""

import math
import os
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import rankdata
from sklearn.datasets import load_breast_cancer, load_wine
from sklearn.exceptions import ConvergenceWarning
from sklearn.experimental import enable_iterative_imputer  # noqa: F401 - it is behind this door
from sklearn.impute import IterativeImputer

from ancestral.data.columns import Column
from ancestral.recipes import fit
from benchmarks.harness import Result
from benchmarks.tables import (
    DATA,
    SETTINGS,
    cells_of,
    columns_of,
    in_another,
    read_table,
    write_table,
)

PEER = "ANCESTRAL_PEER_IMPUTATION"
ROWS = 4_000
"""Of a larger table so many are used, drawn at random."""
DRAWS = 19
"""With the truth they are twenty, of which the least and the greatest are 10%."""
BUDGET = "60s"
MASKS = {"10%": (0.1, False), "30%": (0.3, False), "50%": (0.5, False), "30% by value": (0.3, True)}
"""Share of the cells that are hidden, and whether a greater value is hidden more often."""

Rows = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """A table without gaps.

    Args:
        columns: Numbers and categories.
        x: float64 [N, D].
    """

    columns: tuple[Column, ...]
    x: Rows

    @classmethod
    def of(cls, names: Sequence[str], rows: Sequence[Sequence[str]]) -> "Table":
        """Read rows as a file has them."""
        columns = columns_of(names, rows)
        return cls(columns, cells_of(columns, rows).numpy())

    @property
    def discrete(self) -> NDArray[np.bool_]:
        """Of which columns the numbers are states."""
        return np.array([column.discrete for column in self.columns])


@dataclass(frozen=True, slots=True, eq=False)
class Filled:
    """A table filled.

    Args:
        best: The one best filling, [N, D].
        draws: Several, [K, N, D].
        seconds: What both took.
    """

    best: Rows
    draws: Rows
    seconds: float


def tables() -> Iterator[tuple[str, Table]]:
    """Yield a mixed table, where it is there, and two of numbers with a class."""
    path = DATA / "tables" / "online_shoppers.csv.gz"
    if path.is_file():
        names, rows = read_table(path)
        order = np.random.default_rng(0).permutation(len(rows))[:ROWS]
        yield "online_shoppers", Table.of(names, [rows[i] for i in order])
    else:
        print(f"skip imputation, online_shoppers: no {path}", file=sys.stderr)
    for name, load in (("breast_cancer", load_breast_cancer), ("wine", load_wine)):
        found = load()
        words = found.target_names[found.target].tolist()
        rows = [[*map(repr, x), word] for x, word in zip(found.data.tolist(), words, strict=True)]
        yield name, Table.of([*map(str, found.feature_names), "class"], rows)


def hidden(x: Rows, share: float, *, by_value: bool) -> NDArray[np.bool_]:
    """Return which cells are hidden [N, D]; by value: in proportion to the rank in the column."""
    ranks = rankdata(x, axis=0) / (len(x) + 1)
    chance = 2 * share * ranks if by_value else share
    return np.random.default_rng(1).random(x.shape) < chance


def judge(table: Table, gaps: NDArray[np.bool_], filled: Filled) -> dict[str, float]:
    """Return the error of numbers and of states, and the coverage of intervals of 90%.

    The error of a number is a share of its column's standard deviation, its root mean square over
    the hidden cells of a column, and the mean over columns. An interval covers a truth that is not
    among the least or the greatest twentieth of the draws and itself; equals are put in order at
    random, so that draws from the right law cover 90% however many cells are, say, zero.
    """
    numbers, states = ~table.discrete, table.discrete
    off = np.where(gaps, (filled.best - table.x) / table.x.std(0), np.nan)[:, numbers]
    draws, truth = filled.draws[:, gaps & numbers], table.x[gaps & numbers]
    equal = (draws == truth).sum(0)
    rank = (draws < truth).sum(0) + np.random.default_rng(2).integers(0, equal + 1)
    least = (len(draws) + 1) / 20
    return {
        "error of numbers": float(np.sqrt(np.nanmean(off**2, axis=0)).mean()),
        "error of states": float((filled.best != table.x)[gaps & states].mean()),
        "coverage": float(((rank >= least) & (rank <= len(draws) - least)).mean()),
    }


def run() -> Iterator[Result]:
    """Yield ours against the better of the peers, error by error, and the coverage."""
    sides: dict[str, Callable[[Table, Rows], Filled]] = {"ours": ours, "IterativeImputer": chained}
    if os.environ.get(PEER):
        sides["miceforest"] = forest
    else:
        print(f"skip imputation by miceforest: {PEER} names no interpreter", file=sys.stderr)
    for name, table in tables():
        for mask, (share, by_value) in MASKS.items():
            gaps = hidden(table.x, share, by_value=by_value)
            left = np.where(gaps, np.nan, table.x)
            filled = {who: fill(table, left) for who, fill in sides.items()}
            figures = {who: judge(table, gaps, each) for who, each in filled.items()}
            seconds = {who: each.seconds for who, each in filled.items()}
            yield from _results(f"{name}, {mask}", figures, seconds)


def ours(table: Table, left: Rows) -> Filled:
    """Fit ``tabular-ar``, draw what is missing, and fill best, on one thread."""
    from ancestral.recipes.imputing import best_rows, impute_rows

    threads, begun = torch.get_num_threads(), time.perf_counter()
    torch.set_num_threads(1)
    try:
        with TemporaryDirectory() as folder:
            path = Path(folder) / "gaps.csv"
            write_table(path, [column.name for column in table.columns], _words(table, left))
            out = Path(folder) / "run"
            run_ = fit("tabular-ar", path, settings=SETTINGS, budget=BUDGET, out=out)
            # The run has numbers of its own for the states.
            own = run_.record.data.field.columns
            meant = [_meant(*pair) for pair in zip(table.columns, own, strict=True)]
            x = torch.from_numpy(_by_column(left, meant, _place))
            filled = impute_rows(run_, x, draws=DRAWS, seed=1).numpy()
            best = _by_column(best_rows(run_, x).numpy(), meant, _value)
    finally:
        torch.set_num_threads(threads)
    draws = np.stack([_by_column(draw, meant, _value) for draw in filled])
    return Filled(best, draws, time.perf_counter() - begun)


def chained(table: Table, left: Rows) -> Filled:
    """Let scikit-learn fill; its draws are passes of one chain, fitted once."""
    begun = time.perf_counter()
    mean, scale = np.nanmean(left, axis=0), np.nanstd(left, axis=0)
    blocks = [
        _indicators(cells, len(column.states)) if column.discrete else ((cells - m) / s)[:, None]
        for cells, column, m, s in zip(left.T, table.columns, mean, scale, strict=True)
    ]
    edges = np.cumsum([block.shape[1] for block in blocks])[:-1]

    def back(wide: Rows) -> Rows:
        parts = zip(np.split(wide, edges, axis=1), table.discrete, mean, scale, strict=True)
        filled = [
            np.hstack((1 - part.sum(1, keepdims=True), part)).argmax(1)
            if states
            else part[:, 0] * s + m
            for part, states, m, s in parts
        ]
        return np.where(np.isnan(left), np.stack(filled, axis=1), left)

    wide = np.concatenate(blocks, axis=1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        best = back(IterativeImputer(random_state=0).fit_transform(wide))
        chain = IterativeImputer(random_state=0, sample_posterior=True).fit(wide)
        draws = np.stack([back(chain.transform(wide)) for _ in range(DRAWS)])
    return Filled(best, draws, time.perf_counter() - begun)


def forest(table: Table, left: Rows) -> Filled:
    """Let miceforest fill, in a process of its own."""
    begun, script = time.perf_counter(), Path(__file__).with_name("imputation_peer.py")
    with TemporaryDirectory() as folder:
        gaps, out = Path(folder) / "gaps.npz", Path(folder) / "filled.npz"
        np.savez(gaps, x=left, discrete=table.discrete)
        in_another([os.environ[PEER], str(script), str(gaps), str(DRAWS), str(out)])
        draws = np.load(out)["draws"]
    return Filled(_best(draws, table.discrete), draws, time.perf_counter() - begun)


def _results(
    name: str, figures: dict[str, dict[str, float]], seconds: dict[str, float]
) -> Iterator[Result]:
    for what, mine in figures["ours"].items():
        every = {who: each[what] for who, each in figures.items()}
        others = {who: value for who, value in every.items() if who != "ours"}
        peer = min(others, key=others.__getitem__)
        ratio = (others[peer] + 1e-9) / (mine + 1e-9)  # There may be no error at all.
        if what == "coverage":
            peer, ratio = "85 to 95%", 0.05 / max(abs(mine - 0.9), 0.005)
        yield Result(
            name=f"imputation, {name}, {what}",
            peer=peer,
            ours_seconds=seconds["ours"],
            peer_seconds=seconds.get(peer, math.nan),
            ratio=ratio,
            rounds=[],
            bar=1,
            note=", ".join(f"{who} {value:.3f}" for who, value in every.items()),
            figures=every,
        )


def _words(table: Table, x: Rows) -> list[list[str]]:
    """Return rows as they are written; a missing cell is empty."""

    def written(column: Column, cell: float) -> str:
        if math.isnan(cell):
            return ""
        return column.states[int(cell)] if column.discrete else repr(cell)

    return [[written(*pair) for pair in zip(table.columns, row, strict=True)] for row in x.tolist()]


def _meant(mine: Column, own: Column) -> Rows | None:
    """Return what each state of the run's column is in ours; None: it holds numbers."""
    if not own.discrete:
        return None
    known = {state: place for place, state in enumerate(mine.states)}
    return np.array([known[state] if mine.discrete else float(state) for state in own.states])


def _by_column(x: Rows, meant: Sequence[Rows | None], change: Callable[[Rows, Rows], Rows]) -> Rows:
    columns = zip(x.T, meant, strict=True)
    return np.stack(
        [cells if own is None else change(own, cells) for cells, own in columns], axis=1
    )


def _place(own: Rows, cells: Rows) -> Rows:
    """Return which state of the run each cell is; NaN stays."""
    return np.where(np.isnan(cells), np.nan, (cells[:, None] == own).argmax(1))


def _value(own: Rows, cells: Rows) -> Rows:
    """Return what each state of the run is."""
    return own[cells.astype(int)]


def _best(draws: Rows, discrete: NDArray[np.bool_]) -> Rows:
    """Return the mean of the draws [N, D], of states the commonest."""
    best = draws.mean(0)
    for column in np.flatnonzero(discrete):
        cells = draws[:, :, column]
        votes = np.stack([(cells == state).sum(0) for state in range(int(cells.max()) + 1)])
        best[:, column] = votes.argmax(0)
    return best


def _indicators(cells: Rows, states: int) -> Rows:
    """Return a column for each state but the first: all of them would tell one by the others."""
    return np.where(np.isnan(cells)[:, None], np.nan, cells[:, None] == np.arange(1, states))
