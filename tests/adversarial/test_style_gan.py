import pytest
import torch
from torch.nn.functional import conv2d

from ancestral.adversarial import ModulatedConv2d, StyleGAN, StyleGenerator
from ancestral.capabilities import Batch

Z = torch.randn(4, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
LABELS = torch.tensor([0, 1, 1, 0])


def style_gan(side: int = 16, *, classes: int = 2, mixing: float = 0.9) -> StyleGAN:
    torch.manual_seed(0)
    gan = StyleGAN((1, side, side), latent=3, width=4, classes=classes, mixing=mixing).double()
    with torch.no_grad():
        for layer in gan.styled.layers:
            layer.gain.fill_(0.5)  # It begins at 0.
    return gan


@pytest.mark.parametrize("demodulate", [True, False])
def test_modulation_is_the_convolution_of_each_example_by_its_own_kernel(demodulate: bool) -> None:
    torch.manual_seed(0)
    layer = ModulatedConv2d(3, 5, kernel_size=3, demodulate=demodulate).double()
    x, style = torch.randn(4, 3, 6, 6).double(), torch.randn(4, 3).double()
    y = layer(x, style)
    for one, s, found in zip(x, style, y, strict=True):
        kernel = layer.plain.weight * s[:, None, None]
        if demodulate:
            kernel = kernel / kernel.square().sum(dim=(1, 2, 3), keepdim=True).sqrt()
        torch.testing.assert_close(found, conv2d(one, kernel, padding=1), rtol=1e-6, atol=1e-9)


def test_styles_mixed_at_a_layer_change_only_the_layers_from_there() -> None:
    generator = style_gan().styled
    first, second = (generator.same(generator.mapping(z, LABELS)) for z in (Z, Z.flip(0)))
    seen: list[torch.Tensor] = []
    for layer in generator.layers:
        layer.register_forward_hook(lambda _layer, _x, y: seen.append(y))
    generator.synthesise(first)
    plain = seen.copy()
    for cut in range(1, len(generator.layers)):
        seen.clear()
        generator.synthesise(torch.cat((first[:, :cut], second[:, cut:]), dim=1))
        same = [torch.equal(a, b) for a, b in zip(plain, seen, strict=True)]
        assert same == [i < cut for i in range(len(same))]


def test_the_synthesis_begins_at_one_map_and_noise_enters_at_every_layer() -> None:
    generator = style_gan().styled
    assert generator.constant.shape == (8, 4, 4)
    noise = torch.zeros(4, generator.noise, dtype=torch.float64)
    still = generator(Z, noise, LABELS)
    assert torch.equal(still, generator(Z, None, LABELS))
    ends = torch.tensor([side**2 for side in generator.sides]).cumsum(0)
    for end in ends.tolist():
        moved = noise.clone()
        moved[:, end - 1] = 1.0  # The last pixel of one layer.
        assert not torch.equal(generator(Z, moved, LABELS), still)


def test_truncation_shrinks_styles_to_their_mean() -> None:
    gan = style_gan()
    how = {"z": Z, "label": LABELS, "noise": torch.zeros(gan.styled.noise).double()}
    whole = gan.sample(4, given=how)
    torch.testing.assert_close(gan.sample_truncated(4, 1.0, given=how), whole)
    mean = gan.sample_truncated(4, 0.0, given=how)
    assert torch.equal(mean[0], mean[3])
    assert torch.equal(mean[1], mean[2])
    assert not torch.equal(mean[0], mean[1])  # Each class has its own.
    w = gan.mean_style(LABELS)
    assert torch.equal(mean, gan.styled.synthesise(gan.styled.same(w)))
    # A mean of 4,096 draws beside one of other draws: within five standard errors of both.
    others = gan.styled.mapping(gan.draw_latents(4_096), torch.zeros(4_096, dtype=torch.int64))
    error = (others.var(0) / 2_048).sqrt()
    assert ((others.mean(0) - w[0]).abs() < 5 * error).all()


def test_images_are_decoded_without_noise_and_drawn_with_it() -> None:
    gan = style_gan(classes=0)
    assert torch.equal(gan.decode(Z), gan.styled(Z))
    a, b = gan.sample(4, given={"z": Z}), gan.sample(4, given={"z": Z})
    assert not torch.equal(a, b)
    assert gan.graph["p"].parents("x") == ("z", "noise")


def test_every_parameter_gets_a_gradient() -> None:
    gan = style_gan()
    batch = Batch(torch.rand(16, 1, 16, 16).double(), {"label": torch.arange(16) % 2})
    for player in gan.players():
        loss = player.loss(batch, torch.Generator().manual_seed(0)).total
        for gradient in torch.autograd.grad(loss, list(player.module.parameters())):
            assert gradient.isfinite().all()
            assert gradient.any()


def test_some_images_of_a_training_have_two_styles() -> None:
    batch = Batch(torch.rand(64, 1, 8, 8).double())
    seen: list[torch.Tensor] = []
    for mixing in (0.0, 0.5, 1.0):
        gan = style_gan(8, classes=0, mixing=mixing)
        gan.styled.layers[0].style.register_forward_hook(lambda _a, x, _b: seen.append(x[0]))
        gan.styled.layers[-1].style.register_forward_hook(lambda _a, x, _b: seen.append(x[0]))
        seen.clear()
        gan.players()[1].loss(batch, torch.Generator().manual_seed(0))
        share = (seen[0] != seen[1]).any(1).double().mean().item()
        # Of 64 images, half: the standard error is 0.06.
        assert share == pytest.approx(mixing, abs=0.3 if mixing == 0.5 else 0)


@pytest.mark.parametrize("side", [8, 28, 256])
def test_images_of_many_sides_pass(side: int) -> None:
    generator = StyleGenerator(3, (3, side, side), width=2)
    assert generator(torch.zeros(1, 3)).shape == (1, 3, side, side)
    assert generator.sides[-1] == side


def test_a_share_outside_its_range_is_refused() -> None:
    with pytest.raises(ValueError, match=r"mixing must be in \[0, 1\], got 2"):
        StyleGAN((1, 8, 8), latent=3, width=4, mixing=2)
