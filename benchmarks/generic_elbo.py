"""The generic ``elbo`` against one written by hand for the same VAE: forward and backward."""

from collections.abc import Iterator

import torch
from torch import Tensor

from ancestral.autoencoders import VAE
from ancestral.networks import elbo
from benchmarks.harness import Result, compare


def by_hand(model: VAE, x: Tensor, generator: torch.Generator) -> Tensor:
    """Return the bound [B] of the same model, written out for it alone."""
    q = model.encoder(x)
    mean, std = q.base_dist.loc, q.base_dist.scale
    z = mean + std * torch.randn(mean.shape, generator=generator)
    p = model.decoder(z)
    centre, scale = p.base_dist.loc, p.base_dist.scale
    log_scale = scale.log()
    constant = 0.5 * torch.log(torch.tensor(2 * torch.pi))
    error = -0.5 * ((x - centre) / scale).square() - log_scale - constant
    kl = 0.5 * (mean.square() + std.square() - 1) - std.log()
    return error.sum(-1) - kl.sum(-1)


def run() -> Iterator[Result]:
    """Yield the comparison: a ratio of 0.95 is 5% slower."""
    torch.manual_seed(0)
    model = VAE(2)
    x = torch.randn(1000, 2)
    generator = torch.Generator()
    values = [
        f(generator.manual_seed(0))
        for f in (
            lambda g: by_hand(model, x, g),
            lambda g: elbo(model.p, model.q, {"x": x}, generator=g),
        )
    ]
    torch.testing.assert_close(*values)

    def ours() -> None:
        elbo(model.p, model.q, {"x": x}, generator=generator).mean().backward()
        model.zero_grad()

    def peer() -> None:
        by_hand(model, x, generator).mean().backward()
        model.zero_grad()

    yield compare(
        "generic elbo, VAE of the swiss roll, batch 1000",
        ours=ours,
        peer=("written by hand", peer),
        bar=0.95,
        calls=100,
        rounds=11,
        note="values are equal; forward and backward",
    )
