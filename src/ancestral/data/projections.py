"""Linear maps to fewer dimensions: principal axes, and random ones that keep distances."""

import math
from dataclasses import dataclass

import torch
from torch import Generator, Tensor


@dataclass(frozen=True, slots=True)
class PrincipalAxes:
    """The directions along which points vary most.

    Args:
        mean: Of the points, [D].
        axes: Orthonormal rows, the first along the greatest variance, [L, D].
        variances: Along each of them, [L], greatest first.

    Example:
        >>> x = torch.tensor([[0.0, 0.0], [2.0, 2.0], [4.0, 4.0]])
        >>> found = PrincipalAxes.of(x, 1)
        >>> found.variances, found(x).shape
        (tensor([5.3333]), torch.Size([3, 1]))
    """

    mean: Tensor
    axes: Tensor
    variances: Tensor

    @classmethod
    def of(cls, x: Tensor, count: int) -> "PrincipalAxes":
        """Return the first ``count`` principal axes of points x [N, D].

        Raises:
            ValueError: If there are not so many: ``count`` is from 1 to D.
        """
        if not 1 <= count <= x.shape[1]:
            raise ValueError(f"count must be from 1 to {x.shape[1]}, got {count}")
        mean = x.mean(dim=0)
        centred = x - mean
        values, vectors = torch.linalg.eigh(centred.T @ centred / len(x))
        return cls(mean, vectors[:, -count:].T.flip(0), values[-count:].flip(0).clamp_min(0))

    def __call__(self, x: Tensor) -> Tensor:
        """Return the coordinates of points [B, D] along the axes, [B, L]."""
        return (x - self.mean) @ self.axes.T

    def back(self, z: Tensor) -> Tensor:
        """Return the points [B, D] of coordinates [B, L]."""
        return self.mean + z @ self.axes


def principal_angles(a: Tensor, b: Tensor) -> Tensor:
    """Return the angles between the spaces of the rows of a and b, [L, D], in radians, [L].

    Source: Björck & Golub 1973, Numerical methods for computing angles between linear subspaces;
    by sines, which are exact where angles are small.

    Example:
        >>> principal_angles(torch.tensor([[1.0, 0.0]]), torch.tensor([[-3.0, 0.0]]))
        tensor([0.])
    """
    first, second = (torch.linalg.qr(rows.T).Q for rows in (a, b))
    beside = second - first @ (first.T @ second)
    return torch.linalg.svdvals(beside).clamp(max=1).asin()


def dimensions_for(points: int, error: float) -> int:
    """Return how many dimensions keep the squared distances of points up to a relative error.

    ``4 ln N / (e^2 / 2 - e^3 / 3)``, rounded up: with so many a linear map exists under which every
    squared distance of N points is kept within ``1 - e`` and ``1 + e`` (Johnson-Lindenstrauss), and
    a random one is such a map with probability 1/N at least. The dimension of the points does not
    matter. It says nothing of a trained encoder.

    Source: Dasgupta & Gupta 2003, An elementary proof of a theorem of Johnson and Lindenstrauss.

    Args:
        points: Number of them N, at least 2.
        error: e, between 0 and 1.

    Raises:
        ValueError: If a number is out of its range.

    Example:
        >>> dimensions_for(1000, 0.5), dimensions_for(1000, 0.1)
        (332, 5921)
    """
    if points < 2:
        raise ValueError(f"points must be at least 2, got {points}")
    if not 0 < error < 1:
        raise ValueError(f"error must lie between 0 and 1, got {error:g}")
    return math.ceil(4 * math.log(points) / (error**2 / 2 - error**3 / 3))


def random_projection(x: Tensor, dimensions: int, *, generator: Generator | None = None) -> Tensor:
    """Return points [N, L] by a random Gaussian map of points [N, D] that keeps distances.

    Each number of the map is drawn from Normal(0, 1 / L): the mean of a squared distance is then
    what it was; see :func:`dimensions_for`.

    Args:
        x: Points [N, D].
        dimensions: L, at least 1.
        generator: Of the map; torch's global one if None.

    Raises:
        ValueError: If dimensions is below 1.

    Example:
        >>> random_projection(torch.zeros(5, 784), 32).shape
        torch.Size([5, 32])
    """
    if dimensions < 1:
        raise ValueError(f"dimensions must be at least 1, got {dimensions}")
    size = (x.shape[1], dimensions)
    drawn = torch.randn(size, generator=generator, dtype=x.dtype, device=x.device)
    return x @ drawn / math.sqrt(dimensions)
