"""A Bayesian network of probability tables as a model of rows of states."""

from collections.abc import Mapping, Sequence
from typing import Self

import torch
from torch import Generator, Tensor, nn

from ancestral.capabilities import Given
from ancestral.classic.arguments import check_count, check_event, check_examples, refuse_unknown
from ancestral.errors import DataError
from ancestral.networks.dag import DAG
from ancestral.networks.learning import Structure, fit_tables
from ancestral.networks.nodes import Table


class DiscreteNetwork(nn.Module):
    """p(x) = prod_d p(x_d | parents of x_d): a table a column, fitted by counting.

    The graph is fixed; :mod:`ancestral.networks.learning` finds one. Before ``fit`` every table is
    uniform.

    Source: Koller & Friedman 2009, Probabilistic Graphical Models, ch. 3 and 17.

    Args:
        sizes: Number of states of each of the D columns.
        edges: Pairs (parent, child) of positions of columns.
        names: Names of the columns; x1, x2, ... if not given.
        pseudo_count: Added to every count, at least 0.

    Raises:
        ValueError: If the graph has a cycle, an edge is no pair of columns, or a table would have
            more than 2^28 entries.

    Example:
        >>> model = DiscreteNetwork([2, 2], edges=[(0, 1)], pseudo_count=0)
        >>> model = model.fit(torch.tensor([[0, 0], [0, 1], [1, 1], [1, 1]]))
        >>> model.log_prob(torch.tensor([[1, 1], [0, 1]])).exp()
        tensor([0.5000, 0.2500], dtype=torch.float64)
    """

    def __init__(
        self,
        sizes: Sequence[int],
        *,
        edges: Sequence[tuple[int, int]] = (),
        names: Sequence[str] = (),
        pseudo_count: float = 1.0,
    ) -> None:
        super().__init__()
        self.names = tuple(names) or tuple(f"x{i}" for i in range(1, len(sizes) + 1))
        if len(self.names) != len(sizes) or not sizes:
            raise ValueError(f"{len(sizes)} columns need as many names, got {len(self.names)}")
        parents: dict[str, tuple[str, ...]] = dict.fromkeys(self.names, ())
        for pair in edges:
            if not all(0 <= end < len(sizes) for end in pair):
                raise ValueError(f"edges must join columns 0 to {len(sizes) - 1}, got {pair}")
            parent, child = (self.names[end] for end in pair)
            parents[child] = (*parents[child], parent)
        states = {n: tuple(map(str, range(k))) for n, k in zip(self.names, sizes, strict=True)}
        self.pseudo_count = pseudo_count
        self._structure = Structure(parents, states)
        shapes = {name: self._structure.shape(name) for name in self.names}
        self.network = self._structure.network(
            {name: torch.full(of, 1 / of[-1]).double().numpy() for name, of in shapes.items()}
        )

    @property
    def graph(self) -> Mapping[str, DAG]:
        """The network ``p``: a node a column."""
        return {"p": self.network.graph}

    @torch.no_grad()
    def fit(
        self, x: Tensor, *, given: Given | None = None, generator: Generator | None = None
    ) -> Self:
        """Count the states x [N, D]; return self.

        Raises:
            ValueError: If x has another shape.
            DataError: If there is no row, or a value is not a state.
            CapabilityError: If anything is given.
        """
        del generator  # Counting is not random.
        check_examples(x, (len(self.names),))
        refuse_unknown(given, "a discrete network")
        columns = dict(zip(self.names, x.cpu().T.contiguous(), strict=True))
        fitted = fit_tables(self._structure, columns, pseudo_count=self.pseudo_count)
        for name in self.names:
            self.network.table(name).probabilities.copy_(fitted.table(name).probabilities)
        return self

    def log_prob(self, x: Tensor, *, given: Given | None = None) -> Tensor:
        """Return the log-probability of each row of states x [B, D], nats, float64 [B].

        Raises:
            ValueError: If x has another shape.
            DataError: If a value is not a state.
            CapabilityError: If anything is given.
        """
        check_event(x, (len(self.names),))
        refuse_unknown(given, "a discrete network")
        for index, name in enumerate(self.names):
            count = len(self.network.states(name))
            if len(x) and not 0 <= int(x[:, index].min()) <= int(x[:, index].max()) < count:
                raise DataError(f"column {name!r} must hold states 0 to {count - 1}")
        return self.network.log_prob(dict(zip(self.names, x.long().T, strict=True)))

    def sample(
        self, n: int, *, given: Given | None = None, generator: Generator | None = None
    ) -> Tensor:
        """Draw rows of states, int64 [n, D]; what is given is conditioned on, exactly.

        Args:
            n: Number of draws, at least 1.
            given: States of columns by name, one for all or [n].
            generator: Source of randomness; torch's global one if None.

        Raises:
            ValueError: If n < 1.
            CapabilityError: If what is given is not a column.
            InferenceError: If what is given is impossible.
        """
        check_count(n)
        refuse_unknown(given, "a discrete network", self.names)
        draws = self.network.sample(n, given=given, generator=generator)
        return torch.stack([draws[name] for name in self.names], dim=1)

    def table(self, name: str) -> Table:
        """Return the probability table of a column."""
        return self.network.table(name)
