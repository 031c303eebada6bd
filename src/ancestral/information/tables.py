"""Probability tables: the simplex, marginals, conditionals, Bayes' rule and the chain rule.

A joint table of N discrete variables is a tensor with one axis for each, whose entries sum to 1.
"""

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from ancestral.errors import InferenceError


def check_simplex(p: Tensor, *, tolerance: float | None = None) -> Tensor:
    """Return ``p`` if its last axis lies on the simplex: entries >= 0 that sum to 1.

    Args:
        p: Probabilities, [*B, N].
        tolerance: Of the sum; the square root of the dtype's rounding unit if None (1.5e-8 in
            float64, 3.5e-4 in float32), which a softmax over a million states still meets.

    Raises:
        ValueError: If an entry is negative or not finite, or a sum is not 1.
    """
    if not p.is_floating_point() or p.ndim == 0:
        raise ValueError(f"probabilities must be real numbers [*B, N], got {p.dtype} {p.ndim}-d")
    if not bool(p.isfinite().all()) or bool((p < 0).any()):
        raise ValueError(f"probabilities must be at least 0 and finite, got {p.min().item():g}")
    limit = math.sqrt(torch.finfo(p.dtype).eps) if tolerance is None else tolerance
    gap = (p.detach().sum(dim=-1) - 1).abs()
    if bool((gap > limit).any()):
        worst = p.detach().sum(dim=-1).flatten()[gap.argmax()].item()
        raise ValueError(f"probabilities must sum to 1 within {limit:.1g}, got {worst:.9g}")
    return p


def check_joint(joint: Tensor) -> Tensor:
    """Return a joint table if it is on the simplex; errors are those of :func:`check_simplex`."""
    check_simplex(joint.flatten())
    return joint


def marginal(joint: Tensor, keep: Sequence[int]) -> Tensor:
    """Return the table of some variables, the others summed out: p(x) = sum_y p(x, y).

    The axes of the result are those kept, in the order given.

    Raises:
        ValueError: If the table is off the simplex, or an axis is unknown or repeated.
    """
    check_joint(joint)
    if len(set(keep)) < len(keep) or not set(keep) <= set(range(joint.ndim)):
        raise ValueError(f"keep must be different axes below {joint.ndim}, got {list(keep)}")
    rest = [axis for axis in range(joint.ndim) if axis not in keep]
    summed = joint.sum(dim=rest) if rest else joint
    kept = sorted(keep)
    return summed.permute([kept.index(axis) for axis in keep])


def conditional(joint: Tensor, given: Mapping[int, int]) -> Tensor:
    """Return the table of the other variables given some: the slice, over its own sum.

    Raises:
        ValueError: If the table is off the simplex, or an axis or state is unknown.
        InferenceError: If what is given has probability 0.

    Example:
        >>> umbrella = torch.tensor([[0.6, 0.1], [0.05, 0.25]])  # rain x umbrella
        >>> [round(p, 4) for p in conditional(umbrella, {1: 1}).tolist()]
        [0.2857, 0.7143]
    """
    check_joint(joint)
    for axis, state in given.items():
        if not 0 <= axis < joint.ndim or not 0 <= state < joint.shape[axis]:
            raise ValueError(
                f"given must be axis: state inside {list(joint.shape)}, got {axis}: {state}"
            )
    index = tuple(given.get(axis, slice(None)) for axis in range(joint.ndim))
    part = joint[index]
    total = part.sum()
    if total == 0:
        raise InferenceError(f"the evidence {dict(given)} has probability 0: nothing follows")
    return part / total


def posterior(prior: Tensor, likelihood: Tensor) -> Tensor:
    """Return Bayes' rule, p(y | x) = p(y) p(x | y) / p(x), [*B, N], for one observation x.

    The likelihood is p(x | y) at the observed x for every y, [*B, N]; a density will do.

    Raises:
        ValueError: If the prior is off the simplex or a likelihood is negative.
        InferenceError: If the observation has probability 0 under every y.
    """
    if bool((likelihood < 0).any()):
        raise ValueError(f"likelihood must be at least 0, got {likelihood.min().item():g}")
    joint = check_simplex(prior) * likelihood
    evidence = joint.sum(dim=-1, keepdim=True)
    if bool((evidence == 0).any()):
        raise InferenceError("the observation has probability 0 under every state of the prior")
    return joint / evidence


def independent(joint: Tensor, *, tolerance: float = 1e-12) -> bool:
    """Whether the variables of a joint table are independent: p(x, y) = p(x) p(y)."""
    product = torch.ones((), dtype=joint.dtype)
    for axis in range(joint.ndim):
        product = product[..., None] * marginal(joint, [axis])
    return bool((product - joint).abs().max() <= tolerance)


def chain_factors(joint: Tensor, order: Sequence[int]) -> list[Tensor]:
    """Return p(x_1), p(x_2 | x_1), ..., p(x_N | x_1..x_{N-1}) in any order of the variables.

    Factor n has n axes, in the given order. Rows whose condition has probability 0 are 0.

    Raises:
        ValueError: If the table is off the simplex or ``order`` is not a permutation.
    """
    if sorted(order) != list(range(joint.ndim)):
        raise ValueError(f"order must be a permutation of 0..{joint.ndim - 1}, got {list(order)}")
    factors = []
    for length in range(1, joint.ndim + 1):
        table = marginal(joint, order[:length])
        total = table.sum(dim=-1, keepdim=True)
        factors.append(torch.where(total > 0, table / total, 0))
    return factors


def chain_product(factors: Sequence[Tensor], order: Sequence[int]) -> Tensor:
    """Multiply the factors of :func:`chain_factors` back into the joint table."""
    product = torch.ones((), dtype=factors[0].dtype)
    for factor in factors:
        product = product[..., None] * factor
    return product.permute([list(order).index(axis) for axis in range(len(order))])


def expectation(table: Tensor, values: Tensor) -> Tensor:
    """Return E[f] = sum_x f(x) p(x), []; the values may be infinite where p is 0.

    They are broadcast to the table: a function that leaves a variable out has size 1 there.
    """
    check_joint(table)
    return torch.where(table > 0, table * values, 0).sum()
