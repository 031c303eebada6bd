import pytest
import torch
from torch import nn

from ancestral.nn.mlp import MLP


def test_it_is_the_composition_of_its_layers() -> None:
    network = MLP(3, 2, hidden=(5,), activation=nn.Tanh).double()
    first, last = (layer for layer in network.layers if isinstance(layer, nn.Linear))
    x = torch.randn(4, 3, dtype=torch.float64)
    expected = torch.tanh(x @ first.weight.T + first.bias) @ last.weight.T + last.bias
    torch.testing.assert_close(network(x), expected)


def test_without_hidden_layers_it_is_affine() -> None:
    network = MLP(3, 2, hidden=())
    a, b = torch.randn(2, 5, 3)
    middle = network((a + b) / 2)
    torch.testing.assert_close(middle, (network(a) + network(b)) / 2, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("widths", [(0, 2, (3,)), (2, 0, (3,)), (2, 2, (3, 0))])
def test_empty_layers_are_refused(widths: tuple[int, int, tuple[int, ...]]) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        MLP(widths[0], widths[1], hidden=widths[2])
