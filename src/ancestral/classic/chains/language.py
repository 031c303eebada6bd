"""n-gram models as language models: the contract that every way to generate asks for."""

from collections.abc import Mapping, Sequence
from typing import Self

import numpy as np
import torch
from torch import Generator, Tensor, nn

from ancestral.capabilities import Given, SpecialTokens
from ancestral.classic.chains.ngram import NGram
from ancestral.classic.chains.smoothing import Smoothing
from ancestral.networks.dag import DAG
from ancestral.networks.language import SAMPLED, prompt_of, refuse_given
from ancestral.nn.key_value_cache import RowLengths, checked_counts

_KEPT = 512  # Contexts whose distributions are kept.


class LastTokens(RowLengths):
    """All that an n-gram model keeps: the tokens of each row [B, C], -1 where none was read."""

    def __init__(self, tokens: Tensor, lengths: Tensor) -> None:
        super().__init__(lengths)
        self.tokens = tokens

    def select(self, rows: Tensor) -> "LastTokens":
        """Return a copy of the rows at positions int64 [R], in that order; rows may repeat."""
        return LastTokens(self.tokens[rows], self._lengths[rows])

    def first(self, rows: int) -> "LastTokens":
        """Return the first rows as a view: what is read into it is read into this state."""
        return LastTokens(self.tokens[:rows], self._lengths[:rows])

    def put(self, rows: Tensor, other: "LastTokens") -> None:
        """Write all rows of ``other`` over the rows at positions int64 [R]."""
        self.tokens[rows, : other.tokens.shape[1]] = other.tokens
        self._lengths[rows] = other.lengths


class NGramLanguageModel(nn.Module):
    """An n-gram model that reads packed windows: BOS is its begin, EOS a token as any other.

    Its features are the last order - 1 tokens, back to BOS, and -1 before; its head looks the
    logarithms of all probabilities up.

    Args:
        vocabulary: V, the four special tokens included, at least 5.
        order: n, at least 1; 2 is bigram.
        smoothing: As in :class:`NGram`; Kneser-Ney if None.

    Raises:
        ValueError: If a number is too small.

    Example:
        >>> model = NGramLanguageModel(6, order=2).fit(torch.tensor([[2, 0, 1, 0, 1, 3]]))
        >>> model.head(model.features(torch.tensor([[2, 0]]))).shape
        torch.Size([1, 2, 6])
        >>> model.log_prob(torch.tensor([[2, 0, 1, 3]])).shape
        torch.Size([1])
    """

    def __init__(
        self, vocabulary: int, *, order: int = 3, smoothing: Smoothing | None = None
    ) -> None:
        super().__init__()
        if vocabulary < 5:
            raise ValueError(
                f"vocabulary must be at least 5 with its 4 special tokens, got {vocabulary}"
            )
        self.chain = NGram(vocabulary, order=order, smoothing=smoothing, ends=False)
        self.special = SpecialTokens.of(vocabulary)
        self._rows: dict[tuple[int, ...], Tensor] = {}

    @property
    def vocabulary(self) -> int:
        """Return V, the special tokens included."""
        return self.chain.vocabulary

    @property
    def order(self) -> int:
        """Return n."""
        return self.chain.order

    @property
    def window(self) -> None:
        """Return None: only the last tokens matter, however many there are."""
        return

    def fit(
        self, x: Tensor, *, given: Given | None = None, generator: Generator | None = None
    ) -> Self:
        """Count windows [N, T]; PAD is not counted, BOS only begins. Return self.

        A window that begins with the last token of the one before it continues it, as packed
        windows do: the counts are those of the whole documents. Any other begins a document.
        """
        del given, generator
        self._rows.clear()
        self.chain.fit(self._documents(x.to(torch.int64)))
        return self

    def log_prob(self, x: Tensor, *, given: Given | None = None) -> Tensor:
        """Return log p(x) in nats, [B]: of all tokens after the first but BOS and PAD.

        Of token ids x [B, T], what stands after a BOS does not see what stands before it.

        Raises:
            ValueError: If something is given.
        """
        refuse_given(given)
        x = x.to(torch.int64)
        targets = x[:, 1:]
        real = self.special.predicted(targets)
        contexts = self.features(x[:, :-1])[real].numpy()
        found = torch.zeros(targets.shape, dtype=torch.float64)
        found[real] = torch.from_numpy(self._log_probs(contexts, targets[real].numpy()))
        return found.sum(1)

    @torch.no_grad()
    def sample(
        self, n: int, *, given: Given | None = None, generator: Generator | None = None
    ) -> Tensor:
        """Draw n texts; PAD follows their EOS.

        They may continue a given ``prompt``, int64 [T] from BOS on.

        Returns:
            Token ids from BOS on, int64 [n, the prompt and 256].

        Raises:
            ValueError: If n < 1, or something else is given.
        """
        prompt = prompt_of(n, given, self.special)
        tokens, begin = self._context(prompt.tolist())
        drawn = self.chain.sample(
            n, length=SAMPLED, context=tokens, begin=begin, generator=generator
        )
        ended = (drawn == self.special.eos).cumsum(1)
        after = (ended > 0) & ((drawn != self.special.eos) | (ended > 1))
        drawn = drawn.masked_fill(after, self.special.pad)
        return torch.cat((prompt.expand(n, -1), drawn), dim=1)

    def features(self, tokens: Tensor) -> Tensor:
        """Return the last order - 1 tokens at each of the tokens [B, T], int64 [B, T, order - 1].

        The latest comes last; -1 stands before the BOS of a document and before the window.
        """
        parts, hidden = [], torch.zeros_like(tokens, dtype=torch.bool)
        for back in range(self.order - 1):
            moved = nn.functional.pad(tokens, (back, 0), value=-1)[:, : tokens.shape[1]]
            parts.append(moved.masked_fill(hidden, -1))
            hidden = hidden | (moved == self.special.bos)
        return torch.stack(parts[::-1], -1) if parts else tokens.new_empty(*tokens.shape, 0)

    def head(self, features: Tensor) -> Tensor:
        """Return log p(next token) as logits [*, V], float32, for features [*, order - 1]."""
        flat = features.flatten(0, -2).tolist() if features.ndim > 1 else [features.tolist()]
        rows = [self._row(tuple(context)) for context in flat]
        shape = (*features.shape[:-1], self.vocabulary)
        return torch.stack(rows).reshape(shape) if rows else torch.empty(shape)

    def start(self, rows: int, *, length: int) -> LastTokens:
        """Return a state that has read nothing, with room for ``length`` tokens a row."""
        tokens = torch.full((rows, length), -1, dtype=torch.int64)
        return LastTokens(tokens, torch.zeros(rows, dtype=torch.int64))

    def advance(self, tokens: Tensor, state: LastTokens, *, counts: Tensor | None = None) -> Tensor:
        """Read tokens [B, S]; return the features after each, int64 [B, S, order - 1].

        Raises ValueError if a row would hold more tokens than the state has room for.
        """
        rows, steps = tokens.shape
        counts = checked_counts(counts, rows, steps)
        ends = state.lengths + counts
        room = state.tokens.shape[1]
        state.check_room(ends, room)
        step = torch.arange(steps)
        row, column = (step < counts[:, None]).nonzero(as_tuple=True)
        state.tokens[row, state.lengths[row] + column] = tokens[row, column]
        back = torch.arange(self.order - 2, -1, -1)
        places = (state.lengths[:, None] + step)[..., None] - back
        last = state.tokens[torch.arange(rows)[:, None, None], places.clamp(0, room - 1)]
        state.lengths.copy_(ends)
        begun = (last == self.special.bos).flip(-1).cumsum(-1).flip(-1)
        begun = begun - (last == self.special.bos).to(begun.dtype)  # A BOS itself is seen.
        return last.masked_fill((places < 0) | (begun > 0), -1)

    @property
    def graph(self) -> Mapping[str, DAG]:
        """The network ``p`` of the first tokens: the order - 1 before each are its parents."""
        return self.chain.graph

    def _documents(self, x: Tensor) -> Sequence[Tensor]:
        """Return the documents of windows [N, T] without BOS and PAD, each [T_i]."""
        kept = x != self.special.pad
        begins = x == self.special.bos
        # The last token of the window before is there already; it may be a BOS.
        follows = (x[1:, 0] == x[:-1, -1]) & kept[1:, 0]
        begins[0, :1] = True
        begins[1:, 0] = kept[1:, 0]
        kept[1:, 0] &= ~follows
        tokens = x[kept]
        parts = torch.tensor_split(tokens, begins[kept].nonzero().flatten()[1:].tolist())
        return [part[int(part[0]) == self.special.bos :] for part in parts if len(part)]

    def _context(self, context: Sequence[int]) -> tuple[list[int], bool]:
        """Return the tokens of a context, and whether it is all of its document so far."""
        tokens = [token for token in context if token >= 0]
        begin = bool(tokens) and tokens[0] == self.special.bos
        return tokens[begin:], begin

    def _row(self, context: tuple[int, ...]) -> Tensor:
        if context not in self._rows:
            if len(self._rows) >= _KEPT:  # The oldest goes.
                del self._rows[next(iter(self._rows))]
            tokens, begin = self._context(context)
            found = self.chain.probabilities(tokens, begin=begin)
            self._rows[context] = found.log().float()
        return self._rows[context]

    def _log_probs(self, contexts: np.ndarray, tokens: np.ndarray) -> np.ndarray:
        """Return log p(token | context) for M contexts [M, order - 1], nats, [M]."""
        return np.log(self.chain.conditional(self._begun(contexts), tokens))

    def _begun(self, contexts: np.ndarray) -> np.ndarray:
        """Write the chain's own begin, V + 1, for BOS."""
        return np.where(contexts == self.special.bos, self.vocabulary + 1, contexts)
