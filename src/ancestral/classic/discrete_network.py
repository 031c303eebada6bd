"""A Bayesian network of probability tables as a model of rows of states."""

from collections.abc import Mapping, Sequence
from typing import Self

import torch
from torch import Generator, Tensor, nn

from ancestral.capabilities import Given
from ancestral.classic.arguments import check_event, check_examples
from ancestral.errors import DataError
from ancestral.networks.arguments import check_whole, refuse_unknown
from ancestral.networks.completion import complete
from ancestral.networks.dag import DAG
from ancestral.networks.exact import Inference
from ancestral.networks.learning import Structure, fit_em, fit_tables
from ancestral.networks.nodes import Table


class DiscreteNetwork(nn.Module):
    """p(x) = prod_d p(x_d | parents of x_d): a table a column, fitted by counting.

    Cells of -1 are missing, and nodes without a column are latent: with either, the tables are
    fitted by EM and what is not known is summed out. The graph is fixed;
    :mod:`ancestral.networks.learning` finds one. Before ``fit`` every table is uniform.

    Source: Koller & Friedman 2009, Probabilistic Graphical Models, ch. 3, 17 and 19.

    Args:
        sizes: Number of states of each of the D columns, or the names of its states.
        edges: Pairs (parent, child) of positions: of columns, and after them of latent nodes.
        names: Names of the columns; x1, x2, ... if not given.
        pseudo_count: Added to every count, at least 0.
        latent: Names of nodes without a column, and their numbers of states.
        starts: Random starts of EM, at least 1; the best is kept.

    Raises:
        ValueError: If the graph has a cycle, an edge is no pair of nodes, two nodes share a name,
            ``starts`` < 1, or a table would have more than 2^28 entries.

    Example:
        >>> model = DiscreteNetwork([2, 2], edges=[(0, 1)], pseudo_count=0)
        >>> model = model.fit(torch.tensor([[0, 0], [0, 1], [1, 1], [1, 1]]))
        >>> model.log_prob(torch.tensor([[1, 1], [0, 1], [-1, 1]])).exp()
        tensor([0.5000, 0.2500, 0.7500], dtype=torch.float64)
    """

    def __init__(
        self,
        sizes: Sequence[int | Sequence[str]],
        *,
        edges: Sequence[tuple[int, int]] = (),
        names: Sequence[str] = (),
        pseudo_count: float = 1.0,
        latent: Mapping[str, int] | None = None,
        starts: int = 5,
    ) -> None:
        super().__init__()
        self.names = tuple(names) or tuple(f"x{i}" for i in range(1, len(sizes) + 1))
        self.latent = tuple(latent or ())
        if len(self.names) != len(sizes) or not sizes:
            raise ValueError(f"{len(sizes)} columns need as many names, got {len(self.names)}")
        if starts < 1:
            raise ValueError(f"starts must be at least 1, got {starts}")
        nodes = (*self.names, *self.latent)
        if len(set(nodes)) < len(nodes):
            twice = next(name for name in nodes if nodes.count(name) > 1)
            raise ValueError(f"columns and latent nodes must differ, got {twice!r} twice")
        parents: dict[str, tuple[str, ...]] = dict.fromkeys(nodes, ())
        for pair in edges:
            if not all(0 <= end < len(nodes) for end in pair):
                raise ValueError(f"edges must join columns 0 to {len(nodes) - 1}, got {pair}")
            parent, child = (nodes[end] for end in pair)
            parents[child] = (*parents[child], parent)
        kinds = zip(nodes, (*sizes, *(latent or {}).values()), strict=True)
        states = {
            name: tuple(size if isinstance(size, Sequence) else map(str, range(size)))
            for name, size in kinds
        }
        self.pseudo_count, self.starts = pseudo_count, starts
        self._structure = Structure(parents, states)
        shapes = {name: self._structure.shape(name) for name in nodes}
        self.network = self._structure.network(
            {n: torch.full(shape, 1 / shape[-1]).double().numpy() for n, shape in shapes.items()}
        )

    @property
    def graph(self) -> Mapping[str, DAG]:
        """The network ``p``: a node a column, and the latent nodes."""
        return {"p": self.network.graph}

    @property
    def givens(self) -> Mapping[str, tuple[str, ...]]:
        """Every node, column or latent, and the names of its states."""
        return {name: self.network.states(name) for name in (*self.names, *self.latent)}

    @torch.no_grad()
    def fit(
        self, x: Tensor, *, given: Given | None = None, generator: Generator | None = None
    ) -> Self:
        """Count the states x [N, D], or fit by EM where something is not known; return self.

        A state is -1 where it is missing. The ``generator`` is that of the starts of EM; counting
        is not random.

        Raises:
            ValueError: If x has another shape.
            DataError: If there is no row, or a value is not a state.
            CapabilityError: If anything is given.
        """
        check_examples(x, (len(self.names),))
        refuse_unknown(given, "a discrete network")
        columns = dict(zip(self.names, x.cpu().T.contiguous(), strict=True))
        if self._whole(x):
            fitted = fit_tables(self._structure, columns, pseudo_count=self.pseudo_count)
        else:
            fitted = fit_em(
                self._structure,
                columns,
                starts=self.starts,
                pseudo_count=self.pseudo_count,
                generator=_on_host(generator),
            ).network
        for name in self.network.nodes:
            self.network.table(name).probabilities.copy_(fitted.table(name).probabilities)
        return self

    def log_prob(self, x: Tensor, *, given: Given | None = None) -> Tensor:
        """Return the log-probability of what is known of each row, nats, float64 [B].

        A state of x [B, D] is -1 where it is missing.

        Raises:
            ValueError: If x has another shape.
            DataError: If a value is not a state.
            CapabilityError: If anything is given.
        """
        check_event(x, (len(self.names),))
        refuse_unknown(given, "a discrete network")
        for index, name in enumerate(self.names):
            count = len(self.network.states(name))
            if len(x) and not -1 <= int(x[:, index].min()) <= int(x[:, index].max()) < count:
                raise DataError(
                    f"column {name!r} must hold states 0 to {count - 1}, -1 where missing"
                )
        columns = dict(zip(self.names, x.long().T, strict=True))
        if self._whole(x):
            return self.network.log_prob(columns)
        rows = {name: column.cpu().numpy() for name, column in columns.items()}
        found = Inference(self.network).log_evidence_rows(rows)
        return torch.from_numpy(found).to(x.device)

    def sample(
        self, n: int, *, given: Given | None = None, generator: Generator | None = None
    ) -> Tensor:
        """Draw rows of states, int64 [n, D]; what is given is conditioned on, exactly.

        States of nodes may be given by name, latent ones too, one for all or [n].

        Raises:
            ValueError: If n < 1.
            CapabilityError: If what is given is not a node.
            InferenceError: If what is given is impossible.
        """
        check_whole("n", n)
        refuse_unknown(given, "a discrete network", (*self.names, *self.latent))
        draws = self.network.sample(n, given=given, generator=generator)
        return torch.stack([draws[name] for name in self.names], dim=1)

    def conditional(self, x: Tensor, column: int) -> Tensor:
        """Return log p(column | the other cells of each row x [B, D] that are known), [B, K]."""
        rows = {
            name: cells.cpu().numpy()
            for at, (name, cells) in enumerate(zip(self.names, x.T, strict=True))
            if at != column
        }
        target = self.names[column]
        if not rows:
            return self.network.table(target).probabilities.log().expand(len(x), -1)
        found = Inference(self.network).query_rows(rows, [target]).probabilities[target]
        return torch.from_numpy(found).to(x.device).log()

    def complete(
        self, x: Tensor, *, least: Sequence[int] = (), generator: Generator | None = None
    ) -> Tensor:
        """Draw what is not known of rows x [N, D], -1, given what is, exactly."""
        columns = range(len(self.names))
        return complete(self.conditional, x.long(), order=columns, least=least, generator=generator)

    def table(self, name: str) -> Table:
        """Return the probability table of a node."""
        return self.network.table(name)

    def _whole(self, x: Tensor) -> bool:
        """Return whether the state of every node is known in every row."""
        return not self.latent and not bool((x < 0).any())


def _on_host(generator: Generator | None) -> Generator | None:
    """Return a generator of the processor, seeded from one that may be elsewhere."""
    if generator is None or generator.device.type == "cpu":
        return generator
    seed = torch.randint(2**63 - 1, (), generator=generator, device=generator.device)
    return Generator().manual_seed(int(seed))
