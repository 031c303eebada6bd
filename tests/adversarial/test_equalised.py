import copy

import pytest
import torch
from torch import nn

from ancestral.adversarial import equalise, normalise_spectrum, rescale
from ancestral.adversarial.initialise import fan_in


def network() -> nn.Sequential:
    torch.manual_seed(0)
    layers = nn.Sequential(nn.Conv2d(2, 64, 3), nn.Flatten(), nn.Linear(64, 300), nn.Linear(300, 8))
    rescale(layers, gain=2.0)
    return layers.double()


def test_the_network_stays_what_it_is_and_its_parameters_become_one_in_size() -> None:
    plain = network()
    equal = copy.deepcopy(plain)
    equalise(equal)
    x = torch.randn(5, 2, 3, 3, dtype=torch.float64)
    torch.testing.assert_close(equal(x), plain(x), rtol=1e-12, atol=0)
    for layer, gain in ((equal[0], 2), (equal[2], 2), (equal[3], 1)):
        size = layer.parametrizations.weight.original.square().mean()
        # The mean square of n normal numbers has the relative standard error sqrt(2 / n).
        count = layer.parametrizations.weight.original.numel()
        assert size.item() == pytest.approx(gain, rel=5 * (2 / count) ** 0.5)


def test_a_step_of_adam_moves_all_layers_by_the_same_share_of_their_size() -> None:
    layers = network()
    equalise(layers)
    before = [layer.weight.detach().clone() for layer in (layers[0], layers[2])]
    layers(torch.randn(5, 2, 3, 3, dtype=torch.float64)).square().sum().backward()
    torch.optim.Adam(layers.parameters(), lr=1e-3).step()
    for layer, weight in zip((layers[0], layers[2]), before, strict=True):
        moved = (layer.weight.detach() - weight) * fan_in(layer) ** 0.5
        torch.testing.assert_close(moved.abs(), torch.full_like(moved, 1e-3), rtol=1e-3, atol=0)


def test_layers_that_are_divided_by_their_norm_stay_so() -> None:
    layers = network()
    normalise_spectrum(layers)
    names = list(layers.state_dict())
    equalise(layers)
    assert list(layers.state_dict()) == names
