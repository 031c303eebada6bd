import pytest
import torch
from torch.distributions import Normal

from ancestral.autoencoders.priors import GaussianMixturePrior


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
