"""Precision, recall, density and coverage: quality and variety by nearest neighbours."""

import math

from torch import Tensor

from ancestral.evaluation.measures.estimate import Estimate, mean_of, require_pair, share_of
from ancestral.evaluation.measures.neighbours import counts_within, nearest, radii


def precision_recall(real: Tensor, generated: Tensor, *, k: int = 5) -> dict[str, Estimate]:
    """Compare supports through balls that reach to each point's k-th nearest neighbour.

    - precision: share of GENERATED points inside a ball around a REAL point.
    - recall: share of REAL points inside a ball around a GENERATED point.
    - density: mean over generated points of (real balls around it) / k; may exceed 1.
    - coverage: share of REAL points whose own ball holds at least one GENERATED point.

    A model that makes only part of the data has high precision and low recall and coverage; one
    that makes the data and much else has high recall and low precision. Radii depend on the
    number of points: compare with the real-against-real floor of the same sizes only.

    Standard errors are binomial for the three shares, given the balls; density's adds the
    spread over generated points and over real ones.

    Source: precision, recall: Kynkaanniemi et al. 2019, arXiv:1904.06991, eq. 1-2; density,
    coverage: Naeem et al. 2020, arXiv:2002.09797, eq. 3-4.

    Args:
        real: Points [N, D], N > k.
        generated: Points [M, D], M > k.
        k: The neighbour that fixes a ball's radius.

    Returns:
        The four by name; precision and density speak of quality, recall and coverage of variety.

    Raises:
        ValueError: If a sample has at most k rows, is not finite, or the columns differ.
    """
    require_pair(real, generated, least=k + 1)
    real, generated = real.double(), generated.double()
    real_radius = radii(real, k)
    in_ball, around = counts_within(real, real_radius, generated)
    _, generated_around = counts_within(generated, radii(generated, k), real)
    return {
        "precision": share_of(around > 0),
        "recall": share_of(generated_around > 0),
        "density": _density(in_ball, around, k),
        # The nearest sample itself, not a squared comparison: a copy on the boundary counts.
        "coverage": share_of(nearest(real, generated)[0][:, 0] <= real_radius),
    }


def _density(in_ball: Tensor, around: Tensor, k: int) -> Estimate:
    over_generated = mean_of(around / k)
    over_real = mean_of(in_ball * (len(in_ball) / (k * len(around))))
    return Estimate(over_generated.value, math.hypot(over_generated.se, over_real.se))
