"""Tables of numbers with gaps in scikit-learn's manner: an imputer and a density."""

from typing import Any, Self

import numpy as np
import torch
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, DensityMixin, OneToOneFeatureMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from ancestral.classic.estimators.crossing import (
    Array,
    RandomState,
    array,
    generator,
    tensor,
    value_errors,
)
from ancestral.data.cells import fit_cells
from ancestral.data.columns import Column, Vector
from ancestral.data.notation import decimals, grid
from ancestral.networks.units import InDataUnits
from ancestral.tabular import LatentClass, best_classes

_validate: Any = validate_data  # Its annotations are guessed from defaults, and wrong.


class _Table(BaseEstimator):
    """What both share: latent classes over the cells of the columns, gaps summed out."""

    n_features_in_: int
    model_: InDataUnits
    classes: int | None
    random_state: RandomState

    def fit(self, X: ArrayLike, y: object = None) -> Self:
        """Cut the columns of X [N, D] into cells and fit the classes; NaN is a gap; return self.

        Raises:
            ValueError: If a column holds no value.
        """
        del y
        x = self._rows(X, reset=True)
        source = generator(self.random_state)
        with value_errors():
            cells = fit_cells(tensor(x), Vector(columns=_columns(x), mixed=True))
            y_cells, sizes = cells(tensor(x)), [len(cells.names(i)) for i in range(x.shape[1])]
            count = self.classes or best_classes(y_cells, sizes, generator=source)
            model = LatentClass(sizes, classes=count).fit(y_cells, generator=source)
        self.model_ = InDataUnits(model, cells)
        return self

    def _rows(self, X: ArrayLike, *, reset: bool) -> Array:
        least = 2 if reset else 1
        return _validate(
            self,
            X,
            dtype=np.float64,
            reset=reset,
            ensure_all_finite="allow-nan",
            ensure_min_samples=least,
        )

    def __sklearn_tags__(self) -> Any:  # noqa: ANN401 - scikit-learn's own type
        """Say that rows may have gaps."""
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags


class TabularImputer(OneToOneFeatureMixin, TransformerMixin, _Table):
    """Fills gaps by draws from ``p(missing | known)`` of :class:`~ancestral.tabular.LatentClass`.

    Args:
        classes: Number of classes, at least 1; None: chosen by rows that are held out.
        draws: Draws of each gap, at least 1, of which the mean is taken: 1 keeps the spread of the
            data, many give the mean given what is known.
        random_state: Seed of the starts and of the draws.

    Example:
        >>> X = np.array([[1.0, 2.0], [1.0, np.nan], [3.0, 4.0], [3.0, 4.0]])
        >>> bool(np.isnan(TabularImputer(random_state=0).fit_transform(X)).any())
        False
    """

    def __init__(
        self,
        classes: int | None = None,
        *,
        draws: int = 1,
        random_state: RandomState = None,
    ) -> None:
        self.classes = classes
        self.draws = draws
        self.random_state = random_state

    def transform(self, X: ArrayLike) -> Array:
        """Return X [N, D] with its gaps filled."""
        check_is_fitted(self)
        if self.draws < 1:
            raise ValueError(f"draws must be at least 1, got {self.draws}")
        x = tensor(self._rows(X, reset=False))
        many, source = x.repeat(self.draws, 1), generator(self.random_state)
        filled = self.model_.complete(many, ~many.isnan(), generator=source)
        return array(filled.view(self.draws, *x.shape).mean(dim=0).where(x.isnan(), x))


class TabularDensity(DensityMixin, _Table):
    """Probability of recorded rows under :class:`~ancestral.tabular.LatentClass`.

    A value counts with the mass of its step: the recorded decimals of its column, or a thousand
    millionth of the range. What is missing in a row is summed out; outside the range of the rows
    that were fitted the probability is 0.

    Args:
        classes: Number of classes, at least 1; None: chosen by rows that are held out.
        random_state: Seed of the starts and of the draws.

    Example:
        >>> X = np.random.default_rng(0).normal(size=(100, 2)).round(1)
        >>> TabularDensity(random_state=0).fit(X).score_samples(X).shape
        (100,)
    """

    def __init__(self, classes: int | None = None, *, random_state: RandomState = None) -> None:
        self.classes = classes
        self.random_state = random_state

    def score_samples(self, X: ArrayLike) -> Array:
        """Return the log-probability of each row of X [N, D], nats, [N]."""
        check_is_fitted(self)
        x = tensor(self._rows(X, reset=False))
        columns = self.model_.table.field.columns
        ends = torch.tensor([[c.low or 0.0, c.high or 0.0] for c in columns], dtype=x.dtype)
        outside = ((x < ends[:, 0]) | (x > ends[:, 1])).any(dim=1)
        return array(self.model_.log_prob(x).masked_fill(outside, -np.inf))

    def score(self, X: ArrayLike, y: object = None) -> float:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Return the mean log-probability of the rows of X [N, D], nats."""
        del y
        return float(np.mean(self.score_samples(X)))

    def sample(self, n_samples: int = 1) -> Array:
        """Return draws [n_samples, D]."""
        check_is_fitted(self)
        return array(self.model_.sample(n_samples, generator=generator(self.random_state)))


def _columns(x: Array) -> tuple[Column, ...]:
    """Return the columns of rows [N, D], each with the step at which it was recorded."""
    found = []
    for index, cells in enumerate(x.T, start=1):
        values = np.unique(cells[~np.isnan(cells)] + 0.0)
        if not len(values):
            raise ValueError(f"column {index} holds no value")
        step = float(grid(values, decimals(values)))
        low, high = float(values[0]), float(values[-1])
        found.append(Column(name=f"x{index}", resolution=step, low=low, high=high))
    return tuple(found)
