"""Markov random fields: undirected networks, and the Ising model on a grid."""

import math
from collections.abc import Sequence

import torch
from torch import Generator, Tensor, nn

from ancestral.networks.arguments import check_number, check_whole

_MOST_STATES = 2**20


class MarkovField:
    """``p(x) = exp(sum_C theta_C(x_C)) / Z``: a table of log-potentials for each clique C.

    A Bayesian network's factors are conditionals, and multiply to a law; potentials need Z, the sum
    over all states. Here it is enumerated, so that everything is exact and nothing is large.

    Source: Koller & Friedman 2009, Probabilistic Graphical Models, def. 4.3.

    Args:
        cliques: Nodes of each clique, different numbers from 0.
        potentials: Log-potentials of each, one axis a node of the clique in its order.

    Raises:
        ValueError: If shapes differ, a node is in no clique, or there are over 2^20 states.

    Example:
        >>> agree = torch.eye(2, dtype=torch.float64)
        >>> field = MarkovField([(0, 1), (1, 2), (0, 2)], [agree, agree, -agree])
        >>> field.table().shape, round(float(field.table().sum()), 12)
        (torch.Size([2, 2, 2]), 1.0)
    """

    def __init__(self, cliques: Sequence[Sequence[int]], potentials: Sequence[Tensor]) -> None:
        sizes: dict[int, int] = {}
        for clique, table in zip(cliques, potentials, strict=True):
            if len(set(clique)) != len(clique) or table.ndim != len(clique):
                raise ValueError(
                    f"clique {list(clique)} needs {len(clique)} axes, got {list(table.shape)}"
                )
            for node, size in zip(clique, table.shape, strict=True):
                if sizes.setdefault(node, size) != size:
                    raise ValueError(f"node {node} has {sizes[node]} states and {size} states")
        if sorted(sizes) != list(range(len(sizes))):
            raise ValueError(f"nodes must be numbers from 0 without gaps, got {sorted(sizes)}")
        self.sizes = tuple(sizes[node] for node in range(len(sizes)))
        if math.prod(self.sizes) > _MOST_STATES:
            raise ValueError(f"states must be at most {_MOST_STATES}, got {math.prod(self.sizes)}")
        self.cliques = tuple(map(tuple, cliques))
        self.potentials = tuple(potentials)

    def log_potential(self, x: Tensor) -> Tensor:
        """Return the sum of log-potentials, log p(x) + log Z, [B], for states x int64 [B, D]."""
        pairs = zip(self.cliques, self.potentials, strict=True)
        parts = [table[tuple(x[:, node] for node in clique)] for clique, table in pairs]
        return torch.stack(parts).sum(dim=0)

    def log_normaliser(self) -> Tensor:
        """Return log Z, nats, []."""
        return self._joint().flatten().logsumexp(dim=0)

    def log_prob(self, x: Tensor) -> Tensor:
        """Return log p(x), nats, [B], for states x int64 [B, D]."""
        return self.log_potential(x) - self.log_normaliser()

    def table(self) -> Tensor:
        """Return p of all states, [*sizes]."""
        return self._joint().flatten().softmax(dim=0).reshape(self.sizes)

    def _joint(self) -> Tensor:
        joint = self.potentials[0].new_zeros(self.sizes)
        for clique, table in zip(self.cliques, self.potentials, strict=True):
            order = sorted(range(len(clique)), key=clique.__getitem__)
            shape = [size if node in clique else 1 for node, size in enumerate(self.sizes)]
            joint = joint + table.permute(order).reshape(shape)
        return joint


class Ising:
    """Spins +1 and -1 on a grid with open ends: ``p(s) = exp(J sum s_i s_j + h sum s_i) / Z``.

    The sum of J goes over neighbours. Below the critical temperature of the endless grid,
    J > log(1 + sqrt 2) / 2 = 0.44, spins line up.

    Source: Ising 1925; Onsager 1944; Koller & Friedman 2009, box 4.C.

    Args:
        rows: At least 1.
        columns: At least 1.
        coupling: J; above 0 neighbours agree.
        field: h.

    Raises:
        ValueError: If an argument is outside its range.

    Example:
        >>> Ising(8, 8, coupling=0.4).sample(5, sweeps=10).shape
        torch.Size([5, 8, 8])
    """

    def __init__(self, rows: int, columns: int, *, coupling: float, field: float = 0.0) -> None:
        check_whole("rows", rows)
        check_whole("columns", columns)
        for name, value in {"coupling": coupling, "field": field}.items():
            check_number(name, value, least=-math.inf)
        self.rows, self.columns, self.coupling, self.field = rows, columns, coupling, field

    def energy(self, spins: Tensor) -> Tensor:
        """Return E(s) = -log p(s) - log Z, [B], for spins [B, rows, columns]."""
        s = spins.double()
        across = (s[:, :, 1:] * s[:, :, :-1]).sum(dim=(1, 2))
        down = (s[:, 1:] * s[:, :-1]).sum(dim=(1, 2))
        return -self.coupling * (across + down) - self.field * s.sum(dim=(1, 2))

    def markov_field(self) -> MarkovField:
        """Return the same law as a :class:`MarkovField`, state 1 for spin +1; of small grids.

        Raises:
            ValueError: If the grid has over 20 spins.
        """
        spin = torch.tensor([-1.0, 1.0], dtype=torch.float64)
        nodes = torch.arange(self.rows * self.columns).reshape(self.rows, self.columns)
        pairs = torch.cat(
            [
                torch.stack((one.flatten(), two.flatten()), dim=1)
                for one, two in ((nodes[:, :-1], nodes[:, 1:]), (nodes[:-1], nodes[1:]))
            ]
        ).tolist()
        alone = [(node,) for node in range(nodes.numel())]
        tables = [self.coupling * spin[:, None] * spin] * len(pairs) + [self.field * spin] * len(
            alone
        )
        return MarkovField([*map(tuple, pairs), *alone], tables)

    def sweep(self, spins: Tensor, generator: Generator | None = None) -> Tensor:
        """Return spins [B, rows, columns] after a sweep of Gibbs sampling.

        Spins of one colour of a checkerboard have no neighbour of their own colour: all of them are
        drawn at once.
        """
        device = spins.device
        rows, columns = (torch.arange(n, device=device) for n in (self.rows, self.columns))
        colour = rows[:, None] + columns
        for turn in (0, 1):
            inputs = self.field + self.coupling * _neighbours(spins)
            uniform = torch.rand(spins.shape, generator=generator, device=device)
            up = uniform < (2 * inputs).sigmoid()
            spins = torch.where(colour % 2 == turn, 2.0 * up - 1.0, spins)
        return spins

    def sample(self, n: int, *, sweeps: int = 200, generator: Generator | None = None) -> Tensor:
        """Return n chains, float [n, rows, columns], after so many sweeps from random spins.

        They are on the device of the generator.

        Raises:
            ValueError: If n or sweeps is below 1.
        """
        check_whole("n", n)
        check_whole("sweeps", sweeps)
        shape, device = (n, self.rows, self.columns), generator.device if generator else None
        spins = 2.0 * (torch.rand(shape, generator=generator, device=device) < 0.5) - 1.0
        for _ in range(sweeps):
            spins = self.sweep(spins, generator)
        return spins


def _neighbours(spins: Tensor) -> Tensor:
    """Return the sum over the neighbours of each spin, [B, rows, columns]."""
    padded = nn.functional.pad(spins, (1, 1, 1, 1))
    across = padded[:, 1:-1, 2:] + padded[:, 1:-1, :-2]
    return across + padded[:, 2:, 1:-1] + padded[:, :-2, 1:-1]
