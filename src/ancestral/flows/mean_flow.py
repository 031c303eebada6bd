"""MeanFlow: the mean velocity over an interval, learned from scratch; one evaluation draws."""

from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Generator, Tensor, nn

from ancestral.capabilities import Batch, Given, Loss
from ancestral.flows.transport import Transport, spread_times
from ancestral.networks.ode import even
from ancestral.nn.forward_mode import directional

MeanVelocity = Callable[[Tensor, Tensor, Tensor], Tensor]
"""Maps z [B, *D], times t [B] and lengths s - t [B] to mean velocities from t to s, [B, *D]."""


def mean_flow_error(
    mean_velocity: MeanVelocity, x_0: Tensor, x_1: Tensor, t: Tensor, s: Tensor
) -> Tensor:
    """Return how far the mean velocity is from what its own derivative says, [B, *D].

    With ``(s - t) u(z_t, t, s)`` the way from t to s, its derivative along the path gives
    ``u = v + (s - t) du/dt``, whose right side is held fixed. At s = t it is flow matching.

    Source: Geng et al. 2025, Mean Flows for One-step Generative Modeling, arXiv:2505.13447, eq. 6
    and alg. 1; there time 0 is data, so that signs differ.

    Args:
        mean_velocity: The network.
        x_0: Noise, [B, *D].
        x_1: Data, [B, *D].
        t: Beginnings of the intervals, in [0, 1], [B].
        s: Their ends, from t to 1, [B].

    Example:
        >>> x_0, x_1, t = torch.zeros(5, 2), torch.ones(5, 2), torch.rand(5)
        >>> constant = lambda z, t, length: torch.ones_like(z)
        >>> mean_flow_error(constant, x_0, x_1, t, t + (1 - t) / 2).abs().sum()
        tensor(0.)
    """
    rows = (-1, *[1] * (x_1.ndim - 1))
    z, v, length = torch.lerp(x_0, x_1, t.reshape(rows)), x_1 - x_0, s - t
    one = torch.ones_like(t)
    u, slope = directional(mean_velocity, (z, t, length), (v, one, -one))
    return u - (v + length.reshape(rows) * slope).detach()


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
        intervals: float = 0.75,
        power: float = 0.0,
    ) -> None:
        super().__init__(network, event_shape, classes=classes, dropped=0.0)
        if not 0 < intervals <= 1:
            raise ValueError(f"intervals must lie in (0, 1], got {intervals}")
        if not power >= 0:
            raise ValueError(f"power must be at least 0, got {power}")
        self.intervals, self.power = intervals, power

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
        x_0 = self._noise(x_1, generator)
        t, s = self._times(len(x_1), x_1, generator)
        label = self._hidden(batch.given.get("label"), generator)

        def mean_velocity(z: Tensor, t: Tensor, length: Tensor) -> Tensor:
            return self.network(z, torch.stack((t, length), dim=1), label)

        error = mean_flow_error(mean_velocity, x_0, x_1, t, s)
        squared = error.square().flatten(start_dim=1).mean(dim=1)
        weight = (squared.detach() + 1e-3) ** -self.power
        metrics = {"squared_error": squared.detach().mean()}
        return Loss((weight * squared).sum(), weight=len(x_1), metrics=metrics)

    def _times(self, n: int, like: Tensor, generator: Generator | None) -> tuple[Tensor, Tensor]:
        """Draw the beginnings and ends of intervals, each [n]."""
        a = spread_times(n, like, generator)
        b = torch.rand(n, generator=generator, dtype=like.dtype, device=like.device)
        t, s = torch.minimum(a, b), torch.maximum(a, b)
        chosen = torch.rand(n, generator=generator, dtype=like.dtype, device=like.device)
        return t, torch.where(chosen < self.intervals, s, t)
