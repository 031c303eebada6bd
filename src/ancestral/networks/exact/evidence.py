"""Evidence as the user gives it, and as indices."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias, TypeVar

import numpy as np
from numpy.typing import ArrayLike

from ancestral.errors import InferenceError
from ancestral.networks.arguments import listed, non_negative, state_index, to_numpy
from ancestral.networks.exact.tables import Array, Tables

Given: TypeAlias = Mapping[str, str | float]
_T = TypeVar("_T")


@dataclass(slots=True)
class Case:
    """What is known in one case.

    Args:
        values: State by node; 0 where nothing is known.
        observed: Set of the nodes with evidence.
        cut: Set of the nodes set by intervention.
        soft: Pairs (node, likelihood of its states).
    """

    values: list[int]
    observed: int = 0
    cut: int = 0
    soft: list[tuple[int, Array]] = field(default_factory=list)

    @property
    def weighed(self) -> int:
        """Set of the nodes with a likelihood."""
        found = 0
        for node, _ in self.soft:
            found |= 1 << node
        return found

    @property
    def known(self) -> int:
        """Set of the nodes whose state is known, seen or set."""
        return self.observed | self.cut


def read_case(
    tables: Tables,
    given: Given | None,
    likelihood: Mapping[str, ArrayLike] | None = None,
    do: Given | None = None,
) -> Case:
    """Check evidence and turn it into indices.

    Raises InferenceError if a name or state is unknown, a node is both given and set, or a
    likelihood is not one non-negative number a state with a positive one among them.
    """
    case = Case([0] * len(tables.sizes))
    for name, state in (do or {}).items():
        node = find(tables, name)
        case.values[node] = state_index(name, tables.states[node], state)
        case.cut |= 1 << node
    for name, state in (given or {}).items():
        node = find(tables, name)
        if case.cut >> node & 1:
            raise InferenceError(f"{name!r} cannot be both given and set by do")
        case.values[node] = state_index(name, tables.states[node], state)
        case.observed |= 1 << node
    for name, weights in (likelihood or {}).items():
        node = find(tables, name)
        called = f"the likelihood of {name!r}"
        array = non_negative(
            called, weights, (tables.sizes[node],), some=True, error=InferenceError
        )
        case.soft.append((node, array))
    return case


def find(tables: Tables, name: str) -> int:
    """Return the index of a node. Raises InferenceError if there is none."""
    try:
        return tables.index[name]
    except KeyError:
        known = listed(tables.names)
        raise InferenceError(f"no node {name!r}; the nodes are {known}") from None


def read_names(tables: Tables, names: Iterable[str]) -> list[int]:
    """Return the indices of nodes; a string is one name.

    Raises InferenceError if there is no such node.
    """
    return [find(tables, name) for name in ([names] if isinstance(names, str) else names)]


def read_rows(
    tables: Tables, given: Mapping[str, ArrayLike], cut: int = 0
) -> tuple[list[int], Array]:
    """Check rows of evidence; return the nodes and their states, [nodes, N], -1 where missing.

    Raises InferenceError if a name is unknown or in the set ``cut`` of nodes set by intervention, a
    column is not one-dimensional and whole numbers, the lengths differ, there is no column, or a
    state is out of range.
    """
    nodes = [find(tables, name) for name in given]
    if both := [name for name, node in zip(given, nodes, strict=True) if cut >> node & 1]:
        raise InferenceError(f"{both[0]!r} cannot be both given and set by do")
    columns: list[Array] = []
    for name, node, values in zip(given, nodes, given.values(), strict=True):
        column = to_numpy(values)
        if column.ndim != 1 or not np.issubdtype(column.dtype, np.integer):
            raise InferenceError(
                f"{name!r} must be one whole number a row, -1 where missing, "
                f"got {column.dtype} {list(column.shape)}"
            )
        if columns and len(column) != len(columns[0]):
            raise InferenceError(
                f"all columns need {len(columns[0])} rows, {name!r} has {len(column)}"
            )
        if len(column) and (column.min() < -1 or column.max() >= tables.sizes[node]):
            wrong = column.min() if column.min() < -1 else column.max()
            raise InferenceError(
                f"{name!r} has states 0 to {tables.sizes[node] - 1}, -1 is missing, got {wrong}"
            )
        columns.append(column.astype(np.int64))
    if not columns:
        raise InferenceError("rows of evidence need at least one column, got none")
    return nodes, np.stack(columns)


def by_pattern(rows: Array) -> list[tuple[Array, Array]]:
    """Group rows [nodes, N] by their missing cells: pairs (which nodes are known, row numbers)."""
    known = rows >= 0
    if known.all():
        return [(known[:, 0], np.arange(rows.shape[1]))] if rows.shape[1] else []
    packed = np.ascontiguousarray(np.packbits(known, axis=0).T)
    keys = packed.view(np.dtype((np.void, packed.shape[1])))[:, 0]
    _, first, which = np.unique(keys, return_index=True, return_inverse=True)
    order = np.argsort(which, kind="stable")
    groups = np.split(order, np.cumsum(np.bincount(which))[:-1])
    return [(known[:, at], members) for at, members in zip(first, groups, strict=True)]


def smallest_conflict(items: Sequence[_T], possible: Callable[[Sequence[_T]], bool]) -> list[_T]:
    """Return a subset of ``items`` that is impossible, while all of its own subsets are possible.

    Source: Junker 2004, QuickXplain: preferred explanations and relaxations for over-constrained
    problems.
    """

    def explain(background: list[_T], changed: bool, left: list[_T]) -> list[_T]:
        if changed and not possible(background):
            return []
        if len(left) == 1:
            return left
        first, second = left[: len(left) // 2], left[len(left) // 2 :]
        of_second = explain(background + first, bool(first), second)
        return explain(background + of_second, bool(of_second), first) + of_second

    return explain([], False, list(items)) if items else []
