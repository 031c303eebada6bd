import pytest
import torch

from ancestral.nn.cross_attention import CrossAttention

D, E, H, P = 6, 5, 3, 4


def layer_of() -> CrossAttention:
    torch.manual_seed(0)
    return CrossAttention(D, context=E, heads=H, head_width=P).double()


def test_it_is_the_loop_over_heads_and_places() -> None:
    layer = layer_of()
    x, context = torch.randn(2, 3, D).double(), torch.randn(2, 4, E).double()
    keys, values = layer.key_value.weight.unflatten(0, (2, H, P))
    queries = layer.query.weight.unflatten(0, (H, P))
    found = torch.empty(2, 3, H * P).double()
    for b in range(2):
        for s in range(3):
            heads = []
            for h in range(H):
                scores = (context[b] @ keys[h].T) @ (queries[h] @ x[b, s]) / P**0.5
                heads.append(scores.softmax(0) @ (context[b] @ values[h].T))
            found[b, s] = torch.cat(heads)
    torch.testing.assert_close(layer(x, context), found @ layer.out.weight.T)


def test_tokens_that_are_not_seen_change_nothing() -> None:
    layer = layer_of()
    x, context = torch.randn(2, 3, D).double(), torch.randn(2, 4, E).double()
    seen = torch.tensor([[True, True, False, True], [True, False, False, False]])
    other = torch.where(seen[..., None], context, torch.full_like(context, 7.0))
    torch.testing.assert_close(layer(x, context, seen), layer(x, other, seen))
    torch.testing.assert_close(layer(x, context, seen)[1], layer(x, context[:, :1])[1])


def test_no_heads_are_refused() -> None:
    with pytest.raises(ValueError, match="heads must be at least 1, got 0"):
        CrossAttention(8, context=4, heads=0, head_width=4)
