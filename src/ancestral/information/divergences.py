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

from ancestral.information.line_means import line_integral
from ancestral.information.overlaps import log_overlap
from ancestral.information.quantity import Quantity, draw, exact, log_base, log_prob, mean_of
from ancestral.information.shannon import Law, comparable, kl, known_kl, log_tables


@dataclass(frozen=True, slots=True)
class FDivergence:
    """A divergence given by its convex function.

    Source: Csiszár 1967; Nowozin, Cseke & Tomioka 2016, f-GAN, arXiv:1606.00709, table 1.

    Args:
        name: Its name.
        generator: f(u) of the ratio u = p / q >= 0, with f(1) = 0.
        conjugate: f*(t) = sup_u (t u - f(u)), of a critic's output t; +inf outside its domain.
        slope: f'(u), the best critic at the ratio u.
        at_zero: f(0), the price of a point of q where p is 0.
        slope_at_infinity: lim f(u) / u, the price of a point of p where q is 0.
        of_log: f(u) / max(1, u) of t = log u, for any t: it stays right where u is beyond the
            dtype. From ``generator`` if None.
        closed_form: The divergence of two distributions where it is known, else None.

    Example:
        >>> CHI_SQUARE(torch.tensor([0.5, 0.5]), torch.tensor([0.25, 0.75]))
        0.333333 (exact)
    """

    name: str
    generator: Callable[[Tensor], Tensor]
    conjugate: Callable[[Tensor], Tensor]
    slope: Callable[[Tensor], Tensor]
    at_zero: float
    slope_at_infinity: float
    of_log: Callable[[Tensor], Tensor] | None = None
    closed_form: Callable[[Distribution, Distribution], Quantity | None] | None = None

    def __call__(
        self, p: Law, q: Law, *, draws: int = 10_000, generator: Generator | None = None
    ) -> Quantity:
        """Return D_f(p || q), [*B], in nats where f has logarithms.

        Exact between finite laws and where there is a closed form; an integral between univariate
        densities. Otherwise the mean over ``draws`` from each of p and q, which see a region that
        only one of them covers; where f is unbounded the ratios may have so heavy a tail that the
        mean has no standard error: ``se`` is then infinite.

        Raises:
            ValueError: If the tables differ in size or are off the simplex, or draws < 2.
        """
        log_p, log_q = log_tables(p, q)
        if log_p is not None and log_q is not None:
            return exact(self._terms(log_p, log_q).sum(dim=-1))
        p, q = comparable(p, q)
        known = self._known(p, q)
        if known is not None:
            return known
        with torch.no_grad():
            halves = [self._over_middle(p, q, draw(law, draws, generator)) for law in (p, q)]
        means = [mean_of(half) for half in halves]
        se = (means[0].se.square() + means[1].se.square()).sqrt() / 2
        return Quantity((means[0].value + means[1].value) / 2, se, "estimate")

    def bound(self, critic_p: Tensor, critic_q: Tensor) -> Tensor:
        """Return E_p T - E_q f*(T), a lower bound on D_f(p || q), over draws of each, [].

        Args:
            critic_p: The critic T at draws of p, [N].
            critic_q: The critic at draws of q, [M].
        """
        return critic_p.mean() - self.conjugate(critic_q).mean()

    @torch.no_grad()
    def _known(self, p: Distribution, q: Distribution) -> Quantity | None:
        """Return what needs no draws, or None."""
        closed = self.closed_form(p, q) if self.closed_form is not None else None
        if closed is not None:
            return closed
        try:
            return line_integral(p, q, self._terms)
        except NotImplementedError:
            return None

    def _terms(self, log_p: Tensor, log_q: Tensor) -> Tensor:
        """Return q f(p / q) at each state, with its limits where p or q is 0."""
        log_p, log_q = torch.broadcast_tensors(log_p, log_q)
        no_p, no_q = log_p == -math.inf, log_q == -math.inf
        gap = (log_p - log_q).masked_fill(no_p | no_q, 0)
        terms = torch.maximum(log_p, log_q).exp() * self._share(gap)
        terms = torch.where(no_p & ~no_q, log_q.exp() * self.at_zero, terms)
        terms = torch.where(no_q & ~no_p, log_p.exp() * self.slope_at_infinity, terms)
        return terms.masked_fill(no_p & no_q, 0)

    def _share(self, t: Tensor) -> Tensor:
        """Return f(u) / max(1, u) at u = exp t."""
        if self.of_log is not None:
            return self.of_log(t)
        far = t > 0.9 * math.log(torch.finfo(t.dtype).max)
        u = t.masked_fill(far, 0).exp()
        return torch.where(far, self.slope_at_infinity, self.generator(u) / u.clamp(min=1))

    def _over_middle(self, p: Distribution, q: Distribution, x: Tensor) -> Tensor:
        """Return q f(p / q) / m at draws x, with m = (p + q) / 2."""
        log_p, log_q = log_prob(p, x), log_prob(q, x)
        middle = torch.logaddexp(log_p, log_q) - math.log(2)
        return self._terms(log_p - middle, log_q - middle)


def _by_overlap(p: Distribution, q: Distribution, a: float) -> Quantity | None:
    """Return |integral of p^a q^(1 - a) - 1|, or None."""
    try:
        return exact(log_overlap(p, q, a).expm1().abs())
    except NotImplementedError:
        return None


KL = FDivergence(
    "KL",
    generator=lambda u: torch.xlogy(u, u),
    conjugate=lambda t: (t - 1).exp(),
    slope=lambda u: 1 + u.log(),
    at_zero=0.0,
    slope_at_infinity=math.inf,
    of_log=lambda t: t * t.clamp(max=0).exp(),
    closed_form=known_kl,
)
REVERSE_KL = FDivergence(
    "reverse KL",
    generator=lambda u: -u.log(),
    conjugate=lambda t: torch.where(t < 0, -1 - (-t).log(), math.inf),
    slope=lambda u: -1 / u,
    at_zero=math.inf,
    slope_at_infinity=0.0,
    of_log=lambda t: -t * (-t.clamp(min=0)).exp(),
    closed_form=lambda p, q: known_kl(q, p),
)
JENSEN_SHANNON = FDivergence(
    "Jensen-Shannon",
    generator=lambda u: (torch.xlogy(u, u) - torch.xlogy(u + 1, (u + 1) / 2)) / 2,
    conjugate=lambda t: torch.where(2 * t < math.log(2), -(2 - (2 * t).exp()).log() / 2, math.inf),
    slope=lambda u: (math.log(2) + u.log() - torch.log1p(u)) / 2,
    at_zero=math.log(2) / 2,
    slope_at_infinity=math.log(2) / 2,
)
CHI_SQUARE = FDivergence(
    "chi-square",
    generator=lambda u: (u - 1).square(),
    conjugate=lambda t: torch.where(t > -2, t + t.square() / 4, -1.0),
    slope=lambda u: 2 * (u - 1),
    at_zero=1.0,
    slope_at_infinity=math.inf,
    of_log=lambda t: torch.expm1(-t.abs()).square() * t.clamp(min=0).exp(),
    closed_form=lambda p, q: _by_overlap(p, q, 2.0),
)
HELLINGER = FDivergence(
    "squared Hellinger",
    generator=lambda u: (u.sqrt() - 1).square() / 2,
    conjugate=lambda t: torch.where(t < 0.5, t / (1 - 2 * t), math.inf),
    slope=lambda u: (1 - u.rsqrt()) / 2,
    at_zero=0.5,
    slope_at_infinity=0.5,
    of_log=lambda t: torch.expm1(-t.abs() / 2).square() / 2,
    closed_form=lambda p, q: _by_overlap(p, q, 0.5),
)
TOTAL_VARIATION = FDivergence(
    "total variation",
    generator=lambda u: (u - 1).abs() / 2,
    conjugate=lambda t: torch.where(t <= 0.5, t.clamp(min=-0.5), math.inf),
    slope=lambda u: (u - 1).sign() / 2,
    at_zero=0.5,
    slope_at_infinity=0.5,
    of_log=lambda t: -torch.expm1(-t.abs()) / 2,
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

    Args:
        p: A law.
        q: Another over the same space.
        base: Of the logarithm; nats if None, bits if 2.
        draws: From each, where a law is not finite; at least 2.
        generator: Their source; torch's global one if None.

    Raises:
        ValueError: As :class:`FDivergence`, or if base <= 1.

    Example:
        >>> jensen_shannon(torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0]), base=2)
        1 (exact)
    """
    return JENSEN_SHANNON(p, q, draws=draws, generator=generator).in_base(base)


def jensen_shannon_distance(
    p: Law, q: Law, *, draws: int = 10_000, generator: Generator | None = None
) -> Quantity:
    """Return the square root of the Jensen-Shannon divergence in nats: a metric, <= sqrt(log 2).

    The error of an estimate is that of the delta method.

    Source: Endres & Schindelin 2003, A new metric for probability distributions.

    Raises:
        ValueError: As :class:`FDivergence`.
    """
    squared = jensen_shannon(p, q, draws=draws, generator=generator)
    value = squared.value.clamp(min=0).sqrt()  # Rounding may leave equal laws at -1e-17.
    return Quantity(value, squared.se / (2 * value).clamp(min=1e-12), squared.kind)


def total_variation(
    p: Law, q: Law, *, draws: int = 10_000, generator: Generator | None = None
) -> Quantity:
    """Return sup_A |p(A) - q(A)|, half the L1 distance, in [0, 1].

    Raises:
        ValueError: As :class:`FDivergence`.

    Example:
        >>> total_variation(torch.tensor([0.5, 0.5]), torch.tensor([0.25, 0.75]))
        0.25 (exact)
    """
    return TOTAL_VARIATION(p, q, draws=draws, generator=generator)


def mutual_information(joint: Tensor, *, base: float | None = None) -> Quantity:
    """Return I(x; y) = KL(p(x, y) || p(x) p(y)) of a joint table, 0 only if independent.

    Args:
        joint: Joint table, [N, M].
        base: Of the logarithm; nats if None, bits if 2.

    Raises:
        ValueError: If the table is not [N, M] or off the simplex, or base <= 1.

    Example:
        >>> mutual_information(torch.eye(2) / 2, base=2)
        1 (exact)
    """
    if joint.ndim != 2:
        raise ValueError(f"joint must be [N, M], got shape {list(joint.shape)}")
    product = joint.sum(dim=1, keepdim=True) * joint.sum(dim=0, keepdim=True)
    return kl(joint.flatten(), product.flatten(), base=base)


def mutual_information_of_samples(
    x: Tensor, y: Tensor, *, bins: int | None = None, base: float | None = None
) -> Quantity:
    """Return the plug-in estimate of the mutual information: that of the table of counts.

    It is biased up by about (N_x - 1)(N_y - 1) / 2N nats, N_x and N_y the states that occur.

    Args:
        x: States (integers, any dtype) or, with ``bins``, real values, [N].
        y: The same, [N].
        bins: Cut real values at their quantiles into this many cells of equal counts.
        base: Of the logarithm; nats if None, bits if 2.

    Returns:
        The estimate and its asymptotic standard error, sd of log p(x, y) / p(x) p(y) over sqrt(N).

    Raises:
        ValueError: If x and y are not [N] with N >= 2, one is NaN, bins < 2, or base <= 1.
    """
    if x.ndim != 1 or x.shape != y.shape or len(x) < 2:
        raise ValueError(
            f"x and y must both be [N], N >= 2, got {list(x.shape)} and {list(y.shape)}"
        )
    if bins is not None and bins < 2:
        raise ValueError(f"bins must be at least 2, got {bins}")
    for name, values in (("x", x), ("y", y)):
        if bool(values.isnan().any()):
            raise ValueError(
                f"{name} must hold no NaN, got one in row {int(values.isnan().nonzero()[0])}"
            )
    rows, columns = (_states(values, bins) for values in (x, y))
    count = int(columns.max()) + 1
    table = torch.bincount(rows * count + columns, minlength=(int(rows.max()) + 1) * count)
    joint = table.reshape(-1, count).to(torch.float64) / len(x)
    product = joint.sum(dim=1, keepdim=True) * joint.sum(dim=0, keepdim=True)
    ratio = (joint[rows, columns] / product[rows, columns]).log()
    value = Quantity(ratio.mean(), ratio.std() / math.sqrt(len(x)), "estimate")
    return value if base is None else value.scaled(1 / log_base(base))


def _states(values: Tensor, bins: int | None) -> Tensor:
    if bins is None:
        return values.unique(return_inverse=True)[1]
    inner = torch.linspace(0, 1, bins + 1, dtype=torch.float64)[1:-1]
    values = values.to(torch.float64)
    cuts = values.sort().values[(inner * len(values)).long()]
    return torch.bucketize(values, cuts, right=True)
