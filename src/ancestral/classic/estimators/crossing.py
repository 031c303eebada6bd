"""From NumPy to torch and back, and from this library's errors to those of scikit-learn."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, is_regressor
from sklearn.utils.validation import (
    _check_sample_weight,
    check_is_fitted,
    check_random_state,
    validate_data,
)
from torch import Generator, Tensor

from ancestral.errors import AncestralError

Array: TypeAlias = NDArray[np.float64]
RandomState: TypeAlias = int | np.random.RandomState | None

# Annotations of both are guessed from defaults, and wrong.
_validate: Any = validate_data
_weigh: Any = _check_sample_weight


def new_rows(estimator: BaseEstimator, x: ArrayLike) -> Array:
    """Return the rows [N, D] of a fit, float64 and finite, at least two; note their columns."""
    return _validate(estimator, x, dtype=np.float64, ensure_min_samples=2)


def new_weighted_rows(
    estimator: BaseEstimator, x: ArrayLike, weight: ArrayLike | None
) -> tuple[Array, Array]:
    """Return the same and their weights [N], 1 if there are none, without rows of weight 0."""
    found = new_rows(estimator, x)
    weights = _weigh(weight, found, dtype=np.float64, ensure_non_negative=True)
    kept = weights > 0
    return found[kept], weights[kept]


def new_examples(
    estimator: BaseEstimator,
    x: ArrayLike,
    y: ArrayLike,
    weight: ArrayLike | None = None,
    *,
    words: bool = False,
) -> tuple[NDArray, NDArray, Array | None]:
    """Return the rows [N, D], targets [N] and weights [N] of a fit, without rows of weight 0.

    Targets are numbers for a regressor; rows are numbers, or as they are where they may be words.
    """
    rows, targets = _validate(
        estimator,
        x,
        y,
        dtype=None if words else np.float64,
        y_numeric=is_regressor(estimator),
        ensure_min_samples=2,
    )
    if weight is None:
        return rows, targets, None
    weights = _weigh(weight, rows, dtype=np.float64, ensure_non_negative=True)
    kept = weights > 0
    return rows[kept], targets[kept], weights[kept]


def rows(estimator: BaseEstimator, x: ArrayLike) -> Tensor:
    """Return rows [N, D] for a fitted estimator, with the columns it was fitted on."""
    check_is_fitted(estimator)
    return tensor(_validate(estimator, x, dtype=np.float64, reset=False))


def words(estimator: BaseEstimator, x: ArrayLike) -> NDArray:
    """Return the same as they are: numbers or words."""
    check_is_fitted(estimator)
    return _validate(estimator, x, dtype=None, reset=False)


def tensor(x: NDArray) -> Tensor:
    """Return a copy of an array: a view of memory that may not be written is a warning."""
    return torch.tensor(x)


def array(x: Tensor) -> Array:
    """Return the values of a tensor."""
    return x.detach().cpu().numpy()


def generator(random_state: RandomState) -> Generator:
    """Return a generator seeded from scikit-learn's kind of seed."""
    seed = check_random_state(random_state).randint(np.iinfo(np.int32).max)
    return Generator().manual_seed(int(seed))


@contextmanager
def value_errors() -> Iterator[None]:
    """Raise what a user can mend as the ValueError that scikit-learn's tools expect."""
    try:
        yield
    except AncestralError as error:
        raise ValueError(str(error)) from error
