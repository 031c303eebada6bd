"""Draws from a score that is known at many noise levels, from the strongest to the weakest."""

import itertools
from collections.abc import Callable, Sequence

from torch import Generator, Tensor

from ancestral.estimation import unadjusted_langevin


def annealed_langevin(
    score: Callable[[Tensor, float], Tensor],
    start: Tensor,
    *,
    sigmas: Sequence[float],
    steps: int = 20,
    step_size: float = 0.2,
    generator: Generator | None = None,
) -> Tensor:
    """Return draws, [C, *event], of the least blurred law: at each level Langevin steps.

    At a strong noise the modes run together, so that chains find all of them; the step at level
    sigma is ``step_size * sigma^2``, as far as it can be at that level.

    Source: Song & Ermon 2019, Generative modeling by estimating gradients of the data distribution,
    arXiv:1907.05600, alg. 1.

    Args:
        score: x [C, *event] and sigma to the score of the data blurred by Normal(0, sigma^2).
        start: First states, [C, *event]; draws of Normal(0, sigmas[0]^2) do.
        sigmas: Noise levels, falling, above 0.
        steps: Langevin steps at each, at least 1.
        step_size: In units of sigma^2, above 0.
        generator: Source of randomness; torch's global one if None.

    Raises:
        ValueError: If sigmas do not fall or steps < 1.
        DivergenceError: If a chain runs away.

    Example:
        >>> import torch
        >>> def score(x, sigma):  # of data that are all 3
        ...     return (3 - x) / sigma**2
        >>> x = annealed_langevin(score, torch.randn(5, 1), sigmas=[1.0, 0.1, 0.001])
        >>> x.round().flatten().tolist()
        [3.0, 3.0, 3.0, 3.0, 3.0]
    """
    falling = all(a > b for a, b in itertools.pairwise(sigmas))
    if not sigmas or not falling or not sigmas[-1] > 0:
        raise ValueError(f"sigmas must fall and be above 0, got {list(sigmas)}")
    x = start
    for sigma in sigmas:
        x = unadjusted_langevin(
            lambda x, sigma=sigma: score(x, sigma),
            x,
            step_size=step_size * sigma**2,
            steps=1,
            warmup=steps - 1,
            generator=generator,
        ).draws[0]
    return x
