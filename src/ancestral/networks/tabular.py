"""What sampling and exact inference ask of a network of probability tables."""

from collections.abc import Mapping
from typing import Protocol

from ancestral.networks.nodes import Node, Table


class TableNetwork(Protocol):
    """A network seen from below: :class:`ancestral.networks.BayesianNetwork` is one."""

    @property
    def nodes(self) -> Mapping[str, Node]:
        """The nodes by name, in topological order."""
        ...

    @property
    def discrete(self) -> bool:
        """Whether every node is a probability table."""
        ...

    def states(self, name: str) -> tuple[str, ...]:
        """Return the names of the states of a node."""
        ...

    def table(self, name: str) -> Table:
        """Return the probability table of a node."""
        ...
