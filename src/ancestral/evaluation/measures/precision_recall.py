"""Precision, recall, density and coverage: quality and variety by nearest neighbours."""

import math

import torch
from torch import Tensor

from ancestral.evaluation.measures.balls import DEEPEST, Balls
from ancestral.evaluation.measures.estimate import Estimate, mean_of, require_pair, share_of
from ancestral.evaluation.measures.halves import error_of_halves
from ancestral.evaluation.measures.neighbours import balls_around, nearest


def precision_recall(real: Tensor, generated: Tensor, *, k: int = 5) -> dict[str, Estimate]:
    """Compare supports through balls that reach to each point's k-th nearest neighbour.

    - precision: share of GENERATED points inside a ball around a REAL point.
    - recall: share of REAL points inside a ball around a GENERATED point.
    - density: mean over generated points of (real balls around it) / k; may exceed 1.
    - coverage: share of REAL points whose own ball holds at least one GENERATED point.

    A model that makes only part of the data has high precision and low recall and coverage; one
    that makes the data and much else has high recall and low precision. Radii depend on the
    number of points: compare with the real-against-real floor of the same sizes only.

    Standard errors are over fresh draws of both samples, and so of the balls: hits of points near
    each other hang together, and a binomial error would be half of the true one. Halves of both
    samples (:func:`~ancestral.evaluation.measures.halves.error_of_halves`) say by how much; for
    density the spread over generated points, given the balls, and that over halves of the real
    ones add up. They are too small, by a third for normals one deviation apart, where the samples
    meet in their tails and a few far balls decide.

    Source: precision, recall: Kynkaanniemi et al. 2019, arXiv:1904.06991, eq. 1-2; density,
    coverage: Naeem et al. 2020, arXiv:2002.09797, eq. 3-4.

    Args:
        real: Points [N, D], N > 2 k + 1.
        generated: Points [M, D], M > 2 k + 1.
        k: The neighbour that fixes a ball's radius.

    Returns:
        The four by name; precision and density speak of quality, recall and coverage of variety.

    Raises:
        ValueError: If a sample has at most 2 k + 1 rows, is not finite, or the columns differ.
    """
    require_pair(real, generated, least=2 * (k + 1))
    mine, theirs = Balls.of(real, k), Balls.of(generated, k)
    around = balls_around(theirs.points, mine.points, mine.radius)
    around_real = balls_around(mine.points, theirs.points, theirs.radius)
    # The nearest sample itself, not a squared comparison: a copy on the boundary counts.
    to_sample, sample = nearest(mine.points, theirs.points, min(DEEPEST, len(theirs.points)))
    found, back = mine.around(theirs.points), theirs.around(mine.points)
    return {
        "precision": _share(around > 0, _held(mine, theirs, *found[:2])),
        "recall": _share(around_real > 0, _held(theirs, mine, *back[:2])),
        "density": _density(mine, around, found[2]),
        "coverage": _share(
            to_sample[:, 0] <= mine.radius, _covered(mine, theirs, to_sample, sample)
        ),
    }


def _share(hits: Tensor, halves: Tensor) -> Estimate:
    """Return the share of hits; its values on halves, [2, R], say how far hits hang together."""
    found, part = share_of(hits), halves.mean().item()
    alone = part * (1 - part) / (len(hits) / 2)  # The variance of a half if they did not.
    spread = 2 * error_of_halves(*halves) ** 2
    return Estimate(found.value, found.se * math.sqrt(max(1.0, spread / alone) if alone else 1.0))


def _held(balls: Balls, others: Balls, gaps: Tensor, centres: Tensor) -> Tensor:
    """Return the share of other points that some ball holds, on halves of both, [2, R]."""
    found = [
        (own[centres] & (gaps <= radius[centres])).any(dim=1)[judged]
        for half in (0, 1)
        for own, radius, judged in zip(
            balls.masks[half], balls.radii(half), others.masks[half], strict=True
        )
    ]
    return torch.stack([hits.double().mean() for hits in found]).reshape(2, -1)


def _covered(balls: Balls, others: Balls, gaps: Tensor, samples: Tensor) -> Tensor:
    """Return the share of balls that hold one of the other points, on halves of both, [2, R]."""
    found = [
        ((gaps <= radius[:, None]) & inside[samples]).any(dim=1)[judged]
        for half in (0, 1)
        for judged, radius, inside in zip(
            balls.masks[half], balls.radii(half), others.masks[half], strict=True
        )
    ]
    return torch.stack([hits.double().mean() for hits in found]).reshape(2, -1)


def _density(balls: Balls, around: Tensor, crowds: Tensor) -> Estimate:
    """Return the mean of balls around a point over k; ``crowds`` as :meth:`Balls.around` counts."""
    given_balls = mean_of(around / balls.k)
    counts = [crowds.gather(1, places.T).T for places in balls.places]
    # Half as many balls, each twice as large.
    halves = [(c * mask).double().sum(dim=1) for c, mask in zip(counts, balls.masks, strict=True)]
    of_balls = error_of_halves(halves[0], halves[1]) / (balls.k * len(around))
    return Estimate(given_balls.value, math.hypot(given_balls.se, of_balls))
