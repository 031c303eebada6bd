import pytest
import torch
from torch import nn

from ancestral.nn.narrow_transpose import NarrowConvTranspose2d

SHAPES = [(2, 0, 0), (3, 1, 1), (4, 1, 0), (5, 2, 1), (6, 2, 0)]


@pytest.mark.parametrize(("k", "padding", "extra"), SHAPES)
@pytest.mark.parametrize("outputs", [1, 3])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_it_is_the_plain_transposed_convolution(
    k: int, padding: int, extra: int, outputs: int, layout: torch.memory_format
) -> None:
    narrow = NarrowConvTranspose2d(
        4, outputs, kernel_size=k, padding=padding, output_padding=extra
    ).double()
    plain = nn.ConvTranspose2d(4, outputs, k, 2, padding, output_padding=extra).double()
    plain.load_state_dict(narrow.state_dict())
    x = torch.randn(3, 4, 5, 6, dtype=torch.float64).contiguous(memory_format=layout)
    found, gradients = [], []
    for layer in (narrow, plain):
        inputs = x.clone().requires_grad_()
        y = layer(inputs)
        weights = torch.arange(y.numel(), dtype=y.dtype).reshape(y.shape).cos()
        parameters = [inputs, *layer.parameters()]
        gradients.append(torch.autograd.grad((y * weights).sum(), parameters))
        found.append(y)
    # Sums of at most 9 * 4 products of order 1 in float64.
    torch.testing.assert_close(*found, rtol=0, atol=1e-13)
    for ours, theirs in zip(*gradients, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-12)


def test_gradients_are_right() -> None:
    layer = NarrowConvTranspose2d(2, 1, kernel_size=4, padding=1).double()
    x = torch.randn(2, 2, 3, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(layer, (x,))


def test_it_follows_the_precision_of_its_input() -> None:
    layer = NarrowConvTranspose2d(2, 1, kernel_size=4, padding=1)
    y = layer(torch.randn(2, 2, 3, 3, dtype=torch.bfloat16))
    assert y.dtype == torch.bfloat16
    y.float().sum().backward()
    assert layer.weight.grad is not None
    assert layer.weight.grad.dtype == torch.float32


def test_it_follows_autocast() -> None:
    layer = NarrowConvTranspose2d(2, 1, kernel_size=4, padding=1)
    x = torch.randn(2, 2, 3, 3, requires_grad=True)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        y = layer(x)
    y.float().square().sum().backward()
    assert y.dtype == torch.bfloat16
    assert x.grad is not None
    assert x.grad.dtype == torch.float32


def test_what_does_not_double_the_side_is_refused() -> None:
    with pytest.raises(ValueError, match=r"must be 2, got 3 - 2 \* 1 \+ 0"):
        NarrowConvTranspose2d(2, 1, kernel_size=3, padding=1)
    with pytest.raises(ValueError, match="output_padding must be 0 or 1, got -1"):
        NarrowConvTranspose2d(2, 1, kernel_size=3, padding=0, output_padding=-1)
    with pytest.raises(ValueError, match="output_size"):
        NarrowConvTranspose2d(2, 1, kernel_size=4, padding=1)(torch.zeros(1, 2, 3, 3), [6, 6])
