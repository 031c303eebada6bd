"""An autoencoder in scikit-learn's manner: rows to codes and back."""

from collections.abc import Sequence
from typing import Any, Self, cast

import numpy as np
import torch
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import check_array, check_is_fitted

from ancestral.autoencoders import AE, dense_networks
from ancestral.classic.estimators.crossing import (
    Array,
    RandomState,
    array,
    generator,
    new_rows,
    rows,
    tensor,
    value_errors,
)
from ancestral.data.dataset import Examples
from ancestral.data.model_units import standardise
from ancestral.networks.arguments import check_whole
from ancestral.networks.units import InDataUnits
from ancestral.training import Budget, Game, Options, Rows, train
from ancestral.training.order import global_randomness

_check: Any = check_array  # Its annotations are guessed from defaults, and wrong.


class AutoencoderTransformer(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """:class:`~ancestral.autoencoders.AE` of rows of numbers, for scikit-learn.

    Columns are standardised. ``model_`` is the fitted model in the units of the data.

    Args:
        n_components: Numbers of a code; None: half as many as columns, from 1 to 16.
        hidden: Widths of the encoder's layers, the decoder's in reverse; empty: affine.
        steps: Updates of the training, by batches of 128.
        random_state: Seed of the weights and of the batches.

    Example:
        >>> X = np.random.default_rng(0).normal(size=(100, 4))
        >>> AutoencoderTransformer(steps=5, random_state=0).fit_transform(X).shape
        (100, 2)
    """

    model_: InDataUnits
    n_features_in_: int
    _n_features_out: int

    def __init__(
        self,
        n_components: int | None = None,
        *,
        hidden: Sequence[int] = (128, 64, 32),
        steps: int = 2_000,
        random_state: RandomState = None,
    ) -> None:
        self.n_components = n_components
        self.hidden = hidden
        self.steps = steps
        self.random_state = random_state

    def fit(self, X: ArrayLike, y: object = None) -> Self:
        """Train the autoencoder on X [N, D]; return self.

        Raises:
            ValueError: If a setting is out of its range.
        """
        del y
        x = tensor(new_rows(self, X))
        check_whole("steps", self.steps)
        features = x.shape[1]
        latent = max(1, min(16, features // 2)) if self.n_components is None else self.n_components
        check_whole("n_components", latent)
        seed = int(torch.randint(2**31, (), generator=generator(self.random_state)))
        with value_errors():
            transform = standardise(Examples(x))
            with global_randomness(torch.device("cpu")) as shared:
                shared.manual_seed(seed)
                networks = dense_networks((features,), latent, hidden=tuple(self.hidden))
            # In float64 a row has the same code whatever rows it comes with.
            model = AE(*networks, event_shape=(features,), latent=latent).double()
            options = Options(batch_size=128, learning_rate=2e-3, weight_decay=0.0)
            game = Game(model.players(), options, seed=seed)
            feed = Rows(transform(x).double())
            for _ in train(game, feed, budget=Budget(steps=self.steps)):
                pass
        self.model_ = InDataUnits(model.requires_grad_(False).eval(), transform)
        self._n_features_out = latent
        return self

    def transform(self, X: ArrayLike) -> Array:
        """Return the codes [N, n_components] of X [N, D]."""
        check_is_fitted(self)
        return array(self._codes(X))

    def inverse_transform(self, Z: ArrayLike) -> Array:
        """Return the rows [N, D] that are made of codes Z [N, n_components].

        Raises:
            ValueError: If codes have another number of columns.
        """
        check_is_fitted(self)
        z = tensor(_check(Z, dtype=np.float64))
        if z.shape[1] != self._n_features_out:
            raise ValueError(f"Z must have {self._n_features_out} columns, got {z.shape[1]}")
        return array(self.model_.decode(z))

    def score_samples(self, X: ArrayLike) -> Array:
        """Return minus the squared error of each row of X [N, D], in standard units, [N].

        The greater, the more normal is the row; it is no log-density.
        """
        check_is_fitted(self)
        there = self._network.decode(self._codes(X))
        return array(-(there - self._units(X)).square().sum(dim=1))

    def score(self, X: ArrayLike, y: object = None) -> float:
        """Return the mean of :meth:`score_samples`."""
        del y
        return float(np.mean(self.score_samples(X)))

    def _units(self, X: ArrayLike) -> torch.Tensor:
        return self.model_.transform(rows(self, X)).double()

    def _codes(self, X: ArrayLike) -> torch.Tensor:
        return self._network.encode(self._units(X)).mean

    @property
    def _network(self) -> AE:
        return cast(AE, self.model_.network)
