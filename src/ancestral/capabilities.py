"""What a model can do: small protocols instead of a base class, and the words of training.

No model inherits from another. ``isinstance(model, HasDensity)`` is the way to ask; the contract
suites in ``tests/contracts`` check that each name keeps its promise. All log quantities are nats.

Every method here works in MODEL units: the data after the transform that a run fitted. The same
model in the user's units is :class:`ancestral.networks.units.InDataUnits`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, Self, TypeAlias, runtime_checkable

from torch import Generator, Tensor, nn
from torch.distributions import Distribution

if TYPE_CHECKING:
    from ancestral.networks.dag import DAG

Given: TypeAlias = Mapping[str, Tensor]
"""Values of nodes that are fixed, by name: each [B, *event], or a scalar event for all rows."""


@runtime_checkable
class Samples(Protocol):
    """Draws by the paradigm's own procedure."""

    def sample(
        self, n: int, *, given: Given | None = None, generator: Generator | None = None
    ) -> Tensor:
        """Return n draws, [n, *event]."""
        ...


@runtime_checkable
class SamplesMeans(Protocol):
    """Can return the means of p(x | z) instead of draws; they are labelled as means."""

    def sample_means(
        self, n: int, *, given: Given | None = None, generator: Generator | None = None
    ) -> Tensor:
        """Return the mean of the last conditional for n drawn latents, [n, *event]."""
        ...


@runtime_checkable
class HasDensity(Protocol):
    """Has an EXACT log-density of the data."""

    def log_prob(self, x: Tensor, *, given: Given | None = None) -> Tensor:
        """Return log p(x | given) in nats, [B]."""
        ...


@runtime_checkable
class HasBound(Protocol):
    """Has a lower bound on the log-density of the data."""

    def elbo(
        self,
        x: Tensor,
        *,
        given: Given | None = None,
        draws: int = 1,
        generator: Generator | None = None,
    ) -> Tensor:
        """Return an unbiased estimate of a lower bound on log p(x | given) in nats, [B]."""
        ...

    def estimate_log_prob(
        self,
        x: Tensor,
        *,
        given: Given | None = None,
        draws: int = 64,
        generator: Generator | None = None,
    ) -> Tensor:
        """Return the importance-weighted estimate of log p(x | given) in nats, [B]."""
        ...


@runtime_checkable
class Encodes(Protocol):
    """Has a posterior over latents and its inverse direction."""

    def encode(self, x: Tensor, *, given: Given | None = None) -> Distribution:
        """Return q(z | x, given), batch shape [B]."""
        ...

    def decode(self, z: Tensor, *, given: Given | None = None) -> Tensor:
        """Return the mean of p(x | z, given), [B, *event]."""
        ...


@runtime_checkable
class Fits(Protocol):
    """A closed-form or EM estimator; a second ``fit`` starts over."""

    def fit(
        self, x: Tensor, *, given: Given | None = None, generator: Generator | None = None
    ) -> Self:
        """Set the parameters from data x [N, *event]; return self."""
        ...


@dataclass(frozen=True, slots=True)
class Batch:
    """Examples for one update: ``x`` [B, *event] in model units, and what is given."""

    x: Tensor
    given: Mapping[str, Tensor] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Loss:
    """A loss as a sum and its weight (examples, tokens, pixels); the training step divides.

    ``metrics`` are further scalars to report, already averaged over the batch.
    """

    total: Tensor
    weight: float
    metrics: Mapping[str, Tensor] = field(default_factory=dict)


LossFunction: TypeAlias = Callable[[Batch, Generator | None], Loss]


@dataclass(frozen=True, slots=True, kw_only=True)
class Player:
    """One player of the training game: it lowers its own loss over its own parameters.

    Args:
        name: Names the player in reports, ``name/loss``.
        module: Owner of the parameters that this player moves. The other players' parameters
            are frozen during its turn.
        loss: Called with a batch in model units and the generator of all its noise.
        updates: Updates in one iteration.
        learning_rate: Overrides the training options' where not None.
        betas: Overrides the optimizer's where not None.
        couples_examples: The loss is not a sum over examples (batch norm in a critic, minibatch
            statistics), so gradient accumulation is refused.
    """

    name: str
    module: nn.Module
    loss: LossFunction
    updates: int = 1
    learning_rate: float | None = None
    betas: tuple[float, float] | None = None
    couples_examples: bool = False


@runtime_checkable
class Trains(Protocol):
    """Trained by gradients: the model tells its players, the loop is written once."""

    def players(self) -> Sequence[Player]:
        """Return the players, in the order of their turns."""
        ...


@runtime_checkable
class HasGraph(Protocol):
    """Knows the Bayesian network it is."""

    @property
    def graph(self) -> "Mapping[str, DAG]":
        """Return the DAGs by name: ``p``, and ``q`` where there is one."""
        ...


CAPABILITIES: dict[str, type] = {
    "samples": Samples,
    "means": SamplesMeans,
    "density": HasDensity,
    "bound": HasBound,
    "encodes": Encodes,
    "fits": Fits,
    "trains": Trains,
    "graph": HasGraph,
}
"""The names that ``ancestral models`` prints."""
