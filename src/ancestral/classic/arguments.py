"""Checks at the door of the classic models: what is fitted, and what is given."""

import math
from collections.abc import Sequence

from torch import Size, Tensor

from ancestral.capabilities import Given
from ancestral.errors import CapabilityError, ConfigError, DataError, InferenceError


def refuse_unknown(given: Given | None, model: str, nodes: Sequence[str] = ()) -> None:
    """Refuse to condition on a node that the model does not have.

    Args:
        given: What the caller fixes.
        model: The model's name, for the message.
        nodes: The nodes that may be given.

    Raises:
        CapabilityError: If anything else is given; it is named.
    """
    for name in given or {}:
        if name not in nodes:
            takes = f"only {', '.join(nodes)} can be given" if nodes else "it is unconditional"
            raise CapabilityError(f"{model} cannot be conditioned on {name!r}: {takes}")


def in_type_of(x: Tensor, value: Tensor) -> Tensor:
    """Return a value in the type of x where that has fractions, else as it is."""
    return value.to(x.dtype) if x.is_floating_point() else value


def check_components(components: int, examples: int) -> None:
    """Refuse more components than examples.

    Raises:
        ConfigError: If there are.
    """
    if components > examples:
        raise ConfigError(
            f"components must be at most the number of examples, {examples}, got {components}"
        )


def check_possible(log_joint: Tensor, what: str) -> Tensor:
    """Return log p(state, x), [B, K], where each row is possible under some state.

    Raises:
        InferenceError: If a row has probability 0 under all; it is named.
    """
    impossible = (log_joint == -math.inf).all(dim=1)
    if bool(impossible.any()):
        row = int(impossible.nonzero()[0, 0]) + 1
        raise InferenceError(f"row {row} has probability 0 under every {what}")
    return log_joint


def check_examples(x: Tensor, event_shape: Sequence[int]) -> None:
    """Check data for fitting: at least one row of the right shape, all of it finite.

    Raises:
        ValueError: If the shape is not [N, *event].
        DataError: If there is no row, or a value is NaN or infinite.
    """
    check_event(x, event_shape)
    if len(x) == 0:
        raise DataError("fitting needs at least 1 row, got 0")
    if x.is_floating_point() and not bool(x.isfinite().all()):
        row = int((~x.isfinite()).flatten(1).any(1).nonzero()[0])
        raise DataError(f"every value must be finite, got NaN or infinity in row {row}")


def check_event(x: Tensor, event_shape: Sequence[int]) -> None:
    """Check that x is [B, *event].

    Raises:
        ValueError: If it is not.
    """
    if x.shape[1:] != Size(event_shape) or x.ndim == 0:
        wanted = ("B", *event_shape)
        raise ValueError(f"x must have shape [{', '.join(map(str, wanted))}], got {list(x.shape)}")


def check_count(n: int) -> None:
    """Check a number of draws.

    Raises:
        ValueError: If n < 1.
    """
    if n < 1:
        raise ValueError(f"n must be at least 1, got {n}")


def check_fitted(rows: Tensor, model: str) -> None:
    """Check that a model that keeps its data has some.

    Raises:
        CapabilityError: If it has none.
    """
    if len(rows) == 0:
        raise CapabilityError(f"{model} is not fitted; call fit first")
