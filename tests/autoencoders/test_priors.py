import copy
import math

import pytest
import torch
from torch.distributions import Normal

from ancestral.autoencoders import VAE
from ancestral.autoencoders.priors import GaussianMixturePrior, PosteriorMixture


def test_density_is_the_sum_of_its_gaussians_and_integrates_to_one() -> None:
    prior = GaussianMixturePrior(1, components=3).double()
    with torch.no_grad():
        prior.logits.copy_(torch.tensor([0.0, 1.0, -1.0]))
        prior.means.copy_(torch.tensor([[-2.0], [0.5], [3.0]]))
    z = torch.linspace(-12, 14, 20_001, dtype=torch.float64)
    log_p = prior().log_prob(z[:, None])
    scale = float(torch.tensor(-0.5).exp())
    by_hand = (
        prior.logits.softmax(0)
        * Normal(prior.means[:, 0].detach(), scale).log_prob(z[:, None]).exp()
    ).sum(1)
    torch.testing.assert_close(log_p.exp(), by_hand, rtol=1e-6, atol=1e-12)
    assert torch.trapezoid(by_hand, z).item() == pytest.approx(1, abs=1e-9)


def test_every_parameter_gets_a_gradient() -> None:
    prior = GaussianMixturePrior(2, components=4)
    prior().log_prob(torch.randn(10, 2)).sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in prior.parameters())


def test_counts_are_checked() -> None:
    with pytest.raises(ValueError, match="components must be at least 1, got 0"):
        GaussianMixturePrior(2, components=0)
    with pytest.raises(ValueError, match="features must be at least 1, got 0"):
        PosteriorMixture(0, components=2)


def with_posteriors() -> tuple[VAE, PosteriorMixture]:
    torch.manual_seed(0)
    prior = PosteriorMixture(2, components=6)
    return VAE(2, latent=1, hidden=(8,), prior=prior).double(), prior


def test_the_prior_is_the_mean_of_the_posteriors_of_its_examples() -> None:
    model, prior = with_posteriors()
    z = torch.randn(40, 1, dtype=torch.float64)
    each = model.encode(prior.examples).log_prob(z[:, None])
    torch.testing.assert_close(prior().log_prob(z), each.logsumexp(dim=1) - math.log(6))


def test_the_mean_posterior_of_the_data_is_the_best_of_priors() -> None:
    model, prior = with_posteriors()
    x, z = prior.examples.detach(), torch.linspace(-15, 15, 6_001, dtype=torch.float64)
    with torch.no_grad():
        q = model.encode(x).log_prob(z[:, None, None]).T
        for other in (Normal(0.0, 1.0), Normal(0.3, 0.7)):
            better = (q.exp() * (prior().log_prob(z[:, None]) - other.log_prob(z))).mean(0)
            # Of the mean over the data of KL(q || p): that to the mean posterior is the least.
            assert torch.trapezoid(better, z) > 0


def test_a_copy_reads_by_its_own_encoder_whose_weights_are_kept_once() -> None:
    model, _ = with_posteriors()
    kept = model.state_dict()
    assert sum("prior" in name or "examples" in name for name in kept) == 1
    assert len(kept) == len({value.data_ptr() for value in kept.values()})
    other, z = copy.deepcopy(model), torch.zeros(1, 1, dtype=torch.float64)
    before = model.p.nodes["z"].distribution(()).log_prob(z)
    with torch.no_grad():
        for parameter in other.encoder.parameters():
            parameter.add_(1)
    assert torch.equal(model.p.nodes["z"].distribution(()).log_prob(z), before)
    assert not torch.equal(other.p.nodes["z"].distribution(()).log_prob(z), before)
