"""f-divergences: one formula for KL, reverse KL, Jensen-Shannon, chi-square, Hellinger, TV.

``D_f(p || q) = E_q f(p / q)`` for a convex f with f(1) = 0. Its conjugate gives the bound that an
f-GAN raises: ``D_f(p || q) >= E_p T - E_q f*(T)``, with equality at ``T = f'(p / q)``.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Generator, Tensor
from torch.distributions import Distribution

from ancestral.information.integrals import integral
from ancestral.information.laws import log_prob
from ancestral.information.quantity import Quantity, draw, exact, mean_of
from ancestral.information.shannon import Law, comparable, expected, kl_terms, known_kl, log_tables
from ancestral.information.tables import check_joint


@dataclass(frozen=True, slots=True)
class FDivergence:
    """A divergence given by its convex function.

    Source: Csiszár 1967; Nowozin, Cseke & Tomioka 2016, f-GAN, arXiv:1606.00709, table 1.

    Args:
        name: Its name.
        terms: q f(p / q) of log p and log q, both finite.
        conjugate: f*(t) = sup_u (t u - f(u)), of a critic's output t; +inf outside its domain.
        slope: f'(u), the best critic at the ratio u.
        at_zero: f(0), the price of a point of q where p is 0.
        slope_at_infinity: lim f(u) / u, the price of a point of p where q is 0.

    Example:
        >>> CHI_SQUARE(torch.tensor([0.5, 0.5]), torch.tensor([0.25, 0.75]))
        0.333333 (exact)
    """

    name: str
    terms: Callable[[Tensor, Tensor], Tensor]
    conjugate: Callable[[Tensor], Tensor]
    slope: Callable[[Tensor], Tensor]
    at_zero: float
    slope_at_infinity: float

    def f(self, u: Tensor) -> Tensor:
        """Return the convex function at a ratio u = p / q >= 0; it is 0 at 1."""
        return self._terms(u.log(), torch.zeros_like(u))

    def __call__(
        self, p: Law, q: Law, *, draws: int = 10_000, generator: Generator | None = None
    ) -> Quantity:
        """Return D_f(p || q), [*B], in nats where f has logarithms.

        Exact between finite laws; a sum between laws of counts, an integral between univariate
        densities. Otherwise the mean over ``draws`` from each of p and q, which see a region that
        only one of them covers; ``se`` is infinite where the tail of the ratios is too heavy.

        Raises:
            ValueError: If the tables differ in size or are off the simplex, or draws < 2.
        """
        log_p, log_q = log_tables(p, q)
        if log_p is not None and log_q is not None:
            return exact(self._terms(log_p, log_q).sum(dim=-1).clamp(min=0))
        p, q = comparable(p, q)
        known = self._known(p, q)
        if known is not None:
            return known
        with torch.no_grad():
            halves = [self._over_middle(p, q, draw(law, draws, generator)) for law in (p, q)]
        bounded = self.at_zero + self.slope_at_infinity < math.inf
        means = [mean_of(half, bounded=bounded) for half in halves]
        se = (means[0].se.square() + means[1].se.square()).sqrt() / 2
        return Quantity((means[0].value + means[1].value) / 2, se, "estimate")

    def bound(self, critic_p: Tensor, critic_q: Tensor) -> Tensor:
        """Return E_p T - E_q f*(T), a lower bound on D_f(p || q), of T at draws, []."""
        return critic_p.mean() - self.conjugate(critic_q).mean()

    def _known(self, p: Distribution, q: Distribution) -> Quantity | None:
        """Return what needs no draws, or None."""
        if self is KL or self is REVERSE_KL:
            return known_kl(p, q) if self is KL else known_kl(q, p)
        try:
            return integral(p, q, self._terms)
        except NotImplementedError:
            return None

    def _terms(self, log_p: Tensor, log_q: Tensor) -> Tensor:
        """Return q f(p / q) at each state, with its limits where p or q is 0."""
        log_p, log_q = torch.broadcast_tensors(log_p, log_q)
        no_p, no_q = log_p == -math.inf, log_q == -math.inf
        # Filled before: where a limit holds, the terms and their gradients may be NaN.
        terms = self.terms(log_p.masked_fill(no_p | no_q, 0), log_q.masked_fill(no_p | no_q, 0))
        terms = torch.where(no_p & ~no_q, log_q.exp() * self.at_zero, terms)
        terms = torch.where(no_q & ~no_p, log_p.exp() * self.slope_at_infinity, terms)
        return terms.masked_fill(no_p & no_q, 0)

    def _over_middle(self, p: Distribution, q: Distribution, x: Tensor) -> Tensor:
        """Return q f(p / q) / m at draws x, with m = (p + q) / 2."""
        log_p, log_q = log_prob(p, x), log_prob(q, x)
        middle = torch.logaddexp(log_p, log_q) - math.log(2)
        return self._terms(log_p - middle, log_q - middle)


def _jensen_shannon(log_p: Tensor, log_q: Tensor) -> Tensor:
    middle = torch.logaddexp(log_p, log_q) - math.log(2)
    # At least 0 at each point, where rounding may leave -1e-17.
    return ((kl_terms(log_p, middle) + kl_terms(log_q, middle)) / 2).clamp(min=0)


def _chi_square(log_p: Tensor, log_q: Tensor) -> Tensor:
    t = log_p - log_q
    return (log_q + 2 * t.clamp(min=0)).exp() * torch.expm1(-t.abs()).square()


KL = FDivergence(
    "KL",
    terms=kl_terms,
    conjugate=lambda t: (t - 1).exp(),
    slope=lambda u: 1 + u.log(),
    at_zero=0.0,
    slope_at_infinity=math.inf,
)
REVERSE_KL = FDivergence(
    "reverse KL",
    terms=lambda log_p, log_q: kl_terms(log_q, log_p),
    conjugate=lambda t: torch.where(t < 0, -1 - (-t).log(), math.inf),
    slope=lambda u: -1 / u,
    at_zero=math.inf,
    slope_at_infinity=0.0,
)
JENSEN_SHANNON = FDivergence(
    "Jensen-Shannon",
    terms=_jensen_shannon,
    conjugate=lambda t: torch.where(2 * t < math.log(2), -(2 - (2 * t).exp()).log() / 2, math.inf),
    slope=lambda u: (math.log(2) + u.log() - torch.log1p(u)) / 2,
    at_zero=math.log(2) / 2,
    slope_at_infinity=math.log(2) / 2,
)
CHI_SQUARE = FDivergence(
    "chi-square",
    terms=_chi_square,
    conjugate=lambda t: torch.where(t > -2, t + t.square() / 4, -1.0),
    slope=lambda u: 2 * (u - 1),
    at_zero=1.0,
    slope_at_infinity=math.inf,
)
HELLINGER = FDivergence(
    "squared Hellinger",
    terms=lambda log_p, log_q: ((log_p / 2).exp() - (log_q / 2).exp()).square() / 2,
    conjugate=lambda t: torch.where(t < 0.5, t / (1 - 2 * t), math.inf),
    slope=lambda u: (1 - u.rsqrt()) / 2,
    at_zero=0.5,
    slope_at_infinity=0.5,
)
TOTAL_VARIATION = FDivergence(
    "total variation",
    terms=lambda log_p, log_q: (log_p.exp() - log_q.exp()).abs() / 2,
    conjugate=lambda t: torch.where(t <= 0.5, t.clamp(min=-0.5), math.inf),
    slope=lambda u: (u - 1).sign() / 2,
    at_zero=0.5,
    slope_at_infinity=0.5,
)


def jensen_shannon(
    p: Law,
    q: Law,
    *,
    base: float | None = None,
    draws: int = 10_000,
    generator: Generator | None = None,
) -> Quantity:
    """Return the Jensen-Shannon divergence, the mean KL of p and q to (p + q) / 2, in [0, log 2].

    Source: Lin 1991, Divergence measures based on the Shannon entropy.

    Args and errors are those of :class:`FDivergence`; base=2 gives bits.

    Example:
        >>> jensen_shannon(torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0]), base=2)
        1 (exact)
    """
    return JENSEN_SHANNON(p, q, draws=draws, generator=generator).in_base(base)


def jensen_shannon_distance(
    p: Law, q: Law, *, draws: int = 10_000, generator: Generator | None = None
) -> Quantity:
    """Return the square root of the Jensen-Shannon divergence in nats: a metric, <= sqrt(log 2).

    The error is that of the square, carried through the root.

    Source: Endres & Schindelin 2003, A new metric for probability distributions.
    """
    squared = jensen_shannon(p, q, draws=draws, generator=generator)
    root = squared.value.sqrt()
    return Quantity(root, (squared.value + squared.se).sqrt() - root, squared.kind)


def mutual_information(joint: Tensor, *, base: float | None = None) -> Quantity:
    """Return I(x; y) = KL(p(x, y) || p(x) p(y)) of a table [N, M], 0 only if independent.

    Raises:
        ValueError: If the table is not [N, M] or off the simplex, or base <= 1.

    Example:
        >>> mutual_information(torch.eye(2) / 2, base=2)
        1 (exact)
    """
    if joint.ndim != 2:
        raise ValueError(f"joint must be [N, M], got shape {list(joint.shape)}")
    log_joint = check_joint(joint).log()
    # The product itself may be too small for a float where the joint is not.
    log_product = joint.sum(dim=1, keepdim=True).log() + joint.sum(dim=0).log()
    value = expected(log_joint.flatten(), (log_joint - log_product).flatten())
    return exact(value.clamp(min=0)).in_base(base)
