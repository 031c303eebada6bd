import pytest
import torch
from torch.distributions import Categorical, MixtureSameFamily, MultivariateNormal

from ancestral.classic import em


def example(n: int = 300, features: int = 3) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(n, features, dtype=torch.float64, generator=generator)


def start(x: torch.Tensor, components: int) -> tuple[em.Design, em.Mixture]:
    design = em.Design(x)
    statistics = em.assigned(design, torch.arange(len(x)) % components, components)
    return design, em.maximisation(statistics, design, least_variance=1e-6)


def test_the_e_step_equals_the_plain_one() -> None:
    x = example()
    design, mixture = start(x, 4)
    value, statistics = em.expectation(design, mixture)
    gaussians = MultivariateNormal(mixture.means, mixture.covariances)
    family = MixtureSameFamily(Categorical(mixture.weights), gaussians)
    torch.testing.assert_close(torch.tensor(value).double(), family.log_prob(x).mean())
    shares = (mixture.weights.log() + gaussians.log_prob(x[:, None])).softmax(dim=1)
    torch.testing.assert_close(statistics[:, 0], shares.sum(0))
    torch.testing.assert_close(statistics[:, 1:4], shares.T @ x)


def test_the_m_step_equals_weighted_moments() -> None:
    x = example()
    design, mixture = start(x, 2)
    for k in range(2):
        own = x[k::2]
        torch.testing.assert_close(mixture.means[k], own.mean(0))
        torch.testing.assert_close(mixture.covariances[k], torch.cov(own.T, correction=0))
    torch.testing.assert_close(mixture.weights, torch.tensor([0.5, 0.5], dtype=torch.float64))
    assert len(design.x) == 300


def test_tiles_and_kept_features_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    x = example(1000)
    whole = em.expectation(*start(x, 3))
    monkeypatch.setattr(em, "_TILE", 1)
    monkeypatch.setattr(em, "_KEPT", 0)
    design, mixture = start(x, 3)
    assert len(list(design)) == 4  # 256 rows each; the last is short.
    tiled = em.expectation(design, mixture)
    torch.testing.assert_close(tiled, whole, rtol=1e-12, atol=1e-12)


def test_raising_small_eigenvalues_is_the_constrained_maximum() -> None:
    x = example() * torch.tensor([1.0, 0.1, 0.01])
    design = em.Design(x)
    statistics = em.assigned(design, torch.zeros(300, dtype=torch.long), 1)
    best = em.maximisation(statistics, design, least_variance=0.05)
    value, _ = em.expectation(design, best)
    generator = torch.Generator().manual_seed(1)
    for _ in range(50):
        noise = 0.05 * torch.randn(3, 3, dtype=torch.float64, generator=generator)
        variances, axes = torch.linalg.eigh(best.covariances + noise @ noise.T - 0.01 * noise)
        other = em.Mixture(best.weights, best.means, variances.clamp_min(0.05), axes)
        assert em.expectation(design, other)[0] <= value + 1e-12


def test_a_component_without_points_keeps_its_place() -> None:
    x = example()
    design, mixture = start(x, 2)
    away = em.Mixture(
        mixture.weights,
        torch.stack((mixture.means[0], torch.full((3,), 1e4, dtype=torch.float64))),
        mixture.variances,
        mixture.axes,
    )
    climbed, history = em.climb(design, away, least_variance=1e-6, tolerance=0, iterations=9)
    torch.testing.assert_close(climbed.means[1], away.means[1])
    assert climbed.weights.isfinite().all()
    assert climbed.weights[1] > 0
    assert bool((torch.tensor(history).diff() > -1e-10).all())
