"""What every file format says of a network: variables, states, parents, tables; checked once."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NoReturn

import numpy as np

from ancestral.errors import CapabilityError, DataError
from ancestral.networks.bayesian_network import BayesianNetwork
from ancestral.networks.nodes import Node, Table

LARGEST = 1 << 28
"""Entries of a table above which a file is refused before memory is asked for."""

Fail = Callable[[str], NoReturn]
"""Raise a DataError with this message and the place where the reader is."""


@dataclass(frozen=True, slots=True)
class Description:
    """A network while its file is being read.

    Args:
        states: Names of the states of each declared variable.
        parents: Parents of each variable whose table was read.
        tables: Probabilities, [*parents' states, states].
        places: Where each variable was declared, in the reader's own count.
    """

    states: dict[str, tuple[str, ...]] = field(default_factory=dict)
    parents: dict[str, tuple[str, ...]] = field(default_factory=dict)
    tables: dict[str, np.ndarray] = field(default_factory=dict)
    places: dict[str, int] = field(default_factory=dict)

    def declare(self, variable: str, states: list[str], place: int, fail: Fail) -> None:
        """Add a variable; its name and those of its states must be new."""
        if variable in self.states:
            fail(f"variable {variable!r} is declared twice")
        if not states:
            fail(f"variable {variable!r} needs at least one state, got none")
        if len(set(states)) < len(states):
            twice = next(state for state in states if states.count(state) > 1)
            fail(f"the states of {variable!r} must differ, got {twice!r} twice")
        self.states[variable] = tuple(states)
        self.places[variable] = place

    def shape(self, scope: tuple[str, ...], fail: Fail) -> list[int]:
        """Return the shape of the table over ``scope``: parents, then the variable."""
        for name in scope:
            if name not in self.states:
                fail(f"no variable {name!r} is declared above")
        if scope[-1] in self.tables:
            fail(f"{scope[-1]!r} has two probability tables")
        if len(set(scope)) < len(scope):
            fail(
                f"the parents of {scope[-1]!r} must differ from it and each other, got {scope[:-1]}"
            )
        shape = [len(self.states[name]) for name in scope]
        if (size := int(np.prod(shape, dtype=float))) > LARGEST or len(shape) > 60:
            fail(f"the table of {scope[-1]!r} would have {size:.3g} entries, too many to hold")
        return shape

    def add(
        self, scope: tuple[str, ...], rows: np.ndarray, fail: Callable[[str, int], NoReturn]
    ) -> None:
        """Add a table over ``scope``, parents, then the variable.

        ``rows`` are [product of the parents' states, states], NaN where nothing was said; ``fail``
        is called with a message and the number of the row that is wrong.
        """
        variable, parents = scope[-1], scope[:-1]
        totals = rows.sum(-1)
        wrong = ~(np.abs(totals - 1) <= 1e-3) | (rows < 0).any(-1)
        shape = [len(self.states[name]) for name in scope]
        if wrong.any():
            row = int(wrong.argmax())
            index = np.unravel_index(row, shape[:-1]) if parents else ()
            where = ", ".join(self.states[p][i] for p, i in zip(parents, index, strict=True))
            what = f"p({variable} | {where})" if parents else f"p({variable})"
            said = f"they sum to {totals[row]:.6g}"
            if (rows[row] < 0).any():
                said = f"one is {rows[row].min():.6g}"
            elif np.isnan(totals[row]):
                said = "a row is missing"
            fail(f"{what} must be probabilities that sum to 1, {said}", row)
        # Rows that sum to 1 but for rounding are kept to the last bit, as Table does.
        off = np.abs(totals - 1) > shape[-1] * np.finfo(float).eps
        if off.any():
            rows = np.where(off[:, None], rows / totals[:, None], rows)
        self.tables[variable] = rows.reshape(shape)
        self.parents[variable] = parents

    def network(self, name: str, kind: str, line: Callable[[int], int]) -> BayesianNetwork:
        """Build the network; ``line`` maps a place in the file to a line.

        Raises DataError if there is no variable, one has no table, or the arcs form a cycle.
        """
        if not self.states:
            raise DataError(f"{name} holds no variable: not a {kind} network")
        for variable, place in self.places.items():
            if variable not in self.tables:
                raise DataError(
                    f"{name}, line {line(place)}: no probability table for {variable!r}"
                )
        try:
            return BayesianNetwork(
                [
                    Node(
                        variable, Table(table, states=self.states[variable]), self.parents[variable]
                    )
                    for variable, table in self.tables.items()
                ]
            )
        except ValueError as error:
            raise DataError(f"{name}: {error}") from None


def check_writable(network: BayesianNetwork, kind: str) -> None:
    """Refuse a network that is not made of tables.

    Raises CapabilityError if a node is not a table, or the network has inputs.
    """
    if not network.discrete:
        odd = [n for n, node in network.nodes.items() if not isinstance(node.conditional, Table)]
        what = f"node {odd[0]!r} is none" if odd else f"{network.inputs[0]!r} is an input"
        raise CapabilityError(f"{kind} holds networks of probability tables only, {what}")


def rows_of(network: BayesianNetwork, name: str) -> list[list[float]]:
    """Return the rows of a table, the last parent fastest, as Python numbers."""
    table = network.table(name).probabilities.cpu()
    return table.reshape(-1, table.shape[-1]).tolist()
