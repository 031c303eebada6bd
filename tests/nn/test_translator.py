import pytest
import torch

from ancestral.nn import Translator


@pytest.mark.parametrize("size", [(16, 16), (13, 21), (9, 30)])
def test_images_of_any_size_keep_it(size: tuple[int, int]) -> None:
    network = Translator(1, outputs=3, widths=(4, 8, 12), blocks=2)
    assert network(torch.rand(2, 1, *size)).shape == (2, 3, *size)


def test_every_parameter_gets_a_gradient() -> None:
    torch.manual_seed(0)
    network = Translator(2, outputs=1, widths=(4, 8), blocks=2).double()
    for block in network.blocks:  # Their last convolutions start at zero.
        torch.nn.init.normal_(block.second.weight)
    loss = network(torch.rand(2, 2, 8, 8, dtype=torch.float64)).square().sum()
    for gradient in torch.autograd.grad(loss, list(network.parameters())):
        assert gradient.isfinite().all()
        assert gradient.any()


def test_bad_arguments_are_named() -> None:
    with pytest.raises(ValueError, match="channels and outputs must be at least 1, got 0 and 1"):
        Translator(0, outputs=1)
