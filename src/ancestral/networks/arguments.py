"""Checks at the door of networks and chains: numbers, weights, and where arrays live."""

import math
from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

Values: TypeAlias = "ArrayLike | torch.Tensor"


def to_numpy(values: Values) -> NDArray[Any]:
    """Return values as an array in the processor's memory, wherever they are.

    Example:
        >>> to_numpy(torch.ones(2, requires_grad=True)).shape
        (2,)
    """
    return values.detach().cpu().numpy() if isinstance(values, torch.Tensor) else np.asarray(values)


def check_number(name: str, value: float, *, above: bool = False) -> None:
    """Refuse a number that is not finite or below 0; 0 itself, too, where it must be ``above``.

    Raises:
        ValueError: If it is.

    Example:
        >>> check_number("alpha", float("nan"))
        Traceback (most recent call last):
        ValueError: alpha must be finite, got nan
    """
    if not math.isfinite(value):
        raise ValueError(f"{name} must be finite, got {value}")
    if value < 0 or (above and value == 0):
        raise ValueError(f"{name} must be {'above' if above else 'at least'} 0, got {value}")


def non_negative(
    name: str,
    values: Values,
    shape: Sequence[int],
    *,
    some: bool = False,
    error: type[Exception] = ValueError,
) -> NDArray[np.float64]:
    """Return finite numbers of at least 0, float64 [*shape].

    Args:
        name: Of the argument, for messages.
        values: A list, an array or a tensor.
        shape: What it must have.
        some: Whether one of them must be above 0.
        error: What to raise.

    Raises:
        Exception: ``error``, if they are anything else.

    Example:
        >>> non_negative("weights", [1, 0.5], (2,))
        array([1. , 0.5])
    """
    try:
        array = to_numpy(values)
    except (TypeError, ValueError):  # Rows of different lengths.
        array = np.asarray(None)
    count = " x ".join(map(str, shape))
    rule = f"{name} must be {count} finite numbers of at least 0" + ", not all 0" * some
    if array.dtype.kind not in "biuf":
        raise error(f"{rule}, got {values!r:.80}")
    if array.shape != tuple(shape):
        raise error(f"{rule}, got shape {list(array.shape)}")
    array = array.astype(np.float64)
    wrong = ~(np.isfinite(array) & (array >= 0))
    if wrong.any():
        raise error(f"{rule}, got {array[wrong].flat[0]}")
    if some and not array.any():
        raise error(f"{rule}, got {array.tolist()}")
    return array
