import pytest
import torch
from torch import nn

from ancestral.adversarial.initialise import rescale
from ancestral.nn import MLP


def test_a_deep_network_keeps_the_variance_of_its_input() -> None:
    torch.manual_seed(0)
    network = MLP(64, 64, hidden=(256, 256, 256, 256)).double()
    z = torch.randn(2_000, 64, dtype=torch.float64)
    before = network(z).var(dim=0).mean()
    rescale(network, gain=2.0)
    after = network(z).var(dim=0).mean()
    # Each of four layers divides by about 6 before; after, it keeps about 1 (minus what the mean
    # of ReLU's outputs takes out of the variance, up to 1 - 1 / pi a layer).
    assert before < 1e-3
    assert 0.15 < after < 1.5


def test_weights_have_the_variance_of_he_and_biases_stay() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(400, 500), nn.ReLU(), nn.Linear(500, 400)).double()
    biases = [network[0].bias.clone(), network[2].bias.clone()]
    rescale(network, gain=2.0)
    # 200,000 weights: five standard errors of a variance are below 1.6%.
    assert network[0].weight.var().item() == pytest.approx(2 / 400, rel=0.016)
    assert network[2].weight.var().item() == pytest.approx(1 / 500, rel=0.016)
    assert torch.equal(network[0].bias, biases[0])
    assert torch.equal(network[2].bias, biases[1])


def test_convolutions_keep_the_power_of_their_input() -> None:
    torch.manual_seed(0)
    x = torch.randn(64, 32, 16, 16)
    for layer in (nn.Conv2d(32, 64, 4, 2, 1), nn.ConvTranspose2d(32, 64, 4, 2, 1)):
        rescale(layer, gain=1.0)
        # Away from the borders, where the padding is.
        power = layer(x)[..., 2:-2, 2:-2].square().mean().item()
        assert power == pytest.approx(1.0, rel=0.1)
