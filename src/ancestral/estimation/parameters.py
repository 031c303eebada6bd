"""Parameters from data [K, ...]: the most likely, the most probable, and how probable each is.

Maximum likelihood returns a torch distribution. An update takes a prior and returns the posterior,
of the same family. ``argmax log p(D | theta) + log p(theta)`` is maximum likelihood with a penalty:
a prior Normal(0, 1 / lambda) subtracts ``(lambda / 2) |theta|^2``, a Laplace prior ``lambda
|theta|_1``.

Source: Gelman et al. 2013, Bayesian Data Analysis, ch. 2-3.
"""

import math
from collections.abc import Iterable

import torch
from torch import Tensor
from torch.distributions import Bernoulli, Beta, Distribution, Normal

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


def fit_bernoulli(x: Tensor) -> Bernoulli:
    """Return the most likely Bernoulli law of values 0 or 1, [K, *B]: the share of ones.

    Raises:
        DataError: If there is no row or a value is neither 0 nor 1.

    Example:
        >>> fit_bernoulli(torch.tensor([1, 1, 0, 1])).probs.item()
        0.75
    """
    check_data(x)
    _check_binary(x)
    return Bernoulli(real(x).mean(dim=0))


def log_likelihood(law: Distribution, x: Tensor) -> Tensor:
    """Return sum_k log p(x^k) of independent examples [K, *B, *event], in nats, [*B].

    May exceed 0 for densities (E-M28).
    """
    return law.log_prob(x).sum(dim=0)


def update_beta(prior: Beta, x: Tensor) -> Beta:
    """Return the posterior of the rate of a Bernoulli law, ones and zeros [K, *B] added.

    Raises:
        DataError: If a value is neither 0 nor 1.

    Example:
        >>> posterior = update_beta(Beta(1.0, 1.0), torch.tensor([1, 1, 0]))
        >>> (posterior.concentration1.item(), posterior.concentration0.item())
        (3.0, 2.0)
    """
    _check_binary(x)
    ones = x.sum(dim=0).to(prior.concentration1.dtype)
    return Beta(prior.concentration1 + ones, prior.concentration0 + len(x) - ones)


def update_normal(prior: Normal, x: Tensor, *, scale: float | Tensor) -> Normal:
    """Return the posterior of the mean of Normal(mean, scale^2), given data [K, *B].

    The precisions are added: the inverse variances of prior and data.

    Raises:
        ValueError: If scale is not above 0.

    Example:
        >>> posterior = update_normal(Normal(0.0, 1.0), torch.tensor([2.0]), scale=1.0)
        >>> round(posterior.loc.item(), 4), round(posterior.variance.item(), 4)
        (1.0, 0.5)
    """
    scale = torch.as_tensor(scale, dtype=prior.loc.dtype)  # A float would become float32.
    if not bool((scale > 0).all()):
        raise ValueError(f"scale must be above 0, got {scale.tolist()}")
    precision = 1 / prior.variance + len(x) / scale.square()
    mean = (prior.loc / prior.variance + x.sum(dim=0) / scale.square()) / precision
    return Normal(mean, precision.rsqrt())


def log_evidence(
    prior: Distribution, posterior: Distribution, log_likelihood: Tensor, at: Tensor
) -> Tensor:
    """Return log p(x), nats, by Bayes' rule: p(x) = p(x | theta) p(theta) / p(theta | x).

    The log-likelihood is that of any theta, ``at``, inside the support of prior and posterior.
    """
    return log_likelihood + prior.log_prob(at) - posterior.log_prob(at)


def map_normal_mean(x: Tensor, *, scale: float, prior: Normal) -> Tensor:
    """Return the most probable mean of Normal(mean, scale^2), data [K, *B], under a normal prior.

    A normal posterior has its mode at its mean; the flat prior gives the mean of the data.

    Raises:
        ValueError: If scale is not above 0.
        DataError: If there is no row or a value is not finite.
    """
    check_data(x)
    return update_normal(prior, real(x), scale=scale).loc


def map_laplace_mean(x: Tensor, *, scale: float, rate: float) -> Tensor:
    """Return the most probable mean of Normal(mean, scale^2) under Laplace(0, 1 / rate), [*B].

    The mean of the data [K, *B] moved towards 0 by rate scale^2 / K, and set to 0 where that passes
    it: the one-parameter LASSO.

    Source: Tibshirani 1996, Regression shrinkage and selection via the lasso.

    Raises:
        ValueError: If scale is not above 0 or rate < 0.
        DataError: If there is no row or a value is not finite.

    Example:
        >>> map_laplace_mean(torch.tensor([2.0, 0.5]).reshape(1, 2), scale=1.0, rate=1.0).tolist()
        [1.0, 0.0]
    """
    check_data(x)
    if not scale > 0:
        raise ValueError(f"scale must be above 0, got {scale}")
    _check_strength("rate", rate)
    return torch.nn.functional.softshrink(real(x).mean(dim=0), rate * scale**2 / len(x))


def gaussian_penalty(parameters: Iterable[Tensor], precision: float) -> Tensor:
    """Return (lambda / 2) |theta|^2, minus the log of Normal(0, 1 / lambda) but for a constant, [].

    Its gradient is lambda theta: that of ``SGD(weight_decay=lambda)`` where the loss is minus the
    log-likelihood of all K examples, and of :func:`weight_decay` where it is their mean.

    Raises:
        ValueError: If the precision lambda is below 0; at 0 the prior is flat.

    Example:
        >>> gaussian_penalty([torch.tensor([1.0, 2.0])], precision=2.0).item()
        5.0
    """
    _check_strength("precision", precision)
    return precision / 2 * sum((part.square().sum() for part in parameters), torch.zeros(()))


def laplace_penalty(parameters: Iterable[Tensor], rate: float) -> Tensor:
    """Return lambda |theta|_1, minus the log of Laplace(0, 1 / lambda) but for a constant, [].

    Raises:
        ValueError: If the rate lambda is below 0.
    """
    _check_strength("rate", rate)
    return rate * sum((part.abs().sum() for part in parameters), torch.zeros(()))


def weight_decay(precision: float, examples: int) -> float:
    """Return the ``weight_decay`` of SGD or Adam that is a prior Normal(0, 1 / precision).

    The loss being the MEAN over K examples, log-likelihood and prior are both divided by K: lambda
    / K (E-M13). Not for AdamW, whose decay acts beside a gradient that is divided by its own size:
    no amount of data changes the balance of the two, as it changes that of likelihood and prior.

    K are the examples of the whole data set, not of a batch.

    Raises:
        ValueError: If the precision lambda is below 0 or examples < 1.

    Example:
        >>> weight_decay(precision=10.0, examples=1000)
        0.01
    """
    _check_strength("precision", precision)
    if examples < 1:
        raise ValueError(f"examples must be at least 1, got {examples}")
    return precision / examples


def _check_strength(name: str, value: float) -> None:
    if not 0 <= value < math.inf:
        raise ValueError(f"{name} must be at least 0 and finite, got {value}")


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


def _check_binary(x: Tensor) -> None:
    others = x[(x != 0) & (x != 1)]
    if len(others):
        raise DataError(f"a Bernoulli law needs values 0 or 1, got {others[0].item():g}")
