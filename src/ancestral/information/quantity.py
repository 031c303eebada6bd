"""What a measure of information is: a value, how sure it is, and in which unit."""

import math
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

import torch
from torch import Generator, Tensor
from torch.distributions import Distribution

Kind: TypeAlias = Literal["exact", "quadrature", "estimate"]
"""From the surest to the least sure."""


@dataclass(frozen=True, slots=True)
class Quantity:
    """A value that says how it was found.

    Args:
        value: The value, [*B].
        se: Its error, [*B], same unit: 0 where exact, the error of an integral or of an endless
            sum, the standard error of a mean over draws.
        kind: ``"exact"`` (a closed form or a finite sum), ``"quadrature"`` (an integral or an
            endless sum, computed) or ``"estimate"`` (Monte Carlo).
    """

    value: Tensor
    se: Tensor
    kind: Kind

    def __float__(self) -> float:
        """Return the value; only where it is a single number."""
        return float(self.value)

    def __repr__(self) -> str:
        if self.value.ndim:
            return f"Quantity({self.kind}, shape {list(self.value.shape)})"
        error = "" if self.kind == "exact" else f", ± {float(self.se):.2g}"
        return f"{float(self.value):.6g} ({self.kind}{error})"

    def __add__(self, other: "Quantity") -> "Quantity":
        """Return the sum, as sure as the less sure of the two; the errors add up at worst."""
        _, less = sorted((self, other), key=lambda part: get_args(Kind).index(part.kind))
        return Quantity(self.value + other.value, self.se + other.se, less.kind)

    def in_base(self, base: float | None) -> "Quantity":
        """Return a quantity in nats in another unit: ``base=2`` gives bits; None leaves nats."""
        unit = log_base(base)
        return Quantity(self.value / unit, self.se / unit, self.kind)


def log_base(base: float | None) -> float:
    """Return the nats in one unit of this base, which must be above 1; 1 if None."""
    if base is None:
        return 1.0
    if not base > 1:
        raise ValueError(f"base must be greater than 1, got {base}")
    return math.log(base)


def exact(value: Tensor) -> Quantity:
    """Return a quantity without error; what is NaN is not exact, and its error is NaN too."""
    if bool(value.isnan().any()):
        return Quantity(value, torch.full_like(value, math.nan), "estimate")
    return Quantity(value, torch.zeros_like(value), "exact")


def real(x: Tensor) -> Tensor:
    """Return whole numbers and truth values as float64, real numbers as they are."""
    return x if x.is_floating_point() else x.double()


def mean_of(values: Tensor, *, bounded: bool = False) -> Quantity:
    """Return the mean over the first axis of independent values, [N, *B], with sd / sqrt(N).

    An infinite mean has no error: one infinite term among the draws makes it so. Where the tail of
    the values is so heavy that their variance has no bound, the error is infinite: sd / sqrt(N)
    would understate it. Bounded values have no such tail.

    Raises:
        ValueError: If N < 2, when there is no standard error.
    """
    if len(values) < 2:
        raise ValueError(f"draws must be at least 2, got {len(values)}")
    values = real(values)
    value = values.mean(dim=0)
    se = values.std(dim=0) / math.sqrt(len(values))
    # From the median: the mean of heavy tails follows their largest value.
    sizes = (values - values.median(dim=0).values).abs().detach().double()
    heavy = torch.zeros_like(value, dtype=torch.bool) if bounded else _heavy(sizes)
    return Quantity(
        value, se.masked_fill(heavy, math.inf).masked_fill(value.isinf(), 0), "estimate"
    )


def _heavy(sizes: Tensor) -> Tensor:
    """Return whether the variance has no bound, as far as the largest sizes tell, [N, *B] to [*B].

    Their tail index k is that of the generalised Pareto law with the probability-weighted moments
    of the largest min(N / 5, 3 sqrt N). From k = 1/2 on the variance is infinite; the limit leaves
    room for the error of k. Largest sizes that are equal are a bound.

    Source: Hosking & Wallis 1987, Parameter and quantile estimation for the generalized Pareto
    distribution; Vehtari et al. 2024, arXiv:1507.02646, sec. 2.4 (how many).
    """
    count = int(min(len(sizes) / 5, 3 * math.sqrt(len(sizes))))
    if count < 5:  # Few draws say nothing.
        return torch.zeros(sizes.shape[1:], dtype=torch.bool)
    top = sizes.topk(count + 1, dim=0).values
    excess = (top[:-1] - top[-1]) / top[0]
    shares = (torch.arange(count) + 0.65).to(top).reshape(-1, *[1] * (top.ndim - 1)) / count
    first, second = excess.mean(dim=0), (shares * excess).mean(dim=0)
    k = 2 - first / (first - 2 * second)
    return (top[0] > top[1]) & (k > min(0.7, 0.5 + 1.5 / math.sqrt(count)))


@torch.no_grad()
def draw(p: Distribution, draws: int, generator: Generator | None) -> Tensor:
    """Draw from a torch distribution, [draws, *B, *event], with a generator of our own.

    torch.distributions takes none: its global state is forked and seeded from the generator.

    Raises:
        ValueError: If draws < 2.
    """
    if draws < 2:
        raise ValueError(f"draws must be at least 2, got {draws}")
    if generator is None:
        return p.sample(torch.Size([draws]))
    seed = int(torch.randint(2**62, (), generator=generator, device=generator.device))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return p.sample(torch.Size([draws]))
