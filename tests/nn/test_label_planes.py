import pytest
import torch
from torch import Tensor
from torch.nn import functional

from ancestral.nn.label_planes import LabelPlanesConv2d

CLASSES = 4


def plain_convolution(layer: LabelPlanesConv2d, x: Tensor, label: Tensor) -> Tensor:
    """The listing's way: make the one-hot planes and concatenate them."""
    planes = functional.one_hot(label, CLASSES)[:, :, None, None].expand(-1, -1, *x.shape[2:])
    return layer.plain(torch.cat((x, planes.to(x.dtype)), dim=1))


@pytest.mark.parametrize(
    ("kernel_size", "stride", "padding"), [(3, 2, 1), (4, 2, 1), (3, 1, 1), (5, 3, 0)]
)
def test_equals_the_convolution_of_planes(kernel_size: int, stride: int, padding: int) -> None:
    torch.manual_seed(0)
    layer = LabelPlanesConv2d(
        3, 6, classes=CLASSES, kernel_size=kernel_size, stride=stride, padding=padding
    ).double()
    x = torch.randn(7, 3, 12, 16, dtype=torch.float64, requires_grad=True)
    label = torch.tensor([0, 1, 2, 3, 3, 0, 2])

    plain = plain_convolution(layer, x, label)
    torch.testing.assert_close(layer(x, label), plain)

    weights = torch.randn_like(plain)  # The gradients are equal too, also of the padded borders.
    inputs = (x, *layer.parameters())
    ours = torch.autograd.grad((layer(x, label) * weights).sum(), inputs)
    theirs = torch.autograd.grad((plain * weights).sum(), inputs)
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a, b)


def test_without_classes_it_is_a_plain_convolution() -> None:
    layer = LabelPlanesConv2d(1, 2, classes=0, kernel_size=3)
    x = torch.randn(2, 1, 5, 5)
    torch.testing.assert_close(layer(x), layer.plain(x))


def test_a_missing_label_is_refused() -> None:
    with pytest.raises(ValueError, match="label of 4 classes"):
        LabelPlanesConv2d(1, 2, classes=CLASSES, kernel_size=3)(torch.zeros(1, 1, 5, 5))
