"""The areas under the ROC curve and under that of precision and recall."""

import math

import torch
from torch import Tensor

from ancestral.evaluation.measures.estimate import Estimate


def area(high: Tensor, low: Tensor) -> Estimate:
    """Return the probability that a score of ``high`` [N] is above one of ``low`` [M].

    Ties count half. The error is DeLong's, and the root of a row more or less is never lost: two
    sets that are wholly apart are known to 1 / (min(N, M) + 2), not without error.

    Source: DeLong et al. 1988, Biometrics 44.

    Raises:
        ValueError: If a set has fewer than 2 scores, or one is NaN.

    Example:
        >>> area(torch.tensor([2.0, 3.0]), torch.tensor([0.0, 2.0])).value
        0.875
    """
    from scipy.stats import rankdata  # Heavy, and needed here only.

    n, m = len(high), len(low)
    if min(n, m) < 2 or bool(torch.cat((high, low)).isnan().any()):
        raise ValueError(f"need at least 2 scores of each kind, none NaN, got {n} and {m}")
    scores = torch.cat((high.double(), low.double()))
    ranks, own, other = (
        torch.from_numpy(rankdata(part.numpy())) for part in (scores, scores[:n], scores[n:])
    )
    above = (ranks[:n] - own) / m
    below = 1 - (ranks[n:] - other) / n
    value = above.mean().item()
    last = torch.tensor([1 / (min(n, m) + 2)], dtype=torch.float64)
    parts = [(each - value) / math.sqrt(len(each) * (len(each) - 1)) for each in (above, below)]
    return Estimate.by(value, torch.cat((*parts, last)))


def average_precision(high: Tensor, low: Tensor) -> float:
    """Return the mean precision at the scores of ``high`` [N], ``low`` [M] being the others.

    The precision at a threshold is the share of ``high`` among what lies at or above it. Scores
    that tell nothing have a mean of about ``N / (N + M)``.

    Raises:
        ValueError: If a set is empty, or a score is NaN.

    Example:
        >>> average_precision(torch.tensor([3.0, 1.0]), torch.tensor([0.0, 2.0]))
        0.8333...
    """
    if min(len(high), len(low)) < 1 or bool(torch.cat((high, low)).isnan().any()):
        raise ValueError(
            f"need a score of each kind, none NaN, got {len(high)} and {len(low)} scores"
        )
    hits, misses = (part.double().sort().values for part in (high, low))
    found = len(hits) - torch.searchsorted(hits, hits)
    wrong = len(misses) - torch.searchsorted(misses, hits)
    return float((found.double() / (found + wrong)).mean())
