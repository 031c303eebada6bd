import pytest
import torch

from ancestral.adversarial import (
    GameRules,
    ImageCritic,
    ImageGAN,
    ImageGenerator,
    MinibatchDeviation,
)
from ancestral.adversarial.image_networks import Norm, image_widths
from ancestral.capabilities import Batch
from ancestral.errors import ConfigError
from ancestral.nn import PixelAttention
from ancestral.training import Options
from ancestral.training.game import Game


def image_gan(
    side: int = 8,
    channels: int = 1,
    *,
    norm: Norm = "none",
    classes: int = 2,
    rules: GameRules | None = None,
) -> ImageGAN:
    shape = (channels, side, side)
    torch.manual_seed(0)
    return ImageGAN(
        ImageGenerator(3, shape, width=4, classes=classes, norm=norm),
        ImageCritic(shape, width=4, classes=classes, norm=norm),
        event_shape=shape,
        latent=3,
        classes=classes,
        rules=rules or GameRules(loss="relativistic", regulariser="r1-r2"),
    )


@pytest.mark.parametrize(
    ("side", "widths"),
    [(8, (4,)), (28, (4, 8)), (64, (4, 8, 16, 32)), (256, (4, 8, 16, 32, 32, 32))],
)
@pytest.mark.parametrize("channels", [1, 3])
def test_images_of_many_sides_pass(side: int, widths: tuple[int, ...], channels: int) -> None:
    gan = image_gan(side, channels)
    assert image_widths(side, 4) == widths
    x = gan.sample(2)
    assert x.shape == (2, channels, side, side)
    assert x.abs().max() <= 1
    assert gan.critic.logits(x, torch.tensor([0, 1])).shape == (2,)


@pytest.mark.parametrize("side", [7, 9, 36, 300])
def test_other_sides_are_refused_in_one_line(side: int) -> None:
    with pytest.raises(ValueError, match=f"images must have a side .* got {side}"):
        image_widths(side, 4)


def test_images_that_are_not_square_are_refused() -> None:
    with pytest.raises(ValueError, match="square, got 8 x 16"):
        ImageGenerator(3, (1, 8, 16), width=4)


@pytest.mark.parametrize("norm", ["none", "batch", "group"])
def test_every_parameter_gets_a_gradient(norm: Norm) -> None:
    gan = image_gan(16, norm=norm)
    batch = Batch(torch.rand(16, 1, 16, 16), {"label": torch.arange(16) % 2})
    for player in gan.players():
        parameters = list(player.module.parameters())
        loss = player.loss(batch, torch.Generator().manual_seed(0)).total
        for gradient in torch.autograd.grad(loss, parameters):
            assert gradient.isfinite().all()
            assert gradient.any() or norm != "none"


def test_the_critic_projects_on_its_label() -> None:
    critic = ImageCritic((1, 8, 8), width=4, classes=3)
    x = torch.rand(2, 1, 8, 8)
    zero, two = torch.tensor([0, 0]), torch.tensor([2, 2])
    assert torch.equal(critic(x, zero), critic(x, two))  # It begins without an opinion.
    assert critic.projection is not None
    torch.nn.init.normal_(critic.projection.weight)
    more = critic.features(x) @ (critic.projection.weight[2] - critic.projection.weight[0])
    torch.testing.assert_close(critic(x, two) - critic(x, zero), more[:, None])


def test_batch_norm_couples_examples_so_micro_batches_are_refused() -> None:
    with pytest.raises(ConfigError, match="couples the examples"):
        Game(image_gan(norm="batch").players(), Options(accumulate=2), seed=0)
    Game(image_gan(norm="group").players(), Options(accumulate=2), seed=0)


def test_a_network_of_classes_asks_for_the_label() -> None:
    gan = image_gan()
    with pytest.raises(ValueError, match="a label of 2 classes is needed"):
        gan.generator(torch.zeros(1, 3))
    with pytest.raises(ValueError, match="a label of 2 classes is needed"):
        gan.critic.logits(torch.zeros(1, 1, 8, 8))


def test_the_deviation_of_a_batch_is_one_number_that_a_collapse_brings_to_nothing() -> None:
    layer, x = MinibatchDeviation(), torch.randn(6, 2, 3, 3, dtype=torch.float64)
    y = layer(x)
    assert torch.equal(y[:, :2], x)
    torch.testing.assert_close(
        y[:, 2], x.std(0, correction=0).mean().expand(6, 3, 3), rtol=1e-6, atol=0
    )
    assert layer(x[:1].expand(6, -1, -1, -1))[:, 2].max() < 1e-3
    shape = (1, 8, 8)
    gan = ImageGAN(
        ImageGenerator(3, shape, width=4),
        ImageCritic(shape, width=4, compare=True),
        event_shape=shape,
        latent=3,
    )
    assert all(player.couples_examples for player in gan.players())


def test_spectral_norms_of_the_critic_are_one() -> None:
    gan = image_gan(16, rules=GameRules(spectral=True))
    gan.critic.train()
    batch = Batch(torch.rand(4, 1, 16, 16), {"label": torch.tensor([0, 1, 1, 0])})
    for _ in range(50):
        gan.players()[0].loss(batch, None)
    gan.critic.eval()
    for layer in gan.critic.modules():
        if isinstance(layer, torch.nn.Linear | torch.nn.Conv2d | torch.nn.Embedding):
            largest = torch.linalg.matrix_norm(layer.weight.flatten(1), ord=2).item()
            assert largest == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize("network", ["generator", "critic"])
def test_at_gate_0_attention_leaves_the_convolutional_twin(network: str) -> None:
    shape, side = (1, 16, 16), 8
    make = {
        "generator": lambda attention: ImageGenerator(3, shape, width=8, attention=attention),
        "critic": lambda attention: ImageCritic(shape, width=8, attention=attention),
    }[network]
    attends, plain = make(side), make(0)
    (layer,) = [part for part in attends.modules() if isinstance(part, PixelAttention)]
    mine = {id(value) for value in layer.parameters()}
    others = [value for value in attends.parameters() if id(value) not in mine]
    with torch.no_grad():
        for parameter, value in zip(plain.parameters(), others, strict=True):
            parameter.copy_(value)
    x = torch.randn(2, 3) if network == "generator" else torch.randn(2, *shape)
    assert torch.equal(attends(x), plain(x))
    with torch.no_grad():
        layer.gate.fill_(1.0)
    assert not torch.equal(attends(x), plain(x))


def test_attention_is_at_a_map_inside() -> None:
    with pytest.raises(ValueError, match=r"attention must be 0 or the side of .*, 4, 8, got 16"):
        ImageCritic((1, 16, 16), width=4, attention=16)
