"""Checks at the door of models: numbers, weights, what is given, and where arrays live."""

import math
from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from ancestral.capabilities import Given
from ancestral.data.states import state_at
from ancestral.errors import CapabilityError, InferenceError

Values: TypeAlias = "ArrayLike | torch.Tensor"


def to_numpy(values: Values) -> NDArray[Any]:
    """Return values as an array in the processor's memory, wherever they are."""
    return values.detach().cpu().numpy() if isinstance(values, torch.Tensor) else np.asarray(values)


def check_number(
    name: str, value: object, *, least: float = 0, above: bool = False, finite: bool = True
) -> None:
    """Refuse, by a ValueError, a setting that is no finite number, or below ``least``.

    Where ``above``, it must be more than ``least``; without ``finite``, infinity is allowed.
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

    Raises ValueError if it is not a whole number, or too low.
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
    """Return finite numbers of at least 0, float64 [*shape], or raise ``error``.

    Where ``some``, one of them must be above 0.
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


def listed(names: Sequence[str], most: int = 40) -> str:
    """Return names for a message: the first ones, and how many there are if there are more."""
    more = f", ... ({len(names)} in all)" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def state_index(name: str, states: Sequence[str], state: object) -> int:
    """Return the index of a state of the node ``name``; see :func:`state_at`.

    Raises InferenceError if the node has no such state.
    """
    if (found := state_at(states, state)) is None:
        raise InferenceError(f"{name!r} has no state {state!r}; its states are {listed(states)}")
    return found


def held_rows(name: str, value: object, n: int, event_shape: Sequence[int] | None = None) -> Tensor:
    """Return what is given for a node as one row for each of n, [n, *event].

    This is the one place where rows that are given are counted: [n, *event], or one event for all,
    else a ValueError. Where the event shape is not known (None), a single number is one for all.

    Example:
        >>> held_rows("label", 7, 3)
        tensor([7, 7, 7])
        >>> held_rows("image", torch.zeros(3, 1, 4, 4), 5)
        Traceback (most recent call last):
        ValueError: given 'image' must be one number or have 5 rows, got [3, 1, 4, 4]
    """
    try:
        tensor = torch.as_tensor(value)
    except (TypeError, ValueError, RuntimeError):
        raise ValueError(f"given {name!r} must be numbers, got {value!r}") from None
    event = () if event_shape is None else tuple(event_shape)
    if tensor.shape == event:
        return tensor.expand(n, *event)
    if event_shape is None:
        wanted = f"be one number or have {n} rows"
        fits = tensor.shape[:1] == (n,)
    else:
        wanted = f"have shape {list(event)} or {[n, *event]}"
        fits = tensor.shape == (n, *event)
    if not fits:
        raise ValueError(f"given {name!r} must {wanted}, got {list(tensor.shape)}")
    return tensor


def refuse_unknown(given: Given | None, model: str, nodes: Sequence[str] = ()) -> None:
    """Refuse, by a CapabilityError, to condition a model on what is not one of its ``nodes``."""
    for name in given or {}:
        if name not in nodes:
            takes = f"only {', '.join(nodes)} can be given" if nodes else "it is unconditional"
            raise CapabilityError(f"{model} cannot be conditioned on {name!r}: {takes}")


IMAGE = "image"


def given_image(
    given: Given | None, n: int, *, channels: int, who: str, size: Sequence[int] | None = None
) -> Tensor:
    """Return the image that each of n examples is made from, [n, C, H, W].

    Args:
        given: ``image``, [n, C, H, W], or [C, H, W] for all.
        n: How many.
        channels: Channels C.
        who: The model, for messages.
        size: Height and width that it must have; None: any.

    Raises:
        ValueError: If it is missing, or of another shape.
        CapabilityError: If something else is given.
    """
    refuse_unknown(given, who, (IMAGE,))
    if not given:
        raise ValueError(f"{who} makes an example of an image: given must have 'image', got none")
    image = given[IMAGE]
    if image.ndim == 3:
        image = image.expand(n, *image.shape)
    wanted = (n, channels, *(size or image.shape[2:]))
    if image.shape != wanted:
        raise ValueError(
            f"given 'image' must have shape {[*wanted[1:]]} or {[*wanted]}, got {[*image.shape]}"
        )
    return image
