"""Vectors rounded to codes: a codebook that follows its vectors, and finite scalar quantisation."""

import math
from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

import torch
from torch import Generator, Tensor, nn
from torch.nn.functional import one_hot

_DEAD = 0.03
"""Share of an even share of the vectors below which a code is dead."""


class Quantised(NamedTuple):
    """What a quantiser makes of vectors [*, D].

    ``vectors`` [*, D] are those of the codes, their gradient passed on to what was rounded;
    ``codes`` int64 [*]; ``cost`` [*] is how far a vector is from its code, squared.
    """

    vectors: Tensor
    codes: Tensor
    cost: Tensor


def straight_through(z: Tensor, rounded: Tensor) -> Tensor:
    """Return what was rounded, with the gradient of the identity.

    Source: Bengio, Leonard & Courville 2013, arXiv:1308.3432.
    """
    return z + (rounded - z).detach()


class EMAQuantiser(nn.Module):
    """The nearest of K vectors, which are moving averages of what is rounded to them.

    A code that little is rounded to is put where a vector of the batch is.

    Source: van den Oord, Vinyals & Kavukcuoglu 2017, arXiv:1711.00937, sec. 3 and app. A.1; dead
    codes: Dhariwal et al. 2020, Jukebox, arXiv:2005.00341, sec. 3.1.

    Args:
        codes: Number K of codes, at least 2.
        features: Numbers D of a vector, at least 1.
        decay: Of the moving averages, in [0, 1).

    Raises:
        ValueError: If an argument is out of its range.

    Example:
        >>> EMAQuantiser(8, features=2)(torch.zeros(5, 3, 2)).codes.shape
        torch.Size([5, 3])
    """

    coupled = True
    codebook: Tensor
    counts: Tensor
    sums: Tensor
    begun: Tensor

    def __init__(self, codes: int, *, features: int, decay: float = 0.99) -> None:
        super().__init__()
        if codes < 2:
            raise ValueError(f"codes must be at least 2, got {codes}")
        if features < 1:
            raise ValueError(f"features must be at least 1, got {features}")
        if not 0 <= decay < 1:
            raise ValueError(f"decay must lie in [0, 1), got {decay}")
        self.codes, self.features, self.decay = codes, features, decay
        self.register_buffer("codebook", torch.randn(codes, features))
        self.register_buffer("counts", torch.ones(codes))
        self.register_buffer("sums", self.codebook.clone())
        self.register_buffer("begun", torch.zeros((), dtype=torch.bool))

    def forward(self, z: Tensor) -> Quantised:
        """Return vectors [*, D] rounded to the nearest of the codebook."""
        codes = self.nearest(z.detach())
        rounded = self.vectors(codes)
        return Quantised(straight_through(z, rounded), codes, (z - rounded).square().sum(-1))

    def nearest(self, vectors: Tensor) -> Tensor:
        """Return the codes, int64 [*], nearest to vectors [*, D]."""
        flat = vectors.reshape(-1, self.features)
        # |z - c|^2 but for |z|^2, which is the same for all codes.
        far = self.codebook.square().sum(1) - 2 * flat @ self.codebook.T
        return far.argmin(1).view(vectors.shape[:-1])

    def vectors(self, codes: Tensor) -> Tensor:
        """Return the vectors [*, D] of codes [*]."""
        return self.codebook[codes]

    @torch.no_grad()
    def learn(self, z: Tensor, codes: Tensor, generator: Generator | None) -> None:
        """Move the codebook towards vectors [*, D] that were rounded to codes [*]."""
        z, codes = z.reshape(-1, self.features).to(self.sums.dtype), codes.flatten()
        at = torch.randint(len(z), (self.codes,), generator=generator, device=z.device)
        share = len(z) / self.codes
        if not self.begun:
            self.begun.fill_(True)
            self._put(torch.ones_like(self.counts, dtype=torch.bool), z[at], share)
            return
        hot = one_hot(codes, self.codes).to(z.dtype)
        self.counts.lerp_(hot.sum(0), 1 - self.decay)
        self.sums.lerp_(hot.T @ z, 1 - self.decay)
        dead = self.counts < _DEAD * share
        self._put(dead, z[at], share)

    def _put(self, which: Tensor, vectors: Tensor, share: float) -> None:
        self.counts.masked_fill_(which, share)
        self.sums.copy_(torch.where(which[:, None], share * vectors, self.sums))
        self.codebook.copy_(self.sums / self.counts[:, None])


class FSQ(nn.Module):
    """Finite scalar quantisation: each number is bounded and rounded to one of a few levels.

    There is no codebook: all combinations of levels are codes, and none can die.

    Source: Mentzer et al. 2023, Finite Scalar Quantization, arXiv:2309.15505, sec. 3 and app. A.1.

    Args:
        levels: Levels of each of the D numbers of a vector, at least 2.

    Raises:
        ValueError: If there are none, or one is below 2.

    Example:
        >>> fsq = FSQ((8, 5, 5, 5))
        >>> fsq.codes, fsq(torch.zeros(3, 4)).vectors.shape
        (1000, torch.Size([3, 4]))
    """

    coupled = False
    _half: Tensor
    _offset: Tensor
    _basis: Tensor
    _counts: Tensor

    def __init__(self, levels: Sequence[int]) -> None:
        super().__init__()
        if not levels or min(levels) < 2:
            raise ValueError(f"levels must be one or more numbers of at least 2, got {[*levels]}")
        self.levels, self.features, self.codes = tuple(levels), len(levels), math.prod(levels)
        counts = torch.tensor(self.levels)
        places = torch.tensor([math.prod(self.levels[:i]) for i in range(len(levels))])
        buffers = {
            "_half": (counts - 1) * (1 + 1e-3) / 2,
            "_offset": torch.where(counts % 2 == 0, 0.5, 0.0),
            "_basis": places,
            "_counts": counts,
        }
        for name, value in buffers.items():
            self.register_buffer(name, value, persistent=False)

    def forward(self, z: Tensor) -> Quantised:
        """Return vectors [*, D] rounded, their numbers in [-1, 1]."""
        shift = torch.atanh(self._offset / self._half)
        bounded = torch.tanh(z + shift) * self._half - self._offset
        vectors = straight_through(bounded, bounded.round()) / self._middle
        return Quantised(vectors, self.nearest(vectors.detach()), torch.zeros_like(z[..., 0]))

    def nearest(self, vectors: Tensor) -> Tensor:
        """Return the codes, int64 [*], nearest to vectors [*, D]."""
        steps = (vectors * self._middle + self._middle).round().long()
        return (steps.clamp_min(0).minimum(self._counts - 1) * self._basis).sum(-1)

    def vectors(self, codes: Tensor) -> Tensor:
        """Return the vectors [*, D] of codes [*]."""
        steps = codes[..., None] // self._basis % self._counts
        return (steps - self._middle) / self._middle.to(self._half.dtype)

    def learn(self, z: Tensor, codes: Tensor, generator: Generator | None) -> None:
        """Do nothing: the levels stand where they are."""

    @property
    def _middle(self) -> Tensor:
        return self._counts // 2


Quantiser: TypeAlias = EMAQuantiser | FSQ
"""Rounds vectors of ``features`` numbers to ``codes`` codes; ``coupled`` if it follows a batch."""
