"""Expectations from draws, and moments that survive rounding."""

from collections.abc import Callable

from torch import Generator, Tensor
from torch.distributions import Distribution

from ancestral.information.quantity import Quantity, draw, mean_of, real


def monte_carlo(
    f: Callable[[Tensor], Tensor],
    p: Distribution,
    *,
    draws: int = 10_000,
    generator: Generator | None = None,
) -> Quantity:
    """Return the estimate of E_p[f(x)], (1/N) sum f(x^n), with its standard error.

    f maps draws [N, *B, *event] to values [N, *F]. Unbiased; the error falls as 1 / sqrt(N) in any
    dimension.

    Raises:
        ValueError: If draws < 2.
    """
    return mean_of(f(draw(p, draws, generator)))


def variance(x: Tensor, *, correction: int = 0) -> Tensor:
    """Return the variance over the first axis, by two passes: E(x - mean)^2, never E x^2 - mean^2.

    The second subtracts numbers that agree in all their digits where the mean is large (1e8 and a
    spread of 1 leave none in float64).

    Source: Chan, Golub & LeVeque 1983, Algorithms for computing the sample variance (the corrected
    two-pass algorithm).

    The divisor is N (maximum likelihood), or N - 1 (unbiased) with a correction of 1.

    Raises:
        ValueError: If N <= correction.

    Example:
        >>> import torch
        >>> variance(torch.tensor([1e8, 1e8 + 1, 1e8 + 2], dtype=torch.float64)).item()
        0.6666666666666666
    """
    return covariance(x, x, correction=correction)


def covariance(x: Tensor, y: Tensor, *, correction: int = 0) -> Tensor:
    """Return E (x - mean_x)(y - mean_y) over the first axis; 0 does not mean independent.

    Raises:
        ValueError: If N <= correction or the lengths differ.
    """
    if x.ndim == 0 or len(x) != len(y):
        raise ValueError(f"x and y must be [N, ...], got {list(x.shape)} and {list(y.shape)}")
    count = len(x) - correction
    if count <= 0:
        raise ValueError(f"x must have more than {correction} rows, got {len(x)}")
    x, y = real(x), real(y)
    dx, dy = x - x.mean(dim=0), y - y.mean(dim=0)
    # The second term is 0 but for the rounding of the means.
    return ((dx * dy).sum(dim=0) - dx.sum(dim=0) * dy.sum(dim=0) / len(x)) / count


def pearson(x: Tensor, y: Tensor) -> Tensor:
    """Return the correlation Cov / sqrt(V V) over the first axis, in [-1, 1].

    Raises:
        ValueError: If a variable is constant, when there is no correlation.

    Example:
        >>> import torch
        >>> x = torch.arange(5.0)
        >>> pearson(x, 1 - 2 * x).item()
        -1.0
    """
    for name, values in (("x", x), ("y", y)):
        if bool((values == values[:1]).all(dim=0).any()):
            raise ValueError(f"{name} must vary, got a constant: its correlation is not defined")
    scale = variance(x).sqrt() * variance(y).sqrt()
    return (covariance(x, y) / scale).clamp(-1, 1)
