import math

import numpy as np
import pytest
import torch
from sklearn.datasets import make_swiss_roll
from torch import Tensor, nn
from torch.distributions import Independent, MultivariateNormal, Normal, kl_divergence

from ancestral.autoencoders.vae import VAE
from ancestral.capabilities import (
    Batch,
    Encodes,
    HasBound,
    HasDensity,
    HasGraph,
    Samples,
    SamplesMeans,
    Trains,
)
from ancestral.networks.latent import interpolate

DOUBLE = torch.float64


def linear_gaussian(latent: int, *, std: float = 0.5) -> VAE:
    """p: z ~ N(0, I), x | z ~ N(W z + b, std^2 I); q: an affine Gaussian."""
    torch.manual_seed(0)
    model = VAE(3, latent=latent, hidden=(), decoder_std=std).double()
    # The deviation was stored as a float32 logarithm; these tests want all the digits.
    model.decoder.log_std.fill_(math.log(std))
    return model


def affine(network: nn.Module) -> tuple[Tensor, Tensor]:
    (layer,) = (m for m in network.modules() if isinstance(m, nn.Linear))
    return layer.weight.detach(), layer.bias.detach()


def marginal(model: VAE, std: float) -> MultivariateNormal:
    w, b = affine(model.decoder)
    return MultivariateNormal(b, w @ w.T + std**2 * torch.eye(3, dtype=DOUBLE))


def posterior(model: VAE, x: Tensor, std: float) -> MultivariateNormal:
    w, b = affine(model.decoder)
    precision = torch.eye(w.shape[1], dtype=DOUBLE) + w.T @ w / std**2
    mean = torch.linalg.solve(precision, w.T @ (x - b).T / std**2).T
    return MultivariateNormal(mean, precision_matrix=precision)


def test_the_three_forms_of_the_elbo_are_equal_and_the_gap_is_the_kl() -> None:
    std = 0.5
    model, x = linear_gaussian(1, std=std), torch.randn(6, 3, dtype=DOUBLE)
    q = model.encode(x)
    # Gauss-Hermite with 8 nodes is exact here: everything is a polynomial of degree 2 in z.
    nodes, weights = np.polynomial.hermite_e.hermegauss(8)
    z = q.mean + q.stddev * torch.tensor(nodes)[:, None, None]
    weights = torch.tensor(weights / weights.sum())

    def expected(values: Tensor) -> Tensor:
        return (weights[:, None] * values).sum(0)

    joint = model.p.log_prob({"z": z, "x": x.expand(8, 6, 3)})
    prior = Independent(Normal(torch.zeros(1, dtype=DOUBLE), 1.0), 1)
    by_ratio = expected(joint - q.log_prob(z))
    by_terms = expected(model.decoder(z).log_prob(x)) - kl_divergence(
        q, prior.expand(q.batch_shape)
    )
    exact = posterior(model, x, std)
    as_multivariate = MultivariateNormal(q.mean, torch.diag_embed(q.variance))
    by_gap = marginal(model, std).log_prob(x) - kl_divergence(as_multivariate, exact)

    torch.testing.assert_close(by_ratio, by_terms, atol=1e-6, rtol=0)
    torch.testing.assert_close(by_ratio, by_gap, atol=1e-6, rtol=0)


def test_the_models_elbo_is_that_number_on_average() -> None:
    std, draws = 0.5, 20_000
    model, x = linear_gaussian(2, std=std), torch.randn(4, 3, dtype=DOUBLE)
    q = model.encode(x)
    gap = kl_divergence(
        MultivariateNormal(q.mean, torch.diag_embed(q.variance)), posterior(model, x, std)
    )
    expected = marginal(model, std).log_prob(x) - gap
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        each = model.elbo(x.repeat(draws, 1), generator=generator).reshape(draws, 4)
        mean = model.elbo(x, draws=draws, generator=generator)
    error = each.std(0) / draws**0.5
    assert ((each.mean(0) - expected).abs() < 5 * error).all()
    assert ((mean - expected).abs() < 5 * error).all()


def test_the_exact_posterior_gives_equality() -> None:
    std = 0.5
    model = linear_gaussian(2, std=std)
    with torch.no_grad():  # Orthogonal columns make the posterior's covariance diagonal.
        (layer,) = (m for m in model.decoder.modules() if isinstance(m, nn.Linear))
        layer.weight.copy_(torch.tensor([[1.0, 0.0], [0.0, 2.0], [1.5, 0.0]]))
        w, b = affine(model.decoder)
        precision = 1 + w.square().sum(0) / std**2
        (head,) = (m for m in model.encoder.modules() if isinstance(m, nn.Linear))
        head.weight.zero_()
        head.weight[:2] = w.T / std**2 / precision[:, None]
        head.bias[:2] = -head.weight[:2] @ b
        head.bias[2:] = -0.5 * precision.log()
    x = torch.randn(5, 3, dtype=DOUBLE)
    exact = marginal(model, std).log_prob(x)
    # Every importance weight is p(x), so a single draw is exact.
    torch.testing.assert_close(model.estimate_log_prob(x, draws=1), exact, atol=1e-9, rtol=0)
    with torch.no_grad():
        bound = model.elbo(x, draws=50_000, generator=torch.Generator().manual_seed(2))
    # The reconstruction's spread over draws is about 1 nat: five standard errors.
    torch.testing.assert_close(bound, exact, atol=5 / 50_000**0.5, rtol=0)


def test_more_importance_draws_are_tighter_on_average_and_stay_below() -> None:
    std = 0.5
    model, x = linear_gaussian(2, std=std), torch.randn(2000, 3, dtype=DOUBLE)
    generator = torch.Generator().manual_seed(3)
    means = [model.estimate_log_prob(x, draws=k, generator=generator).mean() for k in (1, 8, 64)]
    assert means[0] + 0.1 < means[1]
    assert means[1] < means[2] < marginal(model, std).log_prob(x).mean() + 0.05


def test_the_books_sizes() -> None:
    model = VAE(2, latent=16, hidden=(128, 64, 32), decoder_std=0.1)
    count = {
        name: sum(p.numel() for p in network.parameters())
        for name, network in (("q", model.q), ("p", model.p))
    }
    assert count == {"q": 11_776, "p": 11_234}


def test_capabilities_say_what_it_can_do() -> None:
    model = VAE(2, hidden=(4,))
    for capability in (Samples, SamplesMeans, HasBound, Encodes, Trains, HasGraph):
        assert isinstance(model, capability), capability
    assert not isinstance(model, HasDensity)
    assert model.graph["p"].parents("x") == ("z",)
    assert model.graph["q"].parents("z") == ("x",)


def test_samples_have_the_decoders_noise_and_means_have_not() -> None:
    model = VAE(2, latent=3, hidden=(8,), decoder_std=0.3)
    z = torch.randn(4000, 3, generator=torch.Generator().manual_seed(0))
    generator = torch.Generator().manual_seed(1)
    noise = model.sample(4000, given={"z": z}, generator=generator) - model.decode(z)
    # The standard error of a deviation is 0.3 / sqrt(2 n) = 0.0024 for 8000 numbers.
    assert noise.std().item() == pytest.approx(0.3, abs=0.012)
    torch.testing.assert_close(model.sample_means(4000, given={"z": z}), model.decode(z))


def test_a_generator_repeats_its_draws() -> None:
    model, x = VAE(2, hidden=(4,)), torch.randn(3, 2)
    for function in (
        lambda g: model.sample(5, generator=g),
        lambda g: model.sample_means(5, generator=g),
        lambda g: model.elbo(x, generator=g),
        lambda g: model.estimate_log_prob(x, draws=3, generator=g),
    ):
        first = function(torch.Generator().manual_seed(7))
        torch.testing.assert_close(first, function(torch.Generator().manual_seed(7)))


def test_every_parameter_learns() -> None:
    model = VAE(2, latent=3, hidden=(8, 4), frequencies=5)
    (player,) = model.players()
    loss = player.loss(Batch(torch.randn(6, 2)), torch.Generator().manual_seed(0))
    assert loss.weight == 6
    loss.total.backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name


def test_saved_weights_give_the_same_model() -> None:
    model, other = VAE(2, hidden=(4,)), VAE(2, hidden=(4,))
    other.load_state_dict(model.state_dict())
    x = torch.randn(3, 2)
    bounds = [m.elbo(x, generator=torch.Generator().manual_seed(0)) for m in (model, other)]
    torch.testing.assert_close(bounds[0], bounds[1])
    assert "decoder" not in repr(model.state_dict().keys())  # No weight is stored twice.


@pytest.mark.parametrize(
    "call", [lambda m, x: m.elbo(x, given={"label": x}), lambda m, x: m.encode(x, given={"y": x})]
)
def test_nothing_can_be_given(call) -> None:  # noqa: ANN001
    with pytest.raises(ValueError, match="conditional on nothing"):
        call(VAE(2, hidden=(4,)), torch.zeros(1, 2))


def test_wrong_sizes_are_refused() -> None:
    with pytest.raises(ValueError, match="frequencies must be at least 0, got -1"):
        VAE(2, frequencies=-1)
    with pytest.raises(ValueError, match="at least 1"):
        VAE(0)


def swiss_roll(n: int, seed: int) -> Tensor:
    points, _ = make_swiss_roll(n, noise=0.1, random_state=seed)
    return torch.tensor(points[:, [0, 2]] / 7, dtype=torch.float32)


@pytest.mark.slow
def test_latent_paths_stay_closer_to_the_data_than_straight_lines() -> None:
    torch.manual_seed(0)
    x = swiss_roll(5000, 0)
    model = VAE(2, latent=4, decoder_std=0.1)
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3)
    for _ in range(1500):
        optimizer.zero_grad()
        rows = torch.randint(len(x), (500,))
        (-model.elbo(x[rows]).mean()).backward()
        optimizer.step()
    a, b = x[:100], x[100:200]
    with torch.no_grad():
        za, zb = model.encode(a).mean, model.encode(b).mean
        latent = model.decode(interpolate(za, zb, 9).reshape(-1, 4))
        # The ends of a latent path are the reconstructions, near the points themselves.
        assert (model.decode(za) - a).norm(dim=1).median() < 0.15
    straight = interpolate(a, b, 9).reshape(-1, 2)
    away = [torch.cdist(path, x).min(dim=1).values.mean() for path in (latent, straight)]
    assert away[0] < 0.6 * away[1]
