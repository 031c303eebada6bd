"""Masked diffusion of tokens, block after block: a Transformer that fills in what is masked."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional

from ancestral.capabilities import Batch, Given, Loss, Player, SpecialTokens
from ancestral.diffusion.token_blocks import TokenBlocks
from ancestral.diffusion.unmasking import Unmasking, infill, write
from ancestral.estimation.cross_entropy import linear_cross_entropy, token_cross_entropy
from ancestral.networks.arguments import check_whole
from ancestral.networks.dag import DAG
from ancestral.networks.language import SAMPLED, prompt_of
from ancestral.nn.attention import Sight, Tiling
from ancestral.nn.key_value_cache import KeyValueCache
from ancestral.nn.rotary import rotary_tables
from ancestral.nn.transformer import Block, GPTParts, GPTShape, initialise, norm_of

KNOWN = "known"
"""Of a bound: how many first tokens of each row are given, int64 []."""


@dataclass(frozen=True, slots=True)
class _Pass:
    """What the loss and the bound are made of."""

    blocks: TokenBlocks
    holes: Tensor
    masked: Tensor
    weight: Tensor
    clean: Tensor
    noisy: Tensor


class MaskedDiffusion(nn.Module):
    r"""Text made block after block, each by unmasking its tokens in a random order.

    Every document is cut into blocks of up to b tokens. The number of tokens of a block is drawn
    given the blocks before it, a shorter block being the last; its tokens are all masked at first
    and drawn one after the other, in any order alike, by one Transformer that sees the blocks
    before and, in both directions, what is known of its own. With b = 1 it is autoregressive, with
    b = T it is plain masked diffusion. The absorbing chain of each block needs no times: whatever
    the schedule, the bound in continuous time is

    .. math::
        \log p(x) \ge \sum_{k} \Big[\log p(r_k \mid x_{<k}) - \mathbb{E}_{c, m}
        \frac{r_k}{c} \sum_{i \in m} -\log p(x_i \mid x_{<k}, x_k \setminus m)\Big],

    c uniform on 1, ..., r_k and m any c of the block's tokens. Of a block that the window cuts
    after s tokens the first term is log P(r_k >= s), as of draws that end there.

    The clean and the masked copy of a window pass side by side. Beside its own token each place
    reads its two neighbours, as far as they are known. In training a share of the batches has
    holes: in each document a run of blocks is made last, given what follows it, so that the network
    can fill blanks.

    With a ``rate`` it learns as BERT does: c is always that share of the block's tokens, so that
    with b = T most of a text is seen, on both sides. In training a tenth of the c tokens are not
    masked but replaced by others, and a tenth are left. The bound stays one, but a loose one: other
    counts are not learned.

    Source: Sahoo et al. 2024, arXiv:2406.07524 (masked diffusion; no times in the network);
    Arriola et al. 2025, arXiv:2503.09573 (blocks; eq. 8 and sec. 3.2); the integral over time as in
    Ou et al. 2024, arXiv:2406.03736, sec. 4; a fixed rate: Devlin et al. 2019, BERT,
    arXiv:1810.04805, sec. 3.1.

    Args:
        vocabulary: Number V of tokens; the last four are the special ones.
        shape: Sizes; the window is the most tokens T after the first.
        parts: What the blocks of the Transformer are made of; positions are always rotary.
        block: Tokens b of a block, from 1 to T.
        holes: Share of the batches with holes in training, in [0, 1].
        dropout: In training, in [0, 1).
        rate: Share of a block's tokens that are learned at a time, in (0, 1]; None: all alike.

    Raises:
        ValueError: If an argument is out of its range.

    Example:
        >>> model = MaskedDiffusion(100, shape=GPTShape(window=16, width=32, layers=2, heads=4))
        >>> x = model.sample(3)
        >>> x.shape[0], model.elbo(torch.randint(96, (2, 17))).shape
        (3, torch.Size([2]))
    """

    def __init__(
        self,
        vocabulary: int,
        *,
        shape: GPTShape | None = None,
        parts: GPTParts | None = None,
        block: int = 4,
        holes: float = 0.1,
        dropout: float = 0.1,
        rate: float | None = None,
    ) -> None:
        super().__init__()
        shape, parts = shape or GPTShape(), parts or GPTParts()
        if vocabulary < 5:
            raise ValueError(
                f"vocabulary must be at least 5 with its 4 special tokens, got {vocabulary}"
            )
        if not 1 <= block <= shape.window:
            raise ValueError(f"block must lie between 1 and {shape.window}, got {block}")
        if not (0 <= dropout < 1 and 0 <= holes <= 1):
            raise ValueError(f"dropout and holes must be shares, got {dropout} and {holes}")
        if rate is not None and not 0 < rate <= 1:
            raise ValueError(f"rate must lie in (0, 1], got {rate}")
        self.vocabulary, self.window, self.block = vocabulary, shape.window, block
        self.shape, self.special, self.mask = shape, SpecialTokens.of(vocabulary), vocabulary
        self.hole_rate, self.rate = holes, rate
        self.tokens = nn.Embedding(vocabulary + 1, shape.width)
        self.beside = nn.Linear(2 * shape.width, shape.width, bias=False)
        self.dropout = nn.Dropout(dropout)
        self.blocks = nn.ModuleList(
            Block(shape, parts, dropout=dropout) for _ in range(shape.layers)
        )
        self.norm = norm_of(shape, parts)
        self.sizes = nn.Linear(shape.width, block)
        self._tables = rotary_tables(shape.window + 1, shape.features_of_a_head)
        initialise(self, shape.layers)
        nn.init.normal_(self.beside.weight, std=(2 * shape.width) ** -0.5)

    @property
    def graph(self) -> Mapping[str, DAG]:
        """Two steps of a block's chain: ``p`` from all masked to the text, ``q`` back."""
        return {
            "p": DAG({"z2": (), "z1": ("z2",), "x": ("z1",)}),
            "q": DAG({"x": (), "z1": ("x",), "z2": ("z1",)}),
        }

    def players(self) -> Sequence[Player]:
        """Return the one player: it lowers the bound on minus log p(x), nats a token."""
        hidden = [self.beside.weight, *(p for p in self.blocks.parameters() if p.ndim == 2)]
        return [Player(name="model", module=self, loss=self._loss, hidden=hidden)]

    def elbo(
        self,
        x: Tensor,
        *,
        given: Given | None = None,
        draws: int = 1,
        generator: Generator | None = None,
    ) -> Tensor:
        """Return an unbiased estimate of a lower bound on log p(x | given), nats, [B].

        Args:
            x: Windows of token ids, int64 [B, S], S at most T + 1. Their first token is given, and
                so is a BOS within them, before which nothing is seen. PAD may only follow the last.
                Documents that do not end are the beginnings of longer ones.
            given: ``known``: how many first tokens of each row are given, int64 []; 1 if None.
            draws: Of the masks, at least 1; their mean is returned.
            generator: Of the masks.

        Raises:
            ValueError: If x is too long or holds unknown tokens, or something else is given.
        """
        check_whole("draws", draws)
        if given and set(given) != {KNOWN}:
            raise ValueError(f"only {KNOWN} can be given, got {[*given]}")
        x, known = self._checked(x), int(given[KNOWN]) if given else 1
        found = torch.stack([self._costs(x, known, generator).sum(1) for _ in range(draws)])
        return -found.mean(0)

    @torch.no_grad()
    def sample(
        self, n: int, *, given: Given | None = None, generator: Generator | None = None
    ) -> Tensor:
        """Draw n texts from the model's own law, token by token; PAD follows their end.

        They may continue a given ``prompt``, int64 [S] from BOS on.

        Returns:
            Token ids from BOS on, int64 [n, at most T + 1], at most 256 after the prompt.

        Raises:
            ValueError: If n < 1, the prompt is too long, or something else is given.
        """
        check_whole("n", n)
        prompt = prompt_of(n, given, self.special)
        length = min(len(prompt) + SAMPLED, self.window + 1)
        return write(self, prompt, n, Unmasking(), length=length, generator=generator)

    @torch.no_grad()
    def infill(
        self,
        tokens: Tensor,
        n: int,
        *,
        how: Unmasking | None = None,
        generator: Generator | None = None,
    ) -> Tensor:
        """Return n texts in which the blanks are drawn, given all else; see :func:`infill`."""
        return infill(self, tokens, n, how or Unmasking(), generator=generator)

    def head(self, features: Tensor) -> Tensor:
        """Return the logits [*, V] of the tokens at features [*, D]: never of the mask."""
        return functional.linear(features, self._matrix)

    def start(self, rows: int, *, length: int) -> KeyValueCache:
        """Return a state that has read nothing, with room for ``length`` tokens a row."""
        shape = self.shape
        sizes = (shape.layers, 2, rows, shape.heads_of_keys, length, shape.features_of_a_head)
        return KeyValueCache.empty(sizes, self.tokens.weight)

    @torch.no_grad()
    def read(
        self,
        canvas: Tensor,
        span: tuple[int, int],
        state: KeyValueCache,
        *,
        sizes: Tensor | None = None,
        keep: bool = True,
    ) -> Tensor:
        """Return the features [B, S, D] of the S tokens of a span, which see one another.

        Of a span that is kept they are those before the last block, which tell the next size.

        Args:
            canvas: All of one document, masked where not known, int64 [B, L + 1]: the last column
                is masked.
            span: First place, and the one after the last.
            state: What is seen besides.
            sizes: How many of the span's tokens each row has, int64 [B]; all if None.
            keep: Add the span to the state.
        """
        first, last = span
        padded = functional.pad(canvas, (1, 0), value=self.mask)
        left, own, right = (padded[:, first + by : last + by] for by in range(3))
        x = before = self._input(own, left, right)
        slots = state.reserve(last - first, None)
        (part,) = slots.parts
        mask = None
        if sizes is not None:
            held = part.seen[0].shape[-2] - (last - first)
            at = torch.arange(part.seen[0].shape[-2], device=x.device) - held
            hidden = at >= sizes[:, None, None, None]
            mask = torch.zeros(hidden.shape, dtype=x.dtype, device=x.device)
            mask = mask.masked_fill_(hidden, -torch.inf)
        slots = replace(slots, parts=[replace(part, mask=mask, begin=False)])
        places = torch.arange(first, last, device=x.device)[None]
        sight = Sight(rotation=self._rotation(places), slots=slots)
        for layer, block in enumerate(self.blocks):
            before, x = x, block(x, sight, layer)
        if not keep:
            return self.norm(x)
        state.commit(slots)
        return self.norm(before)

    def size_logits(self, before: Tensor, *, known: Tensor) -> Tensor:
        """Return the logits of 1, ..., b tokens of a block, [B, b].

        Args:
            before: Features of the last token before it, as :meth:`read` keeps it, [B, D].
            known: How many of its tokens are known, so that it has as many at least, int64 [B].
        """
        fewer = torch.arange(1, self.block + 1, device=before.device) < known[:, None]
        return self.sizes(before).masked_fill(fewer, -torch.inf)

    @property
    def _matrix(self) -> Tensor:
        return self.tokens.weight[: self.vocabulary]

    def _loss(self, batch: Batch, generator: Generator | None) -> Loss:
        x = self._checked(batch.x)
        hole_rate = self.hole_rate if self.training else 0.0
        found = self._pass(x, 1, hole_rate, generator, self.rate)
        masked, shares = found.masked, found.weight.to(found.noisy.dtype)
        total = linear_cross_entropy(
            found.noisy[masked], self._matrix, x[masked], shares=shares[masked]
        ).total
        return Loss(
            total + self._size_costs(x, 1, found).sum(),
            weight=float((found.blocks.number > 0).sum()),
        )

    def _costs(self, x: Tensor, known: int, generator: Generator | None) -> Tensor:
        """Return what each token [B, S] costs in nats under one draw of the masks, [B, S]."""
        found = self._pass(x, known, 0.0, generator)
        masked, costs = found.masked, self._size_costs(x, known, found)
        each = token_cross_entropy(found.noisy[masked], self._matrix, x[masked])
        return costs.index_put(
            masked.nonzero(as_tuple=True), each * found.weight[masked].to(each), accumulate=True
        )

    def _size_costs(self, x: Tensor, known: int, found: _Pass) -> Tensor:
        """Return what the sizes of blocks cost at their first unknown tokens, nats, [B, S].

        A block of s tokens that is cut by the end of the window is drawn as the sampler draws one
        there, in which no more than s have room: it costs minus log P(r >= s). The blocks of rows
        with holes cost nothing.
        """
        blocks, at = found.blocks, torch.arange(x.shape[1], device=x.device)
        last = blocks.first + blocks.size - 1
        whole = (blocks.size == self.block) | (x.gather(1, last) == self.special.eos)
        begins = at == blocks.first.clamp(min=known)
        heads = begins & (blocks.number > 0) & ~found.holes.any(1, keepdim=True)
        row, place = heads.nonzero(as_tuple=True)
        before = blocks.first[row, place] - 1
        logits = self.size_logits(found.clean[row, before], known=place - before - 1)
        sizes, size = (
            torch.arange(1, self.block + 1, device=x.device),
            blocks.size[row, place, None],
        )
        other = (sizes < size) | ((sizes > size) & whole[row, place, None])
        costs = logits.logsumexp(1) - logits.masked_fill(other, -torch.inf).logsumexp(1)
        return costs.new_zeros(x.shape).index_put((row, place), costs)

    def _pass(
        self,
        x: Tensor,
        known: int,
        hole_rate: float,
        generator: Generator | None,
        rate: float | None = None,
    ) -> _Pass:
        """Return features of the clean tokens, and of the masked ones, [B, S, D] each."""
        blocks = TokenBlocks.of(x, block=self.block, special=self.special)
        places = torch.arange(x.shape[1], device=x.device)
        holes = torch.zeros_like(x, dtype=torch.bool)
        if hole_rate:
            holes = blocks.holes(hole_rate, generator)
        free = (blocks.number > 0) & (places >= known)
        masked, weight = blocks.masked(free, generator, rate=rate)
        z, rank = x.masked_fill(masked, self.mask), blocks.number + holes * x.shape[1]
        if rate is not None and self.training:
            z = self._disturbed(z, x, masked, generator)
        # Of one block the clean tokens are seen by none: the first is as clean in the masked copy.
        copies = (x, z) if self.block < self.window or hole_rate else (z,)
        inputs = [
            self._input(own, *(blocks.beside(x, own, rank, by, self.mask) for by in (1, -1)))
            for own in copies
        ]
        both, seen = self.dropout(torch.cat(inputs, dim=1)), blocks.seen(rank, copies=len(copies))
        rotation = self._rotation((places - blocks.start).repeat(1, len(copies)))
        sight = Sight(tiles=Tiling.cover(seen, both.dtype), rotation=rotation)
        *firsts, last = self.blocks
        for block in firsts:
            both = block(both, sight)
        clean = self.norm(both[:, : x.shape[1]])
        # Nobody looks at what the last block makes of the clean copy.
        sight = Sight(tiles=Tiling.cover(seen[:, -x.shape[1] :], both.dtype), rotation=rotation)
        return _Pass(blocks, holes, masked, weight, clean, self.norm(last(both, sight)))

    def _disturbed(
        self, z: Tensor, x: Tensor, masked: Tensor, generator: Generator | None
    ) -> Tensor:
        """Return z with a tenth of what is masked replaced by any tokens, a tenth as in x."""
        chance = torch.rand(z.shape, generator=generator, device=z.device)
        others = torch.randint(self.special.bos, z.shape, generator=generator, device=z.device)
        z = torch.where(masked & (chance < 0.1), others, z)
        return torch.where(masked & (chance >= 0.9), x, z)

    def _input(self, tokens: Tensor, left: Tensor, right: Tensor) -> Tensor:
        beside = self.tokens(torch.stack((left, right), dim=-1)).flatten(-2)
        return self.tokens(tokens) + self.beside(beside)

    def _rotation(self, places: Tensor) -> tuple[Tensor, Tensor]:
        cosine, sine = (table.to(places.device)[places][:, None] for table in self._tables)
        return cosine, sine

    def _checked(self, x: Tensor) -> Tensor:
        """Return windows as int64 [B, S]; a ValueError if they are none."""
        if x.ndim != 2 or not 2 <= x.shape[1] <= self.window + 1 or x.is_floating_point():
            raise ValueError(
                f"x must be whole numbers [B, S] with S from 2 to {self.window + 1}, "
                f"got {[*x.shape]}"
            )
        if x.numel() and not 0 <= int(x.min()) <= int(x.max()) < self.vocabulary:
            raise ValueError(f"tokens must lie between 0 and {self.vocabulary - 1}")
        return x.to(torch.int64)
