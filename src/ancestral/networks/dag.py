"""Directed acyclic graphs: the structure of every generative model in this library."""

from collections import deque
from collections.abc import Collection, Iterable, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from types import MappingProxyType


class DAG:
    """A directed acyclic graph over named nodes, given by each node's parents.

    Source: Koller & Friedman 2009, Probabilistic Graphical Models, ch. 2-3.

    Args:
        parents: The parents of each node, in the order in which its conditional takes them.
            A parent that is not itself a key becomes a root.

    Raises:
        ValueError: If a node is its own ancestor (the cycle is named) or a parent is repeated.

    Example:
        >>> dag = DAG({"x2": ["x1"], "x3": ["x1"], "x4": ["x2", "x3"]})
        >>> dag.names
        ('x1', 'x2', 'x3', 'x4')
        >>> dag.d_separated(["x2"], ["x3"], given=["x1"])
        True
    """

    def __init__(self, parents: Mapping[str, Sequence[str]]) -> None:
        complete = {name: tuple(above) for name, above in parents.items()}
        for above in parents.values():
            for name in above:
                complete.setdefault(name, ())
        children: dict[str, list[str]] = {name: [] for name in complete}
        sorter = TopologicalSorter(dict.fromkeys(complete, ()))  # Ties keep the given order.
        for name, above in complete.items():
            if len(set(above)) < len(above):
                raise ValueError(f"parents of {name!r} must differ, got {list(above)}")
            sorter.add(name, *above)
            for parent in above:
                children[parent].append(name)
        self._parents = complete
        self._children = {name: tuple(below) for name, below in children.items()}
        try:
            self._names = tuple(sorter.static_order())
        except CycleError as error:
            cycle = " -> ".join(error.args[1])
            raise ValueError(f"the graph must have no cycle, got {cycle}") from None

    @property
    def names(self) -> tuple[str, ...]:
        """All nodes in a topological order: parents before children."""
        return self._names

    @property
    def edges(self) -> tuple[tuple[str, str], ...]:
        """All (parent, child) pairs."""
        return tuple((parent, name) for name in self._names for parent in self._parents[name])

    @property
    def roots(self) -> tuple[str, ...]:
        """The nodes without parents."""
        return tuple(name for name in self._names if not self._parents[name])

    @property
    def as_mapping(self) -> Mapping[str, tuple[str, ...]]:
        """The parents of every node, read-only."""
        return MappingProxyType(self._parents)

    def parents(self, name: str) -> tuple[str, ...]:
        """Return the parents of a node, in the order in which they were given."""
        return self._parents[self._known(name)]

    def children(self, name: str) -> tuple[str, ...]:
        """Return the children of a node."""
        return self._children[self._known(name)]

    def ancestors(self, names: str | Iterable[str]) -> frozenset[str]:
        """Return every node with a directed path to one of ``names``, these excluded."""
        return self._reach(names, self._parents)

    def descendants(self, names: str | Iterable[str]) -> frozenset[str]:
        """Return every node that one of ``names`` has a directed path to, these excluded."""
        return self._reach(names, self._children)

    def cut(self, names: Iterable[str]) -> "DAG":
        """Return the graph in which these nodes no longer listen to their parents.

        It is the graph of what is done: an intervention sets a node, whatever its parents are.

        Source: Pearl 2009, Causality, sec. 3.2.

        Raises:
            KeyError: If a name is no node.

        Example:
            >>> DAG({"x": (), "y": ("x",)}).cut(["y"]).edges
            ()
        """
        done = {self._known(name) for name in names}
        return DAG({name: () if name in done else above for name, above in self._parents.items()})

    def markov_blanket(self, name: str) -> frozenset[str]:
        """Return parents, children and the children's other parents of a node."""
        children = self.children(name)
        spouses = (parent for child in children for parent in self._parents[child])
        return frozenset((*self.parents(name), *children, *spouses)) - {name}

    def d_separated(
        self, a: Iterable[str], b: Iterable[str], *, given: Collection[str] = ()
    ) -> bool:
        """Return whether ``given`` blocks every path between the sets ``a`` and ``b``.

        Then a and b are independent given ``given`` in every distribution of this graph.

        Source: Koller & Friedman 2009, algorithm 3.1 (reachability by Bayes ball).
        """
        a, b, blocked = set(map(self._known, a)), set(map(self._known, b)), set(given)
        opened = blocked | self.ancestors(blocked)  # A collider is open at these nodes.
        queue = deque((name, "up") for name in a)
        seen: set[tuple[str, str]] = set()
        while queue:
            visit = queue.popleft()
            if visit in seen:
                continue
            seen.add(visit)
            name, direction = visit
            if name in b and name not in blocked:
                return False
            if name not in blocked:
                queue.extend((child, "down") for child in self._children[name])
            if (direction == "up" and name not in blocked) or (
                direction == "down" and name in opened
            ):
                queue.extend((parent, "up") for parent in self._parents[name])
        return True

    def draw(
        self,
        *,
        observed: Collection[str] = (),
        values: Mapping[str, Mapping[str, float]] | None = None,
    ) -> str:
        """Return the graph as an SVG picture.

        Args:
            observed: Nodes to shade.
            values: Posterior of a node, state -> probability, drawn as bars.
        """
        from ancestral.networks.drawing import draw_dag

        return draw_dag(self._parents, observed=observed, values=values)

    def __contains__(self, name: object) -> bool:
        return name in self._parents

    def __len__(self) -> int:
        return len(self._names)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, DAG) and self._parents == other._parents

    def __hash__(self) -> int:
        return hash(frozenset(self._parents.items()))

    def __repr__(self) -> str:
        return f"DAG({ {name: list(self._parents[name]) for name in self._names} })"

    def _known(self, name: str) -> str:
        if name not in self._parents:
            raise KeyError(f"no node {name!r}; the nodes are {', '.join(self._names)}")
        return name

    def _reach(
        self, names: str | Iterable[str], step: Mapping[str, tuple[str, ...]]
    ) -> frozenset[str]:
        start = [names] if isinstance(names, str) else list(names)
        found: set[str] = set()
        stack = [following for name in start for following in step[self._known(name)]]
        while stack:
            name = stack.pop()
            if name not in found:
                found.add(name)
                stack.extend(step[name])
        return frozenset(found - set(start))
