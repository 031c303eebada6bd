import math
import warnings

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.distributions import MultivariateNormal

from ancestral.classic.gmm import GaussianMixture
from ancestral.errors import CapabilityError, ConfigError


def clusters(n: int, features: int = 2, *, seed: int = 0, apart: float = 4.0) -> torch.Tensor:
    """Return three skewed clusters."""
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randn(n, features, dtype=torch.float64, generator=generator)
    noise[:, -1] += 0.8 * noise[:, 0]
    centres = apart * torch.randn(3, features, dtype=torch.float64, generator=generator)
    return noise + centres[torch.randint(3, (n,), generator=generator)]


def seeded() -> torch.Generator:
    return torch.Generator().manual_seed(7)


def test_one_component_is_the_closed_form() -> None:
    x = clusters(500, 3)
    model = GaussianMixture(3, components=1).fit(x)
    closed = MultivariateNormal(x.mean(0), torch.cov(x.T, correction=0))
    torch.testing.assert_close(model.gaussians.means[0], x.mean(0), rtol=0, atol=1e-12)
    torch.testing.assert_close(model.log_prob(x), closed.log_prob(x), rtol=0, atol=1e-10)
    torch.testing.assert_close(model.responsibilities(x), torch.ones(500, 1, dtype=torch.float64))


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    features=st.integers(1, 4),
    components=st.integers(1, 8),
    apart=st.sampled_from([0.0, 1.0, 10.0]),
    copies=st.integers(1, 3),
)
def test_the_likelihood_never_decreases(
    seed: int, features: int, components: int, apart: float, copies: int
) -> None:
    x = clusters(40, features, seed=seed, apart=apart).repeat(copies, 1)
    x[:, 0] = x[:, 0].round()  # Ties make components collapse onto lines and points.
    model = GaussianMixture(
        features, components=components, least_variance=1e-4, tolerance=0.0, iterations=60
    ).fit(x, generator=torch.Generator().manual_seed(seed))
    rises = torch.tensor(model.history).diff()
    assert bool((rises > -1e-10).all()), rises.min()
    assert model.log_prob(x).isfinite().all()


def test_the_history_ends_at_the_likelihood_of_the_data() -> None:
    x = 100 + 30 * clusters(400)
    model = GaussianMixture(2, components=3).fit(x, generator=seeded())
    assert model.history[-1] == pytest.approx(model.log_prob(x).mean().item(), abs=1e-10)


def test_equals_sklearn_from_the_same_start() -> None:
    from sklearn.mixture import GaussianMixture as Peer

    x, start = clusters(600, apart=6.0), clusters(600, apart=6.0)[:3]
    model = GaussianMixture(
        2, components=3, least_variance=1e-9, tolerance=1e-13, iterations=500
    ).fit(x, means=start)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        peer = Peer(
            3, means_init=start.numpy(), tol=1e-13, max_iter=500, reg_covar=0.0, random_state=0
        ).fit(x.numpy())  # The means are given; the first covariances it draws.
    # Both are at a fixed point of the same map; what is left is the distance to it, and rounding.
    want = torch.from_numpy(peer.score_samples(x.numpy()))
    torch.testing.assert_close(model.log_prob(x), want, rtol=0, atol=1e-4)
    assert model.history[-1] == pytest.approx(want.mean().item(), abs=1e-9)


def test_log_prob_equals_sklearn_at_the_same_parameters() -> None:
    from sklearn.mixture import GaussianMixture as Peer

    x = clusters(300, 5)
    model = GaussianMixture(5, components=4, least_variance=1e-3).fit(x, generator=seeded())
    covariances = (model.gaussians.scale_tril @ model.gaussians.scale_tril.mT).numpy()
    peer = Peer(4)
    peer.weights_, peer.means_ = model.weights.numpy(), model.gaussians.means.numpy()
    peer.covariances_ = covariances
    peer.precisions_cholesky_ = torch.linalg.cholesky(
        torch.linalg.inv(torch.from_numpy(covariances))
    ).numpy()
    test = clusters(100, 5, seed=1)
    want = torch.from_numpy(peer.score_samples(test.numpy()))
    torch.testing.assert_close(model.log_prob(test), want, rtol=0, atol=1e-8)
    torch.testing.assert_close(
        model.responsibilities(test), torch.from_numpy(peer.predict_proba(test.numpy()))
    )


def test_it_is_the_network_summed_over_z() -> None:
    x = clusters(200, 3)
    model = GaussianMixture(3, components=4).fit(x, generator=seeded())
    joint = torch.stack(
        [model.network.log_prob({"z": torch.full((200,), z), "x": x}) for z in range(4)], dim=1
    )
    torch.testing.assert_close(model.log_prob(x), joint.logsumexp(1), rtol=0, atol=1e-10)
    torch.testing.assert_close(model.responsibilities(x), joint.softmax(1), rtol=0, atol=1e-10)
    z = torch.arange(200) % 4
    torch.testing.assert_close(
        model.log_prob(x, given={"z": z}),
        model.network.log_prob({"z": z, "x": x}) - model.weights.log()[z],
        rtol=0,
        atol=1e-10,
    )
    assert model.graph["p"].edges == (("z", "x"),)


def test_responsibilities_sum_to_one_far_from_the_data() -> None:
    model = GaussianMixture(2, components=5).fit(clusters(200), generator=seeded())
    far = 1e4 * torch.randn(50, 2, dtype=torch.float64, generator=seeded())
    torch.testing.assert_close(
        model.responsibilities(far).sum(1), torch.ones(50, dtype=torch.float64), rtol=0, atol=1e-12
    )
    assert model.log_prob(far).isfinite().all()


def test_samples_have_the_moments_of_the_mixture() -> None:
    model = GaussianMixture(2, components=3).fit(clusters(300), generator=seeded())
    draws = model.sample(20_000, generator=seeded())
    means, weights = model.gaussians.means, model.weights[:, None]
    mean = (weights * means).sum(0)
    covariances = model.gaussians.scale_tril @ model.gaussians.scale_tril.mT
    spread = means - mean
    total = (weights[:, :, None] * (covariances + spread[:, :, None] * spread[:, None])).sum(0)
    deviation = total.diagonal().sqrt()
    torch.testing.assert_close(draws.mean(0) / deviation, mean / deviation, rtol=0, atol=5 / 141)
    # The variance of a mixture of separate clusters: relative standard error below sqrt(2/n).
    got = torch.cov(draws.T) / (deviation[:, None] * deviation)
    torch.testing.assert_close(got, total / (deviation[:, None] * deviation), rtol=0, atol=5 / 100)


def test_a_component_can_be_given() -> None:
    model = GaussianMixture(2, components=3).fit(clusters(300, apart=50.0), generator=seeded())
    draws = model.sample(600, given={"z": torch.arange(600) % 3}, generator=seeded())
    assert torch.equal(model.responsibilities(draws).argmax(1), torch.arange(600) % 3)


def test_it_does_not_depend_on_the_units_of_a_column() -> None:
    x = clusters(300)
    scale, shift = torch.tensor([1e-3, 1e4]), torch.tensor([5.0, -1e5])
    plain = GaussianMixture(2, components=3).fit(x, generator=seeded())
    scaled = GaussianMixture(2, components=3).fit(x * scale + shift, generator=seeded())
    torch.testing.assert_close(
        scaled.log_prob(x * scale + shift) + scale.double().log().sum(),
        plain.log_prob(x),
        rtol=0,
        atol=1e-6,
    )


@pytest.mark.parametrize("components", [1, 6])
def test_constant_columns_and_copies_stay_finite(components: int) -> None:
    x = clusters(60, 3)
    x[:, 1] = 5.0
    x[:30] = x[0]
    model = GaussianMixture(3, components=components).fit(x, generator=seeded())
    assert model.log_prob(x).isfinite().all()
    assert model.sample(10, generator=seeded()).isfinite().all()
    same = GaussianMixture(3, components=components).fit(torch.ones(9, 3), generator=seeded())
    assert same.log_prob(torch.ones(1, 3)).isfinite().all()


def test_the_least_variance_is_kept() -> None:
    x = clusters(200, 2)
    model = GaussianMixture(2, components=20, least_variance=0.05).fit(x, generator=seeded())
    scaled = model.gaussians.scale_tril / x.std(0, correction=0)[:, None]
    variances = torch.linalg.eigvalsh(scaled @ scaled.mT)
    assert variances.min().item() == pytest.approx(0.05, rel=1e-9)


def test_few_examples_in_many_dimensions_choose_a_careful_variance() -> None:
    x = clusters(200, 20)
    test = clusters(200, 20, seed=0)[:0]
    generator = torch.Generator().manual_seed(5)
    order = torch.randperm(200, generator=generator)
    x, test = x[order[:120]], x[order[120:]]
    chosen = GaussianMixture(20, components=6).fit(x, generator=seeded()).log_prob(test).mean()
    bold = GaussianMixture(20, components=6, least_variance=1e-6).fit(x, generator=seeded())
    assert chosen > bold.log_prob(test).mean() + 1


def test_restarts_keep_the_best() -> None:
    x = clusters(300, apart=8.0)
    generators = [torch.Generator().manual_seed(seed) for seed in range(2)]
    setting = {"components": 8, "least_variance": 1e-4}
    one = GaussianMixture(2, **setting).fit(x, generator=generators[0])
    more = GaussianMixture(2, restarts=4, **setting).fit(x, generator=generators[1].manual_seed(0))
    assert more.history[-1] >= one.history[-1]


def test_float32_data_are_fitted_in_float64() -> None:
    x = clusters(100).float()
    model = GaussianMixture(2, components=2).fit(x, generator=seeded())
    assert model.gaussians.means.dtype == torch.float64
    assert model.log_prob(x).dtype == torch.float32


def test_gradient_is_that_of_the_density() -> None:
    model = GaussianMixture(2, components=3).fit(clusters(100), generator=seeded())
    assert torch.autograd.gradcheck(model.log_prob, (clusters(5, seed=2).requires_grad_(),))


def test_mistakes_are_named() -> None:
    with pytest.raises(ValueError, match="components must be at least 1, got 0"):
        GaussianMixture(2, components=0)
    with pytest.raises(ValueError, match=r"least_variance must be in \(0, 1\], got 0"):
        GaussianMixture(2, least_variance=0)
    model = GaussianMixture(2, components=5)
    with pytest.raises(ConfigError, match="at most the number of examples, 3, got 5"):
        model.fit(torch.randn(3, 2))
    with pytest.raises(ValueError, match=r"means must have shape \[5, 2\], got \[4, 2\]"):
        model.fit(torch.randn(9, 2), means=torch.zeros(4, 2))
    with pytest.raises(CapabilityError, match="gmm cannot be conditioned on 'label': only z"):
        model.log_prob(torch.zeros(1, 2), given={"label": torch.tensor(0)})
    with pytest.raises(ValueError, match=r"given 'z' must have shape \[\] or \[4\], got \[3\]"):
        model.sample(4, given={"z": torch.zeros(3, dtype=torch.long)})
    with pytest.raises(ValueError, match="n must be at least 1, got 0"):
        model.sample(0)
    assert math.isfinite(model.log_prob(torch.zeros(1, 2)).item())  # Unfitted: a standard normal.
