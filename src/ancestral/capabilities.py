"""What a model can do: small protocols instead of a base class, and the words of training.

No model inherits from another. ``isinstance(model, HasDensity)`` is the way to ask. It looks at the
methods' parameters, not at their names alone: what cannot be called as the protocol says, or says
that it returns something else (the joint of a network, a table of scores), is not one. The contract
suites in ``tests/contracts`` check that each name keeps its promise. All log quantities are nats.

Every method here works in MODEL units: the data after the transform that a run fitted. The same
model in the user's units is :class:`ancestral.networks.units.InDataUnits`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple, Protocol, Self, TypeAlias, runtime_checkable

from torch import Generator, Tensor, nn
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
        hidden: Its matrices between hidden layers, neither embeddings nor the head: what the
            optimizer ``muon`` moves in its own way. Empty where the model is not made for it.
        blocks: Modules that the loss calls one after the other, as layers of a Transformer: where
            parameters are sharded over processes, those of one block at a time are put together.
            Only of a game with one player.
        couples_examples: The loss is not a sum over examples (batch norm in a critic, minibatch
            statistics), so gradient accumulation is refused.
        clipped: As ``loss``, but no example's gradient has a norm above the number that is given;
            None where the model does not offer it.
    """

    name: str
    module: nn.Module
    loss: LossFunction
    updates: int = 1
    learning_rate: float | None = None
    betas: tuple[float, float] | None = None
    hidden: Sequence[nn.Parameter] = ()
    blocks: Sequence[nn.Module] = ()
    couples_examples: bool = False
    clipped: Callable[[Batch, Generator | None, float], Loss] | None = None


@runtime_checkable
class Trains(Protocol, metaclass=Checked):
    """Trained by gradients: the model tells its players, the loop is written once."""

    def players(self) -> Sequence[Player]:
        """Return the players, in the order of their turns."""
        ...


@runtime_checkable
class Changes(Protocol):
    """Changes as its training goes on: a network that grows, a term that is faded in."""

    def at(self, progress: float) -> None:
        """Take the form of this share of the training, in [0, 1]; called before each step.

        The parameters of all forms exist from the beginning, and what tells the form lies in
        buffers, so that a checkpoint holds it.
        """
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


class SpecialTokens(NamedTuple):
    """The ids of the special tokens: always the last four of a vocabulary, in this order.

    Example:
        >>> SpecialTokens.of(9)
        SpecialTokens(bos=5, eos=6, unk=7, pad=8)
    """

    bos: int
    eos: int
    unk: int
    pad: int

    @classmethod
    def of(cls, vocabulary: int) -> "SpecialTokens":
        """Return the ids in a vocabulary of so many tokens, the special ones included."""
        return cls(*range(vocabulary - 4, vocabulary))

    @property
    def ends(self) -> tuple[int, int]:
        """The tokens after which nothing comes."""
        return self.eos, self.pad

    def predicted(self, targets: Tensor) -> Tensor:
        """Return which of the tokens to predict, int [*], count, bool [*].

        Neither PAD nor BOS does: the one is no token, the other begins a document by definition.
        """
        return (targets != self.pad) & (targets != self.bos)


class TokenState(Protocol, metaclass=Checked):
    """What a language model keeps of the tokens that it has read: one row a sequence.

    A Transformer keeps keys and values, an RNN its hidden state, an n-gram model the last tokens.
    """

    @property
    def lengths(self) -> Tensor:
        """Return how many tokens each row holds, int64 [B] on the CPU."""
        ...

    def select(self, rows: Tensor) -> Self:
        """Return a copy of the rows at positions int64 [R], in that order; rows may repeat."""
        ...

    def first(self, rows: int) -> Self:
        """Return the first rows as a view: what is read into it is read into this state."""
        ...

    def put(self, rows: Tensor, other: Self) -> None:
        """Write all rows of ``other`` over the rows at positions int64 [R]."""
        ...

    def rewind(self, lengths: Tensor) -> None:
        """Forget all but the first ``lengths`` [B] tokens of each row.

        No row may be rewound past what the last ``advance`` has read into it.
        """
        ...


@runtime_checkable
class LanguageModel(Protocol, metaclass=Checked):
    """Predicts the next token: the full chain of a sequence, its factors tied.

    Token ids are int64 in [0, V); the last four are special, see :class:`SpecialTokens`. Features
    are what the head turns into logits: hidden states [*, D], or whatever a model needs in their
    place.
    """

    @property
    def vocabulary(self) -> int:
        """Return V, the special tokens included."""
        ...

    @property
    def window(self) -> int | None:
        """Return how many tokens fit into a state, or None where there is no limit."""
        ...

    def features(self, tokens: Tensor) -> Tensor:
        """Return the features [B, T, *] after each of the tokens [B, T].

        Rows are packed windows: what stands after a BOS sees nothing of what stands before it.
        PAD may only follow the last token; features there mean nothing.
        """
        ...

    def head(self, features: Tensor) -> Tensor:
        """Return the logits [*, V] of the next token."""
        ...

    def start(self, rows: int, *, length: int) -> TokenState:
        """Return a state that has read nothing, with room for ``length`` tokens a row.

        Raises:
            ValueError: If ``length`` is more than the window.
        """
        ...

    def advance(self, tokens: Tensor, state: TokenState, *, counts: Tensor | None = None) -> Tensor:
        """Read tokens [B, S] into the state, and return the features after each, [B, S, *].

        Args:
            tokens: One document a row: a BOS does not begin a new one here.
            state: Of B rows; it is changed.
            counts: How many of each row's S tokens are real, int64 [B], from 0 to S; the others,
                at the end, are neither read nor counted. All if None.

        Raises:
            ValueError: If a row would hold more tokens than the state has room for.
        """
        ...


@runtime_checkable
class Infills(Protocol, metaclass=Checked):
    """Has a lower bound on log p of windows of tokens, and fills blanks in them.

    Token ids are as of a :class:`LanguageModel`; a blank has the id V.
    """

    @property
    def vocabulary(self) -> int:
        """Return V, the special tokens included."""
        ...

    @property
    def window(self) -> int:
        """Return how many tokens fit into a window after its first."""
        ...

    def elbo(
        self,
        x: Tensor,
        *,
        given: Given | None = None,
        draws: int = 1,
        generator: Generator | None = None,
    ) -> Tensor:
        """Return an unbiased estimate of a lower bound on log p(x | given) in nats, [B].

        The windows x [B, S] begin with what is given: ``known`` of their tokens, 1 if None. A BOS
        in them begins a new document, PAD may only follow the last token.
        """
        ...

    def infill(self, tokens: Tensor, n: int, *, generator: Generator | None = None) -> Tensor:
        """Return n texts [n, S] that are tokens [S] with their blanks drawn, given all else."""
        ...


@runtime_checkable
class Attends(Protocol, metaclass=Checked):
    """Can show what its tokens look at."""

    def attention_maps(self, tokens: Tensor) -> Sequence[Tensor]:
        """Return every attention matrix for tokens [B, T]: for each layer [B, H, T, T]."""
        ...


@runtime_checkable
class HasGraph(Protocol, metaclass=Checked):
    """Knows the Bayesian network it is."""

    @property
    def graph(self) -> "Mapping[str, DAG]":
        """Return the DAGs by name: ``p``, and ``q`` where there is one."""
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


CAPABILITIES: dict[str, type] = {
    "samples": Samples,
    "means": SamplesMeans,
    "density": HasDensity,
    "bound": HasBound,
    "tightens": Tightens,
    "encodes": Encodes,
    "classifies": Classifies,
    "completes": Completes,
    "fits": Fits,
    "trains": Trains,
    "graph": HasGraph,
    "language": LanguageModel,
    "infills": Infills,
}
"""The names that ``ancestral models`` prints."""
