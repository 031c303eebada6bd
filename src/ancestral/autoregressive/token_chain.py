"""What all gradient-trained language models share: the full chain of a sequence, its factors tied.

``p(w_1, ..., w_T) = prod_t p(w_{t+1} | w_1, ..., w_t)``, where w_1 is the token BOS.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeAlias

import torch
from torch import Generator, Tensor, nn

from ancestral.autoregressive.decoding.generate import collect, generate
from ancestral.autoregressive.decoding.settings import Decoding, row_generators
from ancestral.capabilities import Batch, Given, Loss, Player, SpecialTokens, TokenState
from ancestral.estimation.cross_entropy import linear_cross_entropy, token_cross_entropy
from ancestral.networks.dag import DAG
from ancestral.networks.language import SAMPLED, prompt_of, refuse_given

Objective: TypeAlias = Literal["tokens", "sequences"]
"""``tokens``: the mean over all tokens. ``sequences``: the book's, a mean over sequences of the sum
over a sequence's tokens divided by its length, BOS included: a token of a short one weighs more."""

_SHOWN = 5  # Tokens of the drawn network.


class TokenChain(nn.Module, ABC):
    """A language model but for its features and states; see :class:`LanguageModel`."""

    def __init__(self, vocabulary: int, *, window: int | None, objective: Objective) -> None:
        super().__init__()
        if vocabulary < 5:
            raise ValueError(
                f"vocabulary must be at least 5 with its 4 special tokens, got {vocabulary}"
            )
        if objective not in ("tokens", "sequences"):
            raise ValueError(f"objective must be 'tokens' or 'sequences', got {objective!r}")
        self._vocabulary, self._window, self.objective = vocabulary, window, objective
        self.special = SpecialTokens.of(vocabulary)

    @property
    def vocabulary(self) -> int:
        """Return V, the special tokens included."""
        return self._vocabulary

    @property
    def window(self) -> int | None:
        """Return how many tokens fit into a state, or None where there is no limit."""
        return self._window

    @abstractmethod
    def features(self, tokens: Tensor) -> Tensor:
        """Return the features [B, T, D] after each of the tokens [B, T].

        Raises ValueError if there are more tokens than the window, or a token outside [0, V).
        """

    @abstractmethod
    def start(self, rows: int, *, length: int) -> TokenState:
        """Return a state that has read nothing; see :class:`LanguageModel`."""

    @abstractmethod
    def advance(self, tokens: Tensor, state: Any, *, counts: Tensor | None = None) -> Tensor:  # noqa: ANN401 - its own state
        """Read tokens into the state and return the features; see :class:`LanguageModel`."""

    @abstractmethod
    def unembedding(self) -> tuple[Tensor, Tensor | None]:
        """Return matrix [V, D] and bias [V] (or None) of the head."""

    def head(self, features: Tensor) -> Tensor:
        """Return the logits [*, V] of the next token, for features [*, D]."""
        return nn.functional.linear(features, *self.unembedding())

    def forward(self, tokens: Tensor) -> Tensor:
        """Return the logits [B, T, V] of the token after each of the tokens [B, T]."""
        return self.head(self.features(tokens))

    def log_prob(self, x: Tensor, *, given: Given | None = None) -> Tensor:
        """Return log p(x) in nats, [B]: of all tokens after the first but BOS and PAD.

        Token ids x [B, T] are windows that begin with what is given (BOS), with T - 1 tokens at
        most the model's window. PAD may only follow the last token. What stands after a BOS does
        not see what stands before it.

        Raises:
            ValueError: If something is given, or x is too long or holds unknown tokens.
        """
        refuse_given(given)
        tokens, targets = self._split(x)
        matrix, bias = self.unembedding()
        features = self.features(tokens)
        return -token_cross_entropy(features, matrix, targets, bias=bias).sum(1)

    @torch.no_grad()
    def sample(
        self, n: int, *, given: Given | None = None, generator: Generator | None = None
    ) -> Tensor:
        """Draw n texts token by token from the model's own distribution; PAD follows their EOS.

        They may continue a given ``prompt``, int64 [T] from BOS on.

        Returns:
            Token ids from BOS on, int64 [n, at most the prompt and 256].

        Raises:
            ValueError: If n < 1, or something else is given.
        """
        prompt = prompt_of(n, given, self.special).tolist()
        seed = torch.randint(2**62, (), generator=generator, device=_device_of(generator))
        drawn = collect(
            generate(
                self,
                [prompt] * n,
                Decoding.plain(),
                max_tokens=SAMPLED,
                generators=row_generators(int(seed), n),
            )
        )
        return _rows([[*prompt, *text.tokens] for text in drawn], self.special.pad)

    def players(self) -> Sequence[Player]:
        """Return the one player: it lowers -log p(x), see :data:`Objective`."""
        hidden, blocks = self.hidden(), self.in_turn()
        return [Player(name="model", module=self, loss=self._loss, hidden=hidden, blocks=blocks)]

    def hidden(self) -> Sequence[nn.Parameter]:
        """Return the matrices between hidden layers; see :class:`Player`."""
        return ()

    def in_turn(self) -> Sequence[nn.Module]:
        """Return the blocks that are called one after the other; see :class:`Player`."""
        return ()

    @property
    def graph(self) -> Mapping[str, DAG]:
        """The network ``p`` of the first five tokens: each has all before it as its parents."""
        names = [f"w{t}" for t in range(1, _SHOWN + 1)]
        return {"p": DAG({name: names[:t] for t, name in enumerate(names)})}

    def _loss(self, batch: Batch, generator: Generator | None) -> Loss:
        del generator  # Dropout draws from torch's own.
        tokens, targets = self._split(batch.x)
        matrix, bias = self.unembedding()
        shares = None
        if self.objective == "sequences":
            lengths = (targets >= 0).sum(1, keepdim=True) + 1  # BOS counts, see E-M16.
            shares = (1.0 / lengths).expand_as(targets)
        loss = linear_cross_entropy(
            self.features(tokens), matrix, targets, bias=bias, shares=shares
        )
        weight = len(targets) if self.objective == "sequences" else float(loss.weight)
        return Loss(loss.total, weight=weight)

    def _split(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return the tokens that are read, and those to predict, -1 where none is."""
        if x.ndim != 2 or x.shape[1] < 2 or x.is_floating_point():
            raise ValueError(f"x must be whole numbers [B, T] with T at least 2, got {[*x.shape]}")
        x = x.to(torch.int64)
        targets = x[:, 1:]
        return x[:, :-1], targets.masked_fill(~self.special.predicted(targets), -1)

    def _checked(self, tokens: Tensor) -> Tensor:
        """Return tokens [B, T] as int64.

        Raises ValueError if they are too many for the window, or one lies outside [0, V).
        """
        if tokens.ndim != 2:
            raise ValueError(f"tokens must be [B, T], got {[*tokens.shape]}")
        if self._window is not None and tokens.shape[1] > self._window:
            raise ValueError(
                f"at most {self._window} tokens fit into the window, got {tokens.shape[1]}"
            )
        if tokens.numel():
            least, most = tokens.aminmax()
            if least < 0 or most >= self._vocabulary:
                raise ValueError(
                    f"tokens must lie between 0 and {self._vocabulary - 1}, "
                    f"got {int(least)} to {int(most)}"
                )
        return tokens.to(torch.int64)

    def _begins(self, tokens: Tensor) -> Tensor | None:
        """Return where documents begin inside of rows, bool [B, T]; None if nowhere but at 0."""
        begins = tokens == self.special.bos
        begins[:, :1] = True
        return begins if bool(begins[:, 1:].any()) else None


def _device_of(generator: Generator | None) -> torch.device:
    return generator.device if generator is not None else torch.device("cpu")


def _rows(texts: Sequence[Sequence[int]], pad: int) -> Tensor:
    """Return texts of any lengths as rows, int64 [n, T]."""
    parts = [torch.tensor(text) for text in texts]
    return nn.utils.rnn.pad_sequence(parts, batch_first=True, padding_value=pad)
