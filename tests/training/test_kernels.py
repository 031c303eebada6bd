import math

import pytest
import torch

from ancestral.training.kernels import follow, global_norm, scale_finite

ONE_HALF, FLAG = torch.tensor(0.5), torch.zeros(())


@pytest.mark.bits
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_scaling_is_exact_and_finite(dtype: torch.dtype) -> None:
    tensors = [torch.arange(5).to(dtype), torch.full((2, 3), -4.0, dtype=dtype)]
    expected = [tensor * 0.5 for tensor in tensors]
    assert scale_finite(tensors, ONE_HALF, FLAG)
    assert all(torch.equal(a, b) for a, b in zip(tensors, expected, strict=True))


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("place", [0, 1, 2])
def test_one_number_that_is_not_finite_is_found_and_then_forgotten(bad: float, place: int) -> None:
    tensors = [torch.ones(3), torch.ones(2, 40), torch.ones(())]
    tensors[place].view(-1)[-1] = bad
    assert not scale_finite(tensors, ONE_HALF, FLAG)
    assert scale_finite([torch.ones(3)], ONE_HALF, FLAG)


def test_the_norm_is_that_of_one_long_vector() -> None:
    tensors = [torch.randn(7), torch.randn(3, 4), torch.randn(())]
    expected = torch.cat([tensor.view(-1) for tensor in tensors]).norm().item()
    assert global_norm(tensors) == pytest.approx(expected, rel=1e-6)
    assert global_norm([]) == 0.0


def test_an_average_moves_its_share_of_the_way() -> None:
    average = [torch.zeros(2)]
    follow(average, [torch.tensor([4.0, -8.0])], 0.25)
    assert average[0].tolist() == [1.0, -2.0]
