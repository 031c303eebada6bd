"""The book's toy density: a parabola on an interval, with everything in closed form."""

from collections.abc import Sequence

import torch
from torch import Size, Tensor
from torch.distributions import Distribution, constraints

_ROOT = 10.0**0.5


class ParabolicDensity(Distribution):
    """The density (10 - x^2) / 42 on [-3, 3]: the simplest continuous law that is not uniform.

    Its primitive is (10 x - x^3 / 3) / 42. Drawing inverts the distribution function: the middle
    root of a cubic.

    Example:
        >>> p = ParabolicDensity(dtype=torch.float64)
        >>> round((p.cdf(torch.tensor(-1.0)) - p.cdf(torch.tensor(-2.0))).item(), 5)  # 23/126
        0.18254
    """

    def __init__(self, *, dtype: torch.dtype | None = None) -> None:
        self.dtype = dtype or torch.get_default_dtype()
        super().__init__()

    @property
    def arg_constraints(self) -> dict[str, constraints.Constraint]:
        """No parameters, and so no constraints on them."""
        return {}

    @property
    def support(self) -> constraints.Constraint:
        """The interval [-3, 3]."""
        return constraints.interval(-3.0, 3.0)

    @property
    def mean(self) -> Tensor:
        """The mean, 0 by symmetry."""
        return torch.zeros((), dtype=self.dtype)

    @property
    def variance(self) -> Tensor:
        """The variance, 69/35."""
        return torch.full((), 69 / 35, dtype=self.dtype)

    def log_prob(self, value: Tensor) -> Tensor:
        """Return log p(x) in nats, for x in [-3, 3]."""
        if self._validate_args:
            self._validate_sample(value)
        return ((10 - value.square()) / 42).log()

    def cdf(self, value: Tensor) -> Tensor:
        """Return P(X <= x)."""
        value = value.clamp(-3, 3)
        return 0.5 + (10 * value - value**3 / 3) / 42

    def icdf(self, value: Tensor) -> Tensor:
        """Return the x below which a share ``value`` in [0, 1] lies."""
        # With x = 2 sqrt(10) sin(phi), x^3 - 30 x + 126 (u - 1/2) = 0 becomes an equation in
        # sin(3 phi).
        sine = 6.3 * (value - 0.5) / _ROOT
        return 2 * _ROOT * (sine.asin() / 3).sin()

    @torch.no_grad()
    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """Draw by inverting the distribution function, [*sample_shape]."""
        return self.icdf(torch.rand(Size(sample_shape), dtype=self.dtype))
