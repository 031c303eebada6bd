"""Rows of a mixed table: ``tabular-ar`` against TabularARGN, same split, time and thread.

The peer has an environment of its own, for torch's own companions do not import beside a CPU one::

    python3.11 -m venv argn
    argn/bin/pip install torch==2.13.0
    argn/bin/pip install mostlyai-engine==2.7.3
    argn/bin/pip uninstall -y torchvision torchaudio
    ANCESTRAL_PEER_TABLES=argn/bin/python python -m benchmarks tables

Ours has the wall time that the peer's fit took, reading included, and once more half of it. Each
side draws as many rows as it was fitted on.
"""

import csv
import gzip
import json
import math
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from torch import Generator, Tensor

from ancestral.data.columns import Column
from ancestral.data.writing import write_samples
from ancestral.evaluation.tables.coding import Coding
from ancestral.evaluation.tables.privacy import copies
from ancestral.evaluation.tables.trees import Features, Task, detection
from ancestral.evaluation.tables.variation import pairs_of, total_variation
from ancestral.recipes import plan, sample_run, start
from ancestral.training import Budget
from benchmarks.harness import Result

DATA = Path(os.environ.get("ANCESTRAL_DATA", Path(__file__).resolve().parents[2] / "shared/data"))
PEER = "ANCESTRAL_PEER_TABLES"
SETTINGS = {"fractions": (0.1, 0.001)}
"""Of ours: as the peer, it stops by a tenth of the rows; no more need be held out."""

COLUMNS, PAIRS, DETECTED, USEFUL = (
    "variation of columns",
    "variation of pairs",
    "detection AUC",
    "utility AUC",
)
COMPARED = (COLUMNS, PAIRS, DETECTED, USEFUL)
"""The last is better when it is more, the others when they are less."""
COPIED, COPIED_HELD_OUT = "copies of training rows", "copies of held-out rows"


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """What is asked on a table.

    Args:
        target: The column, of two states, that a user would predict.
        minutes: How long the peer trains.
        detected: AUC that ours may at most be told from real rows with.
    """

    target: str
    minutes: float
    detected: float


GOALS = {
    "census": Goal(target="income", minutes=3, detected=0.55),
    "online_shoppers": Goal(target="Revenue", minutes=2, detected=0.60),
}


@dataclass(frozen=True, slots=True)
class Made:
    """Rows that a model made, as they stand in its file, and what they cost.

    Args:
        rows: float64 [N, D].
        fit: Wall time of the fit, reading included, in seconds.
        cpu: Processor time of the fit.
        draw: Wall time of drawing the rows and writing them.
    """

    rows: Tensor
    fit: float
    cpu: float
    draw: float


@dataclass(frozen=True, eq=False)
class Split:
    """A table split in two files, and the judge of rows made for it.

    Args:
        folder: Where its files lie.
        columns: Numbers and categories.
        train: Rows to fit on, float64 [N, D]: four fifths, drawn at random; ``train.csv``.
        test: The others, ``test.csv``.
        target: The column that a user would predict.
    """

    folder: Path
    columns: tuple[Column, ...]
    train: Tensor
    test: Tensor
    target: str

    @classmethod
    def of(cls, path: Path, folder: Path, target: str) -> "Split":
        """Write both files into the folder."""
        names, rows = read_table(path)
        columns = columns_of(names, rows)
        order = torch.randperm(len(rows), generator=Generator().manual_seed(0))
        parts = [
            [rows[i] for i in part.tolist()] for part in order.tensor_split([4 * len(rows) // 5])
        ]
        for name, part in zip(("train", "test"), parts, strict=True):
            write_table(folder / f"{name}.csv", names, part)
        train, test = (cells_of(columns, part) for part in parts)
        return cls(folder, columns, train, test, target)

    @property
    def training_file(self) -> Path:
        """The csv to fit on."""
        return self.folder / "train.csv"

    @property
    def names(self) -> list[str]:
        """Names of the columns."""
        return [column.name for column in self.columns]

    @cached_property
    def coding(self) -> Coding:
        """Numbers cut at the tenths of the training rows, states as they are."""
        return Coding(self.columns, self.train)

    @cached_property
    def task(self) -> Task:
        """To tell the target of the held-out rows."""
        place = self.names.index(self.target)
        return Task(Features(self.columns, self.train), place, self.test)

    def made(self, path: Path) -> Tensor:
        """Return the rows of a file of samples."""
        names, rows = read_table(path)
        if names != self.names:
            raise RuntimeError(f"{path} has other columns than the table: {', '.join(names)}")
        return cells_of(self.columns, rows)

    def judge(self, made: Tensor) -> dict[str, float]:
        """Return the figures of made rows, best as many as of training."""
        x, y, sizes = self.coding(made), self.coding(self.test), self.coding.sizes
        pairs = pairs_of(len(sizes), seed=0)
        return {
            COLUMNS: total_variation(x, y, sizes, [(j,) for j in range(len(sizes))])[1].value,
            PAIRS: total_variation(x, y, sizes, pairs)[1].value,
            DETECTED: detection(self.test, made, self.task.features).value,
            USEFUL: self.task.utility(made).value,
            COPIED: copies(made, self.train).value,
            COPIED_HELD_OUT: copies(made, self.test).value,
        }

    def floor(self) -> dict[str, float]:
        """Return the figures of real rows: the training rows, but of copies the held-out ones."""
        return {**self.judge(self.train), COPIED: copies(self.test, self.train).value}


def run() -> Iterator[Result]:
    """Yield each figure as peer / ours, or ours / peer where more is better, and the bars."""
    python = os.environ.get(PEER)
    if not python:
        print(f"skip tables: {PEER} names no interpreter", file=sys.stderr)
        return
    for name, goal in GOALS.items():
        path = DATA / "tables" / f"{name}.csv.gz"
        if not path.is_file():
            print(f"skip tables, {name}: no {path}", file=sys.stderr)
            continue
        with TemporaryDirectory() as folder:
            table = Split.of(path, Path(folder), goal.target)
            peer = theirs(table, goal.minutes, python)
            whole, half = ours(table, peer.fit), ours(table, peer.fit / 2)
            yield from _results(name, goal, table, {"peer": peer, "ours": whole, "half": half})


def theirs(table: Split, minutes: float, python: str) -> Made:
    """Let the peer fit and draw in its own process; its rows are left in ``peer.csv``."""
    script, out = Path(__file__).with_name("tables_peer.py"), table.folder / "peer.csv"
    words = [str(script), str(table.training_file), str(minutes), str(len(table.train)), str(out)]
    told = json.loads(in_another([python, *words]).splitlines()[-1])
    return Made(table.made(out), told["fit"], told["cpu"], told["draw"])


def ours(table: Split, seconds: float) -> Made:
    """Fit ``tabular-ar`` for that long, reading included, on one thread, and draw."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with TemporaryDirectory() as folder:
            wall, cpu = time.perf_counter(), time.process_time()
            chosen = plan("tabular-ar", table.training_file, settings=SETTINGS, budget="1h")
            left = Budget(seconds=seconds - (time.perf_counter() - wall))
            fitting = start(replace(chosen, budget=left), Path(folder) / "run")
            for _ in fitting:
                pass
            fitted, cpu = time.perf_counter(), time.process_time() - cpu
            rows = sample_run(fitting.run, len(table.train), seed=1)
            path = Path(folder) / "ours.csv"
            write_samples(rows, path, fitting.run.record.data.field)
            return Made(table.made(path), fitted - wall, cpu, time.perf_counter() - fitted)
    finally:
        torch.set_num_threads(threads)


def _results(name: str, goal: Goal, table: Split, sides: dict[str, Made]) -> Iterator[Result]:
    peer, whole, half = sides.values()
    real = table.floor()
    asked, found, early = (table.judge(made.rows) for made in sides.values())

    def result(what: str, ratio: float, figures: Mapping[str, float], mine: Made) -> Result:
        return Result(
            name=f"{name}, {what}",
            peer="TabularARGN",
            ours_seconds=mine.fit,
            peer_seconds=peer.fit,
            ratio=ratio,
            rounds=[],
            bar=1,
            note=", ".join(f"{each} {value:.4f}" for each, value in figures.items()),
            figures=dict(figures),
        )

    for what in COMPARED:
        figures = {"ours": found[what], "peer": asked[what], "real": real[what]}
        yield result(what, _better(what, found, asked), figures, whole)
    figures = {"ours": found[DETECTED], "at most": goal.detected}
    yield result("detection AUC that is asked", goal.detected / found[DETECTED], figures, whole)
    figures = {what: early[what] for what in COMPARED}
    ratio = min(_better(what, early, asked) for what in COMPARED)
    yield result("all four in half of its time", ratio, figures, half)
    figures = {
        f"{who}, {what}": each[what]
        for what in (COPIED, COPIED_HELD_OUT)
        for who, each in (("ours", found), ("peer", asked), ("real", real))
    }
    ratio = max(asked[COPIED], real[COPIED]) / max(found[COPIED], 1 / len(table.train))
    yield result("copies: no more than the peer or real rows", ratio, figures, whole)
    yield Result(
        name=f"{name}, drawing {len(table.train)} rows into a file",
        peer="TabularARGN",
        ours_seconds=whole.draw,
        peer_seconds=peer.draw,
        ratio=peer.draw / whole.draw,
        rounds=[],
        bar=1,
        note=f"processor time of the fits: {whole.cpu:.0f} s and {peer.cpu:.0f} s",
        figures={"load": os.getloadavg()[0]},
    )


def _better(what: str, mine: dict[str, float], other: dict[str, float]) -> float:
    """Return how many times as good mine is."""
    return mine[what] / other[what] if what == USEFUL else other[what] / mine[what]


def in_another(words: Sequence[str]) -> str:
    """Run another interpreter on one thread, without our packages; return what it printed."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    alone = {"OMP_NUM_THREADS": "1", "LOKY_MAX_CPU_COUNT": "1"}
    done = subprocess.run(
        words, stdout=subprocess.PIPE, text=True, check=True, env={**kept, **alone}
    )
    return done.stdout


def read_table(path: Path) -> tuple[list[str], list[list[str]]]:
    """Return the names of the columns of a csv, plain or packed, and its rows."""
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "rt", encoding="utf-8", newline="") as file:
        names, *rows = csv.reader(file)
    return names, rows


def write_table(path: Path, names: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Write a csv."""
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([names, *rows])


def columns_of(names: Sequence[str], rows: Sequence[Sequence[str]]) -> tuple[Column, ...]:
    """Return a column of numbers where all its cells are, else a category of its words in order."""
    pairs = zip(names, zip(*rows, strict=True), strict=True)
    return tuple(
        Column(name=name)
        if _all_numbers(cells)
        else Column(name=name, type="category", states=tuple(sorted({*cells} - {""})))
        for name, cells in pairs
    )


def cells_of(columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> Tensor:
    """Return rows as float64 [N, D]; NaN where a cell is empty, or a word that no other row has.

    So a word of its own making, as for what is rare, counts against a model as a gap does.
    """
    found = []
    for column, cells in zip(columns, zip(*rows, strict=True), strict=True):
        number = {state: float(place) for place, state in enumerate(column.states)}
        found.append(
            [
                number.get(cell, math.nan) if column.discrete else float(cell or "nan")
                for cell in cells
            ]
        )
    return torch.tensor(found, dtype=torch.float64).T.contiguous()


def _all_numbers(cells: Sequence[str]) -> bool:
    try:
        return bool([float(cell) for cell in cells if cell])
    except ValueError:
        return False
