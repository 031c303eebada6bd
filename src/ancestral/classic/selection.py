"""How many components a mixture should have."""

from collections.abc import Sequence

import torch
from torch import Generator, Tensor

from ancestral.classic.covariance import Covariance
from ancestral.classic.gmm import GaussianMixture
from ancestral.telling import beat, time_left


def best_components(
    x: Tensor,
    candidates: Sequence[int],
    *,
    covariance: Covariance = "full",
    held_out: float = 0.2,
    least_variance: float | None = None,
    generator: Generator | None = None,
) -> int:
    """Return the number of components of highest likelihood on held-out examples.

    Candidates with more components than examples are passed over, and the last ones where time is
    up.

    Args:
        x: Data, [N, D].
        candidates: Numbers of components to try.
        covariance: As in :class:`GaussianMixture`.
        held_out: Share of the examples, at random, that judge and are not fitted, in (0, 1).
        least_variance: As in :class:`GaussianMixture`.
        generator: Source of the split and of the starts; torch's global one if None.

    Raises:
        ValueError: If held_out is outside (0, 1), or no candidate is possible.

    Example:
        >>> three = torch.randn(300, 2) * 0.1 + torch.arange(300)[:, None] % 3
        >>> best_components(three, [1, 3])
        3
    """
    if not 0 < held_out < 1:
        raise ValueError(f"held_out must be in (0, 1), got {held_out}")
    order = torch.randperm(len(x), generator=generator)
    cut = max(1, round(held_out * len(x)))
    judges, examples = x[order[:cut]], x[order[cut:]]
    possible = [count for count in candidates if 1 <= count <= len(examples)]
    if not possible:
        raise ValueError(f"candidates must have one of 1 to {len(examples)}, got {candidates}")

    def score(count: int) -> float:
        model = GaussianMixture(
            x.shape[1], components=count, covariance=covariance, least_variance=least_variance
        )
        return float(model.fit(examples, generator=generator).log_prob(judges).mean())

    scores: dict[int, float] = {}
    for number, candidate in enumerate(possible):
        if scores and time_left() <= 0:
            break
        scores[candidate] = score(candidate)
        beat((number + 1) / (len(possible) + 1))
    return max(scores, key=lambda candidate: scores[candidate])
