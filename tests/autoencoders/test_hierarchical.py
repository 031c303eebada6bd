import math

import pytest
import torch
from torch import Generator, nn
from torch.distributions import MultivariateNormal

from ancestral.autoencoders import HierarchicalVAE
from ancestral.capabilities import Batch

DOUBLE = torch.float64


def linear() -> HierarchicalVAE:
    """z2 ~ N(0, 1), z | z2 and x | z affine with fixed noise: x is Gaussian."""
    torch.manual_seed(0)
    model = HierarchicalVAE(3, latents=(2, 1), hidden=(), decoder_std=0.5).double()
    with torch.no_grad():  # Guesses as wide as the law of each layer, wherever x is.
        for parameter in model.q.parameters():
            parameter.mul_(0)
    return model


def parts(network: nn.Module) -> tuple[torch.Tensor, torch.Tensor]:
    (layer,) = (m for m in network.modules() if isinstance(m, nn.Linear))
    return layer.weight.detach(), layer.bias.detach()


def exact(model: HierarchicalVAE) -> MultivariateNormal:
    w, b = parts(model.decoder)
    v, c = parts(model.p.nodes["z"].conditional)
    with torch.no_grad():
        v[2:], c[2:] = 0, math.log(0.7)  # The same deviation for every z2.
    mean, slope = c[:2], v[:2]
    inner = slope @ slope.T + 0.7**2 * torch.eye(2, dtype=DOUBLE)
    noise = model.decoder.log_std.exp().square().diag()
    return MultivariateNormal(w @ mean + b, w @ inner @ w.T + noise)


def test_the_bound_lies_below_the_exact_density_and_many_draws_reach_it() -> None:
    model = linear()
    law = exact(model)
    x = law.sample((400,))
    generator = Generator().manual_seed(0)
    truth = law.log_prob(x)
    estimates = {
        k: model.estimate_log_prob(x, draws=k, generator=generator) - truth for k in (1, 8, 4000)
    }
    with torch.no_grad():
        gap = model.elbo(x, draws=50, generator=generator) - truth
    assert gap.mean() < -5 * gap.std() / 20
    means = [float(value.mean()) for value in estimates.values()]
    assert means == sorted(means)
    assert abs(means[-1]) < 5 * float(estimates[4000].std()) / 20 + 0.02


def test_the_graphs_run_against_each_other() -> None:
    model = HierarchicalVAE(2, latents=(4, 3, 2), hidden=(8,), classes=3)
    p, q = model.graph["p"], model.graph["q"]
    assert [p.parents(name) for name in ("z3", "z2", "z")] == [(), ("z3",), ("z2",)]
    assert [q.parents(name) for name in ("z", "z2", "z3")] == [("x", "label"), ("z",), ("z2",)]
    assert p.parents("x") == ("z", "label")


def test_every_parameter_learns_and_each_layer_tells_its_kl() -> None:
    model = HierarchicalVAE(2, latents=(4, 3, 2), hidden=(8,))
    (player,) = model.players()
    loss = player.loss(Batch(torch.randn(64, 2)), Generator().manual_seed(0))
    loss.total.backward()
    assert {*loss.metrics} == {"reconstruction", "kl_z", "kl_z2", "kl_z3"}
    total = loss.metrics["reconstruction"] - sum(
        value for name, value in loss.metrics.items() if name.startswith("kl")
    )
    assert loss.total.item() / 64 == pytest.approx(-float(total), rel=1e-5)
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name


def test_no_layer_is_refused() -> None:
    with pytest.raises(ValueError, match="latents must be one or more numbers, got none"):
        HierarchicalVAE(2, latents=())
