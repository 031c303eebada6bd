"""Calibration: whether what is said with confidence p is right a share p of the time."""

import torch
from torch import Generator, Tensor

from ancestral.evaluation.measures.estimate import Estimate
from ancestral.evaluation.measures.halves import error_of_halves, halves

BINS, DRAWS = 15, 200


def calibration_error(
    confidence: Tensor, right: Tensor, *, bins: int = BINS, draws: int = DRAWS, seed: int = 0
) -> tuple[Estimate, float]:
    """Mean distance between confidence and accuracy over bins of equally many examples.

    The bins hold equal numbers and not equal intervals, so that none is nearly empty. Noise alone
    makes the distance positive: the floor is its mean where answers are right exactly with the
    probability that is said, and the p-value is the share of such draws that reach the distance.

    Source: Naeini, Cooper & Hauskrecht 2015, Obtaining well calibrated probabilities using
    Bayesian binning (equal-frequency bins); Vaicenavicius et al. 2019, arXiv:1902.06977, sec. 4
    (consistency resampling: the floor).

    Args:
        confidence: Probability of the label that is said, in [0, 1], [N].
        right: Whether it is the true one, bool [N].
        bins: Most bins.
        draws: Of the floor.
        seed: Of the draws, and of the order of equal confidences.

    Returns:
        A share in [0, 1] with the p-value of perfect calibration, its standard error by halves of
        the examples; and the floor.

    Raises:
        ValueError: If there are fewer than 2 examples, or the shapes differ.

    Example:
        >>> found, floor = calibration_error(torch.full((900,), 0.9), torch.arange(900) < 540)
        >>> round(found.value, 3), floor < 0.05
        (0.3, True)
    """
    if confidence.ndim != 1 or confidence.shape != right.shape or len(right) < 2:
        raise ValueError(
            "confidence and right must be [N], N at least 2, "
            f"got {list(confidence.shape)} and {list(right.shape)}"
        )
    generator = Generator().manual_seed(seed)
    # Equal confidences go to their bins by chance and not in the order of the data.
    order = torch.randperm(len(right), generator=generator)
    order = order[confidence[order].argsort(stable=True)]
    confidence, right = confidence[order].double(), right[order]
    chance = torch.rand(draws, len(right), generator=generator, dtype=torch.float64)
    # The first row is what was observed.
    distance = _distances(confidence, torch.cat((right[None], chance < confidence)), bins)
    value, floors = distance[0].item(), distance[1:]
    p_value = (1 + int((floors >= value).sum())) / (1 + draws)
    mask = halves(len(right), seed=seed)
    parts = [
        torch.cat([_distances(confidence[one], right[None, one], bins) for one in some])
        for some in (mask, ~mask)
    ]
    return Estimate(value, error_of_halves(parts[0], parts[1]), p_value), floors.mean().item()


def _distances(confidence: Tensor, hits: Tensor, bins: int) -> Tensor:
    """Return the mean distance over bins [G] of hits [G, N], sorted by confidence [N]."""
    n = len(confidence)
    cuts = torch.linspace(0, n, min(bins, n) + 1, dtype=torch.float64)
    bin_of = torch.bucketize(torch.arange(n) + 0.5, cuts[1:-1])
    gaps = torch.zeros(len(hits), len(cuts) - 1, dtype=torch.float64)
    gaps.index_add_(1, bin_of, hits.double() - confidence)
    return gaps.abs().sum(dim=1) / n
