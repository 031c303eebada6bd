"""Conjugate updates: posteriors of the same family as their prior, in closed form.

Each function takes the prior as a torch distribution and data [K, ...], and returns the posterior.
An update with more data is an update of the posterior; with none, the prior.

Source: Gelman et al. 2013, Bayesian Data Analysis, ch. 2-3; Murphy 2007, Conjugate Bayesian
analysis of the Gaussian distribution.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.distributions import Beta, Dirichlet, Distribution, Gamma, InverseGamma, Normal, StudentT

from ancestral.errors import DataError
from ancestral.estimation.likelihood import check_counts
from ancestral.information.quantity import real


def update_beta(prior: Beta, x: Tensor) -> Beta:
    """Return the posterior of the rate of a Bernoulli law: the ones and zeros are added.

    Args:
        prior: Beta(a, b), batch shape [*B].
        x: Values 0 or 1, [K, *B].

    Raises:
        ValueError: If a parameter of the prior is infinite.
        DataError: If a value is neither 0 nor 1.

    Example:
        >>> posterior = update_beta(Beta(1.0, 1.0), torch.tensor([1, 1, 0]))
        >>> (posterior.concentration1.item(), posterior.concentration0.item())
        (3.0, 2.0)
    """
    _check_finite(prior, "concentration1", "concentration0")
    if not bool(((x == 0) | (x == 1)).all()):
        raise DataError("a Bernoulli law needs values 0 or 1, got others")
    ones = x.sum(dim=0).to(prior.concentration1.dtype)
    return Beta(prior.concentration1 + ones, prior.concentration0 + len(x) - ones)


def update_dirichlet(prior: Dirichlet, x: Tensor) -> Dirichlet:
    """Return the posterior of the vector of a categorical law: the counts are added.

    Args:
        prior: Dirichlet over N states.
        x: States, integers in [0, N), [K].

    Raises:
        ValueError: If a parameter of the prior is infinite.
        DataError: If a state is out of range or not whole.

    Example:
        >>> update_dirichlet(Dirichlet(torch.ones(3)), torch.tensor([0, 2, 2])).concentration
        tensor([2., 1., 3.])
    """
    _check_finite(prior, "concentration")
    states = prior.event_shape[0]
    check_counts("a categorical law", x)
    if len(x) and (int(x.min()) < 0 or int(x.max()) >= states):
        raise DataError(f"states must be in [0, {states}), got {int(x.min())} to {int(x.max())}")
    return Dirichlet(prior.concentration + torch.bincount(x.long(), minlength=states))


def update_gamma(prior: Gamma, x: Tensor) -> Gamma:
    """Return the posterior of the rate of a Poisson law: counts and exposures are added.

    Args:
        prior: Gamma(shape, rate), batch shape [*B].
        x: Counts, [K, *B].

    Raises:
        ValueError: If a parameter of the prior is infinite.
        DataError: If a value is negative or not whole.

    Example:
        >>> posterior = update_gamma(Gamma(2.0, 1.0), torch.tensor([3, 5]))
        >>> (posterior.concentration.item(), posterior.rate.item())
        (10.0, 3.0)
    """
    _check_finite(prior, "concentration", "rate")
    check_counts("a Poisson law", x)
    return Gamma(prior.concentration + x.sum(dim=0), prior.rate + len(x))


def update_normal(prior: Normal, x: Tensor, *, scale: float | Tensor) -> Normal:
    """Return the posterior of the mean of Normal(mean, scale^2): precisions are added.

    Args:
        prior: Normal law of the mean, batch shape [*B].
        x: Data, [K, *B].
        scale: Known standard deviation of the data, > 0, [*B].

    Raises:
        ValueError: If scale <= 0.

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


@dataclass(frozen=True, slots=True)
class NormalInverseGamma:
    """The conjugate law of mean and variance: v ~ InverseGamma(a, b), m | v ~ Normal(m0, v / k).

    Args:
        loc: m0, [*B].
        count: k > 0, the examples that the prior mean is worth, [*B].
        concentration: a > 0, [*B].
        rate: b > 0, [*B].

    Raises:
        ValueError: If count, concentration or rate is not above 0 and finite.

    Example:
        >>> prior = NormalInverseGamma(*torch.tensor([0.0, 1.0, 2.0, 2.0]))
        >>> prior.update(torch.tensor([1.0, 3.0])).count.item()
        3.0
    """

    loc: Tensor
    count: Tensor
    concentration: Tensor
    rate: Tensor

    def __post_init__(self) -> None:
        for name in ("count", "concentration", "rate"):
            value = getattr(self, name)
            if not bool(((value > 0) & value.isfinite()).all()):
                raise ValueError(f"{name} must be above 0 and finite, got {value.tolist()}")

    def update(self, x: Tensor) -> "NormalInverseGamma":
        """Return the posterior given data [K, *B]."""
        if len(x) == 0:
            return self
        x = real(x)
        k, mean = len(x), x.mean(dim=0)
        spread = (x - mean).square().sum(dim=0)
        gap = self.count * k * (mean - self.loc).square() / (self.count + k)
        return NormalInverseGamma(
            (self.count * self.loc + k * mean) / (self.count + k),
            self.count + k,
            self.concentration + k / 2,
            self.rate + (spread + gap) / 2,
        )

    def log_prob(self, mean: Tensor, variance: Tensor) -> Tensor:
        """Return the log of the joint density at a mean and a variance > 0, in nats."""
        given = Normal(self.loc, (variance / self.count).sqrt())
        return self.variance_law.log_prob(variance) + given.log_prob(mean)

    @property
    def variance_law(self) -> InverseGamma:
        """The marginal law of the variance."""
        return InverseGamma(self.concentration, self.rate)

    @property
    def mean_law(self) -> StudentT:
        """The marginal law of the mean: Student's t with 2a degrees of freedom."""
        scale = (self.rate / (self.concentration * self.count)).sqrt()
        return StudentT(2 * self.concentration, self.loc, scale)

    @property
    def predictive(self) -> StudentT:
        """The law of a new example, mean and variance integrated out."""
        scale = (self.rate * (self.count + 1) / (self.concentration * self.count)).sqrt()
        return StudentT(2 * self.concentration, self.loc, scale)


def _check_finite(prior: Distribution, *names: str) -> None:
    """Check parameters that data are added to: beside an infinite one they count for nothing.

    Raises:
        ValueError: If one is infinite.
    """
    for name in names:
        value = getattr(prior, name)
        if not bool(value.isfinite().all()):
            raise ValueError(f"{name} of the prior must be finite, got {value.tolist()}")


def log_evidence(
    prior: Distribution, posterior: Distribution, log_likelihood: Tensor, at: Tensor
) -> Tensor:
    """Return log p(x) from Bayes' rule, p(x) = p(x | theta) p(theta) / p(theta | x), any theta.

    Args:
        prior: Law of theta.
        posterior: Its conjugate update.
        log_likelihood: log p(x | theta) at ``at``, in nats, [].
        at: Any theta inside the support of both.

    Example:
        >>> prior = Beta(torch.tensor(1.0).double(), 1.0)
        >>> x, r = torch.tensor([1, 1, 0]), torch.tensor(0.3).double()
        >>> likelihood = torch.distributions.Bernoulli(r).log_prob(x.double()).sum()
        >>> round(log_evidence(prior, update_beta(prior, x), likelihood, r).exp().item(), 6)  # 1/12
        0.083333
    """
    return log_likelihood + prior.log_prob(at) - posterior.log_prob(at)
