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
from ancestral.networks.noising import DenoisingStep, VariancePreservingStep


class GaussianDenoiser(nn.Module):
    """x | y where y = x + sigma epsilon and x ~ Normal(mean, std) in each coordinate.

    Args:
        features: Dimension D of x; mean and std, [D], are 0 and 1 at first.

    Example:
        >>> GaussianDenoiser(2)(torch.ones(3, 2), torch.ones(3)).mean[0]
        tensor([0.5000, 0.5000])
    """

    mean: Tensor
    std: Tensor

    def __init__(self, features: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(features, dtype=torch.float64))
        self.register_buffer("std", torch.ones(features, dtype=torch.float64))

    def forward(self, y: Tensor, sigma: Tensor) -> Normal:
        """Return the posterior of x given y [R, D] and sigma [R]."""
        variance, noise = self.std.square(), sigma.double()[:, None].square()
        share = variance / (variance + noise)
        mean, std = torch.lerp(self.mean, y.double(), share), (share * noise).sqrt()
        return Normal(mean.to(y), std.to(y), validate_args=False)


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
            DenoisingStep(noise, GaussianDenoiser(features)),
            steps=steps,
            event_shape=event,
            reverse=True,
            names=names,
        )

    @property
    def law(self) -> GaussianDenoiser:
        """What holds ``mean`` and ``std`` of the data, [D]."""
        return cast(GaussianDenoiser, cast(DenoisingStep, self.p.step).denoiser)

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
        self.law.mean.copy_(mean)
        self.law.std.copy_(std)
        return self

    def log_prob(self, x: Tensor, *, given: Given | None = None) -> Tensor:
        """Return log p(x), exact, nats, [B], for x [B, D].

        All steps are linear, so p(x) is a Gaussian; the products over t telescope.
        """
        refuse_unknown(given, "an annealed Gaussian")
        self._check(x)
        mean, variance = self.law.mean, self.law.std.square()
        left = cast(VariancePreservingStep, self.q.step).kept[-1]
        last = left * variance + 1 - left
        gain = left.sqrt() * variance / last
        own = Normal(
            mean * (1 - gain * left.sqrt()),
            (variance + gain.square() * (1 - last)).sqrt(),
            validate_args=False,
        )
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
