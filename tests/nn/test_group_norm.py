import pytest
import torch
from torch import nn
from torch.autograd import gradcheck

from ancestral.nn.group_norm import GroupNorm


def norm_of(groups: int = 3, channels: int = 6) -> GroupNorm:
    torch.manual_seed(0)
    norm = GroupNorm(groups, channels).double()
    nn.init.normal_(norm.weight)
    nn.init.normal_(norm.bias)
    return norm


@pytest.mark.parametrize("layout", [torch.channels_last, torch.contiguous_format])
def test_it_is_torchs_norm(layout: torch.memory_format) -> None:
    norm = norm_of()
    x = (3 + torch.randn(4, 6, 5, 7).double()).contiguous(memory_format=layout)
    torch.testing.assert_close(norm(x), nn.GroupNorm.forward(norm, x))


def test_the_modulation_comes_after_the_norm() -> None:
    norm, x = norm_of(), torch.randn(4, 6, 5, 7).double()
    scale, shift = torch.randn(2, 4, 6).double()
    expected = (1 + scale)[..., None, None] * norm(x) + shift[..., None, None]
    torch.testing.assert_close(norm(x, scale, shift), expected)


@pytest.mark.parametrize("layout", [torch.channels_last, torch.contiguous_format])
def test_the_gradients_are_those_of_finite_differences(layout: torch.memory_format) -> None:
    norm = norm_of()
    x = torch.randn(2, 6, 2, 3).double().contiguous(memory_format=layout).requires_grad_()
    scale, shift = torch.randn(2, 2, 6).double().requires_grad_().unbind()

    def modulated(*given: torch.Tensor) -> torch.Tensor:
        return norm(*given)

    for given in ((x, scale, shift), (x,)):
        assert gradcheck(modulated, given, check_forward_ad=True)


def test_it_has_a_forward_mode_inside_a_gradient() -> None:
    norm, x = norm_of(), torch.randn(2, 6, 2, 3).double()
    along = torch.randn_like(x)
    value, slope = torch.func.jvp(norm, (x,), (along,))
    ahead, behind = norm(x + 1e-6 * along), norm(x - 1e-6 * along)
    torch.testing.assert_close(slope, (ahead - behind) / 2e-6, atol=1e-7, rtol=1e-6)
    ours = torch.autograd.grad(value.square().sum(), [*norm.parameters()])
    theirs = torch.autograd.grad(norm(x).square().sum(), [*norm.parameters()])
    torch.testing.assert_close(ours, theirs)


def test_gain_and_bias_get_the_gradients_of_torchs_norm() -> None:
    norm, x = norm_of(), torch.randn(2, 6, 4, 4).double()
    weights = torch.randn(2, 6, 4, 4).double()
    ours = torch.autograd.grad((norm(x) * weights).sum(), [*norm.parameters()])
    plain = nn.GroupNorm.forward(norm, x)
    theirs = torch.autograd.grad((plain * weights).sum(), [*norm.parameters()])
    torch.testing.assert_close(ours, theirs)


def test_bf16_is_within_its_own_rounding() -> None:
    norm, x = norm_of().float(), torch.randn(4, 6, 8, 8)
    found = norm(x.bfloat16())
    assert found.dtype == torch.bfloat16
    # Three roundings of values below 8, to 8 bits each.
    torch.testing.assert_close(found.float(), norm(x), atol=3 * 8 / 2**8, rtol=0)


@pytest.mark.parametrize(("dtype", "within"), [(torch.float32, 1e-5), (torch.bfloat16, 0.02)])
@pytest.mark.parametrize("mean", [0.0, 3.0, 30.0])
def test_it_is_as_exact_where_the_mean_is_large(
    dtype: torch.dtype, within: float, mean: float
) -> None:
    generator = torch.Generator().manual_seed(0)
    x = (torch.randn(4, 16, 9, 7, dtype=torch.float64, generator=generator) + mean).to(dtype)
    plain = torch.nn.functional.group_norm(x.double(), 4)
    found = GroupNorm(4, 16).to(dtype)(x)
    assert found.dtype == dtype
    # The largest value is about 4: half a unit in the last of 8 bits there is 2^-7.
    assert torch.allclose(found.double(), plain, atol=within)
