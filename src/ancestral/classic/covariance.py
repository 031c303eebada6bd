"""What the covariances of a Gaussian mixture may be: full, diagonal, tied or spherical.

Each kind says which products of columns its statistics need, in which units it may be fitted, and
how a component's weighted covariance is brought to its form. Each form is the constrained maximum
of the expected log-likelihood, so EM keeps its promise under all of them.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

import torch
from torch import Tensor

Covariance: TypeAlias = Literal["full", "diag", "tied", "spherical"]


@dataclass(frozen=True, slots=True)
class Form:
    """One kind of covariance.

    Args:
        pairs: Maps D to the index pairs i <= j of the columns whose products are needed, [2, Q].
        decompose: Maps the weighted covariances of the components [K, D, D] and their shares [K]
            to eigenvalues [K, D] and eigenvectors [K, D, D] of the covariances in this form.
        round: Whether a component is a sphere: in other units it would be none in the data's.
    """

    pairs: Callable[[int], Tensor]
    decompose: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]
    round: bool = False

    def units(self, scale: Tensor) -> Tensor:
        """Return the scale of each column, [D], by which data may be divided before the fit."""
        return scale.square().mean().sqrt().expand_as(scale) if self.round else scale


def _all_pairs(features: int) -> Tensor:
    return torch.triu_indices(features, features)


def _squares(features: int) -> Tensor:
    return torch.arange(features).expand(2, -1)


def _full(scatter: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
    """One matrix a component."""
    del weights
    variances, axes = torch.linalg.eigh(scatter)
    return variances, axes


def _tied(scatter: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
    """One matrix for all components: the weighted mean of theirs."""
    variances, axes = torch.linalg.eigh(torch.einsum("k,kij->ij", weights, scatter))
    return variances.expand(len(weights), -1), axes.expand(len(weights), -1, -1)


def _diagonal(scatter: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
    """One variance a component and column."""
    del weights
    identity = torch.eye(scatter.shape[-1]).to(scatter).expand_as(scatter)
    return scatter.diagonal(dim1=1, dim2=2), identity


def _spherical(scatter: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
    """One variance a component."""
    variances, axes = _diagonal(scatter, weights)
    return variances.mean(dim=1, keepdim=True).expand_as(variances), axes


FORMS: dict[Covariance, Form] = {
    "full": Form(_all_pairs, _full),
    "diag": Form(_squares, _diagonal),
    "tied": Form(_all_pairs, _tied),
    "spherical": Form(_squares, _spherical, round=True),
}
"""The forms by the names that scikit-learn's users know."""
