"""Checks at the door of the classic models: what is fitted, and what is given."""

import math
from collections.abc import Sequence

import torch
from torch import Size, Tensor

from ancestral.errors import CapabilityError, ConfigError, DataError, InferenceError
from ancestral.networks.arguments import held_rows


def states_of(name: str, value: object, n: int, states: int, *, given: bool = True) -> Tensor:
    """Return the states of a discrete node, [n], whole and in their range.

    One state may be ``given`` for all rows, in any type that holds whole numbers; what is not a
    condition must be [n]. Raises ValueError if the shape is another, or a value is not a whole
    number from 0 below states.
    """
    if given:
        found = held_rows(name, value, n, ())
    else:
        found = torch.as_tensor(value)
        if found.shape != (n,):
            raise ValueError(f"{name} must have shape [{n}], got {list(found.shape)}")
    wrong = found[~((found >= 0) & (found < states))]
    if wrong.numel():
        raise ValueError(f"{name} must be from 0 to {states - 1}, got {wrong[0].item():g}")
    state = found.long()
    parts = found[state != found]
    if parts.numel():
        raise ValueError(f"{name} must hold whole numbers, got {parts[0].item():g}")
    return state


def check_weights(weights: Tensor | None, x: Tensor) -> Tensor:
    """Return the weight of each row of x, float64 [N]; 1 where None are given.

    Raises ValueError if they are not [N], not finite, negative, or all 0.
    """
    if weights is None:
        return torch.ones(len(x), dtype=torch.float64, device=x.device)
    if weights.shape != x.shape[:1]:
        raise ValueError(f"weights must have shape [{len(x)}], got {list(weights.shape)}")
    weights = weights.to(x.device, torch.float64)
    wrong = weights[~((weights >= 0) & weights.isfinite())]
    if wrong.numel():
        raise ValueError(f"weights must be finite and at least 0, got {wrong[0].item():g}")
    if not bool((weights > 0).any()):
        raise ValueError("weights must not all be 0")
    return weights


def counted_rows(x: Tensor, weights: Tensor | None) -> tuple[Tensor, Tensor | None]:
    """Return the rows of x whose weight is above 0, and their weights; all of them for None.

    Raises ValueError as :func:`check_weights`.
    """
    if weights is None:
        return x, None
    counts = check_weights(weights, x)
    kept = counts > 0
    return x[kept], counts[kept]


def in_type_of(x: Tensor, value: Tensor) -> Tensor:
    """Return a value in the type of x where that has fractions, else as it is."""
    return value.to(x.dtype) if x.is_floating_point() else value


def check_components(components: int, examples: int) -> None:
    """Refuse more components than examples. Raises ConfigError if there are."""
    if components > examples:
        raise ConfigError(
            f"components must be at most the number of examples, {examples}, got {components}"
        )


def check_possible(log_joint: Tensor, what: str) -> Tensor:
    """Return log p(state, x), [B, K], where each row is possible under some state.

    Raises InferenceError if a row has probability 0 under all; it is named; DataError if a row is
    NaN under any, as values that are not finite are.
    """
    _refuse_not_finite(log_joint.isnan())
    impossible = (log_joint == -math.inf).all(dim=1)
    if bool(impossible.any()):
        row = int(impossible.nonzero()[0, 0]) + 1
        raise InferenceError(f"row {row} has probability 0 under every {what}")
    return log_joint


def check_examples(x: Tensor, event_shape: Sequence[int]) -> None:
    """Check data for fitting: at least one row of the right shape, all of it finite.

    Raises ValueError if the shape is not [N, *event]; DataError if there is no row, or a value is
    NaN or infinite.
    """
    check_event(x, event_shape)
    if len(x) == 0:
        raise DataError("fitting needs at least 1 row, got 0")
    if x.is_floating_point():
        _refuse_not_finite(~x.isfinite())


def _refuse_not_finite(wrong: Tensor) -> None:
    """Name the first row, counted from 1, where anything of ``wrong`` [N, *event] is true."""
    if bool(wrong.any()):
        row = int(wrong.nonzero()[0, 0]) + 1
        raise DataError(f"every value must be finite, got NaN or infinity in row {row}")


def check_event(x: Tensor, event_shape: Sequence[int]) -> None:
    """Check that x is [B, *event]. Raises ValueError if it is not."""
    if not isinstance(x, Tensor):
        raise ValueError(f"x must be a tensor, got {type(x).__name__}")
    if x.shape[1:] != Size(event_shape) or x.ndim == 0:
        wanted = ("B", *event_shape)
        raise ValueError(f"x must have shape [{', '.join(map(str, wanted))}], got {list(x.shape)}")


def check_fitted(rows: Tensor, model: str) -> None:
    """Check that a model that keeps its data has some. Raises CapabilityError if it has none."""
    if len(rows) == 0:
        raise CapabilityError(f"{model} is not fitted; call fit first")
