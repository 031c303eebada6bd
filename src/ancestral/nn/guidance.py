"""Classifier-free guidance: away from what is likely without the label, towards it with it."""

from collections.abc import Callable

import torch
from torch import Tensor

from ancestral.errors import ConfigError


def check_guidance(scale: float, *, labelled: bool) -> None:
    """Refuse a scale other than 1 of a model that is given no label.

    Raises:
        ConfigError: If there is one.
    """
    if scale != 1 and not labelled:
        raise ConfigError(
            f"guidance is of models that are given labels: leave it out, got {scale:g}"
        )


def guided(
    network: Callable[[Tensor, Tensor, Tensor | None], Tensor],
    z: Tensor,
    time: Tensor,
    label: Tensor | None,
    *,
    scale: float,
    classes: int,
) -> Tensor:
    """Return ``u + scale (c - u)`` of the outputs u without and c with the label.

    Scale 0 is the unconditional output and 1 the conditional one, exactly, each by one evaluation;
    any other scale evaluates both in one batch of twice the size.

    Source: Ho & Salimans 2022, Classifier-Free Diffusion Guidance, arXiv:2207.12598, eq. 6, whose
    w is ``scale - 1``.

    Args:
        network: Maps z [B, *event], time [B] or [B, T], and label [B] or None to [B, *event].
        z: Input, [B, *event].
        time: Times, [B] or [B, T].
        label: Labels, int64 [B]; None: nothing to guide by.
        scale: The guidance scale, at least 0.
        classes: Number K of labels: the label K means none.

    Returns:
        The guided output, [B, *event].

    Raises:
        ValueError: If the scale is below 0, or neither 0 nor 1 where there is no label.

    Example:
        >>> from ancestral.nn import TimedMLP
        >>> network, z = TimedMLP(2, classes=3), torch.zeros(5, 2)
        >>> label = torch.zeros(5, dtype=torch.int64)
        >>> guided(network, z, torch.rand(5), label, scale=2.0, classes=3).shape
        torch.Size([5, 2])
    """
    if not scale >= 0:
        raise ValueError(f"scale must be at least 0, got {scale:g}")
    if label is None and scale not in (0, 1):
        raise ValueError(f"guidance needs a model that is given labels, got scale {scale:g}")
    if label is None or scale == 0:
        return network(z, time, None)
    if scale == 1:
        return network(z, time, label)
    none = torch.full_like(label, classes)
    double = torch.cat((z, z)), torch.cat((time, time)), torch.cat((none, label))
    u, c = network(*double).chunk(2)
    return torch.lerp(u, c, scale)
