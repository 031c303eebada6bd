"""What the covariances of a Gaussian mixture may be: full, diagonal, tied or spherical.

Each kind says which products of columns its statistics need, in which units it may be fitted, and
how a component's weighted covariance is brought to its form. Each form is the constrained maximum
of the expected log-likelihood, so EM keeps its promise under all of them.
"""

from typing import Literal, Protocol, TypeAlias

import torch
from torch import Tensor

Covariance: TypeAlias = Literal["full", "diag", "tied", "spherical"]


class Form(Protocol):
    """One kind of covariance."""

    def pairs(self, features: int) -> Tensor:
        """Return the index pairs i <= j of the columns whose products are needed, [2, Q]."""
        ...

    def units(self, scale: Tensor) -> Tensor:
        """Return the scale of each column, [D], by which data may be divided before the fit."""
        ...

    def decompose(self, scatter: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
        """Return eigenvalues [K, D] and eigenvectors [K, D, D] of the covariances in this form.

        Args:
            scatter: Weighted covariance of each component, [K, D, D].
            weights: Share of each component, [K].
        """
        ...


class Full:
    """One matrix a component."""

    def pairs(self, features: int) -> Tensor:
        """Return all pairs."""
        return torch.triu_indices(features, features)

    def units(self, scale: Tensor) -> Tensor:
        """Return the scale as it is: the family is the same in any units."""
        return scale

    def decompose(self, scatter: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
        """Return the eigensystems of the matrices."""
        del weights
        variances, axes = torch.linalg.eigh(scatter)
        return variances, axes


class Tied:
    """One matrix for all components: the weighted mean of theirs."""

    def pairs(self, features: int) -> Tensor:
        """Return all pairs."""
        return torch.triu_indices(features, features)

    def units(self, scale: Tensor) -> Tensor:
        """Return the scale as it is: the family is the same in any units."""
        return scale

    def decompose(self, scatter: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
        """Return the eigensystem of the mean matrix, once for each component."""
        variances, axes = torch.linalg.eigh(torch.einsum("k,kij->ij", weights, scatter))
        return variances.expand(len(weights), -1), axes.expand(len(weights), -1, -1)


class Diagonal:
    """One variance a component and column."""

    def pairs(self, features: int) -> Tensor:
        """Return the squares only."""
        return torch.arange(features).expand(2, -1)

    def units(self, scale: Tensor) -> Tensor:
        """Return the scale as it is: the family is the same in any units of the columns."""
        return scale

    def decompose(self, scatter: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
        """Return the diagonals, along the columns."""
        del weights
        return scatter.diagonal(dim1=1, dim2=2), _identity(scatter)


class Spherical:
    """One variance a component."""

    def pairs(self, features: int) -> Tensor:
        """Return the squares only."""
        return torch.arange(features).expand(2, -1)

    def units(self, scale: Tensor) -> Tensor:
        """Return one scale for all columns: a sphere in other units is none in the data's."""
        return scale.square().mean().sqrt().expand_as(scale)

    def decompose(self, scatter: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
        """Return the mean of each diagonal, along the columns."""
        del weights
        variances = scatter.diagonal(dim1=1, dim2=2)
        return variances.mean(dim=1, keepdim=True).expand_as(variances), _identity(scatter)


FORMS: dict[Covariance, Form] = {
    "full": Full(),
    "diag": Diagonal(),
    "tied": Tied(),
    "spherical": Spherical(),
}
"""The forms by the names that scikit-learn's users know."""


def _identity(matrices: Tensor) -> Tensor:
    return torch.eye(matrices.shape[-1]).to(matrices).expand_as(matrices)
