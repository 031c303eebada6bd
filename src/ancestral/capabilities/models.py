"""What a model of examples can do."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Protocol, Self, TypeAlias, runtime_checkable

from torch import Generator, Tensor
from torch.distributions import Categorical, Distribution

from ancestral.signatures import Checked

if TYPE_CHECKING:
    from ancestral.networks.dag import DAG

Given: TypeAlias = Mapping[str, Tensor]
"""Values of nodes that are fixed, by name: each [B, *event], or a scalar event for all rows."""


@runtime_checkable
class Samples(Protocol, metaclass=Checked):
    """Draws by the paradigm's own procedure; the generator is torch's global one if None."""

    def sample(
        self, n: int, *, given: Given | None = None, generator: Generator | None = None
    ) -> Tensor:
        """Return n draws, at least 1, [n, *event]; what is given is held fixed."""
        ...


@runtime_checkable
class SamplesMeans(Protocol, metaclass=Checked):
    """Can return the means of p(x | z) instead of draws; they are labelled as means."""

    def sample_means(
        self, n: int, *, given: Given | None = None, generator: Generator | None = None
    ) -> Tensor:
        """Return the mean of the last conditional for n drawn latents, [n, *event]."""
        ...


@runtime_checkable
class HasDensity(Protocol, metaclass=Checked):
    """Has an EXACT log-density of the data."""

    def log_prob(self, x: Tensor, *, given: Given | None = None) -> Tensor:
        """Return log p(x | given) in nats, [B]."""
        ...


@runtime_checkable
class HasBound(Protocol, metaclass=Checked):
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


@runtime_checkable
class Tightens(Protocol, metaclass=Checked):
    """Has an estimate that tightens its bound with more draws: importance weighting."""

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
class Encodes(Protocol, metaclass=Checked):
    """Has a posterior over latents and its inverse direction."""

    def encode(self, x: Tensor, *, given: Given | None = None) -> Distribution:
        """Return q(z | x, given), batch shape [B]."""
        ...

    def decode(self, z: Tensor, *, given: Given | None = None) -> Tensor:
        """Return the mean of p(x | z, given), [B, *event]; of cells the most probable ones."""
        ...


@runtime_checkable
class Decodes(Protocol, metaclass=Checked):
    """Makes an example of latents, which have a law of their own."""

    def draw_latents(self, n: int, *, generator: Generator | None = None) -> Tensor:
        """Return n draws of p(z), [n, *latent]."""
        ...

    def decode(self, z: Tensor, *, given: Given | None = None) -> Tensor:
        """Return the example that z makes, or the mean of p(x | z, given), [B, *event]."""
        ...


@runtime_checkable
class Classifies(Protocol, metaclass=Checked):
    """Gives p(label | x): models it directly, or has it from a joint density by Bayes' rule."""

    def posterior(self, x: Tensor) -> Categorical:
        """Return p(label | x), batch shape [B]."""
        ...


@runtime_checkable
class NeedsGiven(Protocol, metaclass=Checked):
    """Models x given fields that have no law of their own in it, so that they are always given."""

    @property
    def needs(self) -> Sequence[str]:
        """Return their names: ``("image",)`` of an image made from an image."""
        ...


@runtime_checkable
class Fits(Protocol, metaclass=Checked):
    """A closed-form or EM estimator; a second ``fit`` starts over."""

    def fit(
        self, x: Tensor, *, given: Given | None = None, generator: Generator | None = None
    ) -> Self:
        """Set the parameters from data x [N, *event]; return self."""
        ...


@runtime_checkable
class Completes(Protocol, metaclass=Checked):
    """Gives the law of any part of a row given any other part; -1 is what is not known of it."""

    def conditional(self, x: Tensor, column: int) -> Tensor:
        """Return log p(x_column | what else is known of each row x [B, D]), [B, K]."""
        ...

    def complete(
        self, x: Tensor, *, least: Sequence[int] = (), generator: Generator | None = None
    ) -> Tensor:
        """Return rows x [B, D] with what is not known drawn; ``least``: first cells to be drawn."""
        ...


@runtime_checkable
class HasGraph(Protocol, metaclass=Checked):
    """Knows the Bayesian network it is."""

    @property
    def graph(self) -> "Mapping[str, DAG]":
        """Return the DAGs by name: ``p``, and ``q`` where there is one."""
        ...


@runtime_checkable
class Restores(Protocol, metaclass=Checked):
    """Makes x of an image, and has a way back from x to the image."""

    def restore(self, x: Tensor) -> Tensor:
        """Return the images that x [B, *event] are taken to be made from, in their own units."""
        ...


@runtime_checkable
class TakesStates(Protocol):
    """Can be given states of nodes that are no fields of the data: columns, components."""

    @property
    def givens(self) -> Mapping[str, tuple[str, ...]]:
        """Return the names of those nodes, and of the states of each."""
        ...


@runtime_checkable
class HasLabelLaw(Protocol):
    """Has a law of the class label, by which ``sample`` draws it where it is not given."""

    @property
    def label_probabilities(self) -> Tensor:
        """Return the probability of each label, [K]."""
        ...
