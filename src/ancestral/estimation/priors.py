"""Maximum a posteriori: a prior is a penalty, and a penalty a weight decay of a certain size.

``argmax_theta log p(D | theta) + log p(theta)``: a prior Normal(0, 1 / lambda) adds
``-(lambda / 2) |theta|^2``, a Laplace prior ``-lambda |theta|_1``.
"""

import math
from collections.abc import Iterable

import torch
from torch import Tensor
from torch.distributions import Normal

from ancestral.estimation.likelihood import check_data
from ancestral.information.quantity import real


def gaussian_penalty(parameters: Iterable[Tensor], precision: float) -> Tensor:
    """Return (lambda / 2) |theta|^2, minus the log of Normal(0, 1 / lambda) but for a constant, [].

    Its gradient is lambda theta: that of ``SGD(weight_decay=lambda)`` where the loss is minus the
    log-likelihood of all K examples, and of :func:`weight_decay` where it is their mean.

    Args:
        parameters: theta.
        precision: lambda, the inverse variance of the prior, >= 0; 0 is the flat prior.

    Raises:
        ValueError: If precision < 0.

    Example:
        >>> gaussian_penalty([torch.tensor([1.0, 2.0])], precision=2.0).item()
        5.0
    """
    _check_strength("precision", precision)
    return precision / 2 * _total(parameter.square().sum() for parameter in parameters)


def laplace_penalty(parameters: Iterable[Tensor], rate: float) -> Tensor:
    """Return lambda |theta|_1, minus the log of Laplace(0, 1 / lambda) but for a constant, [].

    Args:
        parameters: theta.
        rate: lambda, the inverse scale of the prior, >= 0.

    Raises:
        ValueError: If rate < 0.

    Example:
        >>> laplace_penalty([torch.tensor([1.0, -2.0])], rate=2.0).item()
        6.0
    """
    _check_strength("rate", rate)
    return rate * _total(parameter.abs().sum() for parameter in parameters)


def weight_decay(precision: float, examples: int) -> float:
    """Return the ``weight_decay`` of SGD or Adam that is a prior Normal(0, 1 / precision).

    The loss being the MEAN over K examples, log-likelihood and prior are both divided by K: lambda
    / K (E-M13). Not for AdamW, whose decay acts beside a gradient that is divided by its own size:
    no amount of data changes the balance of the two, as it changes that of likelihood and prior.

    Args:
        precision: lambda, inverse variance of the prior, >= 0.
        examples: K, in the whole data set and not in the batch, at least 1.

    Raises:
        ValueError: If precision < 0 or examples < 1.

    Example:
        >>> weight_decay(precision=10.0, examples=1000)
        0.01
    """
    _check_strength("precision", precision)
    if examples < 1:
        raise ValueError(f"examples must be at least 1, got {examples}")
    return precision / examples


def map_normal_mean(x: Tensor, *, scale: float, prior: Normal) -> Tensor:
    """Return the most probable mean of Normal(mean, scale^2) under a normal prior, [*B].

    ``(sum x / scale^2 + m / s^2) / (K / scale^2 + 1 / s^2)``: the flat prior, s -> inf, gives the
    mean of the data.

    Args:
        x: Data, [K, *B].
        scale: Known standard deviation of the data, > 0.
        prior: Normal(m, s^2) over the mean.

    Raises:
        ValueError: If scale <= 0.
        DataError: If there is no row or a value is not finite.

    Example:
        >>> prior = Normal(torch.tensor(0.0), torch.tensor(1.0))
        >>> map_normal_mean(torch.tensor([2.0]), scale=1.0, prior=prior).item()
        1.0
    """
    check_data(x)
    x = real(x)
    _check_positive("scale", scale)
    data, belief = len(x) / scale**2, 1 / prior.variance
    return (data * x.mean(dim=0) + belief * prior.loc) / (data + belief)


def map_laplace_mean(x: Tensor, *, scale: float, rate: float) -> Tensor:
    """Return the most probable mean of Normal(mean, scale^2) under Laplace(0, 1 / rate), [*B].

    The mean of the data moved towards 0 by rate scale^2 / K, and set to 0 where that passes it:
    the one-parameter LASSO.

    Source: Tibshirani 1996, Regression shrinkage and selection via the lasso.

    Args:
        x: Data, [K, *B].
        scale: Known standard deviation of the data, > 0.
        rate: Inverse scale of the prior, >= 0.

    Raises:
        ValueError: If scale <= 0 or rate < 0.
        DataError: If there is no row or a value is not finite.

    Example:
        >>> map_laplace_mean(torch.tensor([2.0, 0.5]).reshape(1, 2), scale=1.0, rate=1.0).tolist()
        [1.0, 0.0]
    """
    check_data(x)
    x = real(x)
    _check_positive("scale", scale)
    _check_strength("rate", rate)
    return torch.nn.functional.softshrink(x.mean(dim=0), rate * scale**2 / len(x))


def _total(terms: Iterable[Tensor]) -> Tensor:
    return sum(terms, torch.zeros(()))


def _check_strength(name: str, value: float) -> None:
    if not 0 <= value < math.inf:
        raise ValueError(f"{name} must be at least 0 and finite, got {value}")


def _check_positive(name: str, value: float) -> None:
    if not 0 < value < math.inf:
        raise ValueError(f"{name} must be above 0 and finite, got {value}")
