"""Points of paths from noise to data, and the velocities that a network is to learn there."""

from collections.abc import Callable
from typing import Literal, TypeAlias

import torch
from torch import Tensor

from ancestral.networks.gaussian_path import NoiseLevel, rows

Target: TypeAlias = Literal["single", "averaged"]
TargetOf: TypeAlias = Callable[[NoiseLevel, Tensor, Tensor, Tensor | None], tuple[Tensor, Tensor]]
"""Maps a level [B], noise and data [B, *event] and labels [B] or None to z and its velocity."""


def single_target(
    level: NoiseLevel, x_0: Tensor, x_1: Tensor, label: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Return ``z = alpha x_1 + sigma x_0`` and dz/dt of that pair, each [B, *event]."""
    del label
    return level.mix(x_1, x_0), level.value("velocity", x=x_1, noise=x_0)


def averaged_target(
    level: NoiseLevel, x_0: Tensor, x_1: Tensor, label: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Return z as :func:`single_target` does, and dz/dt averaged over the data it may come from.

    Which example of the batch a z was made of is drawn uniformly, so that given z it is the j-th
    with a probability proportional to ``Normal(z; alpha x_j, sigma^2)``. The mean under these has
    the same mean given z as one pair's velocity, and a smaller variance (Rao and Blackwell): in
    few dimensions by far. It costs a distance for each pair of the batch.

    Source: Xu, Tong & Jaakkola 2023, Stable Target Field for Reduced Variance Score Estimation,
    arXiv:2302.00670, eq. 5 (of scores).

    Args:
        level: Of each example, [B].
        x_0: Noise, independent of the data, [B, *event].
        x_1: Data, [B, *event].
        label: Labels of the data, int64 [B]; z is of one with its own label. None: of any.

    Example:
        >>> from ancestral.networks.gaussian_path import straight
        >>> x_0, x_1 = torch.zeros(2, 1), torch.tensor([[-1.0], [1.0]])
        >>> averaged_target(straight(torch.zeros(2)), x_0, x_1)[1].flatten()
        tensor([0., 0.])
    """
    z, data = level.mix(x_1, x_0), x_1.flatten(start_dim=1)
    alpha, sigma = rows(level.alpha, data), rows(level.sigma, data)
    # |z - alpha x_j|^2 but for what is the same for all j.
    cross = alpha * (z.flatten(start_dim=1) @ data.T)
    log_weight = (cross - 0.5 * alpha.square() * data.square().sum(1)) / sigma.square()
    if label is not None:
        log_weight = log_weight.masked_fill(label[:, None] != label, -torch.inf)
    mean = (log_weight.softmax(dim=1) @ data).reshape(x_1.shape)
    noise = (z - rows(level.alpha, z) * mean) / rows(level.sigma, z)
    return z, level.value("velocity", x=mean, noise=noise)


TARGETS: dict[str, TargetOf] = {"single": single_target, "averaged": averaged_target}


def check_target(target: str) -> None:
    """Refuse, by a ValueError, a target that there is not."""
    if target not in TARGETS:
        raise ValueError(f"target must be one of {', '.join(TARGETS)}, got {target!r}")
