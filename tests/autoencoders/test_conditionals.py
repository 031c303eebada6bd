import math

import pytest
import torch
from torch import nn
from torch.distributions import Distribution, Independent, Normal, kl_divergence

from ancestral.autoencoders.conditionals import (
    BernoulliDecoder,
    DiagonalNormal,
    GaussianDecoder,
    GaussianEncoder,
    full_precision,
)
from ancestral.networks.nodes import StandardNormal
from ancestral.networks.sampling import draw

DOUBLE = torch.float64


def pair(shape: tuple[int, ...] = (5, 3)) -> tuple[DiagonalNormal, Independent]:
    torch.manual_seed(0)
    loc, log_scale = torch.randn(2, *shape, dtype=DOUBLE)
    return DiagonalNormal(loc, log_scale), Independent(Normal(loc, log_scale.exp()), 1)


def test_it_is_torchs_normal() -> None:
    ours, torchs = pair()
    x = torch.randn(7, 5, 3, dtype=DOUBLE)
    torch.testing.assert_close(ours.log_prob(x), torchs.log_prob(x))
    torch.testing.assert_close(ours.entropy(), torchs.entropy())
    torch.testing.assert_close(ours.stddev, torchs.stddev)
    assert ours.batch_shape == torchs.batch_shape
    assert ours.event_shape == torchs.event_shape
    wide = ours.expand(torch.Size((7, 5)))
    torch.testing.assert_close(wide.log_prob(x), torchs.log_prob(x))
    torch.testing.assert_close(wide.entropy()[6], torchs.entropy())


def test_a_shared_scale_is_that_scale_everywhere() -> None:
    loc, log_scale = torch.randn(5, 3, dtype=DOUBLE), torch.randn(3, dtype=DOUBLE)
    shared, plain = DiagonalNormal(loc, log_scale), DiagonalNormal(loc, log_scale.expand(5, 3))
    x = torch.randn(5, 3, dtype=DOUBLE)
    torch.testing.assert_close(shared.log_prob(x), plain.log_prob(x))
    torch.testing.assert_close(shared.entropy(), plain.entropy())
    assert shared.rsample((2,)).shape == (2, 5, 3)


def prior(features: int) -> Distribution:
    return StandardNormal((features,)).double()()


def test_kl_to_the_prior_is_torchs() -> None:
    ours, torchs = pair()
    plain = Independent(Normal(torch.zeros(3, dtype=DOUBLE), torch.ones(3, dtype=DOUBLE)), 1)
    expected = kl_divergence(torchs, plain.expand(torch.Size((5,))))
    torch.testing.assert_close(kl_divergence(ours, prior(3)), expected, atol=1e-8, rtol=0)
    other = Independent(Normal(torchs.mean.flip(0), torchs.stddev.flip(0)), 1)
    torch.testing.assert_close(kl_divergence(ours, other), kl_divergence(torchs, other))


def test_kl_of_the_prior_to_itself_is_zero() -> None:
    # The listing's expression, without its constant -L/2, gives L/2 here.
    q = DiagonalNormal(torch.zeros(4, 16, dtype=DOUBLE), torch.zeros(16, dtype=DOUBLE))
    assert kl_divergence(q, prior(16)).abs().sum() == 0


def test_reparametrised_gradient_is_unbiased() -> None:
    # E |z|^2 = mu^2 + sigma^2, so its gradient is 2 mu and, in log sigma, 2 sigma^2.
    n = 100_000
    mean = torch.tensor([0.7], dtype=DOUBLE, requires_grad=True)
    log_std = torch.tensor([-0.3], dtype=DOUBLE, requires_grad=True)
    q = DiagonalNormal(mean.expand(n, 1), log_std)
    z = draw(q, generator=torch.Generator().manual_seed(0), reparametrised=True)
    z.square().mean().backward()
    # Standard errors: 2 sigma / sqrt(n) = 0.005 and below 0.01.
    assert mean.grad.item() == pytest.approx(1.4, abs=0.025)
    assert log_std.grad.item() == pytest.approx(2 * math.exp(-0.6), abs=0.05)


def test_encoder_gives_means_and_positive_scales() -> None:
    encoder = GaussianEncoder(nn.Linear(2, 6).double())
    q = encoder(torch.tensor([[1e2, -1e2], [0.0, 0.0]], dtype=DOUBLE))
    assert q.batch_shape == (2,)
    assert q.event_shape == (3,)
    assert (q.stddev > 0).all()
    raw = encoder.network(torch.zeros(1, 2, dtype=DOUBLE))
    torch.testing.assert_close(q.mean[1:], raw[:, :3])
    torch.testing.assert_close(q.stddev[1:].log(), raw[:, 3:])


def test_decoder_density_keeps_its_constants() -> None:
    decoder = GaussianDecoder(nn.Linear(3, 2), 2, std=0.1).double()
    z, x = torch.randn(5, 3, dtype=DOUBLE), torch.randn(5, 2, dtype=DOUBLE)
    expected = Normal(decoder.network(z), 0.1).log_prob(x).sum(-1)
    # The fixed deviation is kept as a float32 logarithm.
    torch.testing.assert_close(decoder(z).log_prob(x), expected, rtol=1e-6, atol=0)


def test_only_a_learned_scale_is_a_parameter() -> None:
    learned = dict(GaussianDecoder(nn.Linear(3, 2), 2).named_parameters())
    fixed = dict(GaussianDecoder(nn.Linear(3, 2), 2, std=0.1).named_parameters())
    assert set(learned) - set(fixed) == {"log_std"}


@pytest.mark.parametrize("std", [0.0, -1.0, math.inf, math.nan])
def test_a_scale_that_is_not_positive_is_refused(std: float) -> None:
    with pytest.raises(ValueError, match="decoder_std must be positive"):
        GaussianDecoder(nn.Linear(3, 2), 2, std=std)


def test_half_precision_is_widened_and_nothing_else() -> None:
    assert full_precision(torch.zeros(1, dtype=torch.bfloat16)).dtype == torch.float32
    assert full_precision(torch.zeros(1, dtype=DOUBLE)).dtype == DOUBLE


@pytest.mark.parametrize(("batch", "features"), [(7, 3), (3, 3), (5, 1), (1, 3)])
@pytest.mark.parametrize("shared", [True, False])
def test_kl_between_two_of_them_is_torchs(batch: int, features: int, shared: bool) -> None:
    ours, torchs = [], []
    for _ in range(2):
        loc = torch.randn(batch, features, dtype=DOUBLE)
        log_scale = torch.randn(*(() if shared else (batch,)), features, dtype=DOUBLE)
        ours.append(DiagonalNormal(loc, log_scale))
        torchs.append(Independent(Normal(loc, log_scale.exp().expand_as(loc)), 1))
    expected = kl_divergence(*torchs)
    torch.testing.assert_close(kl_divergence(*ours), expected, rtol=1e-12, atol=1e-12)


class Fixed(nn.Module):
    """A network whose output is a constant."""

    def __init__(self, output: torch.Tensor) -> None:
        super().__init__()
        self.output = output

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        return self.output.expand(len(z), *self.output.shape)


def test_the_bernoulli_is_minus_the_cross_entropy_and_finite_when_saturated() -> None:
    logits = torch.tensor([[[-200.0, -3.0], [3.0, 200.0]]])
    x = torch.tensor([[[[1.0, 0.2], [0.9, 0.0]]]])
    p = BernoulliDecoder(Fixed(logits), event_dims=3, grey=True)(torch.zeros(1, 1))
    cross_entropy = nn.functional.binary_cross_entropy_with_logits(
        logits[None].double(), x.double(), reduction="sum"
    )
    assert p.log_prob(x).item() == pytest.approx(-cross_entropy.item(), rel=1e-5)
    torch.testing.assert_close(p.mean[0], logits.sigmoid())


@pytest.mark.parametrize(
    ("grey", "value", "words"),
    [(False, 0.5, "of 0 and 1, got 0.5"), (True, 1.5, "from 0 to 1, got 1.5")],
)
def test_the_bernoulli_refuses_what_it_has_no_probability_of(
    grey: bool, value: float, words: str
) -> None:
    p = BernoulliDecoder(Fixed(torch.zeros(2)), event_dims=1, grey=grey)(torch.zeros(1, 1))
    with pytest.raises(ValueError, match=f"a Bernoulli decoder takes values {words}"):
        p.log_prob(torch.tensor([[0.0, value]]))
