import math
from collections import deque

import pytest
import torch
from torch import Generator, Tensor, nn
from torch.distributions import Normal

from ancestral.capabilities import Batch
from ancestral.diffusion import Denoiser, Diffusion, denoising_loss
from ancestral.diffusion.diffusion import training_levels
from ancestral.errors import AncestralError
from ancestral.networks import LearnedSchedule, chain_elbo, cosine_schedule, linear_schedule
from ancestral.networks.gaussian_path import NoiseLevel, Quantity
from ancestral.nn import TimedMLP

pytestmark = pytest.mark.usefixtures("float64")

STD = 0.6


class Exact(nn.Module):
    """What an optimal network predicts of Normal(0, STD^2) in each coordinate."""

    def __init__(self, prediction: Quantity = "v", classes: int = 0) -> None:
        super().__init__()
        self.prediction, self.classes = prediction, classes
        self.zero = nn.Parameter(torch.zeros(()))

    def forward(self, z: Tensor, time: Tensor, label: Tensor | None = None) -> Tensor:
        level = NoiseLevel.preserving(((time - 0.5) * 14).exp())
        factor = level.alpha * STD**2 / (level.alpha**2 * STD**2 + level.sigma**2)
        x = factor.reshape(-1, *[1] * (z.ndim - 1)) * z + self.zero
        if label is not None and self.classes:  # Labels but the last move the mean.
            x = x + 0.1 * (label != self.classes).double()[:, None]
        return level.convert(x, z, have="x", want=self.prediction)


def gaussian(steps: int, prediction: Quantity = "v", **more: object) -> Diffusion:
    """A diffusion model of Gaussian data whose every conditional is right."""
    model = Diffusion(
        Denoiser(Exact(prediction), prediction=prediction),
        (2,),
        schedule=cosine_schedule(steps),
        **more,
    ).double()
    with (
        torch.no_grad()
    ):  # The posterior's own deviation: sqrt of STD^2 sigma^2 / (STD^2 + sigma^2).
        knots = (torch.arange(29.0) - 14) / 2
        sigma = knots.exp()
        right = STD * sigma / (STD**2 + sigma**2).sqrt()
        model.spread.log_factor.copy_((right * (1 + sigma**2).sqrt() / sigma).log())
    return model


def closed_bound(model: Diffusion, x: Tensor) -> Tensor:
    """The bound by moments: every conditional is linear and Gaussian. No draw is made."""
    kept, total = model.noise.kept, torch.zeros(len(x))
    reverse = model.p.step
    for t in range(1, model.steps + 1):
        at = torch.full((len(x),), t)
        one = torch.ones_like(x)
        # p(z_t-1 | z_t) = Normal(gain z_t, spread^2), for data of mean 0.
        law = reverse(one, at)
        gain, variance = law.mean, law.variance
        z = model.noise.jump(x, at)
        if t == 1:
            miss = (x - gain * z.mean).square() + gain.square() * z.variance
            total += (-0.5 * miss / variance - 0.5 * (2 * math.pi * variance).log()).sum(1)
            continue
        ahead = model.noise.posterior(one, 0 * x, at)
        of_x = model.noise.posterior(0 * x, one, at).mean
        difference = of_x * x + (ahead.mean - gain) * z.mean
        spread = (ahead.mean - gain).square() * z.variance
        ratio = ahead.variance / variance
        miss = (difference.square() + spread) / variance
        total -= 0.5 * (ratio - 1 - ratio.log() + miss).sum(1)
    last = model.noise.jump(x, torch.full((len(x),), model.steps))
    total -= 0.5 * (last.variance + last.mean.square() - 1 - last.variance.log()).sum(1)
    assert kept[-1] > 0
    return total


X = torch.tensor([[0.5, -1.0], [0.0, 0.1], [-0.3, -0.2]], dtype=torch.float64)


@pytest.mark.parametrize("steps", [4, 30])
def test_the_bound_of_gaussian_data_is_its_closed_form(steps: int, generator: Generator) -> None:
    model = gaussian(steps)
    summed = chain_elbo(model.p, model.q, X.repeat(4000, 1), generator=generator).view(4000, 3)
    drawn = model.elbo(X.repeat(4000, 1), generator=generator).view(4000, 3)
    for values in (summed, drawn):
        error = values.std(0) / math.sqrt(4000)
        gap = (values.mean(0) - closed_bound(model, X)).abs()
        assert bool((gap < 5 * error + 1e-12).all())


def test_the_bound_lies_below_the_density_and_more_steps_close_the_gap() -> None:
    """With every conditional right only the end is left. The bound is quadratic in x, so that its
    mean over the data is its value at one standard deviation."""
    x = torch.full((1, 2), STD)
    exact = Normal(0, STD).log_prob(x).sum()
    gaps = [
        (exact - closed_bound(gaussian(steps), x).detach()).item() for steps in (4, 16, 64, 256)
    ]
    assert all(gap > 0 for gap in gaps)
    assert gaps[-1] < 1e-4
    assert gaps == sorted(gaps, reverse=True)


@pytest.mark.parametrize("prediction", ["epsilon", "x", "v", "score"])
def test_every_prediction_gives_the_same_bound_and_the_same_draws(prediction: Quantity) -> None:
    ours, v = gaussian(20, prediction), gaussian(20)
    bounds = [model.elbo(X, generator=Generator().manual_seed(0)) for model in (ours, v)]
    torch.testing.assert_close(*bounds)
    for sampler in ("ancestral", "heun"):
        draws = [
            deque(
                model.walk(5, sampler=sampler, steps=9, generator=Generator().manual_seed(0)),
                maxlen=1,
            )[0]
            for model in (ours, v)
        ]
        torch.testing.assert_close(*draws)


def test_a_reverse_step_is_the_analytic_posterior(generator: Generator) -> None:
    """The law of z_t-1 given z_t for Gaussian data, by conditioning in two dimensions."""
    model = gaussian(10)
    kept = model.noise.kept
    z = torch.randn(6, 2, generator=generator)
    for t in (1, 4, 10):
        before, now = kept[t - 1], kept[t]
        variances = [share * STD**2 + 1 - share for share in (before, now)]
        covariance = (now / before).sqrt() * variances[0]
        law = model.p.next(z, torch.full((6,), t)).base_dist
        torch.testing.assert_close(law.mean, covariance / variances[1] * z)
        expected = variances[0] - covariance**2 / variances[1]
        # Between its knots the spread is not quite the right one.
        torch.testing.assert_close(law.variance, expected.expand(6, 2), rtol=5e-3, atol=0)


def test_draws_of_the_chain_and_of_samplers_have_the_law_of_the_data(generator: Generator) -> None:
    model = gaussian(100)
    rows = [model.sample(20_000, generator=generator)]
    rows += [
        deque(model.walk(20_000, steps=steps, sampler=name, generator=generator), maxlen=1)[0]
        for name, steps in (("ancestral", 300), ("heun", 60))
    ]
    for x in rows:
        assert bool((x.mean(0).abs() < 5 * STD / math.sqrt(20_000)).all())
        assert bool(((x.std(0) / STD - 1).abs() < 5 / math.sqrt(40_000) + 0.02).all())


def test_the_walk_shows_states_of_variance_one_to_the_data(generator: Generator) -> None:
    states = [*gaussian(10).walk(4000, steps=200, sampler="ddim", generator=generator)]
    assert len(states) == 201
    stds = torch.stack([state.std() for state in states])
    assert stds[0].item() == pytest.approx(1, abs=0.05)
    assert stds[-1].item() == pytest.approx(STD, abs=0.05)
    assert bool((stds < 1.05).all())


@pytest.mark.parametrize("schedule", [cosine_schedule(30), linear_schedule(30)])
def test_the_loss_of_the_optimal_denoiser_is_the_least(
    schedule: nn.Module, generator: Generator
) -> None:
    """Of Gaussian data it has a closed form; of epsilon it is 1 - sigma^2 / var(z)."""
    sigma = ratios(schedule)
    x = STD * torch.randn(len(sigma) * 4000, 2, generator=generator)
    rows = sigma.repeat(4000)
    exact = Denoiser(Exact())
    seeds = [Generator().manual_seed(1) for _ in range(2)]
    error = denoising_loss(exact, x, rows, generator=seeds[0]).view(4000, -1)
    least = STD**2 * sigma**2 / (STD**2 + sigma**2)
    # A mean of two squares has the relative standard error 1 / sqrt(4000).
    assert bool(((error.mean(0) / least - 1).abs() < 6 / math.sqrt(4000)).all())
    worse = denoising_loss(lambda y, s: exact(y, s) * 1.2, x, rows, generator=seeds[1])
    assert bool((worse.view(4000, -1).mean(0)[:10] > error.mean(0)[:10]).all())


def ratios(schedule: nn.Module) -> Tensor:
    share = schedule()[1:]
    return ((1 - share) / share).sqrt()


def test_one_level_is_a_denoising_autoencoder(generator: Generator) -> None:
    """PD-33: with one sigma the loss is that of reconstructing x from x with noise."""
    network = TimedMLP(2, hidden=(16,)).double()
    nn.init.normal_(network.output.weight, generator=generator)
    denoiser, x = Denoiser(network), torch.randn(50, 2, generator=generator)
    sigma = torch.full((50,), 0.5)
    seeds = [Generator().manual_seed(1) for _ in range(2)]
    loss = denoising_loss(denoiser, x, sigma, generator=seeds[0])
    noisy = x + 0.5 * torch.randn(x.shape, generator=seeds[1])
    torch.testing.assert_close(loss, (denoiser(noisy, sigma) - x).square().mean(1))


@pytest.mark.parametrize("weighting", ["epsilon", "x", "v", "min-snr", "bound"])
def test_training_approaches_the_least_loss_by_every_weighting(
    weighting: str, generator: Generator
) -> None:
    torch.manual_seed(0)
    model = Diffusion(
        Denoiser(TimedMLP(1, hidden=(32, 32))),
        (1,),
        schedule=cosine_schedule(50),
        weighting=weighting,
    ).double()
    (player,) = model.players()
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    for _ in range(300):
        loss = player.loss(Batch(STD * torch.randn(256, 1, generator=generator)), generator)
        optimizer.zero_grad()
        (loss.total / loss.weight).backward()
        optimizer.step()
    assert all(parameter.grad is not None for parameter in model.parameters())
    held_out = STD * torch.randn(4000, 1, generator=generator)
    found = model.elbo(held_out, draws=4, generator=generator).detach()
    exact = Normal(0, STD).log_prob(held_out).sum(1)
    assert float((exact - found).mean()) < 0.25
    assert float((exact - found).mean()) > -0.02


def test_a_learned_schedule_raises_the_bound(generator: Generator) -> None:
    """With few steps it matters where they lie; the denoiser is exact from the start."""
    model = Diffusion(
        Denoiser(Exact()), (2,), schedule=LearnedSchedule(6), weighting="bound"
    ).double()
    x = STD * torch.randn(4000, 2, generator=generator)
    before = model.elbo(x, draws=4, generator=generator).mean().item()
    optimizer = torch.optim.Adam([*model.noise.parameters(), *model.spread.parameters()], lr=0.05)
    (player,) = model.players()
    for _ in range(150):
        optimizer.zero_grad()
        loss = player.loss(Batch(STD * torch.randn(256, 2, generator=generator)), generator)
        (loss.total / loss.weight).backward()
        optimizer.step()
    assert model.elbo(x, draws=4, generator=generator).mean().item() > before + 0.02


def test_labels_are_given_drawn_and_summed_out(generator: Generator) -> None:
    model = Diffusion(
        Denoiser(Exact(classes=3), classes=3), (2,), schedule=cosine_schedule(20)
    ).double()
    model.fit_labels(torch.tensor([8.0, 1.0, 1.0]))
    torch.testing.assert_close(model.label_probabilities, torch.tensor([0.8, 0.1, 0.1]))
    given = {"label": torch.tensor(0)}
    bound = model.elbo(X.repeat(2000, 1), given=given, generator=generator).view(2000, 3).mean(0)
    best = model.elbo(X.repeat(2000, 1), generator=generator).view(2000, 3).mean(0)
    # All labels have one law here, so the best label costs at least what the first does.
    assert bool((best < bound + math.log(0.8) + 0.05).all())
    with pytest.raises(ValueError, match="from 0 to 2, got"):
        model.elbo(X, given={"label": torch.tensor(3)})
    *_, x = model.walk(7, given=given, steps=3, guidance=2.0)
    assert x.shape == (7, 2)


def test_a_guidance_scale_without_labels_is_refused() -> None:
    with pytest.raises(AncestralError, match="guidance is of models that are given labels"):
        next(gaussian(5).walk(2, guidance=2.0))


@pytest.mark.parametrize(
    ("wrong", "rule"),
    [
        ({"steps": 0}, "steps must be at least 1, got 0"),
        ({"sampler": "plms"}, "sampler must be one of"),
        ({"given": {"label": torch.tensor(0)}}, "label"),
    ],
)
def test_walks_are_checked(wrong: dict[str, object], rule: str) -> None:
    with pytest.raises((ValueError, AncestralError), match=rule):
        next(gaussian(5).walk(2, **wrong))


def test_arguments_are_checked() -> None:
    denoiser = Denoiser(TimedMLP(2, hidden=(4,)))
    with pytest.raises(ValueError, match="weighting must be one of"):
        Diffusion(denoiser, (2,), weighting="none")
    with pytest.raises(ValueError, match="grey_levels must be 0 or at least 2, got 1"):
        Diffusion(denoiser, (2,), grey_levels=1)
    with pytest.raises(ValueError, match=r"dropped must be in \[0, 1\), got 1"):
        Diffusion(denoiser, (2,), dropped=1.0)


def test_the_bound_of_grey_images_is_one_on_their_probability(generator: Generator) -> None:
    """All nine images of two pixels in three levels: no more than mass 1 between them."""
    network = TimedMLP((1, 1, 2), hidden=(8,)).double()
    model = Diffusion(
        Denoiser(network), (1, 1, 2), schedule=cosine_schedule(10), grey_levels=3
    ).double()
    grid = torch.linspace(-1, 1, 3)
    x = torch.cartesian_prod(grid, grid).view(9, 1, 1, 2)
    found = model.elbo(x.repeat(2000, 1, 1, 1), generator=generator)
    bounds = found.detach().view(2000, 9).mean(0)
    draws = ((model.sample(50_000, generator=generator).flatten(1) + 1).round().clamp(0, 2)).long()
    shares = (draws[:, 0] * 3 + draws[:, 1]).bincount(minlength=9) / 50_000
    assert bool((bounds < shares.log() + 0.1).all())
    assert 0.1 < float(bounds.exp().sum()) < 1


def test_levels_of_training_lie_where_most_is_learned_and_at_the_ends(
    generator: Generator,
) -> None:
    model = Diffusion(Denoiser(TimedMLP(1, hidden=(4,))), (1,)).double()
    x = torch.zeros(50_000, 1)
    found = training_levels(model.noise, x, generator, emphasis=model.emphasis).log()
    # Four fifths are normal around -1.2, a fifth even from log 0.0016 to log 637.
    low, high = math.log(math.tan(math.pi / 2002)), math.log(math.tan(1000 / 1001 * math.pi / 2))
    mean = 0.8 * -1.2 + 0.2 * (low + high) / 2
    assert found.mean().item() == pytest.approx(mean, abs=5 * 2.5 / math.sqrt(50_000))
    beyond = (found > 3.0).double().mean().item()
    assert beyond == pytest.approx(0.2 * (high - 3) / (high - low), abs=0.005)
    plain = Diffusion(Denoiser(TimedMLP(1, hidden=(4,))), (1,), emphasis="schedule").double()
    evenly = training_levels(plain.noise, x, generator, emphasis=plain.emphasis)
    even = evenly.atan() * 2 / math.pi
    assert even.mean().item() == pytest.approx(0.5, abs=0.005)
    with pytest.raises(ValueError, match="emphasis must be log-normal or schedule"):
        Diffusion(Denoiser(TimedMLP(1, hidden=(4,))), (1,), emphasis="low")
