import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from ancestral.nn.attention import AdditiveScore, CausalSelfAttention, Sight

D, H, P, T = 12, 3, 4, 7


def layer_of(groups: int = H, *, dropout: float = 0.0, additive: bool = False) -> nn.Module:
    torch.manual_seed(0)
    score = AdditiveScore(P) if additive else None
    layer = CausalSelfAttention(
        D, heads=H, key_value_heads=groups, head_width=P, dropout=dropout, score=score
    )
    return layer.double()


def loops(layer: CausalSelfAttention, x: Tensor) -> Tensor:
    """The definition, head by head and token by token, for x [T, D]."""
    w = layer.qkv.weight.unflatten(0, (-1, P))  # [H + 2 G, P, D]
    groups = layer.key_value_heads
    heads = []
    for h in range(H):
        g = h // (H // groups)
        q, k, v = x @ w[h].T, x @ w[H + g].T, x @ w[H + groups + g].T
        rows = []
        for i in range(len(x)):
            if layer.score is None:
                s = torch.stack([q[i] @ k[j] / P**0.5 for j in range(i + 1)])
            else:
                s = torch.stack(
                    [
                        layer.score.out(torch.tanh(layer.score.query(q[i]) + layer.score.key(k[j])))
                        for j in range(i + 1)
                    ]
                )[:, 0]
            a = torch.exp(s) / torch.exp(s).sum()
            rows.append(sum(a[j] * v[j] for j in range(i + 1)))
        heads.append(torch.stack(rows))
    return torch.cat(heads, 1) @ layer.out.weight.T


@pytest.mark.parametrize("groups", [3, 1])
@pytest.mark.parametrize("additive", [False, True])
def test_the_fused_form_is_the_loop_over_heads_and_tokens(groups: int, additive: bool) -> None:
    layer = layer_of(groups, additive=additive)
    x = torch.randn(2, T, D, dtype=torch.float64)
    expected = torch.stack([loops(layer, row) for row in x])
    torch.testing.assert_close(layer(x, Sight()), expected, atol=1e-12, rtol=1e-12)


@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize("length", [7, 201])
def test_training_computes_what_the_kernel_does(length: int, causal: bool) -> None:
    layer = layer_of(1)
    x, sight = torch.randn(1, length, D, dtype=torch.float64), Sight(causal=causal)
    with torch.no_grad():
        expected = layer(x, sight)
    torch.testing.assert_close(layer(x, sight), expected, atol=1e-12, rtol=1e-12)


@pytest.mark.bits
def test_a_change_leaves_what_comes_before_it_as_it_was_to_the_bit() -> None:
    layer = layer_of()
    x = torch.randn(1, T, D, dtype=torch.float64)
    other = x.clone()
    other[:, 4] += 1
    assert torch.equal(layer(x, Sight())[:, :4], layer(other, Sight())[:, :4])
    assert not torch.equal(layer(x, Sight())[:, 4:], layer(other, Sight())[:, 4:])


@pytest.mark.parametrize("additive", [False, True])
def test_rows_of_the_matrices_sum_to_one(additive: bool) -> None:
    layer = layer_of(additive=additive)
    maps = layer.weights(torch.randn(2, T, D, dtype=torch.float64), Sight())
    assert maps.shape == (2, H, T, T)
    torch.testing.assert_close(maps.sum(-1), torch.ones(2, H, T, dtype=torch.float64))
    assert not maps.triu(1).any()


@pytest.mark.parametrize("additive", [False, True])
def test_dropout_keeps_the_mean_of_the_rows_and_is_off_in_evaluation(additive: bool) -> None:
    """With values of 1 and an outer product of 1 the output is the sum of a dropped row."""
    layer = layer_of(1, dropout=0.3, additive=additive)
    with torch.no_grad():
        layer.out.weight.fill_(1 / (H * P))
        layer.qkv.weight[-P:] = 0
        layer.qkv.weight[-P:, 0] = 1
    x = torch.randn(1, T, D, dtype=torch.float64)
    x[..., 0] = 1
    sums = layer.train()(x.expand(4_000, T, D), Sight())[..., 0]
    error = sums.std(0) / 4_000**0.5
    assert ((sums.mean(0) - 1).abs() < 4.5 * error + 1e-12).all()
    assert sums.std() > 0.01
    torch.testing.assert_close(layer.eval()(x, Sight())[..., 0], torch.ones_like(x[..., 0]))


def test_additive_scores_of_equal_keys_are_equal_whatever_the_query() -> None:
    score = AdditiveScore(P)
    found = score(torch.randn(1, H, T, P), torch.randn(1, H, 1, P).expand(1, H, 5, P))
    torch.testing.assert_close(found, found[..., :1].expand_as(found))
    weights = functional.softmax(found, -1)
    torch.testing.assert_close(weights, torch.full_like(weights, 0.2))


def test_heads_that_do_not_divide_are_refused() -> None:
    with pytest.raises(ValueError, match="key_value_heads must divide the 4 heads, got 3"):
        CausalSelfAttention(16, heads=4, key_value_heads=3, head_width=4)
