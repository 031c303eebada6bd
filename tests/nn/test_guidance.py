import pytest
import torch
from torch import Tensor

from ancestral.errors import ConfigError
from ancestral.nn import TimedMLP, guided
from ancestral.nn.guidance import check_guidance

CLASSES = 3


class Counted:
    """A network that notes how many rows each evaluation had."""

    def __init__(self) -> None:
        torch.manual_seed(0)
        self.network = TimedMLP(2, hidden=(16,), classes=CLASSES).double()
        torch.nn.init.normal_(self.network.output.weight)
        self.rows: list[int] = []

    def __call__(self, z: Tensor, time: Tensor, label: Tensor | None) -> Tensor:
        self.rows.append(len(z))
        return self.network(z, time, label)


def arguments() -> tuple[Tensor, Tensor, Tensor]:
    return torch.randn(5, 2).double(), torch.rand(5).double(), torch.tensor([0, 1, 2, 0, 1])


@torch.no_grad()
def test_zero_is_unconditional_and_one_conditional_to_the_last_bit() -> None:
    network, (z, time, label) = Counted(), arguments()
    for scale, given in ((0.0, None), (1.0, label)):
        output = guided(network, z, time, label, scale=scale, classes=CLASSES)
        assert torch.equal(output, network.network(z, time, given))
    assert network.rows == [5, 5]


@torch.no_grad()
def test_any_other_scale_is_on_their_line_by_one_evaluation() -> None:
    network, (z, time, label) = Counted(), arguments()
    u, c = network.network(z, time, None), network.network(z, time, label)
    for scale in (0.5, 2.0, 7.5):
        output = guided(network, z, time, label, scale=scale, classes=CLASSES)
        torch.testing.assert_close(output, u + scale * (c - u))
    assert network.rows == [10, 10, 10]


def test_a_scale_without_a_label_is_refused() -> None:
    network, (z, time, _) = Counted(), arguments()
    with pytest.raises(
        ValueError, match="guidance needs a model that is given labels, got scale 2"
    ):
        guided(network, z, time, None, scale=2.0, classes=0)


def test_a_scale_below_0_is_refused() -> None:
    z, time, label = arguments()
    with pytest.raises(ValueError, match="scale must be at least 0, got -1"):
        guided(Counted(), z, time, label, scale=-1.0, classes=CLASSES)


@pytest.mark.parametrize("scale", [0.0, 0.5, 2.0])
def test_a_scale_without_labels_is_refused(scale: float) -> None:
    check_guidance(scale, labelled=True)
    check_guidance(1.0, labelled=False)
    with pytest.raises(ConfigError, match=f"leave it out, got {scale:g}"):
        check_guidance(scale, labelled=False)
