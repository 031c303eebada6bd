import numpy as np
import pytest
from sklearn import naive_bayes as peers
from sklearn.datasets import load_digits, load_iris, load_wine
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import OrdinalEncoder

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
    for hidden, message in (
        ((0,), "hidden must be at least 1, got 0"),
        ((2.5,), "hidden must be a whole number, got 2.5"),
        (8, "hidden must be a sequence of widths, got 8"),
    ):
        with pytest.raises(ValueError, match=message):
            MLPClassifier(hidden).fit(x, y)
    with pytest.raises(ValueError, match="alpha must be at least 0, got -1"):
        MLPClassifier(alpha=-1).fit(x, y)
    with pytest.raises(ValueError, match="iterations must be at least 1, got 0"):
        MLPClassifier(iterations=0).fit(x, y)
    with pytest.raises(ValueError, match="smoothing must be finite, got inf"):
        NaiveBayesClassifier(smoothing=np.inf).fit(x, y)
    with pytest.raises(ValueError, match="C must be a number, got 'a'"):
        LogisticClassifier("a").fit(x, y)
    with pytest.raises(ValueError, match=r"(?i)sample.weight.* non-zero"):
        NaiveBayesClassifier().fit(x, y, np.zeros(len(x)))
    with pytest.raises(ValueError, match="C must be above 0, got 0"):
        LogisticClassifier(C=0).fit(x, y)
    with pytest.raises(ValueError, match="at least 2 classes, got 1 class"):
        MLPClassifier().fit(x, np.zeros(len(x)))
    with pytest.raises(ValueError, match="Negative values in data"):
        NaiveBayesClassifier("multinomial").fit(-x, y)
    constant = np.zeros((4, 1))
    with pytest.raises(ValueError, match="constant within a label"):
        NaiveBayesClassifier(smoothing=0.0).fit(constant, [0, 1, 0, 1])


def weights(n: int) -> np.ndarray:
    """Return weights of 0 to 3, in quarters."""
    return np.random.default_rng(0).integers(0, 13, n) / 4


@pytest.mark.parametrize("family", ["gaussian", "multinomial", "bernoulli", "categorical"])
def test_weighted_naive_bayes_equals_sklearn(family: str) -> None:
    x, y = load_iris(return_X_y=True)
    weight = weights(len(x))
    kept = weight > 0
    peer = {
        "gaussian": peers.GaussianNB(),
        "multinomial": peers.MultinomialNB(),
        "bernoulli": peers.BernoulliNB(binarize=0.0),
        "categorical": peers.CategoricalNB(),
    }[family]
    data = x - x.mean(axis=0) if family == "bernoulli" else x
    coded = data
    if family == "categorical":
        # One value is seen only with weight 0: it is the unknown one, and has no count of its own.
        coded = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
        coded = coded.fit(data[kept]).transform(data) + 1
    ours = NaiveBayesClassifier(family).fit(data, y, sample_weight=weight)
    want = peer.fit(coded[kept], y[kept], sample_weight=weight[kept]).predict_log_proba(coded)
    # Both are sums of some ten logs of the same shares; scikit-learn adds its ridge of 1e-9 to
    # variances of all rows, as is done here of those that count.
    np.testing.assert_allclose(ours.predict_log_proba(data), want, atol=1e-8)


def test_words_are_categories() -> None:
    x = np.array([["red", 1], ["red", 2], ["blue", 1], ["blue", 2]], dtype=object)
    y = ["a", "a", "b", "b"]
    model = NaiveBayesClassifier("categorical").fit(x, y)
    np.testing.assert_allclose(model.predict_proba(x[:1])[0], [0.75, 0.25])
    unseen = np.array([["green", 2]], dtype=object)
    np.testing.assert_allclose(model.predict_proba(unseen)[0], [0.5, 0.5])
    words = x.astype(str)
    assert list(NaiveBayesClassifier("categorical").fit(words, y).predict(words)) == y


@pytest.mark.parametrize("classes", [2, 3])
def test_the_weighted_logistic_classifier_equals_sklearn(classes: int) -> None:
    x, y = load_wine(return_X_y=True)
    x = (x - x.mean(axis=0)) / x.std(axis=0)
    x, y = x[y < classes], y[y < classes]
    weight = weights(len(x))
    ours = LogisticClassifier(C=0.5).fit(x, y, weight)
    peer = LogisticRegression(C=0.5, tol=1e-10, max_iter=5000).fit(x, y, weight)
    # scikit-learn stops at a gradient of about 1e-8 to 1e-6; ours goes on to rounding.
    np.testing.assert_allclose(ours.coef_, peer.coef_, atol=1e-5)
    np.testing.assert_allclose(ours.decision_function(x), peer.decision_function(x), atol=1e-4)
