import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.mixture import GaussianMixture as Peer
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KernelDensity

from ancestral.classic.estimators import GaussianMixtureEstimator, KernelDensityEstimator


def blobs(n: int = 300) -> np.ndarray:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(n, 2, generator=generator, dtype=torch.float64)
    return (x + 8.0 * (torch.arange(n) % 3)[:, None]).numpy()


@pytest.mark.parametrize("kind", ["full", "diag", "tied", "spherical"])
def test_the_mixture_equals_sklearn_where_clusters_are_plain(kind: str) -> None:
    x = blobs()
    ours = GaussianMixtureEstimator(
        3, covariance_type=kind, tol=1e-12, least_variance=1e-9, random_state=0
    ).fit(x)
    peer = Peer(3, covariance_type=kind, tol=1e-12, reg_covar=0.0, random_state=0).fit(x)
    np.testing.assert_allclose(ours.score_samples(x), peer.score_samples(x), atol=1e-5)
    np.testing.assert_allclose(np.sort(ours.means_, 0), np.sort(peer.means_, 0), atol=1e-5)
    assert ours.covariances_.shape == peer.covariances_.shape
    # Both are at the optimum to about 1e-7 a row, and there are 300 rows.
    assert ours.bic(x) == pytest.approx(peer.bic(x), abs=1e-3)
    assert ours.aic(x) == pytest.approx(peer.aic(x), abs=1e-3)
    assert ours.bic(x[:7]) == pytest.approx(peer.bic(x[:7]), abs=1e-3)
    assert ours.converged_
    assert ours.lower_bound_ == pytest.approx(ours.score(x), abs=1e-9)
    np.testing.assert_allclose(np.sort(ours.weights_), np.sort(peer.weights_), atol=1e-5)
    assert ours.score(x) == pytest.approx(ours.score_samples(x).mean())
    np.testing.assert_allclose(ours.predict_proba(x).sum(axis=1), 1, atol=1e-12)


def test_a_seed_decides_the_fit_and_the_draws() -> None:
    x = blobs()
    first, second = (GaussianMixtureEstimator(4, random_state=3).fit(x) for _ in range(2))
    np.testing.assert_array_equal(first.means_, second.means_)
    for ours, again in zip(first.sample(5), second.sample(5), strict=True):
        np.testing.assert_array_equal(ours, again)
    assert not GaussianMixtureEstimator(4, max_iter=1, random_state=3).fit(x).converged_


def test_draws_come_with_their_components() -> None:
    model = GaussianMixtureEstimator(3, random_state=0).fit(blobs())
    x, component = model.sample(3000)
    assert x.shape == (3000, 2)
    # The blobs are 8 deviations apart: a draw is nearest to its own.
    assert (model.predict(x) == component).mean() > 0.999
    share = np.bincount(component) / 3000
    # Five standard errors of a share of a third.
    np.testing.assert_allclose(share, model.weights_, atol=5 * (2 / 9 / 3000) ** 0.5)


def test_the_kernel_density_equals_sklearn() -> None:
    x = blobs()
    ours = KernelDensityEstimator(bandwidth=0.7, kernel="exponential").fit(x)
    peer = KernelDensity(bandwidth=0.7, kernel="exponential", leaf_size=1000).fit(x)
    np.testing.assert_allclose(ours.score_samples(x), peer.score_samples(x), atol=1e-8)
    assert ours.bandwidth_ == 0.7
    assert KernelDensityEstimator(random_state=0).fit(x).sample(7).shape == (7, 2)


def test_the_number_of_components_is_found_by_grid_search() -> None:
    search = GridSearchCV(GaussianMixtureEstimator(random_state=0), {"n_components": [1, 3]}, cv=3)
    x = blobs()[np.random.default_rng(0).permutation(300)]
    assert search.fit(x).best_params_ == {"n_components": 3}
    assert clone(search.best_estimator_).get_params()["n_components"] == 3


def test_mistakes_are_value_errors() -> None:
    with pytest.raises(ValueError, match="components must be at most the number of examples"):
        GaussianMixtureEstimator(9).fit(blobs(5))
    with pytest.raises(ValueError, match="n must be at least 1, got 0"):
        GaussianMixtureEstimator().fit(blobs(5)).sample(0)
    with pytest.raises(ValueError, match="least_variance must be a number, got 'a'"):
        GaussianMixtureEstimator(least_variance="a").fit(blobs(5))
    with pytest.raises(ValueError, match="bandwidth must be finite, got inf"):
        KernelDensityEstimator(bandwidth=np.inf).fit(blobs(5))
    with pytest.raises(ValueError, match="needs at least 2 distinct rows"):
        KernelDensityEstimator().fit(np.ones((4, 2)))


@pytest.mark.parametrize("rule", ["scott", "silverman"])
def test_a_rule_is_of_the_spread_of_the_data(rule: str) -> None:
    x = blobs()
    spread = np.sqrt(x.var(axis=0).mean())
    ours = KernelDensityEstimator(bandwidth=rule).fit(x)
    peer = KernelDensity(bandwidth=rule).fit(x)
    assert ours.bandwidth_ == pytest.approx(spread * peer.bandwidth_)
