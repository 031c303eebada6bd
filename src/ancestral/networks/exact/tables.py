"""The numbers of a discrete network as arrays, seen by index instead of by name."""

import math
from collections.abc import Iterable

import numpy as np
from torch import Tensor

from ancestral.errors import CapabilityError
from ancestral.networks.tabular import TableNetwork

Array = np.ndarray


class Tables:
    """Names, states, parents and tables of a discrete network, indexed in topological order.

    The arrays are views of the network's buffers; :meth:`current` tells whether a buffer was
    replaced or written to since. Raises CapabilityError if a node is not a table.
    """

    def __init__(self, network: TableNetwork) -> None:
        if not network.discrete:
            raise CapabilityError("exact inference needs a network of probability tables only")
        self.names = tuple(network.nodes)
        self.index = {name: at for at, name in enumerate(self.names)}
        tables = [network.table(name) for name in self.names]
        self.states = [table.states for table in tables]
        self.sizes = [len(states) for states in self.states]
        self.parents = [
            tuple([self.index[parent] for parent in node.parents])
            for node in network.nodes.values()
        ]
        self.scopes = [(*parents, at) for at, parents in enumerate(self.parents)]
        self.families = [sum(1 << v for v in scope) for scope in self.scopes]
        self.ancestors: list[int] = []  # Each with the node itself.
        for at, parents in enumerate(self.parents):
            above = 1 << at
            for parent in parents:
                above |= self.ancestors[parent]
            self.ancestors.append(above)
        self._watched: list[tuple[dict[str, Tensor | None], Tensor, int]] = []
        self.arrays: list[Array] = []
        for table in tables:
            buffer = table.probabilities
            self._watched.append((table._buffers, buffer, buffer._version))
            self.arrays.append(buffer.detach().cpu().double().numpy())
        self._floors: list[float | None] = [None] * len(tables)

    def current(self) -> bool:
        """Return whether no table has changed since."""
        for buffers, buffer, version in self._watched:
            if buffers["probabilities"] is not buffer or buffer._version != version:
                return False
        return True

    def floor(self, node: int) -> float:
        """Return the log of the smallest positive entry of a table, at most 0."""
        if (known := self._floors[node]) is None:
            array = self.arrays[node]
            low = array.min()
            if low <= 0:
                low = array[array > 0].min()
            known = self._floors[node] = math.log(low)
        return known

    def relevant(self, nodes: Iterable[int], cut: int = 0) -> int:
        """Return the set of ``nodes`` and their ancestors; nodes of ``cut`` have no parents."""
        if not cut:
            found = 0
            for node in nodes:
                found |= self.ancestors[node]
            return found
        found, stack = 0, list(nodes)
        while stack:
            node = stack.pop()
            if not found >> node & 1:
                found |= 1 << node
                if not cut >> node & 1:
                    stack.extend(self.parents[node])
        return found
