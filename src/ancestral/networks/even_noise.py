"""Noise of categories: with a growing chance a state is drawn anew, evenly, and back."""

from collections.abc import Sequence

import torch
from torch import Generator, Tensor, nn


class EvenNoise(nn.Module):
    """``q(z | x) = kept [z = x] + (1 - kept) / K`` of several categories side by side.

    A row of M categories is a vector of a single 1 each, [*B, C], C the sum of their sizes K.

    Source: Hoogeboom et al. 2021, Argmax Flows and Multinomial Diffusion, arXiv:2102.05379, sec. 4.

    Args:
        sizes: Number of states K of each category.

    Example:
        >>> noise = EvenNoise([2])
        >>> noise(torch.tensor([0.0, 1.0]), torch.tensor(0.5))
        tensor([0.2500, 0.7500], dtype=torch.float64)
    """

    share: Tensor

    def __init__(self, sizes: Sequence[int]) -> None:
        super().__init__()
        self.sizes = tuple(sizes)
        each = [torch.full((size,), 1 / size, dtype=torch.float64) for size in sizes]
        share = torch.cat((torch.zeros(0, dtype=torch.float64), *each))
        self.register_buffer("share", share, persistent=False)

    def forward(self, x: Tensor, kept: Tensor) -> Tensor:
        """Return the probabilities of z given x, [*B, C], and kept in [0, 1], [*B, 1].

        By symmetry they are those of z given to each x, too.
        """
        return kept * x + (1 - kept) * self.share

    def back(self, z: Tensor, law: Tensor, before: Tensor, now: Tensor) -> Tensor:
        """Return the law of an earlier state given z, averaged over x, [*B, C].

        It is ``sum_x p(x | z) q(z_before | z, x)``: the exact reverse where the law is exact, the
        posterior of q where it is a point.

        Args:
            z: The state now, [*B, C].
            law: Of x given z, [*B, C].
            before: Share that is kept at the earlier state, above ``now``, [*B, 1].
            now: Share that is kept now, below 1, [*B, 1].
        """
        weight = law / self(z, now)
        return self(z, now / before) * (
            before * weight + (1 - before) * self.share * self.sums(weight)
        )

    def sums(self, values: Tensor) -> Tensor:
        """Return at every state the sum of its category, [*B, C]."""
        parts = [
            part.sum(-1, keepdim=True).expand_as(part) for part in values.split(self.sizes, dim=-1)
        ]
        return torch.cat((values[..., :0], *parts), dim=-1)

    def draw(self, probabilities: Tensor, generator: Generator | None) -> Tensor:
        """Draw a state of each category, int64 [*B, M], of probabilities [*B, C]."""
        return draw_each(probabilities, self.sizes, generator)


def draw_each(p: Tensor, sizes: Sequence[int], generator: Generator | None) -> Tensor:
    """Draw a state of each of M categories of these sizes, int64 [*B, M], of probabilities [*B, C].

    They may be in proportion.
    """
    # The earliest of exponential arrivals at these rates.
    waits = torch.empty_like(p).exponential_(generator=generator) / p
    parts = [part.argmin(-1, keepdim=True) for part in waits.split(list(sizes), dim=-1)]
    return torch.cat((torch.zeros_like(p[..., :0], dtype=torch.int64), *parts), -1)
