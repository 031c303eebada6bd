"""The annealed Gaussian: the diffusion of a Gaussian, whose every quantity has a closed form."""

from collections.abc import Mapping
from typing import Self, cast

import torch
from torch import Generator, Tensor, nn
from torch.distributions import Normal

from ancestral.capabilities import Given
from ancestral.errors import DataError
from ancestral.networks.arguments import check_whole, refuse_unknown
from ancestral.networks.chain import Chain
from ancestral.networks.chain_elbo import chain_elbo
from ancestral.networks.dag import DAG
from ancestral.networks.nodes import StandardNormal


class VariancePreservingStep(nn.Module):
    """``q(z_t | z_t-1) = Normal(sqrt(r_t) z_t-1, 1 - r_t)``: noise that keeps the variance at 1.

    ``kept`` holds the share of the data's variance that is left at t = 0..T, the product of the
    r_t: 1 at first and nearly 0 at last, falling as a squared cosine.

    Source: Ho, Jain & Abbeel 2020, arXiv:2006.11239, eq. 2, 4 and 6-7; Nichol & Dhariwal 2021,
    arXiv:2102.09672, eq. 17 (the cosine).

    Args:
        steps: Number of steps T, at least 1.
        event_shape: Shape of one state.

    Example:
        >>> step = VariancePreservingStep(4, (2,))
        >>> step.jump(torch.ones(3, 2), torch.tensor([1, 2, 4])).mean[:, 0]
        tensor([0.9511, 0.8090, 0.3090])
    """

    kept: Tensor

    def __init__(self, steps: int, event_shape: tuple[int, ...]) -> None:
        super().__init__()
        check_whole("steps", steps)
        angle = torch.arange(steps + 1, dtype=torch.float64) / (steps + 1) * torch.pi / 2
        self.register_buffer("kept", angle.cos().square(), persistent=False)
        self._tail = (1,) * len(event_shape)

    def forward(self, z: Tensor, t: Tensor) -> Normal:
        """Return q(z_t | z_t-1), for z_t-1 [*B, *event] and t [*B]."""
        before, now = self.shares(t)
        ratio = now / before
        return _normal(ratio.sqrt() * z, 1 - ratio, z)

    def jump(self, start: Tensor, t: Tensor) -> Normal:
        """Return q(z_t | z_0)."""
        _, now = self.shares(t)
        return _normal(now.sqrt() * start, 1 - now, start)

    def posterior(self, z: Tensor, start: Tensor, t: Tensor) -> Normal:
        """Return q(z_t-1 | z_t, z_0)."""
        before, now = self.shares(t)
        ratio = now / before
        mean = before.sqrt() * (1 - ratio) * start + ratio.sqrt() * (1 - before) * z
        return _normal(mean / (1 - now), (1 - before) * (1 - ratio) / (1 - now), z)

    def shares(self, t: Tensor) -> tuple[Tensor, Tensor]:
        """Return the shares that are kept at t - 1 and at t, [*B, 1, ...], float64."""
        return tuple(self.kept[at].reshape(*t.shape, *self._tail) for at in (t - 1, t))  # pyright: ignore[reportReturnType]


class _GaussianReverse(nn.Module):
    """p(z_t-1 | z_t) where the data are Normal(mean, std): the exact reverse of the noise."""

    mean: Tensor
    std: Tensor

    def __init__(self, noise: VariancePreservingStep, features: int) -> None:
        super().__init__()
        self.noise = noise
        self.register_buffer("mean", torch.zeros(features, dtype=torch.float64))
        self.register_buffer("std", torch.ones(features, dtype=torch.float64))

    def forward(self, z: Tensor, t: Tensor) -> Normal:
        before, now = self.noise.shares(t)
        mean, variance, ratio = self.mean, self.std.square(), now / before
        earlier, later = (share * variance + 1 - share for share in (before, now))
        pulled = ratio.sqrt() * earlier / later * (z - now.sqrt() * mean)
        return _normal(before.sqrt() * mean + pulled, earlier * (1 - ratio) / later, z)


class AnnealedGaussianChain(nn.Module):
    """Gaussian data that are turned into noise in T steps, and back: diffusion without a network.

    ``q = {z_1, ..., z_T | x}`` adds noise, ``p = {z_T, ..., z_1, x}`` starts from Normal(0, I) and
    takes the noise away by the exact reverse of q. So log p(x) and the bound can be compared; the
    longer the chain, the closer both are to the Gaussian of the data.

    Source: Sohl-Dickstein et al. 2015, arXiv:1503.03585.

    Args:
        features: Dimension D of x, at least 1.
        steps: Number of steps T, at least 1.

    Raises:
        ValueError: If a number is below 1.

    Example:
        >>> model = AnnealedGaussianChain(2, steps=50).fit(torch.randn(100, 2) + 3)
        >>> x = model.sample(5)
        >>> x.shape, model.log_prob(x).shape, model.elbo(x).shape
        (torch.Size([5, 2]), torch.Size([5]), torch.Size([5]))
    """

    def __init__(self, features: int, *, steps: int = 1000) -> None:
        super().__init__()
        check_whole("features", features)
        self.features, event = features, (features,)
        noise = VariancePreservingStep(steps, event)
        names = ("x", *(f"z{t}" for t in range(1, steps + 1)))
        self.q = Chain(None, noise, steps=steps, event_shape=event, names=names)
        self.p = Chain(
            StandardNormal(event),
            _GaussianReverse(noise, features),
            steps=steps,
            event_shape=event,
            reverse=True,
            names=names,
        )

    @property
    def reverse_step(self) -> _GaussianReverse:
        """The conditional p(z_t-1 | z_t), which holds ``mean`` and ``std`` of the data, [D]."""
        return cast(_GaussianReverse, self.p.step)

    @property
    def graph(self) -> Mapping[str, DAG]:
        """The chain ``p`` from noise to data, and ``q`` from data to noise."""
        return {"p": self.p.graph, "q": self.q.graph}

    @torch.no_grad()
    def fit(
        self, x: Tensor, *, given: Given | None = None, generator: Generator | None = None
    ) -> Self:
        """Set the Gaussian of the data to their mean and standard deviations; return self.

        The examples are [N, D], in model units.

        Raises:
            ValueError: If x is not [N, D] with N at least 2.
            DataError: If a value is not finite, or a column is constant.
        """
        del generator
        refuse_unknown(given, "an annealed Gaussian")
        self._check(x)
        if len(x) < 2:
            raise ValueError(f"fitting needs at least 2 rows, got {len(x)}")
        std, mean = torch.std_mean(x.double(), dim=0, correction=0)
        if not bool(((std > 0) & std.isfinite()).all()):
            raise DataError("every column must be finite and not constant")
        self.reverse_step.mean.copy_(mean)
        self.reverse_step.std.copy_(std)
        return self

    def log_prob(self, x: Tensor, *, given: Given | None = None) -> Tensor:
        """Return log p(x), exact, nats, [B], for x [B, D].

        All steps are linear, so p(x) is a Gaussian; the products over t telescope.
        """
        refuse_unknown(given, "an annealed Gaussian")
        self._check(x)
        mean, variance = self.reverse_step.mean, self.reverse_step.std.square()
        left = self.reverse_step.noise.kept[-1]
        last = left * variance + 1 - left
        gain = left.sqrt() * variance / last
        own = _normal(mean * (1 - gain * left.sqrt()), variance + gain.square() * (1 - last), mean)
        return own.log_prob(x.to(mean)).sum(-1).to(x.dtype)

    def elbo(
        self,
        x: Tensor,
        *,
        given: Given | None = None,
        draws: int = 1,
        generator: Generator | None = None,
    ) -> Tensor:
        """Return an unbiased estimate of a lower bound on log p(x), nats, [B], for x [B, D]."""
        check_whole("draws", draws)
        refuse_unknown(given, "an annealed Gaussian")
        self._check(x)
        return (
            chain_elbo(self.p, self.q, x.repeat(draws, 1), generator=generator)
            .view(draws, -1)
            .mean(0)
        )

    def sample(
        self, n: int, *, given: Given | None = None, generator: Generator | None = None
    ) -> Tensor:
        """Draw noise, then walk back to x, [n, D].

        The first states of the walk, ``zT``, ... [n, D] or [D], may be given.
        """
        with torch.no_grad():
            *_, x = self.p.walk(n, given=given, generator=generator)
        return x

    def _check(self, x: Tensor) -> None:
        if x.ndim != 2 or x.shape[1] != self.features:
            raise ValueError(f"x must have shape [B, {self.features}], got {[*x.shape]}")


def _normal(mean: Tensor, variance: Tensor, like: Tensor) -> Normal:
    std = variance.sqrt().expand_as(mean)
    return Normal(mean.to(like), std.to(like), validate_args=False)
