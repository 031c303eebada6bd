"""The generic ``elbo`` against one written by hand for the same VAE: forward and backward."""

import math
from collections.abc import Iterator

import torch
from torch import Tensor

from ancestral.autoencoders import VAE
from ancestral.networks import elbo
from benchmarks.harness import Result, compare


def by_hand(model: VAE, x: Tensor, generator: torch.Generator) -> Tensor:
    """Return the bound [B] of the same model, written out for it alone."""
    mean, log_std = model.encoder.network(x).chunk(2, dim=-1)
    std = log_std.exp()
    z = mean + std * torch.randn(mean.shape, generator=generator)
    log_scale = model.decoder.log_std
    error = (x - model.decoder.network(z)) * torch.exp(-log_scale)
    log_likelihood = -0.5 * error.square() - log_scale - 0.5 * math.log(2 * math.pi)
    kl = 0.5 * (mean.square() + std.square() - 1) - log_std
    return log_likelihood.sum(-1) - kl.sum(-1)


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
