"""MeanFlow: the mean velocity over an interval, learned from scratch; one evaluation draws."""

import math
from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Generator, Tensor, nn

from ancestral.capabilities import Batch, Given, Loss, Player
from ancestral.flows.targets import TARGETS, Target, check_target
from ancestral.flows.transport import Transport
from ancestral.networks.gaussian_path import rows, straight
from ancestral.networks.ode import even
from ancestral.networks.sampling import even_uniform
from ancestral.nn.forward_mode import directional

MeanVelocity = Callable[[Tensor, Tensor, Tensor], Tensor]
"""Maps z [B, *D], times t [B] and lengths s - t [B] to mean velocities from t to s, [B, *D]."""


def mean_flow_error(
    mean_velocity: MeanVelocity, z: Tensor, v: Tensor, t: Tensor, s: Tensor
) -> Tensor:
    """Return how far the mean velocity is from what its own derivative says, [B, *D].

    With ``(s - t) u(z_t, t, s)`` the way from t to s, its derivative along the path gives
    ``u = v + (s - t) du/dt``, whose right side is held fixed. At s = t it is flow matching.

    Source: Geng et al. 2025, Mean Flows for One-step Generative Modeling, arXiv:2505.13447, eq. 6
    and alg. 1; there time 0 is data, so that signs differ.

    Args:
        mean_velocity: The network.
        z: Points of paths, [B, *D].
        v: Velocities of the paths there, [B, *D].
        t: Beginnings of the intervals, in [0, 1], [B].
        s: Their ends, from t to 1, [B].

    Example:
        >>> z, v, t = torch.zeros(5, 2), torch.ones(5, 2), torch.rand(5)
        >>> constant = lambda z, t, length: torch.ones_like(z)
        >>> mean_flow_error(constant, z, v, t, t + (1 - t) / 2).abs().sum()
        tensor(0.)
    """
    length, one = s - t, torch.ones_like(t)
    u, slope = directional(mean_velocity, (z, t, length), (v, one, -one))
    return u - (v + rows(length, z) * slope).detach()


class MeanFlow(Transport):
    """A network of the mean velocity between two times: ``x = z + u(z, 0, 1)`` in one evaluation.

    Source: Geng et al. 2025, arXiv:2505.13447, sec. 4.3.

    Args:
        network: Maps z [B, *event], a time and the length of the interval [B, 2], and label [B]
            int64 or None to [B, *event].
        event_shape: Of x.
        classes: Number K of labels that the network takes; 0 for a model without.
        intervals: Share of the examples of which the interval has a length, in (0, 1].
        power: Of the error in the weight of an example, at least 0. 0 leaves the squared error; 1,
            the source's, is for many dimensions, where errors are alike: in few it draws the mean
            velocity towards its mode.
        target: The velocity of a ``single`` path through a point, or ``averaged`` over those of
            the batch, which has the same mean and far less variance in few dimensions.

    Raises:
        ValueError: If an argument is out of its range.

    Example:
        >>> from ancestral.nn import TimedMLP
        >>> model = MeanFlow(TimedMLP(2, hidden=(32, 32), times=2), (2,))
        >>> model.sample(5).shape, len([*model.walk(5, steps=4)])
        (torch.Size([5, 2]), 5)
    """

    def __init__(
        self,
        network: nn.Module,
        event_shape: Sequence[int],
        *,
        classes: int = 0,
        intervals: float = 0.5,
        power: float = 0.0,
        target: Target = "single",
    ) -> None:
        super().__init__(network, event_shape, classes=classes, dropped=0.0)
        if not 0 < intervals <= 1:
            raise ValueError(f"intervals must lie in (0, 1], got {intervals}")
        if not power >= 0:
            raise ValueError(f"power must be at least 0, got {power}")
        check_target(target)
        self.intervals, self.power, self.target = intervals, power, target

    def players(self) -> Sequence[Player]:
        """Return the one player: it lowers the error of the mean velocity."""
        couples = self.target == "averaged"
        return [Player(name="flow", module=self, loss=self._loss, couples_examples=couples)]

    @torch.no_grad()
    def walk(
        self,
        n: int,
        *,
        given: Given | None = None,
        generator: Generator | None = None,
        steps: int = 1,
    ) -> Iterator[Tensor]:
        """Yield the states [n, *event] of n draws after each of equal steps, the noise first."""
        times = even(steps)
        z, label = self._begin(n, given, generator)
        yield z
        for t in times[:-1]:
            where = z.new_tensor([t, 1 / steps]).expand(n, 2)
            z = z + self.network(z, where, label) / steps
            yield z

    def _loss(self, batch: Batch, generator: Generator | None) -> Loss:
        x_1 = self._own(batch.x)
        n, x_0, label = len(x_1), self._noise(x_1, generator), self._taken(batch)
        count = math.ceil(self.intervals * n)
        t, s = self._times(n, count, x_1, generator)
        z, v = TARGETS[self.target](straight(t), x_0, x_1, label)

        def errors(part: slice) -> Tensor:
            own = None if label is None else label[part]

            def mean_velocity(z: Tensor, t: Tensor, length: Tensor) -> Tensor:
                return self.network(z, torch.stack((t, length), dim=1), own)

            if part.start:  # Without length there is nothing to differentiate.
                return mean_velocity(z[part], t[part], torch.zeros_like(t[part])) - v[part]
            return mean_flow_error(mean_velocity, z[part], v[part], t[part], s[part])

        parts = [slice(0, count), slice(count, n)]
        error = torch.cat([errors(part) for part in parts[: 1 + (count < n)]])
        squared = error.square().flatten(start_dim=1).mean(dim=1)
        weight = (squared.detach() + 1e-3) ** -self.power
        metrics = {"squared_error": squared.detach().mean()}
        return Loss((weight * squared).sum(), weight=n, metrics=metrics)

    def _times(
        self, n: int, count: int, like: Tensor, generator: Generator | None
    ) -> tuple[Tensor, Tensor]:
        """Draw the beginnings and ends of intervals, each [n]; from ``count`` on without length.

        The intervals are between two uniform times, or, every other one, from one to the data:
        such a one makes the draws of one evaluation.
        """
        a = torch.cat([even_uniform(k, like, generator) for k in (count, n - count)])
        b = torch.rand(count, generator=generator, dtype=like.dtype, device=like.device)
        t, s = torch.minimum(a[:count], b), torch.maximum(a[:count], b)
        t[::2], s[::2] = a[:count:2], 1.0
        return torch.cat((t, a[count:])), torch.cat((s, a[count:]))
