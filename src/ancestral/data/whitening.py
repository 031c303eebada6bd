"""Numbers without correlations: a linear map after which the covariance is the identity."""

import torch
from torch import Generator, Tensor

from ancestral.data.dataset import Examples
from ancestral.data.transform import Spec, Transform


class Whiten(Transform):
    """``y = L^-1 (x - mean)``, with L L^T the covariance: every direction has deviation 1.

    Args:
        mean: Of each coordinate, [D].
        factor: L, lower triangular with a diagonal above 0, [D, D].

    Raises:
        ValueError: If the diagonal is not above 0.

    Example:
        >>> transform = Whiten(torch.zeros(2), torch.tensor([[2.0, 0.0], [1.0, 1.0]]))
        >>> y, log_det = transform.forward_and_log_det(torch.tensor([[2.0, 1.0]]))
        >>> y.tolist(), round(float(log_det), 6)
        ([[1.0, 0.0]], -0.693147)
    """

    mean: Tensor
    factor: Tensor

    def __init__(self, mean: Tensor, factor: Tensor) -> None:
        super().__init__()
        if not bool((factor.diagonal() > 0).all()):
            raise ValueError("factor must have a diagonal above 0")
        self.register_buffer("mean", mean.double())
        self.register_buffer("factor", factor.double())

    def forward_and_log_det(
        self, x: Tensor, generator: Generator | None = None
    ) -> tuple[Tensor, Tensor]:
        """Return the coordinates without correlations, and minus the log-determinant of L."""
        del generator  # Nothing is drawn.
        centred = (x.double() - self.mean).T
        y = torch.linalg.solve_triangular(self.factor, centred, upper=False).T
        return y.float(), -self.factor.diagonal().log().sum().expand(len(x))

    def inverse(self, y: Tensor, generator: Generator | None = None) -> Tensor:
        """Return mean + L y, float64 [B, D]."""
        del generator  # Nothing is drawn.
        return self.mean + y.double() @ self.factor.T

    def spec(self) -> Spec:
        """Return the kind and the number of coordinates."""
        return {"kind": "whiten", "features": len(self.mean)}


def fit_whitening(train: Examples, levels: int) -> Whiten:
    """Fit the map on images whose grey levels are spread evenly over their steps in [0, 1).

    Args:
        train: The training split, x uint8 [N, C, H, W].
        levels: Number of grey levels L.
    """
    rows, count = train.x.flatten(start_dim=1), len(train.x)
    total = torch.zeros(rows.shape[1], dtype=torch.float64)
    squares = torch.zeros(rows.shape[1], rows.shape[1], dtype=torch.float64)
    for part in rows.split(4096):
        total += part.double().sum(dim=0)
        squares += part.double().T @ part.double()
    mean = total / count
    covariance = squares / count - mean[:, None] * mean
    # Uniform noise over a step of width 1 adds a twelfth, so that no pixel is constant.
    covariance = covariance + torch.eye(len(mean), dtype=torch.float64) / 12
    return Whiten((mean + 0.5) / levels, torch.linalg.cholesky(covariance) / levels)
