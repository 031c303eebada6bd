"""Identities of the variational rows that no other file checks."""

import math

import pytest
import torch
from torch import Generator, Tensor, nn
from torch.distributions import Independent, MultivariateNormal, Normal, kl_divergence

from ancestral.autoencoders import VAE, DiagonalNormal
from ancestral.networks.nodes import StandardNormal
from ancestral.networks.sampling import draw

DOUBLE = torch.float64


def linear() -> tuple[VAE, Tensor, Tensor, Tensor]:
    """z ~ N(0, I), x | z ~ N(W z + b, s^2 I); return the model, W, b and the variances."""
    torch.manual_seed(0)
    model = VAE(3, latent=2, hidden=(), decoder_std=0.5).double().requires_grad_(False)
    (layer,) = (m for m in model.decoder.modules() if isinstance(m, nn.Linear))
    variance = model.decoder(torch.zeros(1, 2, dtype=DOUBLE)).variance[0]
    return model, layer.weight, layer.bias, variance


def test_the_joint_over_the_posterior_is_the_evidence_at_any_latent() -> None:
    model, w, b, variance = linear()
    x = torch.randn(3, dtype=DOUBLE)
    precision = torch.eye(2, dtype=DOUBLE) + w.T @ (w / variance[:, None])
    mean = torch.linalg.solve(precision, w.T @ ((x - b) / variance))
    posterior = MultivariateNormal(mean, precision_matrix=precision)
    evidence = MultivariateNormal(b, w @ w.T + variance.diag()).log_prob(x)
    z = 3 * torch.randn(20, 2, dtype=DOUBLE)
    joint = model.p.log_prob({"z": z, "x": x.expand(20, 3)})
    torch.testing.assert_close(joint - posterior.log_prob(z), evidence.expand(20))


def test_the_closed_kl_is_the_mean_of_the_log_ratio() -> None:
    q = DiagonalNormal(
        torch.tensor([[0.5, -1.0, 2.0]], dtype=DOUBLE),
        torch.tensor([[-1.0, 0.3, 0.0]], dtype=DOUBLE),
    )
    prior, n = StandardNormal((3,)).double()(), 200_000
    z = draw(q, (n,), Generator().manual_seed(0))[:, 0]
    ratio = q.log_prob(z[:, None])[:, 0] - prior.log_prob(z)
    error = ratio.std() / math.sqrt(n)
    closed = kl_divergence(q, prior)[0]
    assert abs(ratio.mean() - closed) < 5 * error
    # With its constant: the squares and logarithms alone are L / 2 = 1.5 nats more.
    squares = 0.5 * (q.mean.square() + q.variance).sum() - q.stddev.log().sum()
    assert closed.item() == pytest.approx((squares - 1.5).item(), abs=1e-8)


def test_the_score_function_has_the_same_gradient_with_more_variance() -> None:
    n = 100_000
    mean, std = torch.tensor([0.7, -0.4], dtype=DOUBLE), torch.tensor([0.5, 1.2], dtype=DOUBLE)
    noise = torch.randn(n, 2, generator=Generator().manual_seed(0), dtype=DOUBLE)
    z = mean + std * noise
    # Of E |z|^2 with respect to the mean, each draw's estimate; the truth is 2 mean.
    by_path = 2 * z
    by_score = z.square().sum(1, keepdim=True) * (z - mean) / std.square()
    for found in (by_path, by_score):
        error = found.std(0) / math.sqrt(n)
        assert ((found.mean(0) - 2 * mean).abs() < 5 * error).all()
    assert (by_score.var(0) > 2 * by_path.var(0)).all()


def test_without_the_reparametrisation_the_encoder_learns_nothing_of_the_reconstruction() -> None:
    torch.manual_seed(0)
    model, x = VAE(2, latent=2, hidden=(8,)), torch.randn(5, 2)
    (*weights,) = model.encoder.parameters()
    for reparametrised in (True, False):
        q = model.encode(x)
        z = draw(q, (), Generator().manual_seed(0), reparametrised=reparametrised)
        reconstruction = model.decoder(z).log_prob(x).sum()
        gradients = torch.autograd.grad(reconstruction, weights, allow_unused=True)
        assert [gradient is not None for gradient in gradients] == [reparametrised] * len(weights)


def test_the_mean_kl_is_the_information_and_the_kl_of_the_mean_posterior() -> None:
    torch.manual_seed(0)
    model = VAE(2, latent=1, hidden=(8,)).double().requires_grad_(False)
    q = model.encode(torch.randn(30, 2, dtype=DOUBLE))
    z, step = torch.linspace(-30, 30, 60_001, dtype=DOUBLE), 60 / 60_000
    each = Normal(q.mean, q.stddev).log_prob(z)  # [30, Z]
    mixture = each.logsumexp(0) - math.log(30)
    prior = Normal(0.0, 1.0).log_prob(z)
    information = (each.exp() * (each - mixture)).sum(1).mean() * step
    to_prior = (mixture.exp() * (mixture - prior)).sum() * step
    mean_kl = kl_divergence(
        Independent(Normal(q.mean, q.stddev), 1), Independent(Normal(torch.zeros(1), 1.0), 1)
    ).mean()
    assert (information + to_prior).item() == pytest.approx(mean_kl.item(), abs=1e-6)
    assert information > 0
    assert to_prior > 0
