"""What a model of text can do."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol, Self, runtime_checkable

from torch import Generator, Tensor

from ancestral.capabilities.models import Given
from ancestral.signatures import Checked


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
