"""R-hat and effective sample size of chains whose truth is known."""

import numpy as np
import pytest

from ancestral.networks.approximate import effective_sample_size, split_r_hat


def autoregressive(rho: float, length: int, chains: int, features: int) -> np.ndarray:
    """Return stationary chains x_t = rho x_{t-1} + noise of variance 1, [T, C, F]."""
    rng = np.random.default_rng(0)
    noise = rng.normal(size=(length, chains, features)) * (1 - rho**2) ** 0.5
    x = np.empty_like(noise)
    x[0] = rng.normal(size=(chains, features))
    for t in range(1, length):
        x[t] = rho * x[t - 1] + noise[t]
    return x


@pytest.mark.parametrize("rho", [0.0, 0.5, 0.9, -0.5])
def test_the_size_of_autoregressive_chains(rho: float) -> None:
    draws = autoregressive(rho, 4000, 4, 20)
    exact = 16_000 * (1 - rho) / (1 + rho)
    size = effective_sample_size(draws)
    assert size.shape == (20,)
    # The mean of 20 estimates; one is off by about 5% at rho = 0.9.
    assert size.mean() == pytest.approx(exact, rel=0.08)
    assert (split_r_hat(draws) < 1.02).all()


def test_r_hat_by_hand() -> None:
    # Halves: (0, 2) and (4, 6): within 2, means 1 and 5, between their variance 8.
    draws = np.array([0.0, 2.0, 4.0, 6.0])[:, None]
    assert split_r_hat(draws) == pytest.approx(np.sqrt((2 * 0.5 + 8) / 2))


def test_chains_that_do_not_agree() -> None:
    draws = autoregressive(0.0, 500, 4, 2)
    draws[:, 0, 0] += 3
    r_hat = split_r_hat(draws)
    assert r_hat[0] > 1.3
    assert r_hat[1] < 1.02
    drifting = draws[:, :, 1] + np.linspace(0, 3, 500)[:, None]
    assert split_r_hat(drifting) > 1.1
    assert effective_sample_size(draws)[0] < 100


def test_constants() -> None:
    draws = np.full((100, 4, 2), 1 / 3)
    draws[:, :2, 1] = 2 / 3
    assert split_r_hat(draws).tolist() == [1.0, np.inf]
    assert effective_sample_size(draws)[0] == 400
    draws[::2] *= 1 + 2**-52
    assert split_r_hat(draws)[0] == 1
    with pytest.raises(ValueError, match="S >= 4"):
        split_r_hat(np.zeros((3, 2)))
