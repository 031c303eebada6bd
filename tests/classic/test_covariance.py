import warnings

import numpy as np
import pytest
import torch
from sklearn.mixture import GaussianMixture as Peer
from torch import Tensor

from ancestral.classic import em
from ancestral.classic.covariance import FORMS
from ancestral.classic.gmm import GaussianMixture

KINDS = list(FORMS)


def clusters(n: int = 600, features: int = 3, *, seed: int = 0) -> Tensor:
    """Return three skewed clusters, well apart, in columns of different scales."""
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randn(n, features, dtype=torch.float64, generator=generator)
    noise[:, -1] += 0.8 * noise[:, 0]
    centres = 6.0 * torch.randn(3, features, dtype=torch.float64, generator=generator)
    x = noise + centres[torch.randint(3, (n,), generator=generator)]
    return x * torch.tensor([1.0, 3.0, 0.5], dtype=torch.float64)[:features]


def start(x: Tensor, kind: str) -> tuple[em.Design, em.Mixture, Peer]:
    """Return the same start for both: rough clusters' weights, means and covariances."""
    design = em.Design(x, FORMS[kind])
    statistics = em.assigned(design, torch.arange(len(x)) % 5 % 3, 3)
    mixture = em.maximisation(statistics, design, least_variance=1e-9)
    mixture = em.Mixture(mixture.weights, x[:3].clone(), mixture.variances, mixture.axes)
    precisions = torch.linalg.inv(mixture.covariances).numpy()
    shaped = {
        "full": precisions,
        "tied": precisions[0],
        "diag": precisions.diagonal(axis1=1, axis2=2),
        "spherical": precisions[:, 0, 0],
    }[kind]
    peer = Peer(
        3,
        covariance_type=kind,
        reg_covar=0.0,
        weights_init=mixture.weights.numpy(),
        means_init=mixture.means.numpy(),
        precisions_init=shaped,
    )
    return design, mixture, peer


def fit_peer(peer: Peer, x: Tensor, *, sweeps: int, tolerance: float) -> None:
    peer.set_params(max_iter=sweeps, tol=tolerance)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # It warns where it does not converge: after one sweep.
        peer.fit(x.numpy())


def peer_covariances(peer: Peer, features: int) -> np.ndarray:
    full = {
        "full": lambda c: c,
        "tied": lambda c: np.stack([c] * 3),
        "diag": lambda c: np.stack([np.diag(row) for row in c]),
        "spherical": lambda c: np.stack([value * np.eye(features) for value in c]),
    }
    return full[peer.covariance_type](peer.covariances_)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("sweeps", [1, 300])
def test_steps_equal_sklearn_from_the_same_start(kind: str, sweeps: int) -> None:
    x = clusters()
    design, mixture, peer = start(x, kind)
    fit_peer(peer, x, sweeps=sweeps, tolerance=0.0 if sweeps == 1 else 1e-14)
    climbed, _ = em.climb(
        design, mixture, least_variance=1e-9, tolerance=-float("inf"), iterations=sweeps
    )
    # One step is the same arithmetic; at the fixed point both have contracted to rounding.
    for ours, theirs in (
        (climbed.weights, peer.weights_),
        (climbed.means, peer.means_),
        (climbed.covariances, peer_covariances(peer, 3)),
    ):
        torch.testing.assert_close(ours, torch.from_numpy(theirs), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_a_fitted_model_is_a_fixed_point_for_sklearn(kind: str) -> None:
    x = clusters()
    model = GaussianMixture(
        3, components=3, covariance=kind, least_variance=1e-9, tolerance=1e-14, iterations=500
    ).fit(x, means=x[:3])
    _, _, peer = start(x, kind)
    covariances = (model.gaussians.scale_tril @ model.gaussians.scale_tril.mT).numpy()
    precisions = np.linalg.inv(covariances)
    shaped = {
        "full": precisions,
        "tied": precisions[0],
        "diag": precisions.diagonal(axis1=1, axis2=2),
        "spherical": precisions[:, 0, 0],
    }[kind]
    peer.set_params(
        weights_init=model.weights.numpy(),
        means_init=model.gaussians.means.numpy(),
        precisions_init=shaped,
    )
    fit_peer(peer, x, sweeps=1, tolerance=0.0)
    np.testing.assert_allclose(peer_covariances(peer, 3), covariances, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(model.log_prob(x).numpy(), peer.score_samples(x.numpy()), atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(4))
def test_the_likelihood_never_decreases(kind: str, seed: int) -> None:
    x = clusters(60, seed=seed)
    x[:, 0] = x[:, 0].round()
    model = GaussianMixture(
        3, components=7, covariance=kind, least_variance=1e-4, tolerance=0.0, iterations=60
    ).fit(x, generator=torch.Generator().manual_seed(seed))
    assert bool((torch.tensor(model.history).diff() > -1e-10).all())
    assert model.log_prob(x).mean().item() >= model.history[-1] - 1e-10


def test_the_forms_are_what_they_say() -> None:
    x = clusters()
    found = {
        kind: GaussianMixture(3, components=4, covariance=kind, least_variance=1e-6)
        .fit(x, generator=torch.Generator().manual_seed(1))
        .gaussians.scale_tril
        for kind in KINDS
    }
    identity = torch.eye(3, dtype=torch.float64)
    assert torch.equal(found["diag"] * (1 - identity), torch.zeros_like(found["diag"]))
    torch.testing.assert_close(found["spherical"], found["spherical"][:, :1, :1] * identity)
    torch.testing.assert_close(found["tied"], found["tied"][:1].expand(4, -1, -1))
    assert not torch.allclose(found["full"][0], found["full"][1])


def test_a_component_without_points_stays_in_the_form() -> None:
    x = clusters()
    design, mixture, _ = start(x, "tied")
    means = mixture.means.clone()
    means[2] = 1e5
    away = em.Mixture(mixture.weights, means, mixture.variances, mixture.axes)
    climbed, _ = em.climb(design, away, least_variance=1e-9, tolerance=0.0, iterations=5)
    torch.testing.assert_close(climbed.means[2], means[2])
    torch.testing.assert_close(climbed.covariances, climbed.covariances[:1].expand(3, -1, -1))


def test_an_unknown_form_is_refused() -> None:
    with pytest.raises(ValueError, match="covariance must be one of full, diag, tied, spherical"):
        GaussianMixture(2, covariance="round")
