import pytest
import torch

from ancestral.nn.timed_mlp import TimedMLP


def awake(**settings: int) -> TimedMLP:
    """Return a network whose output does not stand at zero."""
    torch.manual_seed(0)
    network = TimedMLP(2, hidden=(16, 8), **settings).double()
    torch.nn.init.normal_(network.output.weight)
    return network


def test_it_begins_at_zero_in_the_shape_of_its_input() -> None:
    z = torch.randn(5, 1, 4, 4)
    output = TimedMLP((1, 4, 4), hidden=(8,), frequencies=3)(z, torch.rand(5))
    assert torch.equal(output, torch.zeros_like(z))


def test_time_and_label_reach_the_output_row_by_row() -> None:
    network = awake(classes=2, frequencies=4)
    z, time = torch.randn(3, 2).double(), torch.rand(3).double()
    label = torch.tensor([0, 1, 2])
    whole = network(z, time, label)
    for row in range(3):
        alone = network(z[row : row + 1], time[row : row + 1], label[row : row + 1])
        torch.testing.assert_close(alone[0], whole[row])
    assert not torch.allclose(whole, network(z, time + 0.1, label))
    assert not torch.allclose(whole, network(z, time, label.flip(0)))


def test_an_expanded_time_is_the_same_as_one_a_row() -> None:
    network = awake(classes=2)
    z, time = torch.randn(5, 2).double(), torch.tensor(0.3).double()
    torch.testing.assert_close(network(z, time.expand(5)), network(z, time.repeat(5)))
    label = torch.tensor([0, 1, 2, 0, 1])
    torch.testing.assert_close(network(z, time.expand(5), label), network(z, time.repeat(5), label))


def test_every_parameter_gets_a_gradient() -> None:
    network = awake(classes=2, frequencies=4)
    network(
        torch.randn(6, 2).double(), torch.rand(6).double(), torch.arange(6) % 3
    ).sum().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.any(), name


@pytest.mark.parametrize("hidden", [(), (4, 0)])
def test_a_network_needs_hidden_layers(hidden: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="hidden must be one or more"):
        TimedMLP(2, hidden=hidden)
