"""Whether chains have mixed, and how many independent draws they are worth."""

import numpy as np


def split_r_hat(draws: np.ndarray) -> np.ndarray:
    """Return the split potential scale reduction; 1 where the halves of all chains agree.

    Values above 1.01 say that the chains have not mixed. Chains that are stuck at different values
    give infinity; a quantity that never moves in any chain gives 1.

    Source: Gelman et al. 2013, Bayesian Data Analysis, sec. 11.4.

    Args:
        draws: [T, C, *F]: T >= 4 draws of each of C chains.

    Returns:
        One value for each feature, [*F].

    Example:
        >>> rng = np.random.default_rng(0)
        >>> bool(split_r_hat(rng.normal(size=(1000, 4))) < 1.01)
        True
    """
    split = _split(draws)
    within, total = _variances(split)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(total > 0, np.sqrt(total / within), 1.0)


def effective_sample_size(draws: np.ndarray) -> np.ndarray:
    """Return how many independent draws the chains are worth for the mean of each feature.

    Autocorrelations of all split chains are summed up to Geyer's initial monotone sequence. A
    quantity that never moves counts every draw.

    Source: Geyer 1992; Gelman et al. 2013, sec. 11.5; Vehtari et al. 2021,
    arXiv:1903.08008, sec. 3.2.

    Args:
        draws: [T, C, *F]: T >= 4 draws of each of C chains.

    Returns:
        One value for each feature, [*F], at most T C log10(T C).

    Example:
        >>> rng = np.random.default_rng(0)
        >>> bool(3000 < effective_sample_size(rng.normal(size=(1000, 4))) < 5000)
        True
    """
    split = _split(draws)
    length, chains = split.shape[:2]
    within, total = _variances(split)
    covariance = _autocovariance(split).mean(axis=1) * length / (length - 1)
    correlation = 1 - (within - covariance) / np.where(total > 0, total, 1.0)
    correlation[0] = 1.0
    pairs = correlation[0 : length // 2 * 2 : 2] + correlation[1::2][: length // 2]
    kept = np.cumprod(pairs > 0, axis=0)
    time = 2 * (np.minimum.accumulate(pairs, axis=0) * kept).sum(0) - 1
    count = length * chains
    size = count / np.maximum(time, 1 / np.log10(count))
    return np.where(total > 0, size, float(count))


def _split(draws: np.ndarray) -> np.ndarray:
    """Halve every chain, [T // 2, 2 C, *F]."""
    draws = np.asarray(draws, dtype=np.float64)
    half = len(draws) // 2
    if half < 2:
        raise ValueError(f"chains need at least 4 draws, got {len(draws)}")
    return np.concatenate([draws[:half], draws[-half:]], axis=1)


def _variances(split: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the variance within chains and the estimate of the whole variance, [*F] each."""
    length = len(split)
    within = split.var(axis=0, ddof=1).mean(axis=0)
    total = within * (length - 1) / length + split.mean(axis=0).var(axis=0, ddof=1)
    # What varies by rounding only is a constant.
    rounding = (1e-13 * np.abs(split).max(axis=(0, 1))) ** 2
    return np.where(within > rounding, within, 0.0), np.where(total > rounding, total, 0.0)


def _autocovariance(split: np.ndarray) -> np.ndarray:
    """Return the biased autocovariance of each chain at every lag, [T, C, *F]."""
    length = len(split)
    centred = split - split.mean(axis=0)
    spectrum = np.fft.rfft(centred, n=2 * length, axis=0)
    return np.fft.irfft(np.abs(spectrum) ** 2, axis=0)[:length] / length
