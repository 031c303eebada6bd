import pytest
import torch
from torch import nn

from ancestral.autoregressive import GPT, GPTShape
from ancestral.autoregressive.reduced import Int8LanguageModel
from ancestral.capabilities import LanguageModel
from ancestral.nn.int8 import Int8Linear, in_int8, input_steps


def test_products_are_within_their_steps() -> None:
    torch.manual_seed(0)
    weight, bias, x = torch.randn(50, 64), torch.randn(50), torch.randn(3, 5, 64)
    found = Int8Linear(weight, bias)(x)
    # Each weight is off by half a step of 1/127 of its row's largest, each input by half of one of
    # its own: bounds of the sum of 64 products.
    steps = weight.abs().amax(1) / 127 / 2
    reach = x.abs().amax(-1, keepdim=True) / input_steps() / 2
    bound = x.abs().sum(-1, keepdim=True) * steps + reach * weight.abs().sum(1) + 64 * reach * steps
    assert ((found - nn.functional.linear(x, weight, bias)).abs() <= 1.01 * bound).all()


@pytest.mark.bits
def test_a_row_does_not_depend_on_the_others() -> None:
    torch.manual_seed(0)
    layer, x = Int8Linear(torch.randn(50, 64), torch.randn(50)), torch.randn(9, 64)
    expected = layer(x)
    x[0], x[1], x[2, 5], x[3, 7] = 1e30, 0, torch.nan, torch.inf
    found = layer(x)
    assert torch.equal(found[4:], expected[4:])
    assert torch.equal(found[4:6], layer(x[4:6]))
    assert torch.equal(found[1], layer(torch.zeros(64)))
    assert found[:2].isfinite().all()
    assert found[2:4].isnan().all()


def test_copy_leaves_the_model_alone() -> None:
    model = nn.Sequential(nn.Linear(8, 4), nn.Sequential(nn.Linear(4, 2)))
    found = in_int8(model)
    assert isinstance(model[0], nn.Linear)
    assert [type(module) for module in found.modules()].count(Int8Linear) == 2
    assert found(torch.zeros(1, 8)).shape == (1, 2)
    torch.testing.assert_close(in_int8(found)(torch.ones(1, 8)), found(torch.ones(1, 8)))


def test_model_of_eight_bits_predicts_nearly_the_same() -> None:
    torch.manual_seed(0)
    model = GPT(100, shape=GPTShape(window=32, width=64, layers=2, heads=4)).eval()
    small = Int8LanguageModel(model)
    assert isinstance(small, LanguageModel)
    tokens = torch.randint(96, (4, 32))
    with torch.no_grad():
        ours, whole = (m.head(m.features(tokens)) for m in (small, model))
    assert (ours - whole).norm() < 0.03 * whole.norm()
    state = small.start(4, length=32)
    with torch.no_grad():
        stepwise = small.head(torch.cat([small.advance(t, state) for t in tokens.split(8, 1)], 1))
    assert (stepwise - whole).norm() < 0.03 * whole.norm()
