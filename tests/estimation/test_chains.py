import math

import pytest
import torch

from ancestral.estimation import Chains, effective_size, r_hat


def autoregressive(correlation: float, steps: int, chains: int) -> torch.Tensor:
    noise = torch.randn(steps, chains, dtype=torch.float64)
    x = [noise[0]]
    for e in noise[1:]:
        x.append(correlation * x[-1] + math.sqrt(1 - correlation**2) * e)
    return torch.stack(x)


@pytest.mark.parametrize("correlation", [-0.5, 0.0, 0.5, 0.9])
def test_size_of_an_autoregressive_chain(correlation: float) -> None:
    draws = autoregressive(correlation, 5000, 8)
    wanted = 40_000 * (1 - correlation) / (1 + correlation)
    assert effective_size(draws).item() == pytest.approx(wanted, rel=0.15)
    assert r_hat(draws).item() == pytest.approx(1, abs=0.01)


def test_stated_errors_are_the_real_ones() -> None:
    scores = []
    for _ in range(200):
        mean = Chains(autoregressive(0.8, 500, 4), torch.ones(4)).mean()
        scores.append(float(mean) / float(mean.se))
    # The spread of 200 standard scores is 1 within 4 / sqrt(400).
    assert torch.tensor(scores).std().item() == pytest.approx(1, abs=0.2)


def test_chains_that_disagree_are_seen() -> None:
    apart = torch.randn(500, 4, dtype=torch.float64)
    apart[:, 0] += 3
    assert r_hat(apart) > 1.2
    assert effective_size(apart) < 50
    drifting = torch.randn(500, 1, dtype=torch.float64) + torch.linspace(0, 5, 500)[:, None]
    assert r_hat(drifting) > 1.5


def test_coordinates_are_measured_one_by_one() -> None:
    draws = torch.randn(400, 4, 2, 3)
    chains = Chains(draws, torch.ones(4))
    assert chains.r_hat().shape == chains.effective_size().shape == (2, 3)
    torch.testing.assert_close(chains.effective_size()[1, 2], effective_size(draws[..., 1, 2]))
    squares = chains.mean(torch.square)
    assert squares.value.shape == squares.se.shape == (2, 3)


def test_constants_have_no_size_and_short_chains_are_refused() -> None:
    assert effective_size(torch.ones(10, 2)).isnan()
    assert r_hat(torch.ones(10, 2)).isnan()
    with pytest.raises(ValueError, match="S >= 4, got shape"):
        r_hat(torch.ones(3, 2))
