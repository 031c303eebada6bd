"""Whether the chains of probabilities have mixed, and how many independent draws they are worth."""

import numpy as np
import torch

from ancestral.estimation import effective_size, r_hat


def split_r_hat(draws: np.ndarray) -> np.ndarray:
    """Return :func:`ancestral.estimation.r_hat`; a quantity that never moves in any chain gives 1.

    Args:
        draws: [T, C, *F]: T >= 4 draws of each of C chains.

    Returns:
        One value for each feature, [*F].

    Example:
        >>> rng = np.random.default_rng(0)
        >>> bool(split_r_hat(rng.normal(size=(1000, 4))) < 1.01)
        True
    """
    found = r_hat(torch.from_numpy(draws)).numpy()
    return np.where(np.isnan(found), 1.0, found)


def effective_sample_size(draws: np.ndarray) -> np.ndarray:
    """Return :func:`ancestral.estimation.effective_size`; a quantity that never moves counts all.

    Args:
        draws: [T, C, *F]: T >= 4 draws of each of C chains.

    Returns:
        One value for each feature, [*F], at most T C log10(T C).

    Example:
        >>> rng = np.random.default_rng(0)
        >>> bool(3000 < effective_sample_size(rng.normal(size=(1000, 4))) < 5000)
        True
    """
    found = effective_size(torch.from_numpy(draws)).numpy()
    return np.where(np.isnan(found), float(np.prod(draws.shape[:2])), found)
