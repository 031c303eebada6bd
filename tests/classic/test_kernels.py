import math

import pytest
import torch
from torch.distributions import Independent, Normal

from ancestral.classic.kernels import kernel_score, log_kernel_mean


def plain(x: torch.Tensor, data: torch.Tensor, bandwidth: float) -> torch.Tensor:
    kernels = Independent(Normal(data, bandwidth), 1).log_prob(x[:, None])
    return kernels.logsumexp(dim=1) - math.log(len(data))


@pytest.mark.parametrize("features", [1, 2, 5, 64])
def test_equals_the_plain_sum(features: int) -> None:
    generator = torch.Generator().manual_seed(features)
    data = torch.randn(700, features, generator=generator, dtype=torch.float64)
    x = 3 * torch.randn(900, features, generator=generator, dtype=torch.float64)
    torch.testing.assert_close(
        log_kernel_mean(x, data, 0.2), plain(x, data, 0.2), rtol=1e-12, atol=1e-10
    )


@pytest.mark.parametrize("offset", [1e3, 1e6])
def test_data_far_from_the_origin_lose_nothing(offset: float) -> None:
    data = torch.randn(50, 2, dtype=torch.float64) + offset
    x = data[:20] + 0.05 * torch.randn(20, 2, dtype=torch.float64)
    # The inputs themselves are rounded to 1e-16 of the offset; subtraction is exact after that.
    torch.testing.assert_close(
        log_kernel_mean(x, data, 0.1), plain(x, data, 0.1), rtol=0, atol=1e-7
    )


def test_a_far_cluster_keeps_its_small_distances() -> None:
    near = torch.randn(30, 2, dtype=torch.float64)
    data = torch.cat((near, near * 0.1 + 1e6))
    x = data + 0.01
    # By the expanded square alone the error would be 1e12 * 1e-16 / 0.1^2 = 1e-2.
    torch.testing.assert_close(
        log_kernel_mean(x, data, 0.1), plain(x, data, 0.1), rtol=0, atol=1e-7
    )


def test_points_that_underflow_may_follow_points_that_do_not() -> None:
    data = torch.randn(3000, 2, dtype=torch.float64)
    x = torch.cat((data, data + 30))  # Sums near 1 in the first tiles, e^-45000 in the last.
    torch.testing.assert_close(log_kernel_mean(x, data, 0.1), plain(x, data, 0.1))


def test_a_point_left_out_does_not_see_itself() -> None:
    data = torch.randn(40, 3, dtype=torch.float64)
    got = log_kernel_mean(data, data, 0.5, leave_out=torch.arange(40))
    rest = [plain(data[i : i + 1], torch.cat((data[:i], data[i + 1 :])), 0.5) for i in range(40)]
    torch.testing.assert_close(got, torch.cat(rest))


def test_score_is_the_gradient() -> None:
    data = torch.randn(60, 3, dtype=torch.float64)
    x = torch.randn(10, 3, dtype=torch.float64, requires_grad=True)
    (gradient,) = torch.autograd.grad(plain(x, data, 0.4).sum(), x)
    torch.testing.assert_close(kernel_score(x.detach(), data, 0.4), gradient)


def test_no_points_are_no_sums() -> None:
    data = torch.randn(5, 2, dtype=torch.float64)
    assert log_kernel_mean(data[:0], data, 1.0).shape == (0,)
    assert kernel_score(data[:0], data, 1.0).shape == (0, 2)
