"""From one sequence of tokens to another: a Transformer that reads, and one that writes."""

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional
from torch.nn.utils.rnn import pad_sequence

from ancestral.capabilities import Batch, Given, Loss, Player, SpecialTokens
from ancestral.estimation.cross_entropy import linear_cross_entropy, token_cross_entropy
from ancestral.networks.arguments import check_whole, held_rows, refuse_unknown
from ancestral.networks.dag import DAG
from ancestral.nn.attention import Sight
from ancestral.nn.cross_attention import CrossAttention
from ancestral.nn.key_value_cache import KeyValueCache
from ancestral.nn.transformer import Block, GPTParts, GPTShape, initialise, norm_of

SOURCE = "source"
_SHOWN = 4  # Tokens of the drawn network.


class Seq2Seq(nn.Module):
    """``p(w | s) = prod_t p(w_t | w_1, ..., w_{t-1}, s)``: a sequence given another one.

    The encoder's tokens see one another; the decoder's see those before them and, by
    cross-attention, what the encoder has made of the source. Sequences end with EOS, or where the
    window does. PAD follows them: it is neither seen nor predicted, and nor is BOS. Positions are
    learned, each side has its own, and both share the embeddings with the head.

    Source: Vaswani et al. 2017, Attention is all you need, arXiv:1706.03762, norms first.

    Args:
        vocabulary: Number V of tokens of both sides; the last four are the special ones.
        shape: Sizes of each side; the window is the most tokens of a source, and of a sequence
            after its BOS.
        dropout: In training, in [0, 1).

    Raises:
        ValueError: If an argument is out of its range.

    Example:
        >>> model = Seq2Seq(30, shape=GPTShape(window=8, width=32, layers=2, heads=4))
        >>> pairs = padded_pairs([[3, 1, 2], [5]], [[2, 1, 3], [5]], vocabulary=30)
        >>> model.log_prob(pairs.x, given=pairs.given).shape
        torch.Size([2])
        >>> model.translate(pairs.given["source"]).shape[0]
        2
    """

    def __init__(
        self, vocabulary: int, *, shape: GPTShape | None = None, dropout: float = 0.1
    ) -> None:
        super().__init__()
        check_whole("vocabulary", vocabulary, least=5)
        if not 0 <= dropout < 1:
            raise ValueError(f"dropout must lie in [0, 1), got {dropout}")
        shape, parts = shape or GPTShape(), GPTParts(tied=True)
        self.vocabulary, self.window, self.shape = vocabulary, shape.window, shape
        self.special = SpecialTokens.of(vocabulary)
        self.tokens = nn.Embedding(vocabulary, shape.width)
        self.places = nn.ModuleList(nn.Embedding(shape.window, shape.width) for _ in range(2))
        self.dropout = nn.Dropout(dropout)
        self.encoder, self.decoder = (
            nn.ModuleList(make(shape, parts, dropout=dropout) for _ in range(shape.layers))
            for make in (Block, CrossBlock)
        )
        self.encoder_norm, self.decoder_norm = (norm_of(shape, parts) for _ in range(2))
        never = torch.zeros(vocabulary)
        never[[self.special.bos, self.special.pad]] = -torch.inf
        self.register_buffer("never", never, persistent=False)
        initialise(self, shape.layers)

    never: Tensor

    @property
    def graph(self) -> Mapping[str, DAG]:
        """The network ``p`` of four tokens: each has the source and all before it as parents."""
        names = [f"w{t}" for t in range(1, _SHOWN + 1)]
        return {"p": DAG({SOURCE: (), **{w: (SOURCE, *names[:t]) for t, w in enumerate(names)}})}

    @property
    def needs(self) -> Sequence[str]:
        """The source, which has no law of its own here."""
        return (SOURCE,)

    def players(self) -> Sequence[Player]:
        """Return the one player: it lowers -log p(x | source), nats a token."""
        blocks = (self.encoder, self.decoder)
        hidden = [p for side in blocks for p in side.parameters() if p.ndim == 2]
        return [Player(name="model", module=self, loss=self._loss, hidden=hidden)]

    def log_prob(self, x: Tensor, *, given: Given | None = None) -> Tensor:
        """Return log p(x | source) in nats, [B].

        Args:
            x: From BOS on, int64 [B, T], T - 1 at most the window; PAD may only follow the last.
            given: ``source``, int64 [B, S] or [S], PAD after its last token.

        Raises:
            ValueError: If the source is not given, or tokens are too many or unknown.
        """
        features, targets = self._read(x, given)
        return -token_cross_entropy(features, self.tokens.weight, targets, bias=self.never).sum(1)

    def sample(
        self, n: int, *, given: Given | None = None, generator: Generator | None = None
    ) -> Tensor:
        """Draw n sequences given a ``source`` [S], or one for each [n, S]; PAD follows their end.

        Returns:
            Token ids from BOS on, int64 [n, at most T + 1].

        Raises:
            ValueError: If n < 1, or the source is not given or does not fit.
        """
        check_whole("n", n)

        def draw(logits: Tensor) -> Tensor:
            return torch.multinomial(logits.softmax(-1), 1, generator=generator)[:, 0]

        return self._write(self._source(n, given), draw)

    def translate(self, source: Tensor) -> Tensor:
        """Return the sequence of each source [B, S] that takes the likeliest token at each step.

        Raises:
            ValueError: If a source does not fit.
        """
        return self._write(self._source(len(source), {SOURCE: source}), lambda z: z.argmax(-1))

    def encode_source(self, source: Tensor) -> tuple[Tensor, Tensor]:
        """Return the features of the tokens of sources [B, S], [B, S, D], and which are no PAD."""
        seen = source != self.special.pad
        x = self._embed(source, 0, 0)
        mask = torch.zeros(seen.shape, dtype=x.dtype, device=x.device)
        mask = mask.masked_fill_(~seen, -torch.inf)[:, None, None]
        for block in self.encoder:
            x = block(x, Sight(mask=mask, causal=False))
        return self.encoder_norm(x), seen

    def _loss(self, batch: Batch, generator: Generator | None) -> Loss:
        del generator  # Dropout draws from torch's own.
        features, targets = self._read(batch.x, batch.given)
        loss = linear_cross_entropy(features, self.tokens.weight, targets, bias=self.never)
        return Loss(loss.total, weight=float(loss.weight))

    def _read(self, x: Tensor, given: Given | None) -> tuple[Tensor, Tensor]:
        """Return the features after each token but the last, and the next ones, -1 for none."""
        tokens, targets = self._checked("x", x, 2, self.window + 1), x[:, 1:].to(torch.int64)
        memory = self.encode_source(self._source(len(x), given))
        features = self._decode(tokens[:, :-1], memory, Sight())
        return features, targets.masked_fill(~self.special.predicted(targets), -1)

    def _decode(
        self, tokens: Tensor, memory: tuple[Tensor, Tensor], sight: Sight, first: int = 0
    ) -> Tensor:
        x = self._embed(tokens, 1, first)
        for layer, block in enumerate(self.decoder):
            x = block(x, sight, memory, layer)
        return self.decoder_norm(x)

    @torch.no_grad()
    def _write(self, source: Tensor, choose: Callable[[Tensor], Tensor]) -> Tensor:
        """Return sequences whose tokens are chosen by their logits [B, V], one after the other."""
        shape, n, memory = self.shape, len(source), self.encode_source(source)
        sizes = (shape.layers, 2, n, shape.heads_of_keys, self.window, shape.features_of_a_head)
        state, special = KeyValueCache.empty(sizes, self.tokens.weight), self.special
        written = [torch.full((n,), special.bos, device=source.device)]
        for first in range(self.window):
            slots = state.reserve(1, None)
            features = self._decode(written[-1][:, None], memory, Sight(slots=slots), first)
            state.commit(slots)
            logits = functional.linear(features[:, 0], self.tokens.weight, self.never)
            over = (written[-1] == special.eos) | (written[-1] == special.pad)
            written.append(choose(logits).masked_fill(over, special.pad))
            if bool(((written[-1] == special.eos) | (written[-1] == special.pad)).all()):
                break
        return torch.stack(written, dim=1)

    def _embed(self, tokens: Tensor, side: int, first: int) -> Tensor:
        places = torch.arange(first, first + tokens.shape[1], device=tokens.device)
        return self.dropout(self.tokens(tokens) + self.places[side](places))

    def _source(self, n: int, given: Given | None) -> Tensor:
        refuse_unknown(given, "seq2seq", self.needs)
        if not given:
            raise ValueError("given must have the source of each sequence, got none")
        value = torch.as_tensor(given[SOURCE])
        source = held_rows(SOURCE, value, n, value.shape[-1:])
        source = self._checked("source", source.to(self.tokens.weight.device), 1, self.window)
        if bool((source[:, 0] == self.special.pad).any()):
            raise ValueError("every source must have a token or more before its PAD")
        return source

    def _checked(self, name: str, tokens: Tensor, least: int, most: int) -> Tensor:
        whole = tokens.ndim == 2 and not tokens.is_floating_point()
        if not whole or not least <= tokens.shape[1] <= most:
            raise ValueError(
                f"{name} must be whole numbers [B, T] with T from {least} to {most}, "
                f"got {[*tokens.shape]}"
            )
        if tokens.numel() and not 0 <= int(tokens.min()) <= int(tokens.max()) < self.vocabulary:
            raise ValueError(f"tokens of {name} must lie between 0 and {self.vocabulary - 1}")
        return tokens.to(torch.int64)


class CrossBlock(nn.Module):
    """A block of a decoder: attention to the tokens before, then to a context, then each alone.

    Args:
        shape: Sizes; the context has the same width.
        parts: What it is made of.
        dropout: Of what is added to the tokens.
    """

    def __init__(self, shape: GPTShape, parts: GPTParts, *, dropout: float = 0.0) -> None:
        super().__init__()
        self.block = Block(shape, parts, dropout=dropout)
        self.cross_norm = norm_of(shape, parts)
        self.cross = CrossAttention(
            shape.width,
            context=shape.width,
            heads=shape.heads,
            head_width=shape.features_of_a_head,
        )

    def forward(
        self, x: Tensor, sight: Sight, context: tuple[Tensor, Tensor], layer: int = 0
    ) -> Tensor:
        """Map x [B, S, D], given a context [B, T, D] and which of it is seen, to [B, S, D]."""
        own = self.block
        x = x + own.dropout(own.attention(own.attention_norm(x), sight, layer))
        x = x + own.dropout(self.cross(self.cross_norm(x), *context))
        return x + own.dropout(own.feed_forward(own.feed_forward_norm(x)))


def padded_pairs(
    sources: Sequence[Sequence[int]], targets: Sequence[Sequence[int]], *, vocabulary: int
) -> Batch:
    """Return pairs of sequences as a batch: targets from BOS to EOS, and their sources, padded.

    Args:
        sources: Token ids of each, one or more.
        targets: Token ids of each, without special ones.
        vocabulary: V, the special tokens included.

    Returns:
        x [B, T], and ``source`` [B, S] as what is given.

    Raises:
        ValueError: If there are not as many sources as targets, or none.

    Example:
        >>> padded_pairs([[0, 1]], [[1, 0]], vocabulary=6).x
        tensor([[2, 1, 0, 3]])
    """
    if len(sources) != len(targets) or not len(sources):
        raise ValueError(
            f"there must be as many sources as targets: {len(sources)}, {len(targets)}"
        )
    bos, eos, _, pad = SpecialTokens.of(vocabulary)

    def rows(each: Sequence[Sequence[int]]) -> Tensor:
        return pad_sequence([torch.tensor(row) for row in each], True, padding_value=pad)

    return Batch(rows([[bos, *target, eos] for target in targets]), {SOURCE: rows(sources)})
