import math
from collections import deque

import pytest
import torch
from tests.diffusion.test_diffusion import STD, gaussian
from torch import Generator
from torch.distributions import Normal

from ancestral.autoencoders import VAE, ImageVAE
from ancestral.diffusion import Denoiser, Diffusion, LatentDiffusion
from ancestral.nn import TimedMLP

pytestmark = pytest.mark.usefixtures("float64")

NOISE, WIDTH = 0.2, math.exp(-1.5)


def autoencoder() -> VAE:
    """Its latents are x itself: x | z ~ Normal(z, NOISE), z | x ~ Normal(x, WIDTH)."""
    vae = VAE(2, latent=2, hidden=(), decoder_std=NOISE).double().requires_grad_(False)
    for name, parameter in vae.named_parameters():
        parameter.zero_()
        if name.endswith("weight"):
            parameter[:2] = torch.eye(2)
        elif name.startswith("q"):
            parameter[2:] = math.log(WIDTH)
    return vae


def test_the_bound_is_that_of_the_autoencoder_under_the_diffusions_prior(
    generator: Generator,
) -> None:
    """With a diffusion that is exactly Normal(0, STD) all terms have closed forms."""
    model = LatentDiffusion(autoencoder(), gaussian(200))
    x = torch.tensor([[0.5, -1.0], [0.0, 0.2]])
    found = model.elbo(x.repeat(4000, 1), generator=generator).detach().view(4000, 2)
    likelihood = -0.5 * (WIDTH / NOISE) ** 2 - math.log(NOISE) - 0.5 * math.log(2 * math.pi)
    prior = Normal(0, STD).log_prob(x) - 0.5 * (WIDTH / STD) ** 2
    entropy = 0.5 + math.log(WIDTH) + 0.5 * math.log(2 * math.pi)
    exact = (likelihood + prior + entropy).sum(1)
    error = found.std(0) / math.sqrt(4000)
    assert bool(((found.mean(0) - exact).abs() < 5 * error + 1e-3).all())


def test_scaled_latents_give_the_same_bound(generator: Generator) -> None:
    """What standardises the latents is counted: a prior of variance 1 then is the same law."""
    model = LatentDiffusion(autoencoder(), gaussian(200))
    scaled = LatentDiffusion(autoencoder(), gaussian(200))
    scaled.mean.fill_(0.3)
    scaled.std.fill_(2.0)
    x = torch.tensor([[0.5, -1.0]]).repeat(8000, 1)
    a = model.elbo(0.3 + 2 * (x - 0.0), generator=generator).detach()
    z_law = Normal(0.3, 2 * STD)
    b = scaled.elbo(0.3 + 2 * x, generator=generator).detach()
    moved = z_law.log_prob(0.3 + 2 * x).sum(1) - 0.5 * 2 * (WIDTH / (2 * STD)) ** 2
    own = Normal(0, STD).log_prob(0.3 + 2 * x).sum(1) - 0.5 * 2 * (WIDTH / STD) ** 2
    gap = (b - a).mean() - (moved - own).mean()
    error = math.sqrt(float(a.var() + b.var()) / 8000)
    assert abs(float(gap)) < 5 * error + 2e-3


def test_draws_are_ancestral(generator: Generator) -> None:
    """The latents' variance and the decoder's noise add up."""
    model = LatentDiffusion(autoencoder(), gaussian(50))
    right = math.sqrt(STD**2 + NOISE**2)
    x = model.sample(20_000, generator=generator)
    assert bool(((x.std(0) / right - 1).abs() < 0.03).all())
    x = model.draw(20_000, steps=40, sampler="heun", generator=generator)
    assert bool(((x.std(0) / right - 1).abs() < 0.03).all())
    states = [*model.walk(4000, steps=6, sampler="heun", generator=generator)]
    assert len(states) == 8  # Seven states, decoded, and the draws.
    assert states[-1].std() > states[-2].std()
    drawn = deque(model.walk(5, steps=3, generator=Generator().manual_seed(0)), maxlen=1)[0]
    assert torch.equal(drawn, model.draw(5, steps=3, generator=Generator().manual_seed(0)))


def test_latents_are_fitted_by_the_law_of_their_draws(generator: Generator) -> None:
    x = 3 + 2 * torch.randn(5000, 2, generator=generator)
    model = LatentDiffusion(autoencoder(), gaussian(5)).fit_latents(x)
    torch.testing.assert_close(model.mean, x.mean(0))
    torch.testing.assert_close(model.std, (x.var(0, correction=0) + WIDTH**2).sqrt())
    in_units = LatentDiffusion(autoencoder(), gaussian(5), units=lambda x: x / 2).fit_latents(x)
    torch.testing.assert_close(in_units.mean, x.mean(0) / 2)


def test_the_autoencoder_is_frozen_and_no_part_of_the_module() -> None:
    vae = autoencoder()
    model = LatentDiffusion(vae, gaussian(5))
    own = {id(parameter) for parameter in model.parameters()}
    assert not own & {id(parameter) for parameter in vae.parameters()}
    assert not any(name.startswith(("autoencoder", "_frozen")) for name in model.state_dict())


def test_labels_go_to_the_diffusion_and_the_decoder(generator: Generator) -> None:
    vae = ImageVAE(size=8, classes=3, levels=17, latent=2, width=4).double().requires_grad_(False)

    def latent(classes: int) -> Diffusion:
        layers = TimedMLP(2, hidden=(8,), classes=classes)
        return Diffusion(Denoiser(layers, classes=classes), (2,)).double()

    model = LatentDiffusion(vae, latent(3))
    assert {"label", "z", "x", "z1000"} <= {*model.graph["p"].names}
    assert model.graph["p"].parents("x") == ("z", "label")
    x = model.draw(4, given={"label": torch.tensor(2)}, steps=3, generator=generator)
    assert x.shape == (4, 1, 8, 8)
    assert model.elbo(x, given={"label": torch.tensor(2)}, generator=generator).shape == (4,)
    assert model.elbo(x, generator=generator).shape == (4,)
    with pytest.raises(ValueError, match="autoencoder is given labels"):
        LatentDiffusion(vae, latent(0))
    with pytest.raises(ValueError, match=r"latents must have shape \[2\]"):
        LatentDiffusion(vae, Diffusion(Denoiser(TimedMLP(3, hidden=(8,))), (3,)))
