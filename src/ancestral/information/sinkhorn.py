"""Entropic optimal transport between two weighted sets, by Sinkhorn's algorithm."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from ancestral.errors import DivergenceError
from ancestral.information.tables import check_simplex


@dataclass(frozen=True, slots=True)
class Coupling:
    """A plan P = exp((f + g - cost) / epsilon) p q with margins p and q.

    Args:
        plan: P, [N, M].
        source: The potential f, [N], in units of the cost.
        target: The potential g, [M].
        cost: sum P cost, [].
        error: Largest difference of a margin, of either side.
    """

    plan: Tensor
    source: Tensor
    target: Tensor
    cost: Tensor
    error: float


@torch.no_grad()
def sinkhorn(
    cost: Tensor,
    *,
    epsilon: float,
    p: Tensor | None = None,
    q: Tensor | None = None,
    tolerance: float = 1e-9,
    most: int = 10_000,
) -> Coupling:
    """Return the plan that minimises ``sum P cost + epsilon KL(P || p q)`` under its margins.

    The two margins are put right in turn, on logarithms, so that no epsilon is too small for
    float64; a large epsilon that is halved on the way brings a small one near its end. As epsilon
    goes to 0 the plan goes to one of optimal transport, at most ``epsilon log min(N, M)`` dearer.

    Source: Cuturi 2013, Sinkhorn distances, arXiv:1306.0895; Peyré & Cuturi 2019, Computational
    Optimal Transport, arXiv:1803.00567, sec. 4.4.

    Args:
        cost: Of each pair, finite, [N, M].
        epsilon: Weight of the entropy, above 0, in units of the cost.
        p: Weights of the N points, equal if None.
        q: Weights of the M points, equal if None.
        tolerance: Largest difference of the margins.
        most: Most rounds at the last epsilon.

    Raises:
        ValueError: If cost is not finite [N, M], weights are off the simplex, epsilon <= 0, or
            most < 1.
        DivergenceError: If the margins are not met in time.

    Example:
        >>> x, y = torch.tensor([0.0, 1.0]), torch.tensor([0.1, 1.1])
        >>> found = sinkhorn((x[:, None] - y).square(), epsilon=0.01)
        >>> (found.plan * 2).round()
        tensor([[1., 0.],
                [0., 1.]], dtype=torch.float64)
    """
    if cost.ndim != 2 or not cost.numel() or not bool(cost.isfinite().all()):
        raise ValueError(f"cost must be finite [N, M], got shape {list(cost.shape)}")
    if not 0 < epsilon < math.inf:
        raise ValueError(f"epsilon must be finite and above 0, got {epsilon}")
    cost = cost.double()
    log_p, log_q = (
        _log_weights(name, weights, size, cost.device)
        for name, weights, size in (("p", p, len(cost)), ("q", q, cost.shape[1]))
    )
    if most < 1:
        raise ValueError(f"most must be at least 1, got {most}")
    f, g, log_plan = torch.zeros_like(log_p), torch.zeros_like(log_q), -cost
    spread, error = float(cost.max() - cost.min()), math.inf
    halvings = max(0, math.ceil(math.log2(max(spread, epsilon) / epsilon)))
    for level in (epsilon * 2.0**k for k in range(halvings, -1, -1)):
        for _ in range(most if level == epsilon else 20):
            f = -level * ((g - cost) / level + log_q).logsumexp(dim=1)
            log_plan = (f[:, None] + g - cost) / level + log_p[:, None] + log_q
            # Rows are right by now, columns are as wrong as the last round left them.
            columns = log_plan.logsumexp(dim=0)
            error = float((columns.exp() - log_q.exp()).abs().max())
            if error <= tolerance:
                break
            g = g + level * (log_q - columns).where(log_q > -math.inf, 0)
    if not error <= tolerance:
        raise DivergenceError(
            f"the margins differ by {error:.1e} after {most} rounds; "
            f"epsilon must be above {epsilon}"
        )
    plan = log_plan.exp()
    return Coupling(plan, f, g, (plan * cost).sum(), error)


def _log_weights(name: str, weights: Tensor | None, size: int, device: torch.device) -> Tensor:
    if weights is None:
        return torch.full((size,), -math.log(size), dtype=torch.float64, device=device)
    if weights.shape != (size,):
        raise ValueError(f"{name} must be [{size}], got {list(weights.shape)}")
    return check_simplex(weights).double().log()
