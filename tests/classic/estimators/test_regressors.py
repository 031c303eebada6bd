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
