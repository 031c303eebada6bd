"""Balls that reach to each point's k-th nearest neighbour, among all points and among halves."""

from dataclasses import dataclass

import torch
from torch import Tensor

from ancestral.evaluation.measures.halves import halves
from ancestral.evaluation.measures.neighbours import TILE, nearest, squared_distances

DEEPEST = 16
"""Of the balls around a point those that hold it most deeply: some of them are in every half."""


@dataclass(frozen=True, slots=True, eq=False)
class Balls:
    """Points with their balls; ``half`` is 0 or 1.

    Args:
        points: [N, D], float64.
        k: The neighbour that fixes a radius.
        distances: Of the nearest others, in order, so many that a half has k of them, [N, W].
        masks: The points of the two halves of each round, bool [R, N] each.
        places: Which of the nearest others fixes the radius in that half, [R, N] each.
    """

    points: Tensor
    k: int
    distances: Tensor
    masks: tuple[Tensor, Tensor]
    places: tuple[Tensor, Tensor]

    @classmethod
    def of(cls, points: Tensor, k: int) -> "Balls":
        """Return points [N, D], N > 2 k + 1, with their balls."""
        points = points.double()
        wide = min(4 * (k + 1), len(points) - 1)
        distances, others = nearest(points, points, wide, leave_one_out=True)
        first = halves(len(points))
        masks = first, ~first
        places = [torch.stack([_place(one[others], k) for one in mask]) for mask in masks]
        return cls(points, k, distances, masks, (places[0], places[1]))

    @property
    def radius(self) -> Tensor:
        """The radius of each ball, [N]."""
        return self.distances[:, self.k - 1]

    def radii(self, half: int) -> Tensor:
        """Return the radius of each ball among a half of the points, round by round, [R, N]."""
        return self.distances.gather(1, self.places[half].T).T

    def around(self, points: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Look at points [M, D] from all balls.

        Returns:
            Distances to the centres of the balls that hold each most deeply, [M, L], and their
            indices; and how many points each ball would hold that reached to each of the nearest
            others of its centre, [N, W].
        """
        n, wide = self.distances.shape
        # In a half, the k-th nearest is about the 2k-th of all.
        reach = self.distances[:, min(2 * self.k, wide) - 1, None]
        gaps, indices = [], []
        counts = torch.zeros(n, wide + 1, dtype=torch.int64)
        for some in points.split(max(1, TILE // (4 * n))):
            gap = squared_distances(self.points, some).sqrt_()
            index = (reach - gap).topk(min(DEEPEST, n), dim=0).indices
            gaps.append(gap.gather(0, index).T)
            indices.append(index.T)
            rank = torch.searchsorted(self.distances, gap)
            counts.scatter_add_(1, rank, torch.ones_like(rank))
        return torch.cat(gaps), torch.cat(indices), counts.cumsum(dim=1)[:, :wide]


def _place(inside: Tensor, k: int) -> Tensor:
    """Return where the k-th true entry of each row stands, the last place if there are fewer."""
    counts = inside.to(torch.int16).cumsum(dim=1)
    return (counts < k).sum(dim=1).clamp_(max=inside.shape[1] - 1)
