import torch

from ancestral.nn.film import film


def test_scale_and_shift_zero_are_the_identity_to_the_bit() -> None:
    x = torch.randn(2, 5, 3, dtype=torch.float64)
    assert torch.equal(film(x, torch.zeros(2, 1, 3).double(), torch.zeros(3).double()), x)


def test_each_feature_is_scaled_and_moved_by_its_own() -> None:
    x = torch.tensor([[1.0, 2.0]])
    found = film(x, torch.tensor([1.0, -1.0]), torch.tensor([0.5, 3.0]))
    assert found.tolist() == [[2.5, 3.0]]
