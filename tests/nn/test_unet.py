from typing import TypeVar

import pytest
import torch
from torch import Tensor, nn

from ancestral.nn.unet import TimedUNet, UNet

WIDTHS = (4, 8, 12)

Network = TypeVar("Network", bound=nn.Module)


def randomised(module: Network) -> Network:
    """Give all parameters values, the layers that start at zero too."""
    torch.manual_seed(1)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(0.3 * torch.randn_like(parameter))
    return module.double()


def images(*shape: int) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(2))


@pytest.mark.parametrize("size", [(28, 28), (7, 13), (1, 1), (16, 3)])
def test_images_of_any_size_pass(size: tuple[int, int]) -> None:
    network = randomised(UNet(3, outputs=2, widths=WIDTHS))
    assert network(images(2, 3, *size)).shape == (2, 2, *size)


def test_the_resolutions_are_halves_and_back() -> None:
    network = UNet(1, outputs=1, widths=(8, 16, 32), blocks=2)
    shapes: list[tuple[int, ...]] = []
    for level in [*network.down, *reversed(network.up)]:
        [*level.children()][-1].register_forward_hook(
            lambda _m, _i, y: shapes.append(tuple(y.shape[1:]))
        )
    network(torch.zeros(1, 1, 28, 28))
    assert shapes == [(8, 28, 28), (16, 14, 14), (32, 7, 7), (16, 14, 14), (8, 28, 28)]


def test_the_output_starts_at_zero() -> None:
    network = UNet(1, outputs=3, widths=WIDTHS, attention=(2,)).double()
    assert not network(images(2, 1, 9, 9)).any()


def test_attention_starts_as_the_plain_network() -> None:
    torch.manual_seed(0)
    attentive = UNet(2, outputs=2, widths=WIDTHS, attention=(1, 2), context=5).double()
    plain = UNet(2, outputs=2, widths=WIDTHS).double()
    pairs = [(attentive.down, plain.down), (attentive.up, plain.up)]
    for ours, theirs in pairs:
        for level, plain_level in zip(ours, theirs, strict=True):
            first, plain_first = next(level.children()), next(plain_level.children())
            plain_first.load_state_dict(first.state_dict())
    rest = {
        name: value
        for name, value in attentive.state_dict().items()
        if not name.startswith(("down", "up"))
    }
    plain.load_state_dict(rest, strict=False)
    for network in (attentive, plain):  # The last layer alone is moved from zero.
        nn.init.constant_(network.get_parameter("out.weight"), 0.1)
    x, context = images(2, 2, 12, 12), images(2, 3, 5)
    assert plain(x).any()
    torch.testing.assert_close(attentive(x, None, context), plain(x), atol=1e-13, rtol=0)


@pytest.mark.parametrize("width", [8, 40])
def test_attention_lets_every_place_see_every_other(width: int) -> None:
    def reach(attention: tuple[int, ...]) -> Tensor:
        network = randomised(UNet(1, outputs=1, widths=(width,), attention=attention))
        x = images(1, 1, 24, 24).requires_grad_()
        # The norms see all places too, by two numbers a group: those are taken out.
        for module in network.modules():
            if isinstance(module, nn.GroupNorm):
                module.forward = lambda input: input
        (gradient,) = torch.autograd.grad(network(x)[0, 0, 0, 0], x)
        return gradient[0, 0, -1, -1]

    assert reach(()) == 0
    assert reach((0,)) != 0


def test_the_context_changes_the_output() -> None:
    network = randomised(UNet(1, outputs=1, widths=WIDTHS, attention=(2,), context=5))
    x, context = images(2, 1, 8, 8), images(2, 3, 5)
    assert not torch.allclose(network(x, None, context), network(x, None, 2 * context))


def test_a_skip_is_used() -> None:
    network = randomised(UNet(1, outputs=1, widths=WIDTHS))
    x = images(1, 1, 8, 8)
    before = network(x)
    with torch.no_grad():
        network.get_parameter("up.0.0.first.weight")[:, WIDTHS[0] :] = 0
    assert not torch.allclose(network(x), before)


@pytest.mark.parametrize("blocks", [1, 2])
def test_every_parameter_gets_a_gradient(blocks: int) -> None:
    network = randomised(
        UNet(2, outputs=3, widths=WIDTHS, blocks=blocks, attention=(1, 2), features=6, context=5)
    )
    network(images(2, 2, 9, 9), images(2, 6), images(2, 3, 5)).square().sum().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.any(), name


def test_every_parameter_of_the_timed_network_gets_a_gradient() -> None:
    network = randomised(TimedUNet(1, classes=3, widths=WIDTHS, features=6))
    time, label = torch.rand(4).double(), torch.arange(4)
    network(images(4, 1, 9, 9), time, label).square().sum().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.any(), name


def test_time_and_label_change_the_output() -> None:
    network = randomised(TimedUNet(1, classes=3, widths=WIDTHS, features=6))
    x, zero, one = images(1, 1, 8, 8).expand(2, -1, -1, -1), torch.tensor([0, 0]), torch.tensor(1)
    times = torch.tensor([0.2, 0.7]).double()
    first, second = network(x, times, zero)
    assert not torch.allclose(first, second)
    first, second = network(x, times[:1].expand(2), torch.stack((zero[0], one)))
    assert not torch.allclose(first, second)


@pytest.mark.parametrize("size", [(8, 8), (7, 5), (1, 2)])
def test_patches_of_images_of_any_size_pass(size: tuple[int, int]) -> None:
    network = randomised(TimedUNet(2, widths=(4, 8), features=6, patch=3))
    x = images(2, 2, *size)
    y = network(x, torch.rand(2).double())
    assert y.shape == x.shape
    assert y.flatten(1).std(1).min() > 0


def test_no_label_is_the_last_one() -> None:
    network = randomised(TimedUNet(1, classes=3, widths=WIDTHS, features=6))
    x, times = images(2, 1, 8, 8), torch.tensor([0.2, 0.7]).double()
    torch.testing.assert_close(network(x, times), network(x, times, torch.tensor([3, 3])))


def test_it_has_a_forward_mode() -> None:
    network = randomised(TimedUNet(1, classes=3, widths=(4, 8), features=6, patch=2))
    x, along, time = images(2, 1, 6, 6), images(2, 1, 6, 6).flip(0), torch.rand(2).double()
    _, slope = torch.func.jvp(lambda z: network(z, time), (x,), (along,))
    ahead, behind = (network(x + step * along, time) for step in (1e-6, -1e-6))
    torch.testing.assert_close(slope, (ahead - behind) / 2e-6, atol=1e-5, rtol=1e-5)


def test_what_is_missing_or_out_of_range_is_refused() -> None:
    with pytest.raises(ValueError, match="features must be given"):
        UNet(1, outputs=1, widths=(4,), features=3)(torch.zeros(1, 1, 4, 4))
    with pytest.raises(ValueError, match="a context must be given"):
        UNet(1, outputs=1, widths=(4,), attention=(0,), context=3)(torch.zeros(1, 1, 4, 4))
    with pytest.raises(ValueError, match="attention must lie between 0 and 1, got"):
        UNet(1, outputs=1, widths=(4, 8), attention=(2,))
    with pytest.raises(ValueError, match="a context of 3 features needs attention"):
        UNet(1, outputs=1, widths=(4, 8), context=3)
    with pytest.raises(ValueError, match="widths must be one or more"):
        UNet(1, outputs=1, widths=())
    with pytest.raises(ValueError, match="blocks must be at least 1"):
        UNet(1, outputs=1, blocks=0)
