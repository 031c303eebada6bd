import math

import pytest
import torch
from torch import Generator, Tensor

from ancestral.autoencoders import VAE, ImportanceWeightedBound, WeighedBound
from ancestral.autoencoders.objectives import Objective
from ancestral.capabilities import Batch, Loss
from ancestral.networks.elbo import elbo, elbo_pieces, estimate_log_prob

X = torch.randn(6, 3, generator=Generator().manual_seed(1))


def model(objective: Objective | None = None) -> VAE:
    torch.manual_seed(0)
    found = VAE(3, latent=2, hidden=(8,), decoder_std=0.5)
    found.objective = objective or found.objective
    return found


def loss(of: VAE, seed: int = 0, x: Tensor = X) -> Loss:
    (player,) = of.players()
    return player.loss(Batch(x), Generator().manual_seed(seed))


def trained(of: VAE, steps: int = 200) -> VAE:
    optimizer = torch.optim.Adam(of.parameters(), lr=1e-2)
    x = torch.randn(256, 3, generator=Generator().manual_seed(2)) @ torch.tensor(
        [[1.0, 0.5, 0.0], [0.0, 0.3, 0.5], [0.0, 0.0, 0.3]]
    )
    for step in range(steps):
        optimizer.zero_grad()
        (loss(of, step, x).total / len(x)).backward()
        optimizer.step()
    return of


def test_beta_1_is_the_vae_bit_for_bit() -> None:
    plain, weighed = trained(model(), 20), trained(model(WeighedBound(beta=1.0)), 20)
    for a, b in zip(plain.parameters(), weighed.parameters(), strict=True):
        assert torch.equal(a, b)
    assert loss(plain).total.item() == loss(weighed).total.item()


def test_the_loss_is_minus_reconstruction_plus_beta_kl() -> None:
    found = loss(model(WeighedBound(beta=3.0)))
    pieces = found.metrics
    expected = 6 * (3 * pieces["kl"] - pieces["reconstruction"])
    torch.testing.assert_close(found.total.detach(), expected)
    # Its bound stays the ELBO: of the same draw that of the plain model.
    bounds = [
        of.elbo(X, generator=Generator().manual_seed(0))
        for of in (model(), model(WeighedBound(beta=3.0)))
    ]
    assert torch.equal(*bounds)


def test_a_larger_beta_buys_a_smaller_kl_with_more_distortion() -> None:
    kls, distortions = [], []
    for beta in (0.5, 1.0, 4.0, 16.0):
        metrics = loss(trained(model(WeighedBound(beta=beta)))).metrics
        kls.append(metrics["kl"].item())
        distortions.append(-metrics["reconstruction"].item())
    assert kls == sorted(kls, reverse=True)
    assert distortions == sorted(distortions)


def test_the_weight_grows_over_the_warmup_and_is_whole_outside_of_training() -> None:
    of = model(WeighedBound(beta=2.0, warmup=0.5))
    weights = []
    for progress in (0.0, 0.25, 0.5, 1.0):
        of.at(progress)
        found = loss(of)
        kl, reconstruction = found.metrics["kl"], found.metrics["reconstruction"]
        weights.append(((found.total / 6 + reconstruction) / kl).item())
    assert weights == pytest.approx([0.0, 1.0, 2.0, 2.0], abs=1e-5)
    of.at(0.0)
    of.eval()
    assert loss(of).total.item() == loss(model(WeighedBound(beta=2.0))).total.item()


def test_free_nats_press_no_kl_below_them() -> None:
    of = model(WeighedBound(free_nats=1e3))
    found = loss(of)
    torch.testing.assert_close(
        found.total.detach(), 6 * (1e3 - found.metrics["reconstruction"]), rtol=1e-5, atol=0
    )
    # All the gradient that is left is the reconstruction's.
    own = torch.autograd.grad(found.total, list(of.parameters()))
    pieces = elbo_pieces(of.p, of.q, {"x": X}, generator=Generator().manual_seed(0))
    other = torch.autograd.grad(-pieces.reconstruction.sum(), list(of.parameters()))
    for a, b in zip(own, other, strict=True):
        torch.testing.assert_close(a, b)


def test_the_pieces_sum_to_the_bound() -> None:
    of = model()
    for draws in (1, 3):
        pieces = elbo_pieces(
            of.p, of.q, {"x": X}, draws=draws, generator=Generator().manual_seed(3)
        )
        whole = elbo(of.p, of.q, {"x": X}, draws=draws, generator=Generator().manual_seed(3))
        torch.testing.assert_close(pieces.total, whole)


def test_the_importance_weighted_loss_is_minus_the_estimate_of_the_same_draws() -> None:
    of = model(ImportanceWeightedBound(7))
    expected = estimate_log_prob(
        of.p, of.q, {"x": X}, draws=7, generator=Generator().manual_seed(0)
    ).sum()
    assert loss(of).total.item() == pytest.approx(-expected.item(), rel=1e-6)


def test_bounds_grow_with_the_number_of_draws_by_paired_draws() -> None:
    of = model().double()
    draws, rounds = 16, 400
    x = X.double()
    with torch.no_grad():
        q = of.encode(x)
        noise = torch.randn(rounds, draws, 6, 2, generator=Generator().manual_seed(4)).double()
        z = q.mean + q.stddev * noise
        log_w = of.p.log_prob({"z": z, "x": x.expand(rounds, draws, 6, 3)}) - q.log_prob(z)
    means = {}
    for k in (1, 4, 16):
        # The same draws in groups of k: each bound is a mean over all of them.
        groups = log_w.reshape(rounds, draws // k, k, 6).logsumexp(2) - math.log(k)
        means[k] = groups.mean(dim=(1, 2))
    for fewer, more in ((1, 4), (4, 16)):
        # Of one round, too, by Jensen; in the mean by many standard errors.
        gap = means[more] - means[fewer]
        assert (gap > 0).all()
        assert gap.mean() > 5 * gap.std() / rounds**0.5


def test_gradients_of_the_importance_weighted_bound_are_those_of_its_mean() -> None:
    of = model(ImportanceWeightedBound(3)).double()
    bias = of.decoder.network.layers[-1].bias  # pyright: ignore
    generator = Generator().manual_seed(5)

    def mean(generator: Generator) -> Tensor:
        return of.objective.raised(of.p, of.q, {"x": X.double()}, generator, training=True)[0].sum()

    state = generator.get_state()
    (gradient,) = torch.autograd.grad(mean(generator), bias)
    step = 1e-6
    with torch.no_grad():
        ends = []
        for sign in (1, -1):
            bias[0] += sign * step
            ends.append(mean(generator.set_state(state)))
            bias[0] -= sign * step
    assert gradient[0].item() == pytest.approx(((ends[0] - ends[1]) / (2 * step)).item(), rel=1e-6)


def test_arguments_out_of_range_are_refused() -> None:
    for how, words in (
        ({"beta": -1.0}, "beta must be at least 0"),
        ({"free_nats": -1.0}, "free_nats must be at least 0"),
        ({"warmup": 1.5}, r"warmup must lie in \[0, 1\], got 1.5"),
    ):
        with pytest.raises(ValueError, match=words):
            WeighedBound(**how)
    with pytest.raises(ValueError, match="draws must be at least 1, got 0"):
        ImportanceWeightedBound(0)
