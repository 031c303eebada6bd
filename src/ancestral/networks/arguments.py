"""Checks at the door of networks and chains: numbers, weights, and where arrays live."""

import math
from collections.abc import Sequence
from numbers import Integral, Real
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


def check_number(
    name: str, value: object, *, least: float = 0, above: bool = False, finite: bool = True
) -> None:
    """Check a setting that is a number.

    Args:
        name: Of the argument, for the message.
        value: What the caller gave.
        least: The least number that is allowed.
        above: Whether it must be above that, and not just at least that.
        finite: Whether infinity is refused.

    Raises:
        ValueError: If it is not a number, too low, or not finite.

    Example:
        >>> check_number("alpha", float("nan"))
        Traceback (most recent call last):
        ValueError: alpha must be finite, got nan
    """
    if isinstance(value, bool) or not isinstance(value, Real):
        raise ValueError(f"{name} must be a number, got {value!r}")
    number = float(value)
    if number < least or (above and number == least):
        raise ValueError(f"{name} must be {'above' if above else 'at least'} {least}, got {value}")
    if math.isnan(number) or (finite and math.isinf(number)):
        raise ValueError(f"{name} must be finite, got {value}")


def check_whole(name: str, value: object, *, least: int = 1) -> None:
    """Check a setting that counts something.

    Raises:
        ValueError: If it is not a whole number, or too low.
    """
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise ValueError(f"{name} must be a whole number, got {value!r}")
    if int(value) < least:
        raise ValueError(f"{name} must be at least {least}, got {value}")


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
