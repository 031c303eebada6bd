import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from ancestral.flows import RationalQuadratic

pytestmark = pytest.mark.usefixtures("float64")


def case(bins: int = 5, seed: int = 0) -> tuple[RationalQuadratic, Tensor, Tensor]:
    """A spline on [-2, 2], values in and outside of it, and rough parameters."""
    generator = torch.Generator().manual_seed(seed)
    x = 1.5 * torch.randn(3, 40, generator=generator)
    theta = 2 * torch.randn(3 * bins - 1, 3, 40, generator=generator)
    return RationalQuadratic(bins=bins, bound=2.0), x, theta


def plain(x: Tensor, theta: Tensor, bins: int, bound: float) -> tuple[Tensor, Tensor]:
    """Durkan et al. 2019, eq. 4 and 5, word by word, by autograd's own operations."""
    ends = []
    for logits in theta[: 2 * bins].unflatten(0, (2, bins)):
        shares = (logits * math.log(2)).softmax(dim=0)
        sizes = 2 * bound * (1e-3 + (1 - 1e-3 * bins) * shares)
        ends.append(torch.cat((torch.zeros_like(sizes[:1]), sizes.cumsum(dim=0))) - bound)
    free = theta[2 * bins :]
    inner = 2 ** (free / (1 + free.abs() / 10))
    slopes = torch.cat((torch.ones_like(inner[:1]), inner, torch.ones_like(inner[:1])))
    k = (x >= ends[0][1:-1]).sum(dim=0, keepdim=True)
    x_0, x_1, y_0, y_1, d_0, d_1 = (
        of.gather(0, k + step)[0] for of in (*ends, slopes) for step in (0, 1)
    )
    s, xi = (y_1 - y_0) / (x_1 - x_0), (x - x_0) / (x_1 - x_0)
    below = s + (d_1 + d_0 - 2 * s) * xi * (1 - xi)
    y = y_0 + (y_1 - y_0) * (s * xi**2 + d_0 * xi * (1 - xi)) / below
    slope = s**2 * (d_1 * xi**2 + 2 * s * xi * (1 - xi) + d_0 * (1 - xi) ** 2) / below**2
    inside = x.abs() < bound
    return torch.where(inside, y, x), torch.where(inside, slope, 1.0).log()


def test_it_is_the_spline_of_the_paper_with_its_gradients() -> None:
    spline, x, theta = case()
    x, theta = x.requires_grad_(), theta.requires_grad_()
    weights = torch.randn(2, *x.shape)
    found, wanted = spline.forward_and_log_det(x, theta), plain(x, theta, 5, 2.0)
    torch.testing.assert_close(found, wanted)
    gradients = [
        torch.autograd.grad((pair[0] * weights[0] + pair[1] * weights[1]).sum(), (x, theta))
        for pair in (found, wanted)
    ]
    torch.testing.assert_close(*gradients, rtol=1e-9, atol=1e-9)


def test_gradients_of_both_directions_are_those_of_differences() -> None:
    spline, x, theta = case(bins=3)
    inputs = x[:, :8].requires_grad_(), theta[:, :, :8].contiguous().requires_grad_()
    assert torch.autograd.gradcheck(spline.forward_and_log_det, inputs)
    assert torch.autograd.gradcheck(spline.inverse_and_log_det, inputs)


@settings(max_examples=25, deadline=None)
@given(st.integers(2, 12), st.integers(0, 10_000))
def test_it_goes_there_and_back_and_rises(bins: int, seed: int) -> None:
    spline, x, theta = case(bins, seed)
    y, log_slope = spline.forward_and_log_det(x.double(), theta.double())
    back, log_back = spline.inverse_and_log_det(y, theta.double())
    # A slope may be as small as 2^-20: rounding in y is so much larger in x.
    torch.testing.assert_close(back, x.double(), rtol=0, atol=1e-8)
    torch.testing.assert_close(log_back, -log_slope, rtol=0, atol=1e-6)
    line = torch.linspace(-3, 3, 400, dtype=torch.float64)
    steps = spline.forward_and_log_det(line, theta[:, :1, 0].double().expand(-1, 400))[0].diff()
    assert (steps > 0).all()


def test_it_is_the_identity_outside_of_the_box_and_at_parameters_of_zero() -> None:
    spline, x, theta = case()
    outside = torch.tensor([-7.0, -2.0, 2.0, 3.0])
    y, log_slope = spline.forward_and_log_det(outside, theta[:, 0, :4])
    torch.testing.assert_close(y, outside)
    torch.testing.assert_close(log_slope, torch.zeros(4))
    y, log_slope = spline.forward_and_log_det(x, torch.zeros_like(theta))
    torch.testing.assert_close(y, x)
    torch.testing.assert_close(log_slope, torch.zeros_like(x))


def test_large_parameters_stay_finite_in_float32() -> None:
    spline, x, theta = case()
    x, theta = x.float().requires_grad_(), (500 * theta.float()).requires_grad_()
    y, log_slope = spline.forward_and_log_det(x, theta)
    (y + log_slope).sum().backward()
    for each in (y, log_slope, x.grad, theta.grad):
        assert each is not None
        assert each.isfinite().all()


@pytest.mark.parametrize(("name", "value"), [("bins", 1), ("bound", 0.0)])
def test_arguments_out_of_range_are_refused(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"{name} must be"):
        RationalQuadratic(**{name: value})
