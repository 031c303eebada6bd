import numpy as np
import pytest
from sklearn import naive_bayes as peers
from sklearn.datasets import load_digits, load_iris, load_wine
from sklearn.linear_model import LogisticRegression

from ancestral.classic.estimators import LogisticClassifier, MLPClassifier, NaiveBayesClassifier


def test_naive_bayes_equals_sklearn() -> None:
    x, y = load_iris(return_X_y=True)
    names = np.array(["setosa", "versicolor", "virginica"])[y]
    for family, peer, data in (
        ("gaussian", peers.GaussianNB(), x),
        ("multinomial", peers.MultinomialNB(), x),
        ("bernoulli", peers.BernoulliNB(), x - x.mean(axis=0)),
    ):
        ours = NaiveBayesClassifier(family).fit(data, names)
        want = peer.fit(data, names).predict_log_proba(data)
        np.testing.assert_allclose(ours.predict_log_proba(data), want, atol=1e-8)
        assert list(ours.predict(data)) == list(peer.predict(data))


def test_categories_may_be_any_values_and_unseen_ones_are_one_more() -> None:
    x, y = np.array([[1.5, 7], [1.5, 9], [-2.0, 7], [-2.0, 9]]), ["a", "a", "b", "b"]
    model = NaiveBayesClassifier("categorical", smoothing=1.0).fit(x, y)
    # (2 + 1) / (2 + 3) against (0 + 1) / (2 + 3): two categories, and one for the unseen.
    np.testing.assert_allclose(model.predict_proba([[1.5, 7]])[0], [0.75, 0.25])
    np.testing.assert_allclose(model.predict_proba([[99.0, 7]])[0], [0.5, 0.5])


def test_the_logistic_classifier_equals_sklearn() -> None:
    x, y = load_wine(return_X_y=True)
    x = (x - x.mean(axis=0)) / x.std(axis=0)
    ours = LogisticClassifier(C=0.5).fit(x, y)
    peer = LogisticRegression(C=0.5, tol=1e-10, max_iter=5000).fit(x, y)
    np.testing.assert_allclose(ours.predict_proba(x), peer.predict_proba(x), atol=1e-6)
    np.testing.assert_allclose(ours.coef_, peer.coef_, atol=1e-5)


def test_the_network_learns_digits() -> None:
    x, y = load_digits(return_X_y=True)
    model = MLPClassifier((32,), iterations=60, random_state=0).fit(x[:1200], y[:1200])
    assert model.score(x[1200:], y[1200:]) > 0.9
    again = MLPClassifier((32,), iterations=60, random_state=0).fit(x[:1200], y[:1200])
    np.testing.assert_array_equal(model.predict_proba(x), again.predict_proba(x))


def test_mistakes_are_value_errors() -> None:
    x, y = load_iris(return_X_y=True)
    with pytest.raises(ValueError, match="family must be one of gaussian"):
        NaiveBayesClassifier("normal").fit(x, y)
    with pytest.raises(ValueError, match="C must be above 0, got 0"):
        LogisticClassifier(C=0).fit(x, y)
    with pytest.raises(ValueError, match="at least 2 classes, got 1 class"):
        MLPClassifier().fit(x, np.zeros(len(x)))
    with pytest.raises(ValueError, match="Negative values in data"):
        NaiveBayesClassifier("multinomial").fit(-x, y)
    constant = np.zeros((4, 1))
    with pytest.raises(ValueError, match="constant within a label"):
        NaiveBayesClassifier(smoothing=0.0).fit(constant, [0, 1, 0, 1])
