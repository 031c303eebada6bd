import numpy as np
import pytest
from sklearn.datasets import load_diabetes
from sklearn.linear_model import LinearRegression, Ridge

from ancestral.classic.estimators import LinearRegressor, RidgeRegressor


@pytest.mark.parametrize("intercept", [True, False])
def test_both_equal_sklearn(intercept: bool) -> None:
    x, y = load_diabetes(return_X_y=True)
    for ours, peer in (
        (LinearRegressor(fit_intercept=intercept), LinearRegression(fit_intercept=intercept)),
        (RidgeRegressor(0.3, fit_intercept=intercept), Ridge(0.3, fit_intercept=intercept)),
    ):
        ours.fit(x, y)
        peer.fit(x, y)
        np.testing.assert_allclose(ours.coef_, peer.coef_, rtol=1e-8)
        np.testing.assert_allclose(ours.predict(x), peer.predict(x), rtol=1e-9)
        assert ours.score(x, y) == pytest.approx(peer.score(x, y))


def test_mistakes_are_value_errors() -> None:
    with pytest.raises(ValueError, match="penalty must be at least 0, got -1"):
        RidgeRegressor(-1.0).fit([[0.0], [1.0]], [0.0, 1.0])


@pytest.mark.parametrize("intercept", [True, False])
def test_both_equal_sklearn_with_weights(intercept: bool) -> None:
    x, y = load_diabetes(return_X_y=True)
    weight = np.random.default_rng(0).integers(0, 13, len(x)) / 4
    for ours, peer in (
        (LinearRegressor(fit_intercept=intercept), LinearRegression(fit_intercept=intercept)),
        (RidgeRegressor(0.3, fit_intercept=intercept), Ridge(0.3, fit_intercept=intercept)),
    ):
        ours.fit(x, y, sample_weight=weight)
        peer.fit(x, y, sample_weight=weight)
        # Condition number about 20: rounding of 1e-16 grows by its square at most.
        np.testing.assert_allclose(ours.coef_, peer.coef_, rtol=1e-8)
        np.testing.assert_allclose(ours.predict(x), peer.predict(x), rtol=1e-9)


@pytest.mark.parametrize(("value", "rule"), [(np.inf, "finite"), (np.nan, "finite")])
def test_a_penalty_is_finite(value: float, rule: str) -> None:
    with pytest.raises(ValueError, match=f"penalty must be {rule}, got {value}"):
        RidgeRegressor(value).fit([[0.0], [1.0]], [0.0, 1.0])
