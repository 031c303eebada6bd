"""Gradient-boosted trees on mixed rows: are samples told from real rows, and what do they teach?"""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Generator, Tensor

from ancestral.data.columns import Column
from ancestral.evaluation.measures.estimate import Estimate, ratio_of, share_of
from ancestral.evaluation.tables.coding import Coding
from ancestral.evaluation.tables.roc import area

if TYPE_CHECKING:
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

FOLDS = 5
ALIKE = 1 / 8
"""Parts of the rows, and the correlation of the areas of two of them."""

LEAST_DETECTED = 50
"""Fewest rows of each kind from which samples are told apart."""

CLASSES = 20
"""Most states of a target."""

STATES = 250
"""Most states of a column that trees tell apart; the others count as one."""


class Features:
    """Rows in user units -> what trees read: numbers as they are, states by their cells.

    Args:
        columns: Of the rows.
        train: Training rows [T, D], whose most frequent 250 states are kept apart.
    """

    def __init__(self, columns: Sequence[Column], train: Tensor) -> None:
        self.columns = tuple(columns)
        self._coding = Coding(columns, train, few=STATES)

    def __call__(self, x: Tensor, *, without: int | None = None) -> np.ndarray:
        """Return features [N, D], one column left out if asked; NaN where a cell is missing."""
        found = []
        for j, (column, cells) in enumerate(zip(self.columns, x.double().T, strict=True)):
            if column.discrete:
                cells = torch.where(cells.isnan(), cells, self._coding.of(j, cells) - 1.0)
            found.append(cells)
        kept = [cells for j, cells in enumerate(found) if j != without]
        return torch.stack(kept, dim=1).numpy()

    def settings(self, *, rows: int, seed: int, without: int | None = None) -> dict[str, Any]:
        """Return the arguments of trees trained on so many rows; small sets have small leaves."""
        states = [c.discrete for j, c in enumerate(self.columns) if j != without]
        return {
            "categorical_features": states if any(states) else None,
            "min_samples_leaf": max(2, min(20, rows // 20)),
            "early_stopping": False,
            "random_state": seed,
        }


def detection(x: Tensor, y: Tensor, features: Features, *, seed: int = 0) -> Estimate:
    """Area under the ROC curve of trees that tell rows x from rows y: 0.5 cannot, 1 always.

    The larger table is cut to the size of the smaller. Of five parts, with as many rows of each
    kind, each is scored by trees trained on the other four; the value is the mean of the five
    areas. Trees of two parts share three quarters of their training rows, and so a part of their
    chance: five areas of one variance (DeLong's) that correlate by r have the mean's variance
    (1 + 4 r) / 5 of it. For equal laws and a score linear in the training rows r is 1/4; of trees
    it was measured to be about 1/8, for equal laws as for others, which is taken.

    Args:
        x: Rows [N, D] in user units.
        y: Rows [M, D].
        features: Of such rows.
        seed: Of the parts and the trees.

    Raises:
        ValueError: If a table has fewer than 50 rows.
    """
    from sklearn.ensemble import HistGradientBoostingClassifier  # Heavy, and needed here only.

    n = min(len(x), len(y))
    if n < LEAST_DETECTED:
        raise ValueError(f"needs at least {LEAST_DETECTED} rows of each kind, got {n}")
    generator = Generator().manual_seed(seed)
    rows = torch.cat([z[torch.randperm(len(z), generator=generator)[:n]] for z in (x, y)])
    read, from_y, fold = features(rows), np.repeat([0, 1], n), np.tile(np.arange(n) % FOLDS, 2)
    areas: list[tuple[Estimate, int]] = []
    with _one_thread():
        for part in range(FOLDS):
            held = fold == part
            settings = features.settings(rows=int((~held).sum()), seed=seed)
            trees = HistGradientBoostingClassifier(**settings).fit(read[~held], from_y[~held])
            scores = torch.from_numpy(trees.decision_function(read[held]))
            of_y = torch.from_numpy(from_y[held] == 1)
            areas.append((area(scores[of_y], scores[~of_y]), int(of_y.sum())))
    # A row more or less counts once, of all rows, and not in each part.
    own = sum(one.se**2 - 1 / (count + 2) ** 2 for one, count in areas) / FOLDS**2
    error = math.sqrt((1 + (FOLDS - 1) * ALIKE) * own + 1 / (n + 2) ** 2)
    return Estimate(sum(one.value for one, _ in areas) / FOLDS, error)


@dataclass(frozen=True, slots=True, eq=False)
class Task:
    """A column to be told from the others, by trees that are tested on real rows.

    Args:
        features: Of the rows.
        target: Number of the column.
        test: Real rows [M, D] that nothing was trained on.
        seed: Of the trees.
    """

    features: Features
    target: int
    test: Tensor
    seed: int = 0

    @property
    def column(self) -> Column:
        """The column that is told."""
        return self.features.columns[self.target]

    @property
    def unit(self) -> str:
        """What is measured: an area of two states, a share that is right of more, R2 of numbers."""
        if not self.column.discrete:
            return "R²"
        return "probability" if len(self.column.states) == 2 else "share"

    def utility(self, train: Tensor) -> Estimate:
        """Train on rows [N, D], test on the real ones; rows without a target are left out.

        The standard error is that of the test rows: the area's is DeLong's, R2's that of the
        ratio of squared errors to squares about the mean.

        Raises:
            ValueError: If there is nothing to learn: fewer than two values of the target on
                either side, or more than 20 states.
        """
        name = self.column.name
        if self.column.discrete and len(self.column.states) > CLASSES:
            states = len(self.column.states)
            raise ValueError(f"{name!r} has {states:,} states, a target at most {CLASSES}")
        train, test = (z[~z[:, self.target].isnan()] for z in (train, self.test))
        said, true = train[:, self.target], test[:, self.target].double()
        for what, values in (("training", said), ("test", true)):
            if len(values.unique()) < 2:
                raise ValueError(f"the {what} rows hold fewer than two values of {name!r}")
        settings = self.features.settings(rows=len(train), seed=self.seed, without=self.target)
        read, asked = (self.features(z, without=self.target) for z in (train, test))
        with _one_thread():
            trees = self._trees()(**settings).fit(read, said.double().numpy())
            if self.unit == "probability":
                scores = torch.from_numpy(trees.decision_function(asked))  # pyright: ignore[reportAttributeAccessIssue]
                return area(scores[true == 1], scores[true == 0])
            found = torch.from_numpy(trees.predict(asked))
        if self.unit == "share":
            return share_of(found == true)
        errors = ratio_of((true - found).square(), (true - true.mean()).square())
        return Estimate(1 - errors.value, errors.se)

    def _trees(self) -> "type[HistGradientBoostingClassifier | HistGradientBoostingRegressor]":
        from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

        discrete = self.column.discrete
        return HistGradientBoostingClassifier if discrete else HistGradientBoostingRegressor


@contextmanager
def _one_thread() -> Iterator[None]:
    """Let the trees be grown by one thread: waiting for a second one costs more than it brings."""
    from threadpoolctl import threadpool_limits  # A requirement of scikit-learn.

    with threadpool_limits(limits=1, user_api="openmp"):
        yield
