import copy

import pytest
import torch
from torch import nn

from ancestral.autoencoders import dense_networks, image_networks
from ancestral.autoencoders.networks import TransposedMLP
from ancestral.nn.mlp import MLP


def count(*networks: nn.Module) -> int:
    return sum(p.numel() for network in networks for p in network.parameters())


def test_the_networks_of_the_book_have_its_sizes() -> None:
    assert [*map(count, dense_networks((2,), 16, hidden=(128, 64, 32)))] == [11_248, 11_234]
    assert count(*dense_networks((1, 28, 28), 64, hidden=(256, 128))) == 484_944


def test_pixels_lie_between_black_and_white() -> None:
    for encoder, decoder in (
        dense_networks((3, 7, 7), 4, hidden=(8,)),
        image_networks((3, 7, 7), 4, width=4),
    ):
        x = torch.rand(5, 3, 7, 7)
        assert encoder(x).shape == (5, 4)
        made = decoder(10 * torch.randn(5, 4))
        assert made.shape == x.shape
        assert 0 <= float(made.detach().min()) < float(made.detach().max()) <= 1


def test_tied_weights_are_the_transposed_ones() -> None:
    mlp = MLP(6, 2, hidden=(5, 3))
    back = TransposedMLP(mlp)
    first, second, third = (layer for layer in mlp.layers if isinstance(layer, nn.Linear))
    z = torch.randn(4, 2)
    by_hand = torch.relu(torch.relu(z @ third.weight) @ second.weight) @ first.weight
    torch.testing.assert_close(back(z), by_hand)
    assert {name for name, _ in back.named_parameters()} == {"biases.0", "biases.1", "biases.2"}


def test_a_copy_is_tied_to_its_own_weights() -> None:
    both = nn.Sequential(*dense_networks((3,), 2, hidden=(4,), tied=True))
    other = copy.deepcopy(both)
    with torch.no_grad():
        for parameter in other[0].parameters():
            parameter.zero_()
    assert not other[1](torch.ones(1, 2)).any()
    assert both[1](torch.ones(1, 2)).any()


def test_only_square_images_have_convolutions() -> None:
    with pytest.raises(ValueError, match="images must be square, got 8 x 6; set size=32"):
        image_networks((1, 8, 6), 2, width=4)
