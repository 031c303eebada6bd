import pytest
import torch

from ancestral.errors import ConfigError
from ancestral.training.options import Options
from ancestral.training.precision import forward_precision, gains_by_bf16, has_bf16, uses_bf16

CPU = torch.device("cpu")


def test_float32_never_uses_bf16_and_auto_only_for_convolutions() -> None:
    assert not uses_bf16(Options(precision="float32", channels_last=True), CPU)
    assert not uses_bf16(Options(precision="auto"), CPU)
    auto = uses_bf16(Options(precision="auto", channels_last=True), CPU)
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
