"""What is recorded in steps: bits, grey levels by a discretised logistic, cells by a softmax."""

import math
from collections.abc import Sequence

import torch
from torch import Generator, Tensor
from torch.distributions import Bernoulli, Categorical, Distribution, constraints
from torch.nn import functional
from torch.types import _size

from ancestral.data.cells import UNKNOWN
from ancestral.networks.cells import offsets
from ancestral.networks.sampling import draw

_EMPTY = torch.Size()
_NEARLY_EVEN = 1e-2
"""Below such a logit the next term of a series in its square is below 1e-11."""


class Bits(Bernoulli):
    """A Bernoulli that refuses, in one line, what is neither 0 nor 1.

    Args:
        logits: Of a 1, [*B].
        grey: Numbers between 0 and 1 are taken, too; ``log_prob`` then is a cross-entropy.

    Example:
        >>> Bits(torch.zeros(3)).log_prob(torch.tensor([0.0, 1.0, 0.5]))
        Traceback (most recent call last):
        ValueError: a Bernoulli decoder takes values of 0 and 1, got 0.5
    """

    def __init__(self, logits: Tensor, *, grey: bool = False) -> None:
        super().__init__(logits=logits, validate_args=False)
        self.grey = grey

    def expand(self, batch_shape: _size, _instance: Distribution | None = None) -> "Bits":
        """Return the same distribution with a wider batch shape."""
        return Bits(self.logits.expand(batch_shape), grey=self.grey)

    def log_prob(self, value: Tensor) -> Tensor:
        """Return the log-probability of ``value``, nats, [*sample, *B]."""
        good = (value >= 0) & (value <= 1) if self.grey else (value == 0) | (value == 1)
        if not bool(good.all()):
            words = "from 0 to 1" if self.grey else "of 0 and 1"
            some = float(value[~good].flatten()[0])
            raise ValueError(f"a Bernoulli decoder takes values {words}, got {some:g}")
        return super().log_prob(value)


class DiscretisedLogistic(Distribution):
    """A logistic rounded to grey levels; the tails belong to the first and the last level.

    A value is ``level / (levels - 1)``, in [0, 1]. ``log_prob`` is the log of the mass of that
    level, so a bound made of it is a bound on the probability of the image itself.

    With a = (x - w/2 - loc) / s and b = (x + w/2 - loc) / s, w the width of a level, the mass
    sigmoid(b) - sigmoid(a) = sigmoid(b) sigmoid(-a) (1 - exp(-w / s)), which keeps its digits
    however far out x lies.

    Source: Kingma et al. 2016, arXiv:1606.04934, sec. 5; Salimans et al. 2017, PixelCNN++,
    arXiv:1701.05517, eq. 2.

    Args:
        loc: Centre of the logistic, [*B], in units of x; may lie outside [0, 1].
        log_scale: Log of its scale s, broadcastable to loc.
        levels: Number of grey levels, at least 2.

    Raises:
        ValueError: If levels < 2.

    Example:
        >>> pixel = DiscretisedLogistic(torch.zeros(3), torch.zeros(()), levels=17)
        >>> pixel.log_prob(torch.tensor([0.0, 0.5, 1.0])).shape
        torch.Size([3])
    """

    has_rsample = False

    def __init__(self, loc: Tensor, log_scale: Tensor, *, levels: int) -> None:
        if levels < 2:
            raise ValueError(f"levels must be at least 2, got {levels}")
        self.loc, self.levels = loc, levels
        self.log_scale = log_scale.expand_as(loc)
        super().__init__(loc.shape, validate_args=False)

    @property
    def arg_constraints(self) -> dict[str, constraints.Constraint]:
        """Both parameters may be any real number."""
        return {"loc": constraints.real, "log_scale": constraints.real}

    @property
    def support(self) -> constraints.Constraint:
        """The grey levels, as numbers in [0, 1]."""
        return constraints.unit_interval

    @property
    def mean(self) -> Tensor:
        """The exact mean of the grey level, in [0, 1], [*B]."""
        # E[level] = sum over j >= 1 of P(level >= j); one term at a time keeps memory at [*B].
        rate, total = torch.exp(-self.log_scale), torch.zeros_like(self.loc)
        for j in range(1, self.levels):
            total = total + torch.sigmoid((self.loc - (j - 0.5) / (self.levels - 1)) * rate)
        return total / (self.levels - 1)

    def expand(self, batch_shape: _size, _instance: None = None) -> "DiscretisedLogistic":
        """Return the same distribution with a wider batch shape."""
        scale = self.log_scale.expand(batch_shape)
        return DiscretisedLogistic(self.loc.expand(batch_shape), scale, levels=self.levels)

    def log_prob(self, value: Tensor) -> Tensor:
        """Return the log-probability of the grey level ``value``, nats, [*sample, *B]."""
        rate = torch.exp(-self.log_scale)
        half = 0.5 / (self.levels - 1)
        centred = value - self.loc
        below = functional.softplus((centred - half) * rate)  # -log sigmoid(-a)
        above = functional.softplus((centred + half) * -rate)  # -log sigmoid(b)
        # For large w / s the difference from 0 is lost, but not a digit of the sum.
        inside = torch.log(-torch.expm1(-2 * half * rate))
        above_first = (value > half).to(centred.dtype)
        below_last = (value < 1 - half).to(centred.dtype)
        return inside * (above_first * below_last) - below * above_first - above * below_last

    @torch.no_grad()
    def sample(self, sample_shape: _size = _EMPTY) -> Tensor:
        """Draw grey levels, [*sample_shape, *B]."""
        shape = self._extended_shape(torch.Size(sample_shape))
        tiny = torch.finfo(self.loc.dtype).tiny
        u = torch.rand(shape, dtype=self.loc.dtype, device=self.loc.device).clamp_min(tiny)
        # Rounding may give u = 1 in no float type of torch.rand, so log1p(-u) is finite.
        x = self.loc + self.log_scale.exp() * (u.log() - torch.log1p(-u))
        top = self.levels - 1
        return (x * top).round().clamp(0, top) / top


class ContinuousBernoulliLevels(Distribution):
    """A continuous Bernoulli cut into grey levels: each has the mass of its share of [0, 1].

    A value is ``level / (levels - 1)``, in [0, 1]. The density ``C exp(logit x)`` has on the share
    [j / n, (j + 1) / n] of level j a mass proportional to ``exp(s j)``, ``s = logit / n``: with j
    counted from the middle, its logarithm is ``s j - log(sinh(n s / 2) / sinh(s / 2))``.

    Source: Loaiza-Ganem & Cunningham 2019, The continuous Bernoulli, arXiv:1907.06845, eq. 7.

    Args:
        logits: Of the continuous Bernoulli's parameter, [*B].
        levels: Number n of grey levels, at least 2.

    Raises:
        ValueError: If levels < 2.

    Example:
        >>> pixel = ContinuousBernoulliLevels(torch.zeros(3), levels=5)
        >>> pixel.log_prob(torch.tensor([0.0, 0.5, 1.0])).exp()
        tensor([0.2000, 0.2000, 0.2000])
    """

    has_rsample = False

    def __init__(self, logits: Tensor, *, levels: int) -> None:
        if levels < 2:
            raise ValueError(f"levels must be at least 2, got {levels}")
        self.logits, self.levels = logits, levels
        super().__init__(logits.shape, validate_args=False)

    @property
    def arg_constraints(self) -> dict[str, constraints.Constraint]:
        """The logit may be any real number."""
        return {"logits": constraints.real}

    @property
    def support(self) -> constraints.Constraint:
        """The grey levels, as numbers in [0, 1]."""
        return constraints.unit_interval

    @property
    def mean(self) -> Tensor:
        """The exact mean of the grey level, in [0, 1], [*B]."""
        n = self.levels
        near, far = self._parted()
        # d/ds of the logarithm of the masses' sum, from the middle; near 0 a series.
        away = 0.5 * (n / torch.tanh(far / 2) - 1 / torch.tanh(far / (2 * n)))
        inside = self.logits * (n - 1 / n) / 12
        middle = torch.where(near, inside, away.copysign(self.logits))
        return 0.5 + middle / (n - 1)

    def expand(self, batch_shape: _size, _instance: None = None) -> "ContinuousBernoulliLevels":
        """Return the same distribution with a wider batch shape."""
        return ContinuousBernoulliLevels(self.logits.expand(batch_shape), levels=self.levels)

    def log_prob(self, value: Tensor) -> Tensor:
        """Return the log-probability of the grey level ``value``, nats, [*sample, *B]."""
        n = self.levels
        near, far = self._parted()
        away = 0.5 * far * (1 - 1 / n)
        away = away + torch.log(-torch.expm1(-far)) - torch.log(-torch.expm1(-far / n))
        inside = math.log(n) + self.logits.square() * (1 - 1 / n**2) / 24
        return (value - 0.5) * ((1 - 1 / n) * self.logits) - torch.where(near, inside, away)

    @torch.no_grad()
    def sample(self, sample_shape: _size = _EMPTY) -> Tensor:
        """Draw grey levels, [*sample_shape, *B]."""
        shape = self._extended_shape(torch.Size(sample_shape))
        near, far = self._parted()
        u = torch.rand(shape, dtype=self.logits.dtype, device=self.logits.device)
        # Of a falling density, then turned over where it rises.
        x = torch.where(near, u, -torch.log1p(u * torch.expm1(-far)) / far)
        level = (x * self.levels).floor().clamp(max=self.levels - 1)
        top = self.levels - 1
        return torch.where(self.logits > 0, top - level, level) / top

    def _parted(self) -> tuple[Tensor, Tensor]:
        """Return where the logit is nearly 0, and its size, 1 there so that slopes are finite."""
        size = self.logits.abs()
        near = size < _NEARLY_EVEN
        return near, torch.where(near, 1.0, size)


class Categoricals(Distribution):
    """A row of cells, each drawn from a categorical of its own; one that is -1 is summed out.

    Args:
        logits: Of the cells of all columns, one column after the other, [*B, all cells].
        sizes: Number of cells of each of the D columns.

    Example:
        >>> row = Categoricals(torch.zeros(3, 6), [2, 4])
        >>> row.event_shape, row.log_prob(torch.tensor([[0, 3], [1, -1], [-1, -1]])).exp()
        (torch.Size([2]), tensor([0.1250, 0.5000, 1.0000]))
    """

    has_rsample = False

    def __init__(self, logits: Tensor, sizes: Sequence[int]) -> None:
        self.sizes = tuple(sizes)
        super().__init__(logits.shape[:-1], torch.Size([len(self.sizes)]), validate_args=False)
        self.columns = [part.log_softmax(dim=-1) for part in logits.split(self.sizes, dim=-1)]

    @property
    def mode(self) -> Tensor:
        """The most probable cell of each column, int64 [*B, D]."""
        return torch.stack([column.argmax(dim=-1) for column in self.columns], dim=-1)

    def log_prob(self, value: Tensor) -> Tensor:
        """Return the log-probability of what is known of rows [*sample, *B, D], nats."""
        log_p, known = torch.cat(self.columns, dim=-1), value != UNKNOWN
        places = value.clamp_min(0) + offsets(self.sizes).to(value.device)
        lead = torch.broadcast_shapes(log_p.shape[:-1], places.shape[:-1])
        each = log_p.expand(*lead, -1).gather(-1, places.expand(*lead, -1))
        return each.where(known, 0.0).sum(dim=-1)

    def draw(self, shape: torch.Size, generator: Generator | None) -> Tensor:
        """Return rows of cells, int64 [*shape, *B, D]."""
        laws = [Categorical(logits=column, validate_args=False) for column in self.columns]
        return torch.stack([draw(law, shape, generator) for law in laws], dim=-1)
