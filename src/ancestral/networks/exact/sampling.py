"""Exact draws of every node given evidence anywhere."""

from collections.abc import Mapping

import numpy as np
import torch
from torch import Generator, Tensor
from torch.distributions import Categorical

from ancestral.networks.arguments import to_numpy
from ancestral.networks.exact.engine import engine_of
from ancestral.networks.exact.propagation import Beliefs, Program
from ancestral.networks.exact.size import LIMIT
from ancestral.networks.sampling import draw
from ancestral.networks.tabular import TableNetwork


def sample_posterior(
    network: TableNetwork, n: int, given: Mapping[str, Tensor], generator: Generator | None
) -> dict[str, Tensor]:
    """Draw every node given evidence anywhere, exactly; :meth:`BayesianNetwork.sample` calls it.

    From the root of the junction tree down: each node from its posterior given those of its clique
    that are drawn already. Equal rows of evidence are propagated once. Evidence and draws are state
    indices, [n] each. Raises InferenceError if the evidence is impossible or the computation would
    not fit.

    Source: Dawid 1992, Applications of a general propagation algorithm for probabilistic expert
    systems, sec. 8.
    """
    engine = engine_of(network)
    tables = engine.tables
    nodes = [tables.index[name] for name in given]
    every = torch.stack([given[name].long() for name in given], dim=1)
    rows, which = every.unique(dim=0, return_inverse=True)
    states = to_numpy(rows).T
    out = np.zeros((len(tables.sizes), n), dtype=np.int64)
    groups = to_numpy(which)
    for program, beliefs, values, members in engine.batches(nodes, states, None, LIMIT):
        log_evidence = np.zeros(states.shape[1])
        log_evidence[members] = beliefs.log_evidence
        engine.check_rows(nodes, states, log_evidence, LIMIT)
        column = np.full(states.shape[1], -1)
        column[members] = np.arange(len(members))
        draws = np.flatnonzero(column[groups] >= 0)
        cases = column[groups[draws]]
        out[:, draws] = _draw_cliques(program, beliefs, values, cases, generator)
    return {name: torch.from_numpy(out[at].copy()) for at, name in enumerate(tables.names)}


def _draw_cliques(
    program: Program,
    beliefs: Beliefs,
    values: np.ndarray,
    cases: np.ndarray,
    generator: Generator | None,
) -> np.ndarray:
    """Draw all nodes, [nodes, draws], for the case (column of ``values``) of each draw."""
    out = values[:, cases]
    for clique, belief in zip(program.cliques, beliefs.cliques, strict=True):
        table = belief.reshape(*clique.shape, beliefs.count)
        own = len(clique.nodes) - clique.separator
        later = [table]  # With the first 0, 1, ... of its own nodes summed out.
        for _ in range(own - 1):
            later.append(later[-1].sum(0))
        for at in reversed(range(own)):
            rest = tuple(out[node] for node in clique.nodes[at + 1 :])
            weights = torch.from_numpy(np.moveaxis(later[at], 0, -1)[(*rest, cases)])
            picked = draw(Categorical(probs=weights, validate_args=False), (), generator)
            out[clique.nodes[at]] = picked.numpy()
    return out
