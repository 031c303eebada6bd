"""The normal law closest to another, in either direction of the Kullback-Leibler divergence.

The data of the book's figure 38: one direction covers all modes, the other seeks one.
"""

from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import minimize
from torch.distributions import Distribution, Normal

from ancestral.errors import CapabilityError
from ancestral.information.laws import bounds

_NODES = 200


def closest_normal(
    p: Distribution, direction: Literal["cover", "seek"], *, start: Normal | None = None
) -> Normal:
    """Return the normal law q that is closest to a density p on the line.

    ``"cover"`` minimises KL(p || q), which is infinite where q is 0 and p is not: q has the mean
    and the variance of p and spans its modes. ``"seek"`` minimises KL(q || p), which is infinite
    where p is 0 and q is not: q sits on one mode. The first is what maximum likelihood does, the
    second what variational inference does.

    Source: Bishop 2006, Pattern Recognition and Machine Learning, sec. 10.1.2.

    The search for ``"seek"`` begins at ``start``, or at the moments of p; from there it finds one
    of several minima.

    Raises:
        ValueError: If p is batched or multivariate, or the direction is unknown.
        CapabilityError: If p has no finite mean and variance, and a start is needed; or if normal
            laws are to seek a density that is 0 on a part of the line.
    """
    if p.batch_shape or p.event_shape:
        shape = [*p.batch_shape, *p.event_shape]
        raise ValueError(f"p must be a law of one real number, got shape {shape}")
    if direction not in ("cover", "seek"):
        raise ValueError(f"direction must be 'cover' or 'seek', got {direction!r}")
    if direction == "cover":
        return _moments(p)
    if any(bool(end.isfinite()) for end in bounds(p)):
        raise CapabilityError(
            f"{type(p).__name__} has density 0 somewhere: no normal law is near it"
        )
    return _seek(p, start or _moments(p))


def _moments(p: Distribution) -> Normal:
    mean, variance = p.mean, p.variance
    if not bool(mean.isfinite() & variance.isfinite() & (variance > 0)):
        raise CapabilityError(f"{type(p).__name__} has no finite mean and variance; give a start")
    return Normal(mean, variance.sqrt())


def _seek(p: Distribution, start: Normal) -> Normal:
    # Gauss-Hermite: expectations under q are sums over fixed nodes, and so is their gradient.
    nodes, weights = (
        torch.from_numpy(values) for values in np.polynomial.hermite_e.hermegauss(_NODES)
    )
    weights = weights / weights.sum()

    @torch.enable_grad()
    def divergence(at: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        theta = torch.from_numpy(at).requires_grad_()
        loc, log_scale = theta
        # Minus the entropy of q is minus log scale, and a constant.
        loss = -log_scale - (weights * p.log_prob(loc + log_scale.exp() * nodes)).sum()
        return loss.item(), torch.autograd.grad(loss, theta)[0].numpy()

    first = [start.loc.item(), start.scale.log().item()]
    loc, log_scale = minimize(divergence, first, jac=True, options={"gtol": 1e-10}).x
    return Normal(torch.tensor(loc).double(), torch.tensor(log_scale).double().exp())
