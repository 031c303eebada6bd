"""The book's worked example: the weight of a mixture of two known Gaussians, by gradient descent.

``z ~ Bernoulli(r)``, ``x | z ~ Normal(means[z], scales[z])``; r = sigmoid(theta) is estimated by
lowering minus the mean log-likelihood. Dividing by the number of examples makes the learning rate
independent of it.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Generator, Tensor
from torch.distributions import Normal
from torch.nn.functional import logsigmoid

from ancestral.estimation.parameters import check_data

MEANS, SCALES, WEIGHT = (-1.0, 3.0), (1.0, 2.0), 0.8


@dataclass(frozen=True, slots=True)
class TwoGaussians:
    """A mixture (1 - r) N(m_0, s_0^2) + r N(m_1, s_1^2) of which only r is unknown.

    Example:
        >>> x = TwoGaussians().sample(1000, WEIGHT, generator=torch.Generator().manual_seed(0))
        >>> path = TwoGaussians().descend(x, learning_rate=1.0, epochs=500)
        >>> abs(path[-1].item() - TwoGaussians().maximise(x).item()) < 1e-3
        True
    """

    means: tuple[float, float] = MEANS
    scales: tuple[float, float] = SCALES

    def sample(self, n: int, weight: float, *, generator: Generator | None = None) -> Tensor:
        """Draw n examples ancestrally, z first, [n], float64.

        Raises:
            ValueError: If n < 1 or the weight is outside [0, 1].
        """
        if n < 1:
            raise ValueError(f"n must be at least 1, got {n}")
        if not 0 <= weight <= 1:
            raise ValueError(f"weight must be in [0, 1], got {weight}")
        z = torch.rand(n, generator=generator, dtype=torch.float64) < weight
        noise = torch.randn(n, generator=generator, dtype=torch.float64)
        pairs = (self.means, self.scales)
        mean, scale = (torch.tensor(pair, dtype=torch.float64)[z.long()] for pair in pairs)
        return mean + scale * noise

    def log_prob(self, x: Tensor, logit: Tensor | float) -> Tensor:
        """Return log p(x) at r = sigmoid(logit), in nats, [K, *T], for x [K] and logits [*T]."""
        logit = torch.as_tensor(logit, dtype=x.dtype)
        logs = self._component_logs(x).reshape(2, len(x), *[1] * logit.ndim)
        return torch.logaddexp(logsigmoid(-logit) + logs[0], logsigmoid(logit) + logs[1])

    def descend(
        self, x: Tensor, *, learning_rate: float | Sequence[float], epochs: int, start: float = 0.5
    ) -> Tensor:
        """Return r after 0, 1, ..., epochs gradient steps on -(1/K) log p(D), [epochs + 1, *T].

        Plain descent on the logit with all data x [K] in each step; T learning rates run side by
        side. The first logit, 0.5, is the book's, so that r starts at 0.6225.

        Raises:
            DataError: If there is no row or a value is not finite.
            ValueError: If a learning rate is not above 0 or epochs < 1.
        """
        rate = torch.as_tensor(learning_rate, dtype=torch.float64)
        if not bool((rate > 0).all()) or epochs < 1:
            raise ValueError(
                f"learning_rate must be above 0 and epochs at least 1, "
                f"got {learning_rate} and {epochs}"
            )
        # d log p / d logit = p(z = 1 | x) - r: responsibility less prior.
        difference = self._log_ratio(x).reshape(-1, *[1] * rate.ndim)
        logit = torch.full_like(rate, start)
        path = [logit]
        for _ in range(epochs):
            slope = torch.sigmoid(logit + difference).mean(dim=0) - torch.sigmoid(logit)
            logit = logit + rate * slope
            path.append(logit)
        return torch.sigmoid(torch.stack(path))

    def losses(self, x: Tensor, path: Tensor) -> Tensor:
        """Return -(1/K) log p(D), in nats, at every r of a path, the same shape."""
        # Row by row: all examples at all epochs may not fit in memory.
        return torch.stack([-self.log_prob(x, row.logit()).mean(dim=0) for row in path])

    def climb(self, x: Tensor, *, iterations: int, start: float = 0.5) -> Tensor:
        """Return r after 0, 1, ... iterations of expectation-maximisation, [iterations + 1].

        Each r is the mean responsibility under the last one: the likelihood never falls.

        Raises:
            DataError: If there is no row or a value is not finite.
        """
        difference = self._log_ratio(x)
        r = torch.tensor(start, dtype=torch.float64).sigmoid()
        path = [r]
        for _ in range(iterations):
            r = torch.sigmoid(r.logit() + difference).mean()
            path.append(r)
        return torch.stack(path)

    def maximise(self, x: Tensor) -> Tensor:
        """Return the maximum-likelihood r in [0, 1] by bisection of the score, to 1e-15, [].

        The likelihood is concave in r, so there is one maximum; it may be at an end.

        Raises:
            DataError: If there is no row or a value is not finite.
        """
        ratio = self._log_ratio(x).exp() - 1
        low, high = 0.0, 1.0
        for _ in range(60):
            middle = (low + high) / 2
            rises = bool((ratio / (1 + middle * ratio)).mean() > 0)
            low, high = (middle, high) if rises else (low, middle)
        return torch.tensor((low + high) / 2, dtype=torch.float64)

    def standard_error(self, weight: float, examples: int) -> float:
        """Return the asymptotic standard deviation of the maximum-likelihood r, 1 / sqrt(K I(r)).

        The Fisher information I(r) = E[((p_1 - p_0) / p)^2] is an integral over the line.
        """
        reach = 12 * max(self.scales)
        ends = min(self.means) - reach, max(self.means) + reach
        x = torch.linspace(*ends, 20_001, dtype=torch.float64)
        first, second = self._component_logs(x).exp()
        density = (1 - weight) * first + weight * second
        information = torch.trapezoid((second - first).square() / density, x)
        return 1 / math.sqrt(examples * information.item())

    def _log_ratio(self, x: Tensor) -> Tensor:
        check_data(x)
        return self._component_logs(x.double()).diff(dim=0)[0]

    def _component_logs(self, x: Tensor) -> Tensor:
        pairs = (self.means, self.scales)
        mean, scale = (torch.tensor(pair, dtype=x.dtype)[:, None] for pair in pairs)
        return Normal(mean, scale).log_prob(x)


@dataclass(frozen=True, slots=True)
class LearningRateStudy:
    """The data of the book's figure 40: how r moves under each learning rate.

    Estimates r and losses (minus the mean log-likelihood, nats) are [epochs + 1, rates]; the
    optimum is the maximum-likelihood r.
    """

    learning_rates: tuple[float, ...]
    paths: Tensor
    losses: Tensor
    optimum: float

    def verdicts(self, *, tolerance: float = 1e-3, window: int = 100) -> tuple[str, ...]:
        """Return for each rate ``"converged"``, ``"slow"``, ``"oscillates"`` or ``"stuck"``.

        A path whose last ``window`` values are not all within ``tolerance`` of the optimum is slow
        if it never passed it, oscillates if it turns back in every second of these steps, and is
        stuck otherwise: one step so long that the sigmoid has saturated, where there is no slope
        to come back by.
        """
        last = self.paths[-window:]
        close = ((last - self.optimum).abs() <= tolerance).all(dim=0)
        steps = last.diff(dim=0)
        turning = (steps[1:] * steps[:-1] < 0).double().mean(dim=0) >= 0.5
        sides = (self.paths > self.optimum).double()
        passed = sides.amin(dim=0) != sides.amax(dim=0)
        return tuple(
            "converged" if near else "oscillates" if turns else "stuck" if beyond else "slow"
            for near, turns, beyond in zip(close, turning, passed, strict=True)
        )


def learning_rate_study(
    x: Tensor,
    learning_rates: Sequence[float] = (0.01, 0.1, 1.0, 10.0, 30.0, 100.0),
    *,
    epochs: int = 500,
    mixture: TwoGaussians | None = None,
) -> LearningRateStudy:
    """Run gradient descent under each learning rate side by side.

    Args and errors are those of :meth:`TwoGaussians.descend`; the mixture is the book's if None.

    Example:
        >>> x = TwoGaussians().sample(1000, WEIGHT, generator=torch.Generator().manual_seed(0))
        >>> learning_rate_study(x, (0.01, 1.0, 30.0, 100.0)).verdicts()
        ('slow', 'converged', 'oscillates', 'stuck')
    """
    mixture = mixture or TwoGaussians()
    paths = mixture.descend(x, learning_rate=list(learning_rates), epochs=epochs)
    optimum = mixture.maximise(x).item()
    return LearningRateStudy(tuple(learning_rates), paths, mixture.losses(x, paths), optimum)
