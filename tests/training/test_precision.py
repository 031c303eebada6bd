import pytest
import torch

from ancestral.errors import ConfigError
from ancestral.training.options import Options
from ancestral.training.precision import (
    fast_float32,
    forward_precision,
    gains_by_bf16,
    has_bf16,
    uses_bf16,
)

pytestmark = pytest.mark.bf16
CPU = torch.device("cpu")


def test_float32_never_uses_bf16_and_auto_only_for_large_products() -> None:
    assert not uses_bf16(Options(precision="float32", large_products=True), CPU)
    assert not uses_bf16(Options(precision="auto"), CPU)
    auto = uses_bf16(Options(precision="auto", large_products=True), CPU)
    assert auto == gains_by_bf16(CPU)
    assert auto <= has_bf16(CPU)


def test_bf16_by_name_is_taken_or_refused_but_never_emulated() -> None:
    if has_bf16(CPU):
        assert uses_bf16(Options(precision="bf16"), CPU)
    # The meta device multiplies nothing, so it has no instructions anywhere.
    with pytest.raises(ConfigError, match="precision bf16 needs bf16 instructions, meta has none"):
        uses_bf16(Options(precision="bf16"), torch.device("meta"))


@pytest.mark.parametrize(("bf16", "dtype"), [(True, torch.bfloat16), (False, torch.float32)])
def test_the_context_sets_the_dtype_of_products(bf16: bool, dtype: torch.dtype) -> None:
    with forward_precision(bf16, CPU):
        product = torch.ones(4, 4) @ torch.ones(4, 4)
    assert product.dtype == dtype


def test_fast_float32_is_float32_and_puts_the_setting_back() -> None:
    before = torch.get_float32_matmul_precision()
    left, right = torch.randn(300, 700), torch.randn(700, 200)
    with fast_float32():
        product = left @ right
    assert torch.get_float32_matmul_precision() == before
    exact = left.double() @ right.double()
    # 700 roundings of 6e-8 that add up at random are 2e-6; one operand in bf16 would make 2e-3.
    assert (product - exact).abs().max() < 1e-5 * exact.abs().max()


def test_fast_float32_changes_nothing_where_it_is_not_wanted() -> None:
    before = torch.get_float32_matmul_precision()
    with fast_float32(False):
        assert torch.get_float32_matmul_precision() == before
