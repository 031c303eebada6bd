import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression as Peer
from torch import Tensor

from ancestral.classic.logistic import LogisticRegression
from ancestral.errors import CapabilityError, DataError


def data(classes: int, n: int = 300, features: int = 5) -> tuple[Tensor, Tensor]:
    x = torch.randn(n, features, dtype=torch.float64)
    logits = x @ torch.randn(features, classes).double()
    label = torch.distributions.Categorical(logits=logits).sample()
    return x * torch.tensor([1.0, 10.0, 0.1, 1.0, 3.0])[:features] + 5, label


@pytest.mark.parametrize("classes", [2, 3, 6])
@pytest.mark.parametrize("penalty", [0.01, 1.0, 30.0])
def test_equals_sklearn(classes: int, penalty: float) -> None:
    x, label = data(classes)
    model = LogisticRegression(5, classes, penalty=penalty).fit(x, given={"label": label})
    peer = Peer(C=1 / penalty, tol=1e-10, max_iter=10_000, solver="newton-cholesky")
    peer.fit(x.numpy(), label.numpy())
    want = torch.from_numpy(peer.predict_proba(x.numpy()))
    torch.testing.assert_close(model(x).probs, want, rtol=0, atol=1e-6)
    np.testing.assert_allclose(model.weight, peer.coef_, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("classes", [2, 4])
def test_the_gradient_is_zero_at_the_optimum(classes: int) -> None:
    x, label = data(classes)
    model = LogisticRegression(5, classes, penalty=2.0).fit(x, given={"label": label})
    weight, bias = model.weight.requires_grad_(), model.bias.requires_grad_()
    objective = -model(x).log_prob(label).sum() + weight.square().sum()
    for gradient in torch.autograd.grad(objective, (weight, bias)):
        # Of sums over 300 examples of size up to 40.
        torch.testing.assert_close(gradient, torch.zeros_like(gradient), rtol=0, atol=1e-6)


def test_without_a_penalty_it_is_maximum_likelihood() -> None:
    x, label = data(3)
    model = LogisticRegression(5, 3, penalty=0.0).fit(x, given={"label": label})
    # Where b is free, the mean probability of a class is its frequency.
    frequencies = torch.bincount(label, minlength=3).double() / len(x)
    torch.testing.assert_close(model(x).probs.mean(0), frequencies, rtol=0, atol=1e-6)


def test_separable_labels_end_finite() -> None:
    x = torch.tensor([[0.0], [1.0], [2.0], [3.0]])
    label = torch.tensor([0, 0, 1, 1])
    model = LogisticRegression(1, 2, penalty=0.0).fit(x, given={"label": label})
    assert model.weight.isfinite().all()
    assert torch.equal(model(x).probs.argmax(1), label)


def test_constant_columns_and_absent_classes() -> None:
    x, label = data(2)
    x[:, 0] = 7.0
    model = LogisticRegression(5, 3).fit(x, given={"label": label})
    assert model(x).probs.isfinite().all()
    assert model(x).probs[:, 2].max() < 1e-3


def test_mistakes_are_named() -> None:
    with pytest.raises(ValueError, match="classes must be at least 2, got 1"):
        LogisticRegression(2, 1)
    with pytest.raises(ValueError, match="label must be from 0 to 1, got 5"):
        LogisticRegression(2, 2).fit(torch.zeros(2, 2), given={"label": torch.tensor([0, 5])})
    with pytest.raises(ValueError, match=r"label must have shape \[2\], got \[3\]"):
        LogisticRegression(2, 2).fit(torch.zeros(2, 2), given={"label": torch.tensor([0, 1, 1])})
    with pytest.raises(ValueError, match="given must have the label"):
        LogisticRegression(2, 2).fit(torch.zeros(2, 2))
    with pytest.raises(CapabilityError, match="only label can be given"):
        LogisticRegression(2, 2).fit(torch.zeros(2, 2), given={"side": torch.zeros(2)})
    x = torch.tensor([[0.0], [torch.nan]])
    with pytest.raises(DataError, match="NaN or infinity in row 2"):
        LogisticRegression(1, 2).fit(x, given={"label": torch.tensor([0, 1])})
