"""GPT: a Transformer that reads from left to right, the book's or with modern parts."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ancestral.autoregressive.token_chain import Objective, TokenChain
from ancestral.nn.attention import Sight
from ancestral.nn.key_value_cache import KeyValueCache
from ancestral.nn.rotary import rotary_tables
from ancestral.nn.transformer import Block, GPTParts, GPTShape, initialise, norm_of


class GPT(TokenChain):
    """A Transformer over tokens: each sees itself and those before it in its document.

    With the defaults it is the book's: blocks that norm first, learned positions, linear layers
    without biases, GELU, dropout of embeddings, attention matrices and of what is added, and a head
    of its own. At V = 60,198 it has 56,957,184 parameters.

    Source: Radford et al. 2019, Language models are unsupervised multitask learners (GPT-2; initial
    weights as there); modern parts as in Touvron et al. 2023, LLaMA, arXiv:2302.13971.

    Args:
        vocabulary: Number V of tokens; the last four are the special ones.
        shape: Sizes.
        parts: What it is made of.
        dropout: In training, in [0, 1).
        attention_dropout: Of the attention matrices; as ``dropout`` if None. 0 is much faster.
        objective: What is averaged in training.

    Raises:
        ValueError: If an argument is out of its range.

    Example:
        >>> model = GPT(100, shape=GPTShape(window=16, width=32, layers=2, heads=4))
        >>> model(torch.zeros(2, 16, dtype=torch.int64)).shape
        torch.Size([2, 16, 100])
    """

    def __init__(
        self,
        vocabulary: int,
        *,
        shape: GPTShape | None = None,
        parts: GPTParts | None = None,
        dropout: float = 0.1,
        attention_dropout: float | None = None,
        objective: Objective = "tokens",
    ) -> None:
        shape, parts = shape or GPTShape(), parts or GPTParts()
        super().__init__(vocabulary, window=shape.window, objective=objective)
        attention_dropout = dropout if attention_dropout is None else attention_dropout
        for name, p in {"dropout": dropout, "attention_dropout": attention_dropout}.items():
            if not 0 <= p < 1:
                raise ValueError(f"{name} must lie in [0, 1), got {p}")
        self.shape = shape
        self.tokens = nn.Embedding(vocabulary, shape.width)
        learned = parts.positions == "learned"
        self.positions = nn.Embedding(shape.window, shape.width) if learned else None
        self.dropout = nn.Dropout(dropout)
        self.blocks = nn.ModuleList(
            Block(shape, parts, dropout=dropout, attention_dropout=attention_dropout)
            for _ in range(shape.layers)
        )
        self.norm = norm_of(shape, parts)
        self.output = None if parts.tied else nn.Linear(shape.width, vocabulary, bias=False)
        self._tables: tuple[Tensor, Tensor] | None = None
        if not learned:
            self._tables = rotary_tables(shape.window, shape.features_of_a_head)
        initialise(self, shape.layers)

    def unembedding(self) -> tuple[Tensor, Tensor | None]:
        """Return the matrix [V, D] of the head; it has no bias."""
        return (self.tokens if self.output is None else self.output).weight, None

    def hidden(self) -> Sequence[nn.Parameter]:
        """Return the matrices of the blocks."""
        return [p for p in self.blocks.parameters() if p.ndim == 2]

    def in_turn(self) -> Sequence[nn.Module]:
        """Return the blocks."""
        return list(self.blocks)

    def features(self, tokens: Tensor) -> Tensor:
        """Return the normed features [B, T, D] after each of the tokens [B, T].

        Rows are packed windows: a BOS begins a new document, which sees nothing of those before it
        and whose positions begin at 0. PAD may only follow the last token.

        Raises:
            ValueError: If there are more tokens than the window, or a token outside [0, V).
        """
        tokens = self._checked(tokens)
        x, sight = self.embed(tokens)
        for block in self.blocks:
            x = block(x, sight)
        return self.norm(x)

    def embed(self, tokens: Tensor) -> tuple[Tensor, Sight]:
        """Return what enters the first block, [B, T, D], and what the tokens [B, T] see."""
        places = torch.arange(tokens.shape[1], device=tokens.device)[None]
        begins = self._begins(tokens)
        if begins is None:
            return self._at(tokens, places), Sight(rotation=self._rotation(places))
        starts = (places * begins).cummax(1).values
        hidden = (starts[:, :, None] != starts[:, None]) | (places[:, :, None] < places[:, None])
        x = self._at(tokens, places - starts)
        mask = torch.zeros(hidden.shape, dtype=x.dtype, device=x.device)
        mask = mask.masked_fill_(hidden, -torch.inf)[:, None]
        return x, Sight(mask=mask, causal=False, rotation=self._rotation(places - starts))

    def start(self, rows: int, *, length: int) -> KeyValueCache:
        """Return a state that has read nothing, with room for ``length`` tokens a row.

        Raises:
            ValueError: If ``length`` is more than the window.
        """
        shape = self.shape
        if not 1 <= length <= shape.window:
            raise ValueError(f"length must lie between 1 and the window {shape.window}: {length}")
        sizes = (shape.layers, 2, rows, shape.heads_of_keys, length, shape.features_of_a_head)
        return KeyValueCache.empty(sizes, self.tokens.weight)

    @torch.no_grad()
    def advance(
        self, tokens: Tensor, state: KeyValueCache, *, counts: Tensor | None = None
    ) -> Tensor:
        """Read tokens [B, S] into the state, and return the features after each, [B, S, D].

        As :class:`~ancestral.capabilities.LanguageModel` says; no gradient flows through a state.
        If ``counts`` is given, each row looks at its own keys by itself, so that its bits do not
        depend on how long others are.
        """
        tokens = self._checked(tokens)
        if len(tokens) != len(state.lengths):
            raise ValueError(f"the state has {len(state.lengths)} rows, got {len(tokens)}")
        slots = state.reserve(tokens.shape[1], counts)
        places = slots.positions.to(tokens.device)
        x = self._at(tokens, places.clamp(max=self.shape.window - 1))
        rotation = self._rotation(places.clamp(max=self.shape.window - 1))
        sight = Sight(rotation=rotation, slots=slots)
        for layer, block in enumerate(self.blocks):
            x = block(x, sight, layer)
        state.commit(slots)
        return self.norm(x)

    def attention_maps(self, tokens: Tensor) -> list[Tensor]:
        """Return every attention matrix for tokens [B, T], as :func:`attention_maps` does."""
        return attention_maps(self, tokens)

    def _at(self, tokens: Tensor, places: Tensor) -> Tensor:
        x = self.tokens(tokens)
        if self.positions is not None:
            x = x + self.positions(places)
        return self.dropout(x)

    def _rotation(self, places: Tensor) -> tuple[Tensor, Tensor] | None:
        if self._tables is None:
            return None
        cosine, sine = (table.to(places.device)[places][:, None] for table in self._tables)
        return cosine, sine


@torch.no_grad()
def attention_maps(model: GPT, tokens: Tensor) -> list[Tensor]:
    """Return every attention matrix for tokens [B, T]: for each layer [B, H, T, T].

    They are made anew from what enters each layer, without dropout; normal passes never hold them.
    Entry (i, j) is how much token i takes from token j; rows sum to 1.

    Raises:
        ValueError: If there are more tokens than the window, or a token outside [0, V).

    Example:
        >>> model = GPT(100, shape=GPTShape(window=16, width=32, layers=2, heads=4))
        >>> [maps.shape for maps in attention_maps(model, torch.zeros(1, 5, dtype=torch.int64))]
        [torch.Size([1, 4, 5, 5]), torch.Size([1, 4, 5, 5])]
    """
    training = model.training
    model.eval()
    try:
        x, sight = model.embed(model._checked(tokens))
        found = []
        for block in model.blocks:
            assert isinstance(block, Block)
            found.append(block.attention.weights(block.attention_norm(x), sight))
            x = block(x, sight)
    finally:
        model.train(training)
    return found
