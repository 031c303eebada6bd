"""torch's kernels over lists of tensors, the ones that ``torch.optim`` itself is built on.

torch exports them under private names only. All that this package uses of them is here, so that a
change in torch is a change in one file; the tests compare each with the public optimizers.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor


def move_by_adam(
    tensors: tuple[list[Tensor], list[Tensor], list[Tensor], list[Tensor], list[Tensor]],
    *,
    decoupled: bool,
    rate: float,
    betas: tuple[float, float],
    weight_decay: float,
    divisor: Tensor | None,
) -> None:
    """One step of AdamW (``decoupled``) or Adam, in place.

    Args:
        tensors: Parameters, gradients, first moments, second moments, and step counts, which
            already count this step. The tensors of one place in the first four lists have the
            same strides.
        decoupled: Weight decay acts on the parameters, not on the gradients.
        rate: Learning rate.
        betas: Decay rates of the moments.
        weight_decay: Of all these parameters.
        divisor: Divides the gradients, float32 []; one if None.
    """
    parameters, grads, first, second, steps = tensors
    kernel: Any = _TORCH._fused_adamw_ if decoupled else _TORCH._fused_adam_
    kernel(
        parameters,
        grads,
        first,
        second,
        [],
        steps,
        lr=rate,
        beta1=betas[0],
        beta2=betas[1],
        weight_decay=weight_decay,
        eps=1e-8,
        amsgrad=False,
        maximize=False,
        grad_scale=divisor,
    )


def move_by_momentum(
    tensors: tuple[list[Tensor], list[Tensor], list[Tensor]],
    *,
    rate: float,
    momentum: float,
    weight_decay: float,
    divisor: Tensor | None,
) -> None:
    """One step of gradient descent with momentum, in place; the velocities start at zero.

    Args:
        tensors: Parameters, gradients and velocities.
        rate: Learning rate.
        momentum: Decay rate of the velocities.
        weight_decay: Added to the gradients of all these parameters.
        divisor: Divides the gradients, float32 []; one if None.
    """
    parameters, grads, velocities = tensors
    _TORCH._fused_sgd_(
        parameters,
        grads,
        velocities if momentum else [],  # The kernel refuses buffers that it would not use.
        weight_decay=weight_decay,
        momentum=momentum,
        lr=rate,
        dampening=0.0,
        nesterov=False,
        maximize=False,
        # From zero velocity the first step is like any other.
        is_first_step=False,
        grad_scale=divisor,
    )


def scale_finite(tensors: Sequence[Tensor], factor: Tensor, flag: Tensor) -> bool:
    """Multiply all tensors in place; return whether they were all finite, in the same pass.

    Args:
        tensors: To scale.
        factor: On all of them, float32 [].
        flag: Scratch for the answer, float32 [].
    """
    flag.zero_()
    _TORCH._amp_foreach_non_finite_check_and_unscale_(tensors, flag, factor)
    return flag.item() == 0.0


def global_norm(tensors: Sequence[Tensor]) -> float:
    """Return the Euclidean norm of all tensors together; 0 of none."""
    return torch.stack(_TORCH._foreach_norm(tensors)).norm().item() if tensors else 0.0


def follow(averages: Sequence[Tensor], values: Sequence[Tensor], share: float) -> None:
    """Move each average by a share of its way to the value, in place."""
    _TORCH._foreach_lerp_(averages, values, share)


# Typed as Any because torch's stubs leave these names out.
_TORCH: Any = torch
