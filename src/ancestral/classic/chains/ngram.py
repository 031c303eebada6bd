"""n-gram models of any order over whole-number tokens."""

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Self

import numpy as np
import torch
from torch import Generator, Tensor, nn

from ancestral.capabilities import Given
from ancestral.classic.chains.counts import Stream, Whole, continuations, count, find, stream, taken
from ancestral.classic.chains.recursions import Array
from ancestral.classic.chains.sequences import check_states, uniforms
from ancestral.classic.chains.smoothing import Counts, KneserNey, Smoothing
from ancestral.errors import CapabilityError
from ancestral.networks.arguments import check_whole, refuse_unknown, to_numpy
from ancestral.networks.bayesian_network import BayesianNetwork
from ancestral.networks.dag import DAG
from ancestral.networks.nodes import Node, Table
from ancestral.nn.resizable import resize_on_load

_MOST_ENTRIES = 1 << 20  # Of a table of the network.


class NGram(nn.Module):
    """``p(x) = prod_t p(x_t | the order - 1 tokens before it)``, smoothed.

    Every sequence has a begin, which is context only, and where ``ends`` an end, which is an event
    of its own: token V. So there are E = V + 1 events (V without ends), all of positive
    probability after every context.

    Source: Chen & Goodman 1999, An empirical study of smoothing techniques for language modeling.

    Args:
        vocabulary: Number V of tokens, 0 to V - 1, at least 1.
        order: n, at least 1: 1 is unigram, 2 bigram, 3 trigram.
        smoothing: :class:`KneserNey` if None, :class:`WittenBell` or :class:`AddK`.
        ends: Whether the end of a sequence is an event.
        length: Most tokens of a draw where ``sample`` is told no other number, at least 1.

    Raises:
        ValueError: If a number is below 1.

    Example:
        >>> model = NGram(3, order=2).fit([torch.tensor([0, 1, 2, 0, 1]), torch.tensor([0, 1])])
        >>> model.log_prob([torch.tensor([0, 1])]).shape, model.probabilities([0]).shape
        (torch.Size([1]), torch.Size([4]))
        >>> int(model.probabilities([0]).argmax())
        1
    """

    def __init__(
        self,
        vocabulary: int,
        *,
        order: int = 3,
        smoothing: Smoothing | None = None,
        ends: bool = True,
        length: int = 256,
    ) -> None:
        super().__init__()
        for name, number in (("vocabulary", vocabulary), ("order", order), ("length", length)):
            check_whole(name, number)
        self.vocabulary, self.order, self.ends = vocabulary, order, ends
        self.length = length
        self.smoothing: Smoothing = KneserNey() if smoothing is None else smoothing
        self.events = vocabulary + ends
        self._base = vocabulary + 2
        for n in range(1, order + 1):
            self.register_buffer(f"keys{n}", torch.empty(0, dtype=torch.int64))
            self.register_buffer(f"weights{n}", torch.empty(0, dtype=torch.float64))
            self.register_buffer(f"backoffs{n}", torch.empty(0, dtype=torch.float64))
        resize_on_load(self, [name for name, _ in self.named_buffers()])

    @property
    def graph(self) -> Mapping[str, DAG]:
        """The network ``p`` of the first n + 1 tokens."""
        return {"p": DAG({f"x{t}": self._parents(t) for t in range(1, self.order + 2)})}

    def network(self, length: int) -> BayesianNetwork:
        """Return ``length`` tokens as a network of tables; after an end comes only the end.

        Raises:
            ValueError: If length < 1, or a table would have more than 2^20 entries.
        """
        check_whole("length", length)
        if (size := self.events ** min(self.order, length)) > _MOST_ENTRIES:
            raise ValueError(f"a table must have at most {_MOST_ENTRIES} entries, got {size}")
        nodes = []
        for t in range(1, length + 1):
            parents = self._parents(t)
            table = torch.empty((self.events,) * (len(parents) + 1), dtype=torch.float64)
            for past in itertools.product(range(self.events), repeat=len(parents)):
                if self.ends and self.vocabulary in past:
                    table[past] = torch.eye(self.events, dtype=table.dtype)[-1]
                else:
                    table[past] = self.probabilities(past, begin=t < self.order)
            nodes.append(Node(f"x{t}", Table(table), parents))
        return BayesianNetwork(nodes)

    @torch.no_grad()
    def fit(
        self,
        x: Tensor | Sequence[Tensor],
        *,
        given: Given | None = None,
        lengths: Tensor | None = None,
        generator: Generator | None = None,
    ) -> Self:
        """Count and smooth; return self.

        The tokens are one sequence [T], padded ones [N, T] with ``lengths`` [N] where they differ,
        or a list of [T_i].

        Raises:
            ValueError: If x has another shape.
            DataError: If there is no sequence, or a token is not 0 to V - 1.
        """
        del given, generator
        levels = count(self._stream(x, lengths), base=self._base, order=self.order)
        if self.smoothing.continues:
            adjusted = continuations(levels)
        else:
            adjusted = [level.counts.astype(np.float64) for level in levels]
        adjusted[0][levels[0].begins] = 0  # Begin is no event.
        contexts = 1
        for n, (level, counts) in enumerate(zip(levels, adjusted, strict=True), start=1):
            seen = Counts(counts, level.keys // self._base, contexts, self.events)
            weights, backoffs = self.smoothing.weigh(seen)
            contexts = len(level.keys)
            for name, value in {
                "keys": level.keys,
                "weights": weights,
                "backoffs": backoffs,
            }.items():
                setattr(self, f"{name}{n}", torch.from_numpy(value))
        return self

    @torch.no_grad()
    def log_prob(
        self,
        x: Tensor | Sequence[Tensor],
        *,
        given: Given | None = None,
        lengths: Tensor | None = None,
    ) -> Tensor:
        """Return log p(x) in nats of each sequence, its end included, [N]. Arguments as in fit.

        Raises:
            CapabilityError: If the model is not fitted, or anything is given.
            ValueError: If x has another shape.
            DataError: If there is no sequence, or a token is not 0 to V - 1.
        """
        refuse_unknown(given, "an n-gram model")
        corpus = self._stream(x, lengths)
        event = corpus.place > 0
        logs = np.log(self._conditionals(corpus)[event])
        count = int(corpus.row[-1]) + 1
        return torch.from_numpy(np.bincount(corpus.row[event], weights=logs, minlength=count))

    def perplexity(self, x: Tensor | Sequence[Tensor], *, lengths: Tensor | None = None) -> float:
        """Return exp of the mean of -log p per event (tokens, and ends where they are events)."""
        events = int((self._stream(x, lengths).place > 0).sum())
        return math.exp(-float(self.log_prob(x, lengths=lengths).sum()) / max(events, 1))

    def bits_per_character(
        self, x: Tensor | Sequence[Tensor], *, characters: int, lengths: Tensor | None = None
    ) -> float:
        """Return -log2 p(x) of all sequences over the number of characters that they spell.

        Models over different tokens can be compared by it, as they cannot by perplexity.

        Raises:
            ValueError: If characters < 1.
        """
        check_whole("characters", characters)
        return -float(self.log_prob(x, lengths=lengths).sum()) / math.log(2) / characters

    def probabilities(self, context: Sequence[int] = (), *, begin: bool = True) -> Tensor:
        """Return p(next | context), [E]; the last is the end, where it is an event.

        Args:
            context: The tokens before, of which the last order - 1 count.
            begin: Whether the context is all of its sequence so far; else it is cut from a text.

        Raises:
            CapabilityError: If the model is not fitted.
            DataError: If a token is not 0 to V - 1.
        """
        pasts = [past[0] for past in self._pasts(context, begin, 1)]
        even = np.full(self.events, 1 / self.events)
        found = even
        for (keys, weights, backoffs), past in zip(self._levels(), pasts, strict=False):
            lower = found if self.smoothing.interpolates else even
            if past < 0:
                found = lower
                continue
            found = backoffs[past] * lower
            start, end = np.searchsorted(keys, (past * self._base, (past + 1) * self._base))
            tokens = keys[start:end] % self._base
            event = tokens < self.events  # Begin has no weight and no place.
            found[tokens[event]] += weights[start:end][event]
        return torch.from_numpy(found)

    def conditional(self, contexts: Whole, tokens: Whole) -> Array:
        """Return p(token | context) of M pairs, [M].

        Args:
            contexts: Tokens before, the latest last, [M, order - 1]; V + 1 is the begin, and -1
                stands where nothing is known.
            tokens: [M], 0 to E - 1.

        Raises:
            CapabilityError: If the model is not fitted.
        """
        levels = self._levels()
        found = even = np.full(len(tokens), 1 / self.events)
        for n, (keys, weights, backoffs) in enumerate(levels, start=1):
            past = np.zeros(len(tokens), dtype=np.int64)
            used = contexts[:, self.order - n :]
            for (below, _, _), token in zip(levels, used.T, strict=False):
                known = (past >= 0) & (token >= 0)
                past = np.where(known, find(below, past * self._base + token), -1)
            gram = np.where(past >= 0, find(keys, past * self._base + tokens), -1)
            lower = found if self.smoothing.interpolates else even
            mixed = taken(weights, gram, 0.0) + taken(backoffs, past, 1.0) * lower
            found = np.where((used >= 0).all(1), mixed, found)
        return found

    @torch.no_grad()
    def sample(
        self,
        n: int,
        *,
        given: Given | None = None,
        generator: Generator | None = None,
        length: int | None = None,
        context: Sequence[int] = (),
        begin: bool = True,
    ) -> Tensor:
        """Draw n continuations of a context, [n, length]; -1 from the end of a sequence on.

        Every order is a component of a mixture: a draw descends from the highest, and at each
        either takes one of the tokens seen after its context or falls to the next lower one.

        Args:
            n: Number of draws, at least 1.
            given: Nothing.
            generator: Source of randomness; torch's global one if None.
            length: Most tokens of each, at least 1; the model's own number if None.
            context: As in :meth:`probabilities`.
            begin: As in :meth:`probabilities`.

        Raises:
            ValueError: If n or length is below 1.
            CapabilityError: If the model is not fitted, or anything is given.
        """
        check_whole("n", n)
        refuse_unknown(given, "an n-gram model")
        length = self.length if length is None else length
        check_whole("length", length)
        pasts = self._pasts(context, begin, n)
        levels = self._levels()
        sums = [np.concatenate(([0.0], weights.cumsum())) for _, weights, _ in levels]
        found = np.full((n, length), -1)
        going = np.ones(n, dtype=np.bool_)
        for t in range(length):
            token = self._draw(pasts, sums, uniforms((self.order + 1, n), generator))
            going &= token < self.vocabulary
            if not going.any():
                break
            found[going, t] = token[going]
            pasts = self._extend(pasts, token)
        return torch.from_numpy(found)

    def extra_repr(self) -> str:
        """Tell the sizes and the smoothing in ``repr``."""
        return f"vocabulary={self.vocabulary}, order={self.order}, smoothing={self.smoothing}"

    def _parents(self, t: int) -> tuple[str, ...]:
        return tuple(f"x{before}" for before in range(max(1, t - self.order + 1), t))

    def _stream(self, x: Tensor | Sequence[Tensor], lengths: Tensor | None) -> Stream:
        return stream(x, lengths, vocabulary=self.vocabulary, ends=self.ends)

    def _levels(self) -> list[tuple[Whole, Array, Array]]:
        """Keys, weights and backoffs of the levels 1 to order."""
        if len(self.get_buffer("keys1")) == 0:
            raise CapabilityError("the n-gram model is not fitted; call fit first")
        names = ("keys", "weights", "backoffs")
        return [
            tuple(to_numpy(self.get_buffer(f"{name}{n}")) for name in names)  # pyright: ignore[reportReturnType]
            for n in range(1, self.order + 1)
        ]

    def _conditionals(self, corpus: Stream) -> Array:
        """Return p(token | what is before it) at every place of a stream, [M]."""
        even = np.full(len(corpus.tokens), 1 / self.events)
        found = even
        past = np.zeros(len(corpus.tokens), dtype=np.int64)
        for n, (keys, weights, backoffs) in enumerate(self._levels(), start=1):
            if n > 1:  # The gram that ends one place before, where there is one so long.
                past = np.concatenate(([-1], past[:-1]))
            past = np.where(corpus.place >= n - 1, past, -1)
            gram = np.where(past >= 0, find(keys, past * self._base + corpus.tokens), -1)
            lower = found if self.smoothing.interpolates else even
            mixed = taken(weights, gram, 0.0) + taken(backoffs, past, 1.0) * lower
            found = np.where(corpus.place >= n - 1, mixed, found)
            past = gram
        return found

    def _pasts(self, context: Sequence[int], begin: bool, n: int) -> list[Whole]:
        """Return, for m = 0, 1, ..., the index of the last m tokens, -1 if unseen, each [n].

        There are as many as there are tokens, order at most.
        """
        tokens = torch.as_tensor(list(context), dtype=torch.int64)
        read = check_states(tokens[None], self.vocabulary, name="context", missing=False)[0]
        pasts = [np.zeros(n, dtype=np.int64)]
        self._levels()
        for token in ([self.vocabulary + 1] if begin else []) + read.tolist():
            pasts = self._extend(pasts, np.full(n, token))
        return pasts

    def _extend(self, pasts: list[Whole], token: Whole) -> list[Whole]:
        """Return the pasts after one more token, [n]."""
        longer = [pasts[0]]
        for past, (keys, _, _) in zip(pasts[: self.order - 1], self._levels(), strict=False):
            longer.append(np.where(past >= 0, find(keys, past * self._base + token), -1))
        return longer

    def _draw(self, pasts: list[Whole], sums: list[Array], uniform: Array) -> Whole:
        """Draw one token after each past, [n]; ``sums`` are the running sums of the weights."""
        token = np.minimum((uniform[-1] * self.events).astype(np.int64), self.events - 1)
        open_ = np.ones(len(token), dtype=np.bool_)
        for past, sum_, (keys, _, _), chance in self._descent(pasts, sums, uniform):
            low, high = (np.searchsorted(keys, (past + i) * self._base) for i in (0, 1))
            target = sum_[low] + chance
            hit = open_ & (past >= 0) & (target < sum_[high])
            gram = np.searchsorted(sum_, target[hit], side="right") - 1
            token[hit] = keys[np.clip(gram, low[hit], high[hit] - 1)] % self._base
            open_ &= ~hit
        return token

    def _descent(
        self, pasts: list[Whole], sums: list[Array], uniform: Array
    ) -> Iterator[tuple[Whole, Array, tuple[Whole, Array, Array], Array]]:
        """Yield the levels that a draw passes, the highest first."""
        steps = list(zip(pasts, sums, self._levels(), uniform[:-1], strict=False))[::-1]
        yield from steps if self.smoothing.interpolates else steps[:1]
