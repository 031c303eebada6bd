"""Bayesian networks of probability tables, for columns of states."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal, Self

from torch import Generator, Tensor, nn

from ancestral.classic import DiscreteNetwork
from ancestral.data.dataset import Dataset
from ancestral.data.described import Kind
from ancestral.data.fields import Shape
from ancestral.data.model_units import cells
from ancestral.data.transforms import States, Transform
from ancestral.errors import ConfigError
from ancestral.evaluation import chosen as figures
from ancestral.networks.formats import graph_of_file, network_suffix, network_suffixes
from ancestral.networks.learning import chow_liu, hill_climb
from ancestral.recipes.recipe import Recipe
from ancestral.settings import at_least, chosen, require

_CELLS = 12
"""Cells of a number: each has a table of its own for all states of its parents."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BayesNetConfig:
    """A Bayesian network of probability tables, for columns of states.

    Args:
        structure: ``hill-climb``, ``chow-liu``, or a network file (bif, xmlbif, uai or net) whose
            graph is taken; its nodes are the columns, and with ``missing=em`` others are latent.
        edges: The graph, as positions of columns and after them of latent nodes, from 0, a parent
            and its child in turn; None: by ``structure``.
        pseudo_count: Added to every count, at least 0; with 0, what was never seen is impossible.
        max_parents: Most parents of a node that hill climbing tries, at least 1.
        missing: ``refuse`` cells that say nothing, or fit the tables by ``em``.
        latent: Names of nodes without a column, of which ``edges`` or the file tells.
        latent_states: Their numbers of states, at least 1.
        starts: Random starts of EM, at least 1; the best is kept.
    """

    structure: str = "hill-climb"
    edges: tuple[int, ...] = chosen()
    pseudo_count: float = 1.0
    max_parents: int = 4
    missing: Literal["refuse", "em"] = "refuse"
    latent: tuple[str, ...] = ()
    latent_states: tuple[int, ...] = ()
    starts: int = 5

    def __post_init__(self) -> None:
        known = self.structure in {"hill-climb", "chow-liu"} or self.from_file
        rule = "hill-climb, chow-liu or a network file (.bif, .xmlbif, .uai, .net)"
        require(self, "structure", known, rule)
        pairs = self.edges is None or len(self.edges) % 2 == 0
        require(self, "edges", pairs, "pairs of a parent and its child")
        at_least(self, pseudo_count=0, max_parents=1, starts=1)
        fitted = not self.latent or (self.missing == "em" and self.edges is not None)
        require(self, "latent", fitted, "left out, or given together with missing=em and edges")
        counts = len(self.latent_states) == len(self.latent)
        counts = counts and min(self.latent_states, default=1) >= 1
        require(self, "latent_states", counts, "a number of at least 1 for each latent node")

    @property
    def from_file(self) -> bool:
        """Whether the graph is that of a file."""
        return network_suffix(self.structure) in network_suffixes()

    def resolved(self, shape: Shape) -> Self:
        """Return the config with the graph of the file; a learned one waits for the data."""
        if self.edges is not None or not self.from_file:
            return self
        graph = graph_of_file(self.structure, shape.columns, latent=self.missing == "em")
        return replace(
            self, edges=graph.edges, latent=graph.latent, latent_states=graph.latent_states
        )


def _bayes_net(config: BayesNetConfig, shape: Shape) -> nn.Module:
    edges = config.edges
    return DiscreteNetwork(
        shape.states,
        edges=list(zip(edges[::2], edges[1::2], strict=True)),
        names=shape.columns,
        pseudo_count=config.pseudo_count,
        latent=dict(zip(config.latent, config.latent_states, strict=True)),
        starts=config.starts,
    )


def _check_cells(config: BayesNetConfig, data: Dataset) -> None:
    """Refuse missing cells that nothing fills, and columns without a state; gaps are states, too.

    In a mixed table they are.
    """
    if data.kind == "mixed":
        return
    pairs = zip(data.columns, data.states, strict=True)
    if empty := [name for name, states in pairs if not states]:
        raise ConfigError(
            f"column {empty[0]!r} of {data.name} has no cell that says anything: leave it out; "
            "a structure file may have it as a latent node"
        )
    whole = (data.train.x >= 0).all(dim=1)
    if config.missing == "refuse" and not bool(whole.all()):
        raise ConfigError(f"{data.name} has missing cells: set missing=em")
    if config.edges is None and not bool(whole.any()):
        raise ConfigError(
            f"structure must be a network file where every row has a missing cell, "
            f"got {config.structure}, which learns from whole rows"
        )


def _choose_edges(config: BayesNetConfig, y: Tensor, _generator: Generator) -> BayesNetConfig:
    """Return the config with the edges that whole rows of the training split tell."""
    if config.edges is not None:
        return config
    y = y[(y >= 0).all(dim=1)]
    columns = {str(index): column.numpy() for index, column in enumerate(y.T.contiguous())}
    learned = (
        chow_liu(columns)
        if config.structure == "chow-liu"
        else hill_climb(columns, max_parents=config.max_parents)
    )
    parents = learned.structure.parents.items()
    pairs = sorted((int(parent), int(name)) for name, above in parents for parent in above)
    return replace(config, edges=tuple(number for pair in pairs for number in pair))


_TRANSFORMS: dict[Kind, Callable[[Dataset], Transform]] = {
    "tables": lambda _data: States(),
    "mixed": partial(cells, most=_CELLS),
}

RECIPES = (
    Recipe(
        name="bayes-net",
        paradigm="classic",
        summary="a Bayesian network of probability tables, for columns of states",
        config=BayesNetConfig,
        build=_bayes_net,
        kinds=("tables", "mixed"),
        reads=lambda config: {
            "discrete": True,
            "missing": config.missing != "refuse",
            "mixed": None,
        },
        transform=lambda data: _TRANSFORMS[data.kind](data),
        choose=_choose_edges,
        listed={"edges": ()},
        check=_check_cells,
        chosen_by=figures.LOG_PROB,
    ),
)
