import pytest
import torch

from ancestral.networks.cells import OneHot


def test_a_linear_layer_on_vectors_adds_up_one_row_of_its_weights_a_known_column() -> None:
    weights = torch.randn(5, 4, dtype=torch.float64)
    x = torch.tensor([[1, 0], [-1, 2], [-1, -1]])
    vectors = OneHot([2, 3]).double()(x)
    expected = torch.stack([weights[1] + weights[2], weights[4], torch.zeros(4).double()])
    torch.testing.assert_close(vectors @ weights, expected)


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (torch.tensor([[2, 0]]), "column 1 must hold cells 0 to 1, or -1, got 2 to 2"),
        (torch.tensor([[0, -2]]), "column 2 must hold cells 0 to 2"),
        (torch.tensor([[0, 0, 0]]), r"x must have shape \[B, 2\], got \[1, 3\]"),
        (torch.tensor([[0.0, 1.0]]), "whole numbers"),
    ],
)
def test_what_is_no_row_of_cells_is_refused(x: torch.Tensor, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        OneHot([2, 3])(x)
