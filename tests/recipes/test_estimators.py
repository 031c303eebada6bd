"""The faces of tables for scikit-learn."""

import numpy as np
import pytest
from sklearn.base import BaseEstimator
from sklearn.utils.estimator_checks import parametrize_with_checks

from ancestral.recipes.estimators import TabularDensity, TabularImputer


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
@parametrize_with_checks(
    [
        TabularImputer(2, random_state=0),
        TabularImputer(draws=3, random_state=0),
        TabularDensity(2, random_state=0),
        TabularDensity(random_state=0),
    ]
)
def test_check_estimator(estimator: BaseEstimator, check: object) -> None:
    check(estimator)  # pyright: ignore[reportCallIssue]


def pairs(n: int) -> np.ndarray:
    """Rows of which the second column is ten times the first, 0 to 4."""
    first = np.random.default_rng(0).integers(0, 5, n).astype(float)
    return np.stack((first, 10 * first), axis=1)


def test_gaps_are_filled_by_what_goes_with_the_rest() -> None:
    x = pairs(500)
    holes = x.copy()
    holes[::5, 1] = np.nan
    filled = TabularImputer(8, random_state=0).fit_transform(holes)
    assert np.mean(filled[::5, 1] == x[::5, 1]) > 0.9
    assert np.array_equal(filled[1::5], x[1::5])


def test_the_density_is_a_probability_of_what_can_be_recorded() -> None:
    x = pairs(400)
    density = TabularDensity(8, random_state=0).fit(x)
    every = np.array([[a, b] for a in range(5) for b in range(41)], dtype=float)
    assert np.exp(density.score_samples(every)).sum() == pytest.approx(1)
    assert density.score_samples([[9.0, 0.0]])[0] == -np.inf
    assert density.score_samples([[1.0, np.nan]])[0] == pytest.approx(np.log(0.2), abs=0.3)
    assert density.sample(7).shape == (7, 2)


def test_a_column_without_a_value_is_named() -> None:
    with pytest.raises(ValueError, match="column 2 holds no value"):
        TabularImputer().fit([[1.0, np.nan], [2.0, np.nan]])
