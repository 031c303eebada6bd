import pytest
import torch
from torch import nn
from torch.nn import functional

from ancestral.nn.feed_forward import FeedForward, SwiGLU

LAYERS = [FeedForward(8, hidden=32), SwiGLU(8, hidden=24)]


@pytest.mark.parametrize("layer", LAYERS)
def test_each_token_is_mapped_alone(layer: nn.Module) -> None:
    x = torch.randn(2, 5, 8)
    order = torch.randperm(5)
    torch.testing.assert_close(layer(x)[:, order], layer(x[:, order]))
    torch.testing.assert_close(layer(x)[1, 3], layer(x[1, 3]))


def test_sizes_and_the_formula() -> None:
    layer, x = FeedForward(8, hidden=32), torch.randn(4, 8)
    assert sum(p.numel() for p in layer.parameters()) == 2 * 4 * 8**2
    expected = functional.gelu(x @ layer.first.weight.T) @ layer.out.weight.T
    torch.testing.assert_close(layer(x), expected)


def test_the_gated_formula() -> None:
    layer, x = SwiGLU(8, hidden=24), torch.randn(4, 8)
    gate, value = layer.first.weight[:24], layer.first.weight[24:]
    expected = (functional.silu(x @ gate.T) * (x @ value.T)) @ layer.out.weight.T
    torch.testing.assert_close(layer(x), expected)
