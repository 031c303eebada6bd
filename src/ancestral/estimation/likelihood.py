"""Maximum likelihood in closed form: the law of a family under which the data are most likely.

Every function takes data [K, ...] and returns a torch distribution.
"""

import torch
from torch import Tensor
from torch.distributions import Bernoulli, Categorical, Distribution, MultivariateNormal, Normal

from ancestral.errors import DataError
from ancestral.information.quantity import real


def fit_normal(x: Tensor) -> Normal:
    """Return the most likely normal law of values [K, *B]; its variance has divisor K, not K - 1.

    Raises:
        DataError: If there is no row, a value is not finite, or all values are equal.

    Example:
        >>> law = fit_normal(torch.tensor([1.0, 3.0]))
        >>> (law.loc.item(), law.scale.item())
        (2.0, 1.0)
    """
    check_data(x)
    x = real(x)
    if bool((x == x[:1]).all(dim=0).any()):
        raise DataError("a normal law needs values that differ: the likelihood has no maximum")
    return Normal(x.mean(dim=0), x.std(dim=0, correction=0))


def fit_multivariate_normal(x: Tensor) -> MultivariateNormal:
    """Return the most likely multivariate normal law of rows [K, D], covariance with divisor K.

    Raises:
        ValueError: If x is not [K, D].
        DataError: If there is no row, a value is not finite, or the rows lie in a hyperplane.
    """
    check_data(x)
    if x.ndim != 2:
        raise ValueError(f"x must be [K, D], got shape {list(x.shape)}")
    x = real(x)
    centred = x - x.mean(dim=0)
    # A Cholesky factor of a singular matrix may pass by rounding; the rank does not, and no unit
    # makes a column count less.
    units = centred.abs().amax(dim=0).clamp(min=torch.finfo(x.dtype).tiny)
    if int(torch.linalg.matrix_rank(centred / units)) < x.shape[1]:
        raise DataError(
            f"{x.shape[1]} columns need rows that span them: the likelihood has no maximum"
        )
    return MultivariateNormal(x.mean(dim=0), centred.mT @ centred / len(x))


def fit_bernoulli(x: Tensor) -> Bernoulli:
    """Return the most likely Bernoulli law of values 0 or 1, [K, *B]: the share of ones.

    Raises:
        DataError: If there is no row or a value is neither 0 nor 1.

    Example:
        >>> fit_bernoulli(torch.tensor([1, 1, 0, 1])).probs.item()
        0.75
    """
    check_data(x)
    check_binary(x)
    return Bernoulli(real(x).mean(dim=0))


def fit_categorical(x: Tensor, states: int) -> Categorical:
    """Return the most likely categorical law of states [K], integers: the share of each.

    Raises:
        ValueError: If x is not integers [K].
        DataError: If there is no row or a state is out of range.

    Example:
        >>> fit_categorical(torch.tensor([0, 2, 2, 1]), 4).probs.tolist()
        [0.25, 0.25, 0.5, 0.0]
    """
    check_data(x)
    check_states(x, states)
    return Categorical(real(x.bincount(minlength=states)) / len(x))


def log_likelihood(law: Distribution, x: Tensor) -> Tensor:
    """Return sum_k log p(x^k) of independent examples [K, *B, *event], in nats, [*B].

    May exceed 0 for densities (E-M28).
    """
    return law.log_prob(x).sum(dim=0)


def check_data(x: Tensor) -> None:
    """Check data [K, ...] for an estimate.

    Raises:
        DataError: If there is no row or a value is not finite.
    """
    if x.ndim == 0 or len(x) == 0:
        raise DataError(f"an estimate needs at least 1 row, got shape {list(x.shape)}")
    if x.is_floating_point() and not bool(x.isfinite().all()):
        row = int((~x.isfinite()).reshape(len(x), -1).any(dim=1).nonzero()[0])
        raise DataError(f"every value must be finite, got NaN or infinity in row {row}")


def check_binary(x: Tensor) -> None:
    """Check values of a Bernoulli law.

    Raises:
        DataError: If a value is neither 0 nor 1.
    """
    others = x[(x != 0) & (x != 1)]
    if len(others):
        raise DataError(f"a Bernoulli law needs values 0 or 1, got {others[0].item():g}")


def check_states(x: Tensor, states: int) -> None:
    """Check states [K] of a categorical law.

    Raises:
        ValueError: If x is not integers [K].
        DataError: If a state is not in [0, states).
    """
    if x.ndim != 1 or x.is_floating_point():
        raise ValueError(f"x must be integers [K], got {x.dtype} {list(x.shape)}")
    if len(x) and (int(x.min()) < 0 or int(x.max()) >= states):
        raise DataError(f"states must be in [0, {states}), got {int(x.min())} to {int(x.max())}")
