"""The Bayesian network: joint density and ancestral sampling, written once for every paradigm."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Generator, Tensor, nn

from ancestral.errors import CapabilityError, InferenceError
from ancestral.networks.arguments import check_whole, held_rows, listed, state_index
from ancestral.networks.dag import DAG
from ancestral.networks.discrete_sampling import sample_tables
from ancestral.networks.exact.sampling import sample_posterior
from ancestral.networks.nodes import Node, Table
from ancestral.networks.sampling import draw


class BayesianNetwork(nn.Module):
    """A directed acyclic graph whose nodes carry conditional distributions.

    Its joint density is the product of the nodes' conditionals,
    ``p(x_1, ..., x_N) = prod_n p(x_n | parents(x_n))``. Parents that are not nodes are *inputs*:
    the network is conditional on them and their values must always be given.

    Source: Pearl 1988, Probabilistic Reasoning in Intelligent Systems; Koller & Friedman 2009.

    Args:
        nodes: The nodes, in any order.

    Raises:
        ValueError: If two nodes share a name or the graph has a cycle.

    Example:
        >>> from ancestral.networks import LinearGaussian
        >>> x = Node("x", LinearGaussian())
        >>> y = Node("y", LinearGaussian([2.0], scale=0.1), parents=("x",))
        >>> network = BayesianNetwork([x, y])
        >>> draws = network.sample(5)
        >>> network.log_prob(draws).shape
        torch.Size([5])
    """

    def __init__(self, nodes: Sequence[Node]) -> None:
        super().__init__()
        names = [node.name for node in nodes]
        if len(set(names)) < len(names):
            twice = next(name for name in names if names.count(name) > 1)
            raise ValueError(f"node names must differ, got {twice!r} twice")
        self.graph = DAG({node.name: node.parents for node in nodes})
        by_name = {node.name: node for node in nodes}
        self.nodes = {name: by_name[name] for name in self.graph.names if name in by_name}
        self.inputs = tuple(name for name in self.graph.names if name not in by_name)
        # Registered so that parameters are found; a list, since names may hold any character.
        self.conditionals = nn.ModuleList(node.conditional for node in self.nodes.values())

    @property
    def discrete(self) -> bool:
        """Whether every node is a probability table, so that inference can be exact."""
        return not self.inputs and all(
            isinstance(node.conditional, Table) for node in self.nodes.values()
        )

    def log_prob(self, values: Mapping[str, Tensor]) -> Tensor:
        """Return the log of the JOINT density of all nodes, in nats, [*sample, B].

        Deterministic nodes carry no density: they are computed from their parents.

        Args:
            values: Value of every random node and every input, [*sample, B, *event].

        Raises:
            ValueError: If a value is missing, unknown, or belongs to a deterministic node.
        """
        self._check_names(values)
        values = dict(values)
        total: Tensor | None = None
        for name, node in self.nodes.items():
            parents = [values[parent] for parent in node.parents]
            if node.deterministic:
                values[name] = node.conditional(*parents)
                continue
            term = node.distribution(parents).log_prob(values[name])
            total = term if total is None else total + term
        if total is None:
            raise ValueError("every node is deterministic: there is no density")
        return total

    @torch.no_grad()
    def sample(
        self,
        n: int,
        *,
        given: Mapping[str, Tensor | float | str] | None = None,
        generator: Generator | None = None,
    ) -> dict[str, Tensor]:
        """Draw the nodes in topological order; what is given is held fixed.

        Fixing a node whose parents are all given (a root, say) is conditioning on it. Evidence on
        any other node changes the distribution of its ancestors: discrete networks are then
        sampled exactly from their junction tree, other networks refuse.

        Args:
            n: Number of draws, at least 1.
            given: Values by node name: [n, *event], or one event for all draws. A state is given as
                in a query; in a tensor or a list it is an index.
            generator: Source of randomness; torch's global one if None.

        Returns:
            Values of all nodes and inputs, each [n, *event].

        Raises:
            ValueError: If n < 1, a name is unknown, or a value has the wrong shape.
            InferenceError: If the evidence needs inference that is not exact here, or it is
                impossible in a network of tables.
        """
        check_whole("n", n)
        values = {name: self.held(name, value, n) for name, value in (given or {}).items()}
        if missing := [name for name in self.inputs if name not in values]:
            raise ValueError(f"the inputs {missing} must be given")
        downstream = [
            name for name in values if any(p not in values for p in self.graph.parents(name))
        ]
        if downstream and not self.discrete:
            raise InferenceError(
                f"evidence on {downstream[0]!r} is conditioning, not ancestral sampling: its "
                f"parents are not given. Use query(...) for a posterior of a discrete network, "
                f"likelihood_weighting(...) for an estimate of any other"
            )
        if downstream or (self.discrete and self._ruled_out(values)):
            # What is impossible is refused there, by the smallest part that conflicts.
            return sample_posterior(self, n, values, generator)
        return self.draw_in_order(n, values, generator)

    @torch.no_grad()
    def draw_in_order(
        self, n: int, values: Mapping[str, Tensor], generator: Generator | None = None
    ) -> dict[str, Tensor]:
        """Draw each node given its parents in topological order, around values held fixed.

        This is conditioning only where the held nodes have no random ancestors; it is the proposal
        of likelihood weighting everywhere else. :meth:`sample` tells the two apart.

        Returns:
            Values of all nodes and inputs, each [n, *event].
        """
        if self.discrete and all(table.device.type == "cpu" for table in self.buffers()):
            return sample_tables(self, n, values, generator)
        return self._draw_one_by_one(n, dict(values), generator)

    def draw(self, *, observed: Sequence[str] = ()) -> str:
        """Return the graph as an SVG picture, ``observed`` nodes and inputs shaded."""
        return self.graph.draw(observed=(*observed, *self.inputs))

    def states(self, name: str) -> tuple[str, ...]:
        """Return the names of the states of a table node."""
        return self.table(name).states

    def table(self, name: str) -> Table:
        """Return the probability table of a node.

        Raises:
            CapabilityError: If the node's conditional is not a table.
        """
        conditional = self._node(name).conditional
        if not isinstance(conditional, Table):
            raise CapabilityError(f"node {name!r} is not a probability table")
        return conditional

    def state_index(self, name: str, state: str | float) -> int:
        """Return the index of a state; see :func:`~ancestral.data.states.state_at`.

        Raises:
            InferenceError: If the node has no such state; its states are named.
        """
        return state_index(name, self.states(name), state)

    def _draw_one_by_one(
        self, n: int, values: dict[str, Tensor], generator: Generator | None
    ) -> dict[str, Tensor]:
        for name, node in self.nodes.items():
            if name in values:
                continue
            parents = [values[parent] for parent in node.parents]
            if node.deterministic:
                values[name] = node.conditional(*parents)
                continue
            distribution = node.distribution(parents)
            shape = () if distribution.batch_shape == (n,) and parents else (n,)
            if shape and distribution.batch_shape:
                raise ValueError(
                    f"the conditional of {name!r} must have batch shape {(n,)}, "
                    f"got {tuple(distribution.batch_shape)}"
                )
            values[name] = draw(distribution, shape, generator)
        return values

    def held(self, name: str, value: Tensor | float | str, n: int) -> Tensor:
        """Return a value that is given for a node or input as one row for each draw, [n, *event].

        Args:
            name: A node or an input.
            value: As in :meth:`sample`.
            n: Number of draws.

        Raises:
            ValueError: If the name is unknown or the value has the wrong shape.
            InferenceError: If a table has no such state.
        """
        if name not in self.graph:
            raise ValueError(f"no node {name!r}; the nodes are {listed(self.graph.names)}")
        table = name in self.nodes and isinstance(self.nodes[name].conditional, Table)
        if isinstance(value, str) or (table and np.isscalar(value)):
            value = state_index(name, self.states(name), value)
        if name not in self.nodes:  # An input: its event shape is not known here.
            return held_rows(name, value, n)
        tensor = held_rows(name, value, n, self.nodes[name].event_shape)
        if table:
            self._check_states(name, tensor)
        return tensor

    def _ruled_out(self, values: Mapping[str, Tensor]) -> bool:
        """Return whether a state that is given has probability 0 given its parents' states."""
        for name in values:
            scope = (*self.nodes[name].parents, name)
            index = tuple(values[each].long() for each in scope)
            if bool((self.table(name).probabilities[index] == 0).any()):
                return True
        return False

    def _check_states(self, name: str, value: Tensor) -> None:
        count = len(self.states(name))
        if value.dtype == torch.bool or value.is_floating_point():
            raise InferenceError(f"{name!r} must be held at indices of states, got {value.dtype}")
        if bool(((value < 0) | (value >= count)).any()):
            raise InferenceError(
                f"{name!r} has states 0 to {count - 1}, got {int(value.min())}..{int(value.max())}"
            )

    def _check_names(self, values: Mapping[str, Tensor]) -> None:
        random = {name for name, node in self.nodes.items() if not node.deterministic}
        wanted = random | set(self.inputs)
        if missing := sorted(wanted - set(values)):
            raise ValueError(f"the joint needs a value for every node, {missing} are missing")
        if extra := sorted(set(values) - wanted):
            raise ValueError(f"no random node is called {extra}")

    def _node(self, name: str) -> Node:
        if name not in self.nodes:
            raise InferenceError(f"no node {name!r}; the nodes are {listed(list(self.nodes))}")
        return self.nodes[name]
