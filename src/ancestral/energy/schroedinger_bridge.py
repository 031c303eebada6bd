"""The Schrödinger bridge between two sets of points: the likeliest way between them."""

import itertools
from collections.abc import Sequence
from typing import Self

import torch
from torch import Generator, Tensor, nn
from torch.distributions import Categorical

from ancestral.information.sinkhorn import sinkhorn
from ancestral.networks.arguments import check_number, check_whole
from ancestral.networks.sampling import draw
from ancestral.nn.resizable import resize_on_load


class SchroedingerBridge(nn.Module):
    """Brownian motion that is bent as little as can be, so that it carries one set to another.

    Of all processes with the two margins it is nearest, by KL, to Brownian motion of variance
    epsilon in unit time. Its ends are coupled by the entropic plan of cost |x - y|^2 / 2, between
    them it is a Brownian bridge; so each step is drawn from its exact law, however long it is. Time
    0 is the first set, time 1 the second.

    Source: Léonard 2014, A survey of the Schrödinger problem, arXiv:1308.0215, sec. 2; the drift:
    Pooladian & Niles-Weed 2024, Plug-in estimation of Schrödinger bridges, arXiv:2408.11686, eq. 7.

    Args:
        epsilon: Variance of the Brownian motion, above 0, in squared units of the points.

    Raises:
        ValueError: If epsilon is not above 0.

    Example:
        >>> x, y = torch.zeros(20, 2), torch.ones(30, 2)
        >>> bridge = SchroedingerBridge(epsilon=0.1).fit(x, y)
        >>> bridge.paths(x[:5], times=[0.0, 0.5, 1.0]).shape
        torch.Size([5, 3, 2])
    """

    target: Tensor
    log_mass: Tensor

    def __init__(self, *, epsilon: float) -> None:
        super().__init__()
        check_number("epsilon", epsilon, above=True)
        self.epsilon = epsilon
        self.register_buffer("target", torch.empty(0, 0))
        self.register_buffer("log_mass", torch.empty(0))
        resize_on_load(self, ("target", "log_mass"))

    def fit(self, source: Tensor, target: Tensor) -> Self:
        """Find the plan between points [N, D] and [M, D] of equal weights; return self.

        Raises:
            ValueError: If the points are not finite rows of as many coordinates.
            DivergenceError: If Sinkhorn's algorithm does not end; epsilon is too small.
        """
        if source.ndim != 2 or target.ndim != 2 or source.shape[1] != target.shape[1]:
            shapes = f"{list(source.shape)} and {list(target.shape)}"
            raise ValueError(f"points must be [N, D] and [M, D], got {shapes}")
        self.target = target.double()
        cost = torch.cdist(source.double(), self.target).square() / 2
        self.log_mass = sinkhorn(cost, epsilon=self.epsilon, tolerance=1e-7).target / self.epsilon
        return self

    def ends(self, x: Tensor, time: float) -> Categorical:
        """Return where a path ends that is at x [B, D] at this time in [0, 1): which of the M."""
        squares = (x.double()[:, None] - self.target).square().sum(dim=2)
        return Categorical(logits=self.log_mass - squares / (2 * self.epsilon * (1 - time)))

    def drift(self, x: Tensor, time: float) -> Tensor:
        """Return the drift at x [B, D], [B, D]: dx = drift dt + sqrt(epsilon) dW."""
        mean = self.ends(x, time).probs @ self.target
        return (mean - x.double()) / (1 - time)

    def paths(
        self, x: Tensor, *, times: Sequence[float], generator: Generator | None = None
    ) -> Tensor:
        """Carry points x [B, D], also new ones, along the bridge: [B, T, D].

        Args:
            x: At times[0].
            times: Rising, in [0, 1].
            generator: Source of randomness; torch's global one if None.

        Raises:
            ValueError: If times do not rise in [0, 1].
        """
        check_whole("times", len(times))
        rising = all(a < b for a, b in itertools.pairwise(times))
        if not rising or not 0 <= times[0] <= times[-1] <= 1:
            raise ValueError(f"times must rise in [0, 1], got {list(times)}")
        found = [x.double()]
        for now, then in itertools.pairwise(times):
            found.append(self._step(found[-1], now, then, generator))
        return torch.stack(found, dim=1)

    def _step(self, x: Tensor, now: float, then: float, generator: Generator | None) -> Tensor:
        end = self.target[draw(self.ends(x, now), (), generator)]
        share = (then - now) / (1 - now)
        std = (self.epsilon * share * (1 - then)) ** 0.5
        noise = torch.randn(x.shape, generator=generator, dtype=x.dtype, device=x.device)
        return torch.lerp(x, end, share) + std * noise
