import math

import numpy as np
import pytest
import torch
from scipy.optimize import minimize
from sklearn.linear_model import LinearRegression as Peer
from sklearn.linear_model import Ridge
from torch import Tensor

from ancestral.classic.linear import LinearRegression, least_squares
from ancestral.errors import DataError
from ancestral.networks import BayesianNetwork, Node, StandardNormal


def data(n: int = 80, features: int = 4) -> tuple[Tensor, Tensor]:
    x = torch.randn(n, features, dtype=torch.float64) + 3
    y = x @ torch.arange(1.0, features + 1).double() - 2 + 0.3 * torch.randn(n).double()
    return x, y


def test_maximum_likelihood_equals_least_squares() -> None:
    x, y = data()
    model = LinearRegression(4).fit(x, y)
    peer = Peer().fit(x.numpy(), y.numpy())
    np.testing.assert_allclose(model.weight, peer.coef_, atol=1e-10)
    assert model.bias.item() == pytest.approx(peer.intercept_, abs=1e-9)
    design = torch.cat((x, torch.ones(80, 1).double()), dim=1)
    theta = torch.linalg.solve(design.T @ design, design.T @ y)  # (X'X)^-1 X'Y, ML-09.
    torch.testing.assert_close(torch.cat((model.weight, model.bias[None])), theta)
    plain = LinearRegression(5, intercept=False).fit(design, y)
    torch.testing.assert_close(plain.weight, theta)


def test_dependent_columns_take_the_pseudo_inverse() -> None:
    x, y = data()
    x = torch.cat((x, x[:, :1] - 2 * x[:, 1:2]), dim=1)
    got = least_squares(x, y)
    want = np.linalg.pinv(x.numpy(), rcond=1e-13) @ y.numpy()
    np.testing.assert_allclose(got, want, atol=1e-10)
    few = least_squares(x[:3], y[:3])
    np.testing.assert_allclose(few, np.linalg.pinv(x[:3].numpy()) @ y[:3].numpy(), atol=1e-10)
    torch.testing.assert_close(x[:3] @ few, y[:3])


@pytest.mark.parametrize("penalty", [0.1, 1.0, 100.0])
def test_ridge_equals_sklearn(penalty: float) -> None:
    x, y = data()
    model = LinearRegression(4, penalty=penalty).fit(x, y)
    peer = Ridge(alpha=penalty, tol=1e-14).fit(x.numpy(), y.numpy())
    np.testing.assert_allclose(model.weight, peer.coef_, atol=1e-9)
    assert model.bias.item() == pytest.approx(peer.intercept_, abs=1e-8)


def test_the_penalty_is_the_ratio_of_the_variances() -> None:
    # lambda = s^2 / t^2: the mode of the posterior, found by numbers, is the ridge (ML-09).
    x, y = data()
    model = LinearRegression(4, penalty=20.0).fit(x, y)
    noise, prior = model.scale.item(), model.prior_scale
    assert noise**2 / prior**2 == pytest.approx(20.0)

    def negative_log_posterior(theta: np.ndarray) -> float:
        weight, bias = torch.from_numpy(theta[:4]), theta[4]
        likelihood = torch.distributions.Normal(x @ weight + bias, noise).log_prob(y).sum()
        return -float(likelihood + torch.distributions.Normal(0.0, prior).log_prob(weight).sum())

    found = minimize(negative_log_posterior, np.zeros(5), method="BFGS", options={"gtol": 1e-4})
    np.testing.assert_allclose(model.weight, found.x[:4], atol=1e-5)
    assert LinearRegression(4).prior_scale == math.inf


def test_the_scale_is_the_maximum_of_the_likelihood() -> None:
    x, y = data()
    model = LinearRegression(4).fit(x, y)
    residuals = y - model(x).mean
    assert model.scale.item() == pytest.approx(residuals.square().mean().sqrt().item())
    best = model(x).log_prob(y).mean()
    for factor in (0.99, 1.01):  # With divisor N - 1 one of these would be better.
        model.scale.mul_(factor)
        assert model(x).log_prob(y).mean() < best
        model.scale.div_(factor)


def test_it_is_a_conditional_of_a_network() -> None:
    x, y = data()
    model = LinearRegression(4).fit(x, y)
    network = BayesianNetwork(
        [Node("x", StandardNormal((4,)).double(), event_shape=(4,)), Node("y", model, ("x",))]
    )
    assert network.sample(6)["y"].shape == (6,)
    joint = network.log_prob({"x": x, "y": y})
    prior = torch.distributions.Normal(0, 1).log_prob(x).sum(1)
    torch.testing.assert_close(joint - prior, model(x).log_prob(y))
    assert model.graph["p"].edges == (("x", "y"),)


def test_a_perfect_fit_keeps_a_density() -> None:
    x = torch.randn(5, 7)
    model = LinearRegression(7).fit(x, x.sum(1))
    assert model(x).log_prob(x.sum(1)).isfinite().all()
    constant = LinearRegression(7).fit(x, torch.zeros(5))
    assert constant(x).log_prob(torch.zeros(5, dtype=torch.float64)).isfinite().all()


def test_mistakes_are_named() -> None:
    with pytest.raises(ValueError, match="penalty must be at least 0, got -1"):
        LinearRegression(2, penalty=-1)
    with pytest.raises(ValueError, match="features must be at least 1, got 0"):
        LinearRegression(0)
    with pytest.raises(ValueError, match="as many rows as x, 3, got 2"):
        LinearRegression(2).fit(torch.zeros(3, 2), torch.zeros(2))
    with pytest.raises(DataError, match="every y must be finite"):
        LinearRegression(2).fit(torch.zeros(3, 2), torch.full((3,), torch.nan))
    with pytest.raises(ValueError, match=r"x must end in 2 columns, got \[4, 3\]"):
        LinearRegression(2)(torch.zeros(4, 3))
