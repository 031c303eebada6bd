"""Classifiers: naive Bayes, logistic regression and a network."""

from collections.abc import Sequence
from typing import Any, Literal, Self, TypeAlias

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.preprocessing import OrdinalEncoder
from sklearn.utils import Tags
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_non_negative
from torch import Tensor, nn
from torch.distributions import Categorical

from ancestral.classic.classifier import Classifier
from ancestral.classic.estimators.crossing import (
    Array,
    RandomState,
    array,
    generator,
    new_examples,
    rows,
    tensor,
    value_errors,
    words,
)
from ancestral.classic.families import (
    Bernoullis,
    Categoricals,
    DiagonalGaussians,
    Family,
    Multinomials,
)
from ancestral.classic.logistic import LogisticRegression
from ancestral.classic.naive_bayes import NaiveBayes
from ancestral.classic.optimum import Objective, Vector, descend
from ancestral.networks.arguments import check_number, check_whole

FamilyName: TypeAlias = Literal["gaussian", "bernoulli", "multinomial", "categorical"]


class _Classifier(ClassifierMixin, BaseEstimator):
    """What all share: labels of any kind, and the posterior that a model returns."""

    classes_: NDArray
    model_: Any

    def predict_log_proba(self, X: ArrayLike) -> Array:
        """Return the log-probability of each label for each row of X [N, D], nats, [N, K]."""
        x = self._rows(X)
        with value_errors(), torch.no_grad():
            return array(self._posterior(x).logits)

    def predict_proba(self, X: ArrayLike) -> Array:
        """Return the probability of each label for each row of X [N, D], [N, K]."""
        return np.exp(self.predict_log_proba(X))

    def predict(self, X: ArrayLike) -> NDArray:
        """Return the likeliest label of each row of X [N, D], [N]."""
        best = self.predict_log_proba(X).argmax(axis=1)
        return self.classes_[best]

    def _posterior(self, x: Tensor) -> Categorical:
        return self.model_.posterior(x)

    def _rows(self, x: ArrayLike) -> Tensor:
        return rows(self, x)

    def _labels(self, targets: NDArray, least: int = 1) -> Tensor:
        """Return the labels as numbers from 0."""
        check_classification_targets(targets)
        self.classes_, label = np.unique(targets, return_inverse=True)
        if len(self.classes_) < least:
            raise ValueError(f"y must have at least {least} classes, got 1 class")
        return tensor(label)


class NaiveBayesClassifier(_Classifier):
    """:class:`~ancestral.classic.naive_bayes.NaiveBayes` for scikit-learn.

    Args:
        family: Of the columns: ``"gaussian"``; ``"bernoulli"``, of whether a value is above 0;
            ``"multinomial"``, counts; ``"categorical"``, numbers or words, where a value that was
            not seen in the fit counts as a category of its own.
        smoothing: Of the family; None: 1e-9 of the largest variance, or 1 count.

    Example:
        >>> X, y = np.array([[0.0], [1.0], [4.0], [5.0]]), ["a", "a", "b", "b"]
        >>> NaiveBayesClassifier().fit(X, y).predict([[4.4]]).tolist()
        ['b']
    """

    def __init__(self, family: FamilyName = "gaussian", *, smoothing: float | None = None) -> None:
        self.family: FamilyName = family
        self.smoothing = smoothing

    def fit(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Fit by counting to X [N, D] and labels y [N], weighted by [N]; return self."""
        categorical = self.family == "categorical"
        x, targets, weight = new_examples(self, X, y, sample_weight, words=categorical)
        label = self._labels(targets)
        if self.family == "multinomial":
            check_non_negative(x, "NaiveBayesClassifier (input X)")
        if categorical:
            self.encoder_ = OrdinalEncoder(
                handle_unknown="use_encoded_value", unknown_value=-1
            ).fit(x)
        weights = None if weight is None else tensor(weight)
        with value_errors():
            model = NaiveBayes(self._family(x.shape[1]))
            given = {"label": label}
            self.model_ = model.fit(self._coded(x), given=given, weights=weights)
        return self

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        counts = self.family == "multinomial"
        tags.input_tags.positive_only = counts
        if tags.classifier_tags is not None:
            tags.classifier_tags.poor_score = counts  # Only shares count, not sizes.
        return tags

    def _rows(self, x: ArrayLike) -> Tensor:
        if self.family == "categorical":
            return self._coded(words(self, x))
        return self._coded(array(rows(self, x)))

    def _family(self, features: int) -> Family:
        """Return the unfitted family."""
        kinds: dict[str, Any] = {
            "gaussian": DiagonalGaussians,
            "bernoulli": Bernoullis,
            "multinomial": Multinomials,
            "categorical": Categoricals,
        }
        if self.family not in kinds:
            raise ValueError(f"family must be one of {', '.join(kinds)}, got {self.family!r}")
        usual = 1e-9 if self.family == "gaussian" else 1.0
        columns: int | list[int] = features
        if self.family == "categorical":
            columns = [len(seen) + 1 for seen in self.encoder_.categories_]
        smoothing = usual if self.smoothing is None else self.smoothing
        return kinds[self.family](len(self.classes_), columns, smoothing=smoothing)

    def _coded(self, x: NDArray) -> Tensor:
        """Return rows as the family has them."""
        if self.family == "bernoulli":
            return tensor((x > 0).astype(np.float64))
        if self.family == "categorical":
            # The category 0 is for what was not seen.
            return tensor(self.encoder_.transform(x)).long() + 1
        return tensor(x)


class LogisticClassifier(_Classifier):
    """:class:`~ancestral.classic.logistic.LogisticRegression` for scikit-learn.

    Args:
        C: One over the penalty, > 0; infinite for none.

    Example:
        >>> X, y = np.array([[0.0], [1.0], [4.0], [5.0]]), ["a", "a", "b", "b"]
        >>> LogisticClassifier().fit(X, y).predict([[4.4]]).tolist()
        ['b']
    """

    def __init__(self, C: float = 1.0) -> None:
        self.C = C

    def fit(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Fit to the optimum for X [N, D] and labels y [N], weighted by [N]; return self."""
        check_number("C", self.C, above=True, finite=False)
        x, targets, weight = new_examples(self, X, y, sample_weight)
        label = self._labels(targets, least=2)
        weights = None if weight is None else tensor(weight)
        with value_errors():
            model = LogisticRegression(x.shape[1], len(self.classes_), penalty=1 / self.C)
            self.model_ = model.fit(tensor(x), given={"label": label}, weights=weights)
        self.coef_ = array(self.model_.weight)
        self.intercept_ = array(self.model_.bias)
        return self

    def decision_function(self, X: ArrayLike) -> Array:
        """Return the logits of X [N, D]: [N, K], or [N], the log-odds of the second of two."""
        logits = array(self._rows(X)) @ self.coef_.T + self.intercept_
        return logits[:, 0] if len(self.classes_) == 2 else logits


class MLPClassifier(_Classifier):
    """:class:`~ancestral.classic.classifier.Classifier` for scikit-learn.

    All examples are in every step, by L-BFGS: for tables and small images. Larger data are
    trained in batches by the library's own loop. Columns are standardised inside.

    Args:
        hidden: Widths of the hidden layers.
        alpha: Penalty on half the squared weights against the sum of -log p(label | x).
        iterations: Most steps.
        random_state: Seed of the initial weights.

    Example:
        >>> X, y = np.array([[0.0], [1.0], [4.0], [5.0]]), ["a", "b", "b", "a"]
        >>> MLPClassifier((8,), random_state=0).fit(X, y).predict(X).tolist()
        ['a', 'b', 'b', 'a']
    """

    def __init__(
        self,
        hidden: Sequence[int] = (64,),
        *,
        alpha: float = 1e-2,
        iterations: int = 200,
        random_state: RandomState = None,
    ) -> None:
        self.hidden = hidden
        self.alpha = alpha
        self.iterations = iterations
        self.random_state = random_state

    def fit(self, X: ArrayLike, y: ArrayLike) -> Self:
        """Train on X [N, D] and labels y [N]; return self."""
        check_number("alpha", self.alpha)
        check_whole("iterations", self.iterations)
        found, targets, _ = new_examples(self, X, y)
        x, label = tensor(found), self._labels(targets, least=2)
        self.centre_, scale = array(x.mean(dim=0)), x.std(dim=0, correction=0)
        self.scale_ = array(torch.where(scale > 0, scale, 1.0))
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(generator(self.random_state).initial_seed())
            model = Classifier(x.shape[1:], len(self.classes_), hidden=self.hidden).double()
        objective = _objective(model, self._scaled(x), label, self.alpha / len(x))
        start = nn.utils.parameters_to_vector(model.parameters())
        end = descend(objective, array(start), iterations=self.iterations, tolerance=1e-6)
        nn.utils.vector_to_parameters(torch.from_numpy(end), model.parameters())
        self.model_ = model.requires_grad_(False)
        return self

    def _posterior(self, x: Tensor) -> Categorical:
        return self.model_(self._scaled(x))

    def _scaled(self, x: Tensor) -> Tensor:
        return (x - tensor(self.centre_)) / tensor(self.scale_)


def _objective(model: Classifier, x: Tensor, label: Tensor, penalty: float) -> Objective:
    """Return the mean of -log p(label | x) plus the penalty, as a function of all weights."""
    parameters = list(model.parameters())
    weights = [parameter for parameter in parameters if parameter.ndim > 1]

    def objective(point: Vector) -> tuple[float, Vector]:
        nn.utils.vector_to_parameters(torch.from_numpy(point), parameters)
        loss = -model(x).log_prob(label).mean()
        loss = loss + 0.5 * penalty * torch.stack([w.square().sum() for w in weights]).sum()
        gradients = torch.autograd.grad(loss, parameters)
        return loss.item(), array(nn.utils.parameters_to_vector(gradients))

    return objective
