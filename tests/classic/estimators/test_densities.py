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
    assert ours.covariances_.shape == (3, 2, 2)
    assert ours.score(x) == pytest.approx(ours.score_samples(x).mean())
    np.testing.assert_allclose(ours.predict_proba(x).sum(axis=1), 1, atol=1e-12)


def test_a_seed_decides_the_fit_and_the_draws() -> None:
    x = blobs()
    first, second = (GaussianMixtureEstimator(4, random_state=3).fit(x) for _ in range(2))
    np.testing.assert_array_equal(first.means_, second.means_)
    np.testing.assert_array_equal(first.sample(5), second.sample(5))
    assert first.sample(5).shape == (5, 2)


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
    with pytest.raises(ValueError, match="needs at least 2 distinct rows"):
        KernelDensityEstimator().fit(np.ones((4, 2)))
