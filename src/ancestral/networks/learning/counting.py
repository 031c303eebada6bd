"""Counting: the sufficient statistics of discrete networks, and the tables that they give.

A fully observed network falls apart into one problem a node: its table depends on the data only
through the counts of (parents' states, own state). Counts of parts of the data add up, so data
larger than memory are counted chunk by chunk.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from ancestral.errors import DataError
from ancestral.networks.arguments import check_number, non_negative, to_numpy
from ancestral.networks.bayesian_network import BayesianNetwork
from ancestral.networks.dag import DAG
from ancestral.networks.nodes import Node, Table

Array: TypeAlias = NDArray[np.float64]
Columns: TypeAlias = Mapping[str, "NDArray[np.integer] | Tensor | Sequence[int]"]
"""State indices by node name, [N] each."""

MOST_ENTRIES = 2**28
"""Largest table that is counted: 2 GiB of float64."""


@dataclass(frozen=True, slots=True)
class Structure:
    """A graph and the states of its nodes: a discrete network without its numbers.

    Args:
        parents: Parents of each node, in the order of its table's axes.
        states: Names of the states of each node.

    Raises:
        ValueError: If the graph has a cycle, a node has no states, or its table would have more
            than 2^28 entries.

    Example:
        >>> yes_no = ("no", "yes")
        >>> structure = Structure({"rain": (), "wet": ("rain",)}, {"rain": yes_no, "wet": yes_no})
        >>> structure.shape("wet")
        (2, 2)
    """

    parents: Mapping[str, tuple[str, ...]]
    states: Mapping[str, tuple[str, ...]]

    def __post_init__(self) -> None:
        graph = DAG(self.parents)
        if missing := [name for name in graph.names if not self.states.get(name)]:
            raise ValueError(f"states must name the states of every node, {missing[0]!r} has none")
        object.__setattr__(self, "parents", {name: graph.parents(name) for name in graph.names})
        object.__setattr__(self, "states", {n: tuple(self.states[n]) for n in graph.names})
        for name in graph.names:
            entries = float(np.prod([float(size) for size in self.shape(name)]))
            if entries > MOST_ENTRIES:
                raise ValueError(
                    f"a table must have at most {MOST_ENTRIES} entries, "
                    f"{name!r} with {len(self.parents[name])} parents has {entries:.3g}"
                )

    @classmethod
    def of(cls, network: "BayesianNetwork | Structure") -> "Structure":
        """Return the structure of a network of tables (a structure is returned as it is).

        Raises:
            CapabilityError: If a node is not a table.
        """
        if isinstance(network, Structure):
            return network
        states = {name: network.states(name) for name in network.nodes}
        return cls({name: node.parents for name, node in network.nodes.items()}, states)

    def shape(self, name: str) -> tuple[int, ...]:
        """Return the shape of a node's table, [*parents' numbers of states, states]."""
        return tuple(len(self.states[n]) for n in (*self.parents[name], name))

    def network(self, tables: Mapping[str, Array]) -> BayesianNetwork:
        """Return the network with these probabilities, shaped as :meth:`shape` says."""
        return BayesianNetwork(
            [
                Node(name, Table(tables[name], states=self.states[name]), parents)
                for name, parents in self.parents.items()
            ]
        )


@dataclass(frozen=True, slots=True)
class Counts:
    """How often each node had each state under each state of its parents.

    ``+`` merges the counts of two parts of the data, exactly and in any order.

    Args:
        structure: What was counted.
        tables: Counts by node, float64 [*parents' numbers of states, states].
        rows: Number of rows, or the sum of their weights.
    """

    structure: Structure
    tables: Mapping[str, Array]
    rows: float

    def __add__(self, other: "Counts") -> "Counts":
        if self.structure != other.structure:
            raise ValueError("counts of different structures cannot be added")
        tables = {name: table + other.tables[name] for name, table in self.tables.items()}
        return Counts(self.structure, tables, self.rows + other.rows)


def summarize(
    structure: BayesianNetwork | Structure,
    columns: Columns,
    *,
    weights: ArrayLike | Tensor | None = None,
) -> Counts:
    """Count a table of fully observed discrete columns.

    Args:
        structure: The graph and the states; a network's probabilities are not read.
        columns: State indices, [N] each, one for every node; further columns are ignored. uint8
            is fastest.
        weights: Weight of each row, [N], finite, at least 0; 1 if None.

    Raises:
        ValueError: If the weights are not.
        DataError: If a column is missing, has another length, or holds what is not a state; -1
            (missing) is for :func:`fit_em`.

    Example:
        >>> from ancestral.networks import student_network
        >>> rows = student_network().sample(1000)
        >>> counts = summarize(student_network(), rows)
        >>> counts.tables["x4"].shape, int(counts.tables["x4"].sum())
        ((2, 2, 2), 1000)
    """
    structure = Structure.of(structure)
    sizes = {name: len(states) for name, states in structure.states.items()}
    arrays = check_columns(columns, sizes)
    rows = len(next(iter(arrays.values()))) if arrays else 0
    mass = None if weights is None else non_negative("weights", weights, (rows,))
    tables = {}
    for name, parents in structure.parents.items():
        family = (*parents, name)
        tables[name] = count([arrays[n] for n in family], [sizes[n] for n in family], weights=mass)
    return Counts(structure, tables, float(rows if mass is None else mass.sum()))


def from_summaries(
    counts: Counts | Iterable[Counts],
    *,
    pseudo_count: float = 0.0,
    equivalent_sample_size: float = 0.0,
) -> BayesianNetwork:
    """Return the network whose tables the counts give.

    With both numbers 0 it is the maximum-likelihood network. ``pseudo_count`` a is added to every
    entry: the posterior mean under a Dirichlet(a) prior on each row, and the posterior mode (MAP)
    under Dirichlet(a + 1). ``equivalent_sample_size`` s adds s / (entries of the table) instead:
    the posterior mean under the BDeu prior. A row of parents' states that was never seen is
    uniform: the likelihood does not say anything about it.

    Source: Koller & Friedman 2009, sec. 17.2-17.4; Heckerman et al. 1995 (BDeu).

    Args:
        counts: Counts of one structure, or of parts of the data.
        pseudo_count: Added to every entry, at least 0.
        equivalent_sample_size: Spread over every table, in rows, at least 0.

    Raises:
        ValueError: If there are no counts, or a number is negative, or both are given.

    Example:
        >>> from ancestral.networks import student_network
        >>> student = student_network()
        >>> parts = [summarize(student, student.sample(100)) for _ in range(3)]
        >>> from_summaries(parts, pseudo_count=1).table("x4").probabilities.shape
        torch.Size([2, 2, 2])
    """
    total = counts if isinstance(counts, Counts) else merge(counts)
    tables = {
        name: normalise(table + prior_count(table.size, pseudo_count, equivalent_sample_size))
        for name, table in total.tables.items()
    }
    return total.structure.network(tables)


def fit_tables(
    structure: BayesianNetwork | Structure,
    columns: Columns,
    *,
    pseudo_count: float = 0.0,
    equivalent_sample_size: float = 0.0,
) -> BayesianNetwork:
    """Return the network of this structure that is fitted to fully observed columns.

    It is :func:`summarize` and then :func:`from_summaries`; see there.

    Example:
        >>> yes_no = ("no", "yes")
        >>> structure = Structure({"rain": (), "wet": ("rain",)}, {"rain": yes_no, "wet": yes_no})
        >>> fitted = fit_tables(structure, {"rain": [0, 0, 0, 1], "wet": [0, 0, 1, 1]})
        >>> fitted.table("rain").probabilities.tolist()
        [0.75, 0.25]
    """
    return from_summaries(
        summarize(structure, columns),
        pseudo_count=pseudo_count,
        equivalent_sample_size=equivalent_sample_size,
    )


def merge(parts: Iterable[Counts]) -> Counts:
    """Return the sum of counts. Raises ValueError if there are none, or of different structures."""
    total: Counts | None = None
    for part in parts:
        total = part if total is None else total + part
    if total is None:
        raise ValueError("counts must be at least one, got none")
    return total


def check_columns(columns: Columns, sizes: Mapping[str, int], *, missing: bool = False) -> dict:
    """Return the columns of the nodes as integer arrays [N] whose every value is a state.

    ``sizes`` are the numbers of states of the wanted columns; -1 is allowed where ``missing``.
    Raises DataError if a column is missing, not of whole numbers, of another length, or holds what
    is not a state.
    """
    arrays: dict[str, NDArray[np.integer]] = {}
    for name, size in sizes.items():
        if name not in columns:
            raise DataError(f"no column {name!r}; there is {', '.join(map(str, columns))}")
        array = to_numpy(columns[name])
        if array.dtype == bool:
            array = array.view(np.uint8)
        if array.ndim != 1 or not np.issubdtype(array.dtype, np.integer):
            raise DataError(
                f"column {name!r} must be whole numbers [N], got {array.dtype} {array.shape}"
            )
        rows = len(next(iter(arrays.values()), array))
        if len(array) != rows:
            raise DataError(f"column {name!r} must have {rows} rows, got {len(array)}")
        if rows:
            _check_states(name, array, size, -1 if missing else 0)
        arrays[name] = array
    return arrays


def count(
    columns: Sequence[NDArray[np.integer]],
    sizes: Sequence[int],
    *,
    weights: Array | None = None,
) -> Array:
    """Return how often each combination of states occurs, float64 [*sizes].

    The combination is one mixed-radix number a row, kept as narrow as it fits.
    """
    entries = int(np.prod(sizes))
    narrow = np.min_scalar_type(max(entries - 1, 0))
    index = columns[0]
    if len(columns) > 1:
        index = index.astype(narrow)
        for column, size in zip(columns[1:], sizes[1:], strict=True):
            index *= narrow.type(size)
            # The states are checked: a signed column fits, whatever its width.
            np.add(index, column, out=index, casting="unsafe")
    if weights is not None:
        counts = np.bincount(index, weights, minlength=entries)
    elif index.dtype == np.uint8:
        counts = _count_bytes(index, entries)
    else:  # torch's loop does not make a wide copy first.
        wide = index if index.dtype.kind == "i" else index.astype(np.int32)
        counts = _bincount(wide, entries)
    return counts.astype(np.float64).reshape(sizes)


def prior_count(entries: int, pseudo_count: float, equivalent_sample_size: float) -> float:
    """Return what a prior adds to each entry of a table."""
    for name, value in (
        ("pseudo_count", pseudo_count),
        ("equivalent_sample_size", equivalent_sample_size),
    ):
        check_number(name, value)
    if pseudo_count and equivalent_sample_size:
        raise ValueError(
            "give pseudo_count or equivalent_sample_size, not both: "
            f"got {pseudo_count} and {equivalent_sample_size}"
        )
    return pseudo_count or equivalent_sample_size / entries


def normalise(counts: Array) -> Array:
    """Divide each row by its sum; rows of zeros become uniform."""
    total = counts.sum(-1, keepdims=True)
    seen = total > 0
    return np.where(seen, counts / np.where(seen, total, 1.0), 1.0 / counts.shape[-1])


def _count_bytes(index: NDArray[np.integer], entries: int) -> NDArray[np.integer]:
    """Count in as many lanes as a byte has room for: neighbours then seldom wait for one another.

    Columns are often nearly constant, and an addition to the entry that was just added to must
    wait for it.
    """
    lanes = max(256 // (1 << (entries - 1).bit_length()), 1)
    if lanes > 1:
        index = index + _lanes(len(index), lanes)
    return _bincount(index, 256).reshape(lanes, 256 // lanes).sum(0)[:entries]


def _bincount(index: NDArray[np.integer], entries: int) -> NDArray[np.int64]:
    # What torch cannot share (read-only, backwards) is copied.
    plain = np.require(index, requirements=["C", "W"])
    return torch.bincount(torch.from_numpy(plain), minlength=entries).numpy()


@lru_cache(maxsize=8)
def _lanes(rows: int, lanes: int) -> NDArray[np.uint8]:
    return np.resize(np.arange(0, 256, 256 // lanes, dtype=np.uint8), rows)


def _check_states(name: str, array: NDArray[np.integer], size: int, least: int) -> None:
    highest = int(array.max())
    lowest = 0 if array.dtype.kind == "u" else int(array.min())
    if lowest < least or highest >= size:
        wrong = lowest if lowest < least else highest
        row = int(np.argmax(array == wrong)) + 1
        hint = "; fit_em takes missing values" if wrong == -1 else ""
        raise DataError(
            f"column {name!r} must hold states {least} to {size - 1}, "
            f"got {wrong} in row {row}{hint}"
        )
