"""Mixtures of Gaussians over rows with gaps: the gaps are summed out, and their means known."""

import math
from dataclasses import dataclass
from functools import partial

import torch
from torch import Generator, Tensor

from ancestral.classic.seeding import cluster_centres, nearest_centre
from ancestral.telling import beat

_TILE = 1 << 23  # Numbers held at once in the inverses: 64 MiB.
_LEAST = 0.05
"""Least variance in a component, as a share of the column's: none closes in on a value."""


@dataclass(frozen=True, slots=True, eq=False)
class IncompleteMixture:
    """``p(x) = sum_k w_k Normal(x; m_k, S)``, one covariance, of rows of which a part is known.

    Source: Ghahramani & Jordan 1994, Supervised learning from incomplete data via an EM approach;
    Little & Rubin 2002, Statistical Analysis with Missing Data, ch. 11.

    Args:
        weights: p(k), float64 [K].
        means: Of the components, float64 [K, D].
        covariance: Of all of them, float64 [D, D].

    Example:
        >>> x = torch.tensor([[0.0, 0.0], [1.0, 2.0], [2.0, 4.0], [1.0, torch.nan]]).double()
        >>> fit_incomplete(x, components=1, shrinkage=1e-6).expected(x).round(decimals=3)[3]
        tensor([1., 2.], dtype=torch.float64)
    """

    weights: Tensor
    means: Tensor
    covariance: Tensor

    @property
    def _rows(self) -> int:
        return max(1, _TILE // len(self.covariance) ** 2)

    def log_prob(self, x: Tensor) -> Tensor:
        """Return the log-density of what is known of rows [N, D], nats, float64 [N]."""
        return torch.cat([self._expect(part)[0] for part in x.split(self._rows)])

    def expected(self, x: Tensor) -> Tensor:
        """Return rows [N, D] with what is not known, NaN, at its mean given what is."""
        parts = [self._expect(part) for part in x.split(self._rows)]
        means = torch.cat([(resp[..., None] * filled).sum(dim=1) for _, resp, filled, _ in parts])
        return means.where(x.isnan(), x)

    def improved(
        self, x: Tensor, *, shrinkage: float, least: Tensor
    ) -> tuple["IncompleteMixture", float]:
        """Return the mixture after a sweep of EM over x [N, D], and the mean log-density before it.

        Args:
            x: Rows, NaN where they are not known.
            shrinkage: Correlations are divided by 1 plus it.
            least: Least variance of each column in a component, [D].
        """
        size, count = len(self.weights), len(x)
        rows, total, log_prob = x.new_zeros(size), torch.zeros_like(self.means), 0.0
        square, inverse = torch.zeros_like(self.covariance), torch.zeros_like(self.covariance)
        for part in x.split(self._rows):
            log_p, resp, filled, inverses = self._expect(part)
            log_prob += log_p.sum().item()
            rows += resp.sum(dim=0)
            # About the old means, whose size would else cost digits.
            off = filled - self.means
            total += torch.einsum("nk,nkd->kd", resp, off)
            square += torch.einsum("nk,nkd,nke->de", resp, off, off)
            inverse += inverses
        shift = total / rows.clamp_min(1e-12)[:, None]
        square -= torch.einsum("k,kd,ke->de", rows, shift, shift)
        # What is left of the covariance where a part of the row is known: S - S inv(S_known) S.
        left = count * self.covariance - self.covariance @ inverse @ self.covariance
        covariance = (square + left) / count
        variances = torch.maximum(covariance.diag(), least)
        covariance = covariance / (1 + shrinkage)
        covariance.diagonal().copy_(variances)
        weights = (rows + 1) / (count + size)
        return IncompleteMixture(weights, self.means + shift, covariance), log_prob / count

    def _expect(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return log p(known) [N], p(k | known) [N, K], rows filled [N, K, D], summed inverses."""
        known = ~x.isnan()
        patterns, which = known.unique(dim=0, return_inverse=True)
        both = patterns[:, :, None] & patterns[:, None, :]
        alone = torch.eye(x.shape[1], dtype=x.dtype, device=x.device)
        # What is unknown is made independent, of variance 1, and at its mean: it says nothing.
        factor = torch.linalg.cholesky(self.covariance.where(both, alone))
        inverse = torch.cholesky_inverse(factor) * both
        log_scale = factor.diagonal(dim1=1, dim2=2).log().sum(dim=1)
        off = (x[:, None, :] - self.means).where(known[:, None, :], 0.0)
        solved = off @ inverse[which]
        filled = (self.means + solved @ self.covariance).where(
            ~known[:, None, :], x[:, None, :].nan_to_num()
        )
        log_p = self.weights.log() - (off * solved).sum(dim=2) / 2 - log_scale[which, None]
        log_p = log_p - known.to(x).sum(dim=1, keepdim=True) * (math.log(2 * math.pi) / 2)
        each = which.bincount(minlength=len(patterns)).double()
        summed = torch.einsum("p,pde->de", each, inverse)
        return log_p.logsumexp(dim=1), log_p.softmax(dim=1), filled, summed


@torch.no_grad()
def fit_incomplete(
    x: Tensor,
    *,
    components: int,
    shrinkage: float,
    sweeps: int = 30,
    tolerance: float = 1e-3,
    single: IncompleteMixture | None = None,
    generator: Generator | None = None,
) -> IncompleteMixture:
    """Fit a mixture by EM: one Gaussian first, and from the rows as it fills them the others.

    Args:
        x: Rows, float64 [N, D], NaN where they are not known.
        components: Number K of Gaussians, at least 1.
        shrinkage: Correlations are divided by 1 plus it, above 0.
        sweeps: Most sweeps of EM of either, at least 1.
        tolerance: EM ends where a sweep gains fewer nats a row.
        single: The one Gaussian, where it was fitted before.
        generator: Of where the components start.
    """
    mean = x.nanmean(dim=0).nan_to_num()
    spread = (x - mean).square().nanmean(dim=0).nan_to_num().clamp_min(1e-12)
    climb = partial(
        _climbed,
        x=x,
        shrinkage=shrinkage,
        least=_LEAST * spread,
        sweeps=sweeps,
        tolerance=tolerance,
    )
    one = single or climb(IncompleteMixture(x.new_ones(1), mean[None], spread.diag()))
    if components == 1:
        return one
    scale = one.covariance.diag().sqrt()
    filled = one.expected(x) / scale
    centres = cluster_centres(filled, components, weights=None, generator=generator)
    group = nearest_centre(filled, centres)
    rows = group.bincount(minlength=components).double()
    weights = (rows + 1) / (len(x) + components)
    return climb(IncompleteMixture(weights, centres * scale, one.covariance))


def _climbed(
    mixture: IncompleteMixture,
    *,
    x: Tensor,
    shrinkage: float,
    least: Tensor,
    sweeps: int,
    tolerance: float,
) -> IncompleteMixture:
    before = -math.inf
    for _ in range(sweeps):
        mixture, now = mixture.improved(x, shrinkage=shrinkage, least=least)
        beat()
        if now - before < tolerance:
            break
        before = now
    return mixture
