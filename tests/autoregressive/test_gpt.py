"""What the book says of its Transformer, beyond the laws that all language models share."""

import pytest
import torch
from torch import Tensor, nn

from ancestral.autoregressive import GPT, GPTParts, GPTShape
from ancestral.autoregressive.decoding import Decoding, collect, generate
from ancestral.capabilities import SpecialTokens
from ancestral.nn.attention import Sight
from ancestral.nn.transformer import Block

V = 20
SHAPE = GPTShape(window=8, width=12, layers=3, heads=3)
SPECIAL = SpecialTokens.of(V)


def test_the_defaults_are_the_books() -> None:
    shape = GPTShape()
    sizes = (shape.window, shape.width, shape.layers, shape.heads, shape.expansion)
    assert sizes == (256, 384, 6, 6, 4)
    assert shape.features_of_a_head == 64
    assert GPT(V).dropout.p == 0.1
    with pytest.raises(ValueError, match="heads must divide the width 10 unless head_width"):
        GPTShape(width=10, heads=3)


def test_a_block_whose_outer_products_are_zero_is_the_identity() -> None:
    block = Block(SHAPE, GPTParts()).eval()
    nn.init.zeros_(block.attention.out.weight)
    nn.init.zeros_(block.feed_forward.out.weight)
    x = torch.randn(2, 5, 12)
    assert torch.equal(block(x, Sight()), x)


def test_a_gradient_reaches_the_embeddings_of_read_tokens_only() -> None:
    """Gathering rows is a product with one-hot vectors."""
    model = GPT(V, shape=SHAPE).double().eval()
    tokens = torch.tensor([[SPECIAL.bos, 3, 5, 3]])
    one_hot = nn.functional.one_hot(tokens, V).double()
    torch.testing.assert_close(model.tokens(tokens), one_hot @ model.tokens.weight)
    model.features(tokens).square().sum().backward()
    assert model.tokens.weight.grad is not None
    used = model.tokens.weight.grad.abs().sum(1).nonzero()[:, 0]
    assert set(used.tolist()) == {3, 5, SPECIAL.bos}


def test_the_same_token_is_another_vector_in_another_context() -> None:
    model = GPT(V, shape=SHAPE).eval()

    def after(*tokens: int) -> Tensor:
        return model.features(torch.tensor([[SPECIAL.bos, *tokens]]))[0]

    first, second = after(3, 7), after(4, 7)
    assert not torch.allclose(first[2], second[2])
    assert torch.equal(after(7, 3)[1], after(7, 4)[1])  # Only BOS stands before it.


def test_text_goes_on_past_the_window_by_trained_places_only() -> None:
    model = GPT(V, shape=SHAPE).eval()
    decoding = Decoding.plain().but(forbidden=tuple(SPECIAL))
    seen = []
    assert model.positions is not None
    hook = model.positions.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].max()))
    (row,) = collect(generate(model, [[SPECIAL.bos]], decoding, max_tokens=40))
    hook.remove()
    assert len(row.tokens) == 40
    assert max(seen) == SHAPE.window - 1


def test_every_parameter_gets_a_gradient() -> None:
    parts = GPTParts(score="additive", norm="rms", feed_forward="swiglu", qk_norm=True)
    for model in (GPT(V, shape=SHAPE), GPT(V, shape=SHAPE, parts=parts)):
        x = torch.randint(V - 4, (3, 9))
        (-model.log_prob(x).sum()).backward()
        for name, parameter in model.named_parameters():
            assert parameter.grad is not None, name
            assert parameter.grad.abs().sum() > 0, name
