import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Generator, Tensor
from torch.nn import functional

from ancestral.estimation.cross_entropy import linear_cross_entropy, token_cross_entropy

Draws = tuple[Tensor, Tensor, Tensor, Tensor]


def draws(rows: int, vocabulary: int = 11, seed: int = 0, scale: float = 1.0) -> Draws:
    generator = Generator().manual_seed(seed)
    features = scale * torch.randn(rows, 5, generator=generator, dtype=torch.float64)
    weight = torch.randn(vocabulary, 5, generator=generator, dtype=torch.float64)
    bias = torch.randn(vocabulary, generator=generator, dtype=torch.float64)
    targets = torch.randint(-1, vocabulary, (rows,), generator=generator)
    return features.requires_grad_(), weight.requires_grad_(), bias.requires_grad_(), targets


def usual(features: Tensor, weight: Tensor, bias: Tensor, targets: Tensor) -> Tensor:
    logits = functional.linear(features, weight, bias)
    return functional.cross_entropy(logits, targets, ignore_index=-1, reduction="sum")


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 40), st.integers(1, 50), st.integers(0, 2**31), st.booleans())
def test_loss_and_gradients_are_those_of_the_usual_way(
    rows: int, chunk: int, seed: int, with_bias: bool
) -> None:
    features, weight, bias, targets = draws(rows, seed=seed)
    given_bias = bias if with_bias else None
    inputs = [features, weight, *([bias] if with_bias else [])]
    found = linear_cross_entropy(features, weight, targets, bias=given_bias, chunk=chunk)
    expected = usual(features, weight, bias if with_bias else torch.zeros_like(bias), targets)
    torch.testing.assert_close(found.total, expected, rtol=1e-12, atol=1e-12)
    assert float(found.weight) == float((targets >= 0).sum())
    got = torch.autograd.grad(found.total / 7, inputs)
    want = torch.autograd.grad(expected / 7, inputs)
    for mine, theirs in zip(got, want, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-10, atol=1e-12)


def test_the_gradient_is_that_of_finite_differences() -> None:
    features, weight, bias, targets = draws(7)
    shares = torch.rand(7, dtype=torch.float64)

    def loss(f: Tensor, w: Tensor, b: Tensor) -> Tensor:
        return linear_cross_entropy(f, w, targets, bias=b, shares=shares, chunk=3).total

    inputs = [features, weight, bias]
    for place, gradient in enumerate(torch.autograd.grad(loss(*inputs), inputs)):
        for cell in range(inputs[place].numel()):
            ends = []
            for sign in (1, -1):
                moved = [t.detach().clone() for t in inputs]
                moved[place].view(-1)[cell] += sign * 1e-6
                ends.append(float(loss(*moved)))
            # The error of a central difference: h^2 of a third derivative below 10, and rounding.
            assert float(gradient.flatten()[cell]) == pytest.approx(
                (ends[0] - ends[1]) / 2e-6, abs=1e-8
            )
    assert torch.autograd.gradcheck(
        lambda f, w, b: token_cross_entropy(f, w, targets, bias=b, chunk=3),
        (features, weight, bias),
    )


def test_only_what_needs_a_gradient_gets_one() -> None:
    features, weight, _, targets = draws(9)
    frozen = weight.detach()
    total = linear_cross_entropy(features, frozen, targets).total
    (got,) = torch.autograd.grad(total, features)
    (want,) = torch.autograd.grad(
        usual(features, frozen, torch.zeros(11).double(), targets), features
    )
    torch.testing.assert_close(got, want)


def test_shares_weigh_the_tokens() -> None:
    features, weight, bias, _ = draws(6)
    targets, shares = torch.arange(6), torch.tensor([0.5, 0.0, 2.0, 1.0, 1.0, 0.25])
    found = linear_cross_entropy(features, weight, targets, bias=bias, shares=shares, chunk=4)
    each = token_cross_entropy(features, weight, targets, bias=bias)
    torch.testing.assert_close(found.total, (each * shares).sum())
    assert float(found.weight) == 4.75


def test_ignored_tokens_move_nothing_and_a_batch_of_them_is_zero() -> None:
    features, weight, bias, _ = draws(6)
    targets = torch.full((6,), -1)
    found = linear_cross_entropy(features, weight, targets, bias=bias)
    for gradient in torch.autograd.grad(found.total, (features, weight, bias)):
        assert not gradient.any()
    assert (float(found.total.detach()), float(found.weight)) == (0.0, 0.0)
    assert not token_cross_entropy(features, weight, targets, bias=bias).any()


def test_huge_logits_stay_finite() -> None:
    features, weight, bias, targets = draws(6, scale=1e4)
    found = linear_cross_entropy(features, weight, targets, bias=bias)
    torch.testing.assert_close(found.total, usual(features, weight, bias, targets))
    assert found.total.isfinite()


def test_under_autocast_it_is_the_usual_way_rounded() -> None:
    features, weight, _, targets = (t.detach() for t in draws(64, vocabulary=50))
    features, weight = features.float().requires_grad_(), weight.float().requires_grad_()
    exact = linear_cross_entropy(features, weight, targets, chunk=10)
    with torch.autocast("cpu", torch.bfloat16):
        rounded = linear_cross_entropy(features, weight, targets, chunk=10)
    # A logit of size 5 is rounded by at most 2^-8 of itself.
    assert rounded.total.dtype == torch.float32
    torch.testing.assert_close(rounded.total, exact.total, rtol=1e-2, atol=0)
    got = torch.autograd.grad(rounded.total, (features, weight))
    want = torch.autograd.grad(exact.total, (features, weight))
    for mine, theirs in zip(got, want, strict=True):
        assert mine.dtype == torch.float32
        assert float((mine - theirs).norm() / theirs.norm()) < 0.02


def test_the_logits_are_never_held_all_at_once() -> None:
    features, weight, _, targets = draws(64)
    most = 0

    class Watch(torch.overrides.TorchFunctionMode):
        def __torch_function__(self, function, types, args=(), kwargs=None):  # noqa: ANN001, ANN204
            nonlocal most
            found = function(*args, **(kwargs or {}))
            if isinstance(found, Tensor) and found.shape[-1:] == (11,) and found.ndim == 2:
                most = max(most, len(found))
            return found

    with Watch():
        linear_cross_entropy(features, weight, targets.clamp(min=0), chunk=8)
    assert most == 8


@pytest.mark.parametrize("loss", [linear_cross_entropy, token_cross_entropy])
def test_what_does_not_fit_is_refused(loss) -> None:  # noqa: ANN001
    features, weight, _, targets = draws(6)
    with pytest.raises(ValueError, match=r"must fit, got \[6, 5\], \[5\] and \[11, 5\]"):
        loss(features, weight, targets[:5])
    with pytest.raises(ValueError, match="chunk must be at least 1, got 0"):
        loss(features, weight, targets, chunk=0)


def test_a_second_backward_is_refused() -> None:
    features, weight, _, targets = draws(6)
    total = linear_cross_entropy(features, weight, targets).total
    torch.autograd.grad(total, features, retain_graph=True)
    with pytest.raises(RuntimeError, match="differentiated twice"):
        torch.autograd.grad(total, features)


def test_half_precision_holds_the_gradient_of_many_tokens() -> None:
    features, weight = torch.randn(8, 4), torch.zeros(70_000, 4)
    inputs = features.requires_grad_(), weight.requires_grad_()
    with torch.autocast("cpu", dtype=torch.float16):
        rounded = linear_cross_entropy(*inputs, torch.arange(8)).total
    got = torch.autograd.grad(rounded, inputs)
    want = torch.autograd.grad(linear_cross_entropy(*inputs, torch.arange(8)).total, inputs)
    for mine, theirs in zip(got, want, strict=True):
        torch.testing.assert_close(mine, theirs, atol=2e-3, rtol=2e-3)


def test_a_token_without_a_share_counts_for_nothing_whatever_its_logits() -> None:
    features, weight = torch.tensor([[1.0, 0.0], [3e38, 0.0]]), torch.tensor([[1.0, 0], [-1.0, 0]])
    shares = torch.tensor([1.0, 0.0])
    found = linear_cross_entropy(features, weight, torch.tensor([0, 1]), shares=shares)
    alone = linear_cross_entropy(features[:1], weight, torch.tensor([0]))
    assert found == alone
