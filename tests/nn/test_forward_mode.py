import pytest
import torch
from torch import Tensor, nn

from ancestral.nn import DiT, TimedMLP
from ancestral.nn.forward_mode import directional


@pytest.mark.parametrize(
    "build",
    [
        lambda: TimedMLP((1, 8, 8), hidden=(16,)),
        lambda: DiT((1, 8, 8), patch=4, width=16, depth=1, heads=2),
    ],
)
def test_the_derivative_is_that_of_differences(build: type[nn.Module]) -> None:
    torch.manual_seed(0)
    network = build().double()
    for parameter in network.parameters():  # What begins at zero hides the rest.
        parameter.data += 0.1 * torch.randn_like(parameter)
    z, direction = torch.randn(2, 3, 1, 8, 8, dtype=torch.float64)
    t = torch.rand(3, dtype=torch.float64)

    def output(z: Tensor) -> Tensor:
        return network(z, t)

    value, slope = directional(output, (z,), (direction,))
    torch.testing.assert_close(value, output(z))
    h = 1e-6
    differences = (output(z + h * direction) - output(z - h * direction)) / (2 * h)
    torch.testing.assert_close(slope, differences, rtol=1e-5, atol=1e-6)
