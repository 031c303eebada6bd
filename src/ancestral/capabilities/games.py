"""The words of training: players of a game, their batches and their losses."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias, runtime_checkable

from torch import Generator, Tensor, nn

from ancestral.signatures import Checked


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
class Grows(Protocol):
    """Is not whole from the start of its training: weights of before are not kept once it is."""

    @property
    def grown(self) -> bool:
        """Whether the network has its last form."""
        ...
