"""How windows of tokens fall into documents and blocks, and the order in which blocks are made."""

from dataclasses import dataclass

import torch
from torch import Generator, Tensor, nn

from ancestral.capabilities import SpecialTokens


@dataclass(frozen=True, slots=True)
class TokenBlocks:
    """Documents and blocks of windows; every field is int64 [B, S].

    The first token of a document (BOS, or that of the window) is given: it is block 0. Blocks 1,
    2, ... of up to so many tokens follow; the last of a document is the shorter one. PAD is alone.

    Args:
        start: Place in the row of the document's first token.
        end: Place in the row of its last one.
        number: Of the block within its document.
        first: Place in the row at which the block begins.
        size: Tokens of the block.
    """

    start: Tensor
    end: Tensor
    number: Tensor
    first: Tensor
    size: Tensor

    @classmethod
    def of(cls, x: Tensor, *, block: int, special: SpecialTokens) -> "TokenBlocks":
        """Cut windows x [B, S] into blocks of so many tokens.

        Example:
            >>> x = torch.tensor([[5, 0, 1, 2, 6, 5, 3]])
            >>> TokenBlocks.of(x, block=2, special=SpecialTokens.of(9)).number
            tensor([[0, 1, 1, 2, 2, 0, 1]])
        """
        at = torch.arange(x.shape[1], device=x.device).expand(x.shape)
        begins = (x == special.bos) | (x == special.pad)
        begins[:, 0] = True
        start, end = _from(begins, at), _to(begins, at)
        place = at - start
        edge = begins | ((place - 1) % block == 0)
        first = _from(edge, at)
        return cls(start, end, -(-place // block), first, _to(edge, at) - first + 1)

    def holes(self, rate: float, generator: Generator | None) -> Tensor:
        """Return which tokens lie in the hole of their document, bool [B, S].

        All rows have holes with probability ``rate``: of each document a run of blocks, drawn at
        random, that is made last, when what follows it is known.
        """
        device, count = self.start.device, self.number.gather(1, self.end)
        if float(torch.rand((), generator=generator, device=device)) >= rate:
            return torch.zeros_like(self.start, dtype=torch.bool)
        draws = torch.rand(2, *self.start.shape, generator=generator, device=device)
        low, high = draws.gather(2, self.start.expand(2, -1, -1))
        first = 1 + (low * count).long().clamp(max=count - 1)
        last = first + (high * (count - first + 1)).long().clamp(max=count - first)
        return (self.number >= first) & (self.number <= last)

    def masked(
        self, free: Tensor, generator: Generator | None, *, rate: float | None = None
    ) -> tuple[Tensor, Tensor]:
        """Draw which tokens are masked, bool [B, S], and the weight of each, float64 [B, S].

        Of the r free tokens of a block c are masked, any c of them alike, c uniform on 1, ..., r,
        and each weighs r / c: the integral over time is done, for at time t, uniform on (0, 1),
        a token is masked with probability t and weighs 1 / t. One number from each of as many
        strata as there are blocks decides c, so that all shares come equally often.

        Args:
            free: Tokens that may be masked, bool [B, S].
            generator: Of the draws.
            rate: Share of the free tokens that c is, rounded up, in (0, 1]; None: as above.
        """
        device, shape = self.first.device, self.first.shape
        at = torch.arange(shape[1], device=device).expand(shape)
        size = self.sums(free)
        heads = (self.first == at) & (size > 0)
        n = int(heads.sum())
        strata = torch.randperm(n, generator=generator, device=device)
        spread = torch.rand(n, generator=generator, device=device, dtype=torch.float64)
        share = torch.zeros(shape, device=device, dtype=torch.float64)
        share[heads] = (strata + spread) / max(n, 1)
        share = share.gather(1, self.first)
        count = torch.minimum((share * size).long() + 1, size)
        if rate is not None:
            count = (rate * size).ceil().long()
        # In a random order, what is not free behind all that is.
        keys = torch.rand(shape, generator=generator, device=device, dtype=torch.float64) / 2
        place = (self.first + keys + ~free / 2).argsort(1).argsort(1) - self.first
        return (place < count) & free, size.double() / count.clamp(min=1)

    def sums(self, marked: Tensor) -> Tensor:
        """Return how many of its block's tokens are marked, for each token, int64 [B, S]."""
        before = nn.functional.pad(marked.long().cumsum(1), (1, 0))
        return before.gather(1, self.first + self.size) - before.gather(1, self.first)

    def seen(self, rank: Tensor, *, copies: int = 2) -> Tensor:
        """Return what the clean and the masked copies see of both, bool [B, 2 S, 2 S].

        A clean token sees the clean ones of its document up to its own block; a masked copy sees
        the clean ones of the blocks before, and the masked copies of its own block.

        Args:
            rank: Which blocks of a document are made before which, int64 [B, S].
            copies: 1 where there is one copy, in which blocks see those before: [B, S, S].
        """
        same = self.start[:, :, None] == self.start[:, None]
        before = same & (rank[:, None] < rank[:, :, None])
        own = same & (rank[:, None] == rank[:, :, None])
        if copies == 1:
            return before | own
        clean = torch.cat((before | own, torch.zeros_like(own)), dim=2)
        return torch.cat((clean, torch.cat((before, own), dim=2)), dim=1)

    def beside(self, x: Tensor, own: Tensor, rank: Tensor, by: int, unknown: int) -> Tensor:
        """Return the neighbour of each token as far as it is known, int64 [B, S].

        Args:
            x: Clean tokens [B, S], as blocks made before are seen.
            own: Tokens [B, S] as those of the same block are seen.
            rank: As above.
            by: 1 for the token before, -1 for the one after.
            unknown: What stands for tokens of later blocks and other documents.
        """
        there, same = rank.roll(by, 1), self.start.roll(by, 1) == self.start
        same[:, 0 if by > 0 else -1] = False
        later = torch.where(there == rank, own.roll(by, 1), unknown)
        return torch.where(there < rank, x.roll(by, 1), later).masked_fill(~same, unknown)


def _from(begins: Tensor, at: Tensor) -> Tensor:
    """Return the last place up to each that begins something."""
    return (at * begins).cummax(1).values


def _to(begins: Tensor, at: Tensor) -> Tensor:
    """Return the place before the next one that begins something, or the last of the row."""
    size = at.shape[1]
    after = torch.where(begins, at, size).roll(-1, 1)
    after[:, -1] = size
    return after.flip(1).cummin(1).values.flip(1) - 1
