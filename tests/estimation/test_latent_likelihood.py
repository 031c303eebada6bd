"""ML-10: the likelihood of a latent variable model by draws of the latent."""

import math

import pytest
import torch
from torch.distributions import MultivariateNormal, Normal

from ancestral.estimation import TwoGaussians
from ancestral.information import monte_carlo
from ancestral.networks import BayesianNetwork, LinearGaussian, Node, estimate_log_prob

WEIGHT = torch.tensor([[1.0], [-0.5], [2.0]], dtype=torch.float64)
NOISE = 0.7
X = torch.tensor([0.5, 0.2, 1.5], dtype=torch.float64)


def test_draws_of_the_latent_converge_to_the_marginal_of_ppca() -> None:
    covariance = WEIGHT @ WEIGHT.T + NOISE**2 * torch.eye(3, dtype=torch.float64)
    exact = MultivariateNormal(torch.zeros(3).double(), covariance).log_prob(X).exp().item()
    prior = Normal(torch.zeros(1, dtype=torch.float64), 1.0)

    def likelihood(z: torch.Tensor) -> torch.Tensor:
        return Normal(z @ WEIGHT.T, NOISE).log_prob(X).sum(dim=-1).exp()

    generator = torch.Generator().manual_seed(0)
    for draws in (100, 100_000):
        got = monte_carlo(likelihood, prior, draws=draws, generator=generator)
        assert abs(float(got) - exact) < 4 * float(got.se)
    assert float(got.se) < 0.02 * exact


def test_draws_of_the_latent_converge_to_the_marginal_of_a_mixture() -> None:
    mixture, x = TwoGaussians(), torch.tensor([0.4], dtype=torch.float64)
    exact = mixture.log_prob(x, math.log(4)).exp().item()
    law = torch.distributions.Bernoulli(torch.tensor(0.8, dtype=torch.float64))

    def likelihood(z: torch.Tensor) -> torch.Tensor:
        return Normal(-1 + 4 * z, 1 + z).log_prob(x).exp()

    got = monte_carlo(likelihood, law, draws=20_000, generator=torch.Generator().manual_seed(0))
    assert abs(float(got) - exact) < 4 * float(got.se)


def test_the_logarithm_is_biased_low_and_rises_with_the_draws() -> None:
    p = BayesianNetwork(
        [
            Node("z", LinearGaussian()),
            Node("x", LinearGaussian([2.0], scale=0.5), parents=("z",)),
        ]
    )
    q = BayesianNetwork([Node("z", LinearGaussian([0.3], scale=0.6), parents=("x",))])
    n = 20_000
    x = torch.full((n,), 1.0)
    exact = Normal(0.0, math.sqrt(4.25)).log_prob(torch.tensor(1.0)).item()
    means, errors = [], []
    for draws in (1, 2, 8, 32, 128):
        generator = torch.Generator().manual_seed(draws)
        got = estimate_log_prob(p, q, {"x": x}, draws=draws, generator=generator).double()
        means.append(got.mean().item())
        errors.append(got.std().item() / math.sqrt(n))
    for lower, upper, error in zip(means, means[1:], errors, strict=False):
        assert upper > lower - 4 * error
    assert means[0] < exact - 10 * errors[0]  # Jensen.
    assert means[-1] == pytest.approx(exact, abs=0.01)
    assert means[-1] < exact + 4 * errors[-1]
