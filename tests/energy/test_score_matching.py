"""PD-03 and PD-07."""

from functools import partial

import pytest
import torch
from torch import Generator, Tensor
from torch.distributions import Categorical, MixtureSameFamily, MultivariateNormal, Normal
from torch.nn.functional import cosine_similarity

from ancestral.energy import (
    Energy,
    denoising_score_matching_loss,
    posterior_score,
    score_matching_loss,
    sliced_score_matching_loss,
    vector_network,
)
from ancestral.estimation.markov import score as slope_of

pytestmark = pytest.mark.usefixtures("float64")

CENTRES = torch.tensor([[-1.0, 0.0], [1.0, 0.5]], dtype=torch.float64)
WEIGHTS = torch.tensor([0.4, 0.6], dtype=torch.float64)


def mixture(std: float) -> MixtureSameFamily:
    covariance = std**2 * torch.eye(2, dtype=torch.float64).expand(2, 2, 2)
    return MixtureSameFamily(Categorical(WEIGHTS), MultivariateNormal(CENTRES, covariance))


def points(n: int, generator: Generator, std: float = 0.6) -> Tensor:
    which = torch.multinomial(WEIGHTS, n, replacement=True, generator=generator)
    return CENTRES[which] + std * torch.randn(n, 2, generator=generator)


LOSSES = {
    "exact": (score_matching_loss, 0.0),
    "sliced": (sliced_score_matching_loss, 0.0),
    "denoising": (partial(denoising_score_matching_loss, sigma=0.2), 0.2),
}


# PD-03
@pytest.mark.parametrize("name", LOSSES)
def test_the_learned_score_points_where_the_true_one_does(name: str, generator: Generator) -> None:
    loss, sigma = LOSSES[name]
    energy = Energy(vector_network(2, hidden=(32, 32)), (2,))
    x, optimizer = points(5000, generator), torch.optim.Adam(energy.parameters(), lr=5e-3)
    steps = 500
    for step in range(steps):
        rows = torch.randint(len(x), (256,), generator=generator)
        optimizer.param_groups[0]["lr"] = 5e-3 * (1 - step / steps)
        optimizer.zero_grad()
        loss(energy.score, x[rows], generator).mean().backward()
        optimizer.step()
    new = points(2000, generator)
    # What denoising learns is the score of the blurred law.
    wanted = slope_of(mixture((0.6**2 + sigma**2) ** 0.5).log_prob, new)
    found = energy.score(new).detach()
    cosine = (found * wanted).sum() / (found.norm() * wanted.norm())
    assert float(cosine) > 0.98
    assert float(cosine_similarity(found, wanted, dim=1).median()) > 0.98


# PD-03
def test_the_losses_agree_and_differ_from_the_distance_of_scores_by_a_constant(
    generator: Generator,
) -> None:
    precision = torch.tensor([[2.0, 0.5], [0.5, 1.0]])
    truth = MultivariateNormal(torch.zeros(2), precision_matrix=precision)
    x = truth.scale_tril @ torch.randn(2, 40_000, generator=generator)

    def gap(matrix: Tensor) -> tuple[Tensor, Tensor]:
        def score(at: Tensor) -> Tensor:
            return -at @ matrix

        distance = ((x.T @ (matrix - precision)).square().sum(dim=1) / 2).mean()
        return score_matching_loss(score, x.T).mean().detach(), distance

    (one, near), (two, far) = gap(torch.eye(2)), gap(3 * torch.eye(2))
    # Both are means over the same 40,000 points of terms of order 10: error about 0.05.
    assert float(two - one) == pytest.approx(float(far - near), abs=0.25)

    def score(at: Tensor) -> Tensor:
        return -(at**3)

    exact = score_matching_loss(score, x.T[:50])
    draws = torch.stack([sliced_score_matching_loss(score, x.T[:50], generator) for _ in range(10)])
    # Where the matrix of slopes is diagonal, signs at random give its trace itself.
    torch.testing.assert_close(draws, exact.expand(10, -1))


def test_denoising_of_one_point_is_zero_at_its_own_score(generator: Generator) -> None:
    x = torch.full((100, 2), 3.0)
    loss = denoising_score_matching_loss(lambda at: (3 - at) / 0.5**2, x, generator, sigma=0.5)
    torch.testing.assert_close(loss, torch.zeros(100), atol=1e-20, rtol=0)
    with pytest.raises(ValueError, match="sigma must be above 0, got 0"):
        denoising_score_matching_loss(torch.neg, x, sigma=0.0)


# PD-07
def test_a_gaussian_prior_and_likelihood_have_the_score_of_their_posterior() -> None:
    prior = MultivariateNormal(torch.tensor([1.0, -1.0]), torch.tensor([[2.0, 0.3], [0.3, 1.0]]))
    operator, noise, y = torch.tensor([[1.0, 2.0]]), 0.5, torch.tensor([0.7])

    def log_likelihood(x: Tensor) -> Tensor:
        return Normal((x @ operator.T)[:, 0], noise).log_prob(y)

    precision = prior.precision_matrix + operator.T @ operator / noise**2
    mean = torch.linalg.solve(
        precision, prior.precision_matrix @ prior.mean + operator.T @ y / noise**2
    )
    x = torch.randn(20, 2)
    found = posterior_score(lambda at: slope_of(prior.log_prob, at), log_likelihood)(x)
    torch.testing.assert_close(found, (mean - x) @ precision, rtol=1e-12, atol=1e-12)
