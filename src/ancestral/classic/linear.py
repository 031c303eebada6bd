"""Linear regression and ridge: the network x -> y with a Gaussian y, in closed form."""

from collections.abc import Mapping
from typing import Self

import torch
from torch import Tensor, nn
from torch.distributions import Normal

from ancestral.classic.arguments import check_event, check_examples, check_weights, in_type_of
from ancestral.errors import DataError
from ancestral.networks.arguments import check_number, check_whole
from ancestral.networks.dag import DAG

# Of the residuals relative to y's, and of y's: a perfect fit keeps a density, even in float32.
_LEAST_SCALE = 1e-9


class LinearRegression(nn.Module):
    """The conditional ``p(y | x) = Normal(y; w . x + b, s^2)``, fitted in closed form.

    Without a penalty it is the maximum of the likelihood, by the pseudo-inverse: where columns
    depend on each other, the w of least norm among the best. With a penalty it is ridge, the
    maximum a posteriori under a prior ``Normal(0, t^2)`` on each weight, with
    ``penalty = s^2 / t^2``; b has no prior.

    Source: Hoerl & Kennard 1970, Ridge regression; Bishop 2006, sec. 3.1 and 3.3.

    Args:
        features: Number D of columns of x, at least 1.
        penalty: Weight of |w|^2 against the sum of squared residuals, at least 0.
        intercept: Whether b is fitted; else it is 0.

    Raises:
        ValueError: If features < 1 or penalty < 0.

    Example:
        >>> x = torch.randn(50, 3)
        >>> LinearRegression(3).fit(x, x.sum(1) + 1)(x[:5]).mean.shape
        torch.Size([5])
    """

    weight: Tensor
    bias: Tensor
    scale: Tensor

    def __init__(self, features: int, *, penalty: float = 0.0, intercept: bool = True) -> None:
        super().__init__()
        check_whole("features", features)
        check_number("penalty", penalty)
        self.features, self.penalty, self.intercept = features, penalty, intercept
        self.register_buffer("weight", torch.zeros(features, dtype=torch.float64))
        self.register_buffer("bias", torch.zeros((), dtype=torch.float64))
        self.register_buffer("scale", torch.ones((), dtype=torch.float64))

    @property
    def graph(self) -> Mapping[str, DAG]:
        """The network ``p``: y under the input x."""
        return {"p": DAG({"y": ("x",)})}

    @property
    def prior_scale(self) -> float:
        """The t of the prior Normal(0, t^2) whose mode the fit is; infinite without a penalty."""
        return float(self.scale) / self.penalty**0.5 if self.penalty else float("inf")

    def forward(self, x: Tensor) -> Normal:
        """Return p(y | x), batch shape [*B], for x [*B, D]; its type is that of x.

        Raises:
            ValueError: If x does not end in D.
        """
        if x.shape[-1:] != (self.features,):
            raise ValueError(f"x must end in {self.features} columns, got {list(x.shape)}")
        mean = in_type_of(x, x.to(self.weight) @ self.weight + self.bias)
        return Normal(mean, self.scale.to(mean), validate_args=False)

    @torch.no_grad()
    def fit(self, x: Tensor, y: Tensor, *, weights: Tensor | None = None) -> Self:
        """Set w, b, and s as the root mean square of the residuals (divisor N); return self.

        Args:
            x: [N, D].
            y: [N].
            weights: How often each row counts, [N], at least 0; None: each once.

        Raises:
            ValueError: If the shapes differ from these, or the weights are negative or all 0.
            DataError: If there is no row, or a value is not finite.
        """
        check_examples(x, (self.features,))
        check_event(y, ())
        if len(y) != len(x):
            raise ValueError(f"y must have as many rows as x, {len(x)}, got {len(y)}")
        x, y = x.to(self.weight), y.to(self.weight)
        if not bool(y.isfinite().all()):
            raise DataError("every y must be finite, got NaN or infinity")
        counts = check_weights(weights, x)
        share = counts / counts.sum()
        centre = share @ x if self.intercept else torch.zeros_like(x[0])
        level = share @ y if self.intercept else torch.zeros_like(y[0])
        root = counts.sqrt()
        rows, values = (x - centre) * root[:, None], (y - level) * root
        self.weight.copy_(least_squares(rows, values, penalty=self.penalty))
        self.bias.copy_(level - centre @ self.weight)
        residuals = y - x @ self.weight - self.bias
        spread = (share @ y.square()).sqrt().clamp_min(_LEAST_SCALE)
        self.scale.copy_((share @ residuals.square()).sqrt().clamp_min(_LEAST_SCALE * spread))
        return self

    def extra_repr(self) -> str:
        """Tell the number of columns and the penalty in ``repr``."""
        return f"features={self.features}, penalty={self.penalty:g}"


def least_squares(x: Tensor, y: Tensor, *, penalty: float = 0.0) -> Tensor:
    """Return the w of least ``|y - x w|^2 + penalty |w|^2``, and of those the shortest, [D].

    By the singular values s of x [N, D]: w = V diag(s / (s^2 + penalty)) U' y. Without a penalty,
    directions with s below the rounding of the largest one are left out, as by numpy's ``pinv``.
    """
    u, s, vt = torch.linalg.svd(x, full_matrices=False)
    least = max(x.shape) * torch.finfo(x.dtype).eps * s.amax()
    factor = torch.where(s > least, s / (s.square() + penalty), 0.0)
    return vt.T @ (factor * (u.T @ y))
