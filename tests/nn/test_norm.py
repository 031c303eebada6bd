import pytest
import torch
from torch import nn

from ancestral.autoregressive import GPT, GPTParts, GPTShape
from ancestral.capabilities import Batch
from ancestral.nn.norm import RMSNorm

MODERN = GPTParts(positions="rotary", norm="rms", feed_forward="swiglu", tied=True, qk_norm=True)


def test_it_is_the_formula_and_has_the_names_of_torchs_own() -> None:
    norm, theirs = RMSNorm(5, eps=1e-3), nn.RMSNorm(5, eps=1e-3)
    nn.init.normal_(norm.weight)
    theirs.load_state_dict(norm.state_dict())
    x = torch.randn(3, 4, 5)
    expected = x / (x.square().mean(-1, keepdim=True) + 1e-3).sqrt() * norm.weight
    torch.testing.assert_close(norm(x), expected)
    torch.testing.assert_close(theirs(x), norm(x))
    # A gain, a factor and the result are rounded to 8 bits.
    torch.testing.assert_close(norm(x.bfloat16()).float(), expected, rtol=2e-2, atol=2e-2)


@pytest.mark.bf16
@pytest.mark.parametrize("parts", [MODERN, GPTParts(), GPTParts(norm="rms", score="additive")])
def test_a_step_under_autocast_is_without_a_warning(parts: GPTParts) -> None:
    torch.manual_seed(0)
    shape = GPTShape(window=8, width=16, layers=2, heads=2)
    model = GPT(20, shape=shape, parts=parts, dropout=0.0)
    (player,) = model.players()
    batch, gradients = Batch(torch.arange(16).reshape(2, 8)), []
    for enabled in (True, False):
        model.zero_grad()
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=enabled):
            player.loss(batch, None).total.backward()
        assert all(p.grad.dtype == torch.float32 for p in model.parameters())
        gradients.append(torch.cat([p.grad.flatten() for p in model.parameters()]))
    assert torch.nn.functional.cosine_similarity(*gradients, dim=0) > 0.99
