import copy
from typing import cast

import pytest
import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, interpolate

from ancestral.adversarial import (
    GameRules,
    GrowingCritic,
    GrowingGAN,
    GrowingGenerator,
    Growth,
    PixelNorm,
)
from ancestral.capabilities import Batch, Changes, Grows
from ancestral.training import Budget, Game, Options, Progress, Rows, train

WGAN_GP = GameRules(loss="wasserstein", regulariser="gradient", penalty=10.0)
LABELS = torch.tensor([0, 1, 1, 0])


def growing_gan(side: int = 16, channels: int = 3, *, classes: int = 2) -> GrowingGAN:
    torch.manual_seed(0)
    return GrowingGAN(
        (channels, side, side), latent=3, width=4, classes=classes, rules=WGAN_GP
    ).double()


def networks(gan: GrowingGAN) -> tuple[GrowingGenerator, GrowingCritic]:
    return cast(GrowingGenerator, gan.generator), cast(GrowingCritic, gan.critic.network)


def grown(gan: GrowingGAN, level: int, alpha: float) -> GrowingGAN:
    for network in networks(gan):
        network.growth.level.fill_(level)
        network.growth.alpha.fill_(alpha)
    return gan


def test_the_schedule_rests_and_fades_in_turn_and_is_whole_from_the_middle() -> None:
    growth = Growth(2)
    found = []
    for tenth in (0, 5, 10, 15, 20, 25, 30, 40, 45, 50, 99):
        growth.at(tenth / 100)
        found.append((int(growth.level), float(growth.alpha)))
    levels, alphas = zip(*found, strict=True)
    assert levels == (0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 2)
    wanted = (1, 1, 0, 0.5, 1, 1, 0, 1, 1, 1, 1)
    assert alphas == pytest.approx(wanted, abs=1e-12)


def test_it_is_grown_when_the_last_level_is_wholly_faded_in() -> None:
    gan = growing_gan()  # 5 parts to the middle of training: 4, fade, 8, fade, 16.
    assert isinstance(gan, Grows)
    found = []
    for share in (0.0, 0.25, 0.39, 0.41, 1.0):
        gan.at(share)
        found.append(gan.grown)
    assert found == [False, False, False, True, True]


@pytest.mark.parametrize("level", [1, 2])
def test_at_alpha_0_both_networks_are_the_ones_before(level: int) -> None:
    gan = growing_gan()
    z, x = torch.randn(4, 3).double(), torch.randn(4, 3, 4 << level, 4 << level).double()
    generator, critic = networks(grown(gan, level - 1, 1.0))
    image, logit = generator.native(z, LABELS), critic(avg_pool2d(x, 2), LABELS)
    whole = gan.decode(z, given={"label": LABELS})
    grown(gan, level, 0.0)
    assert torch.equal(generator.native(z, LABELS), interpolate(image, scale_factor=2))
    assert torch.equal(critic(x, LABELS), logit)
    assert torch.equal(gan.decode(z, given={"label": LABELS}), whole)


@pytest.mark.parametrize("level", [1, 2])
def test_at_alpha_1_both_are_the_new_ones_and_between_they_are_mixed(level: int) -> None:
    gan = growing_gan()
    z, x = torch.randn(4, 3).double(), torch.randn(4, 3, 4 << level, 4 << level).double()

    def at(alpha: float) -> tuple[Tensor, Tensor]:
        generator, critic = networks(grown(gan, level, alpha))
        return generator.native(z, LABELS), critic(x, LABELS)

    new, almost, old = at(1.0), at(1 - 1e-13), at(0.0)
    # The fade, whose terms are both computed, ends at what is computed without it.
    for a, b in zip(new, almost, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-9)
    mixed = torch.lerp(old[0].atanh(), new[0].atanh(), 0.3)
    torch.testing.assert_close(at(0.3)[0].atanh(), mixed)
    # The old side of the mix has its own layer to colours, and from them.
    generator, critic = networks(gan)
    with torch.no_grad():
        for parameter in (
            *generator.to_image[level - 1].parameters(),
            *critic.from_image[level - 1].parameters(),
        ):
            parameter.add_(1.0)
    changed = at(1.0)
    assert all(torch.equal(a, b) for a, b in zip(changed, new, strict=True))
    assert not any(torch.equal(a, b) for a, b in zip(at(0.5), new, strict=True))


def test_real_images_are_seen_at_the_resolution_of_the_level_with_the_same_fade() -> None:
    gan = growing_gan()
    x = torch.randn(4, 3, 16, 16).double()
    _, critic = networks(grown(gan, 1, 0.25))
    half, quarter = avg_pool2d(x, 2), avg_pool2d(x, 4)
    torch.testing.assert_close(
        critic.seen(x), 0.25 * half + 0.75 * interpolate(quarter, scale_factor=2)
    )
    grown(gan, 2, 1.0)
    assert torch.equal(critic.seen(x), x)


def test_samples_have_the_whole_resolution_always_and_old_layers_go_on_learning() -> None:
    gan = growing_gan(28, 1, classes=0)
    x = torch.rand(6, 1, 28, 28).double()
    assert isinstance(gan, Changes)
    for progress, side in ((0.0, 7), (0.15, 14), (0.5, 28)):
        gan.at(progress)
        drawn = gan.sample(3)
        assert drawn.shape == (3, 1, 28, 28)
        k = 28 // side
        assert torch.equal(drawn, interpolate(drawn[..., ::k, ::k], scale_factor=k))
    for player in gan.players():
        gan.at(0.35)  # In the last fade: all layers are at work but the smallest images' own.
        parameters = dict(player.module.named_parameters())
        loss = player.loss(Batch(x), torch.Generator().manual_seed(0)).total
        slopes = torch.autograd.grad(loss, list(parameters.values()), allow_unused=True)
        unused = {name for name, slope in zip(parameters, slopes, strict=True) if slope is None}
        assert all("_image.0" in name for name in unused)
        assert all(slope.isfinite().all() for slope in slopes if slope is not None)


def test_a_training_goes_on_in_the_middle_of_a_fade_to_the_same_bits() -> None:
    x = torch.rand(20, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    start = growing_gan(8, 1, classes=0).float()

    def game(gan: GrowingGAN) -> Game:
        return Game(gan.players(), Options(batch_size=4, ema_decay=0.9), seed=0, at=gan.at)

    def play(
        gan: GrowingGAN, last: int, state: Progress | None, found: dict[str, Tensor]
    ) -> tuple[Progress | None, dict[str, Tensor]]:
        part = game(gan)
        if state is not None:
            part.load_state(found)
        for report in train(part, Rows(x), budget=Budget(steps=12), state=state):
            state = report.progress
            if report.step == last:
                break
        return state, {name: tensor.clone() for name, tensor in part.state().items()}

    straight = copy.deepcopy(start)
    _, wanted = play(straight, 12, None, {})
    for stop in (4, 8):
        cut = copy.deepcopy(start)
        state, found = play(cut, stop, None, {})
        if stop == 4:  # One level is faded in from step 2 to 4 of 12.
            assert 0 < float(found["generator/weights/growth.alpha"]) < 1
        _, found = play(copy.deepcopy(start), 12, state, found)
        assert found.keys() == wanted.keys()
        assert all(torch.equal(tensor, wanted[name]) for name, tensor in found.items())


def test_pixel_norm_brings_every_place_to_the_mean_square_1() -> None:
    x = torch.randn(2, 5, 3, 3, dtype=torch.float64)
    y = PixelNorm()(x)
    torch.testing.assert_close(y.square().mean(1), torch.ones(2, 3, 3).double(), rtol=1e-6, atol=0)
    torch.testing.assert_close(y * x[:, :1], x * y[:, :1])
