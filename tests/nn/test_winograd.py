import pytest
import torch
from torch import Tensor, nn

from ancestral.nn import winograd
from ancestral.nn.winograd import WinogradConv2d


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let few channels and pixels go the fast way, too."""
    monkeypatch.setattr(winograd, "_LEAST_CHANNELS", 1)
    monkeypatch.setattr(winograd, "_LEAST_TILES", 1)


def draw(*shape: int) -> Tensor:
    generator = torch.Generator().manual_seed(len(shape) + shape[-1])
    return torch.randn(shape, generator=generator, dtype=torch.float64).requires_grad_()


def gradients(layer: nn.Module, x: Tensor, along: Tensor) -> list[Tensor]:
    y = layer(x)
    return [y, *torch.autograd.grad(y, [x, *layer.parameters()], along)]


@pytest.mark.parametrize(
    ("shape", "bias", "at_once"),
    [
        ((2, 3, 8, 12), True, 1 << 22),
        ((4, 3, 8, 12), True, 5_000),  # Two images at once.
        ((3, 3, 16, 4), False, 1_000),  # Less than an image, and sides of one tile.
        ((1, 2, 13, 7), True, 1),
        ((2, 5, 1, 1), True, 1 << 22),
    ],
)
def test_values_and_gradients_are_those_of_a_convolution(
    shape: tuple[int, ...], bias: bool, at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(winograd, "_AT_ONCE", at_once)
    ours = WinogradConv2d(shape[1], 4, bias=bias).double()
    plain = nn.Conv2d(shape[1], 4, 3, padding=1, bias=bias).double()
    plain.load_state_dict(ours.state_dict())
    x, along = draw(*shape), draw(shape[0], 4, *shape[2:])
    found, wanted = gradients(ours, x, along), gradients(plain, x, along)
    for mine, theirs in zip(found, wanted, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-11, atol=1e-11)


def test_the_error_in_single_precision_is_small() -> None:
    layer, x = WinogradConv2d(64, 64).double(), draw(1, 64, 32, 32).detach()
    exact = layer(x)
    error = (layer.float()(x.float()) - exact).abs().max() / exact.abs().max()
    assert 0 < error < 1e-4


def test_what_comes_out_can_be_changed_in_place() -> None:
    layer, x = WinogradConv2d(2, 2).double(), draw(1, 2, 8, 8)
    y = layer(x).relu_()
    assert y.is_contiguous(memory_format=torch.channels_last)
    (changed,) = torch.autograd.grad(y.sum(), x)
    (apart,) = torch.autograd.grad(layer(x).relu().sum(), x)
    torch.testing.assert_close(changed, apart)


def test_half_precision_goes_the_way_of_the_parent_class(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError

    monkeypatch.setattr(winograd._Winograd, "apply", refuse)
    layer, x = WinogradConv2d(2, 2), torch.ones(1, 2, 8, 8)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert layer(x).dtype == torch.bfloat16
    assert layer.bfloat16()(x.bfloat16()).shape == x.shape
    with pytest.raises(AssertionError):
        layer.float()(x)
