"""The update rules, over lists of tensors that are made once.

``torch.optim`` groups its tensors anew at every step; for a small model that bookkeeping takes
five times as long as the kernel. The kernels here are the same, and so are the bits.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from ancestral.training.kernels import move_by_adam, move_by_momentum

_MOMENTS = {
    "adamw": ("exp_avg", "exp_avg_sq"),
    "adam": ("exp_avg", "exp_avg_sq"),
    "sgd": ("momentum",),
}


class Optimizer:
    """AdamW, Adam or SGD with momentum over one player's parameters.

    Weight decay is on matrices and kernels only (two dimensions or more): shrinking a bias or a
    gain is no prior that anyone holds. A parameter without a gradient is left alone.

    Source: Loshchilov & Hutter 2019, Decoupled Weight Decay Regularization, arXiv:1711.05101.

    Args:
        parameters: To move.
        rule: ``adamw`` (decoupled decay), ``adam`` or ``sgd`` (decay is added to the gradient).
        betas: Decay rates of the moments; ``sgd`` takes the first as its momentum.
        weight_decay: Of matrices and kernels.

    Example:
        >>> weight = nn.Parameter(torch.ones(2, 3))
        >>> weight.sum().backward()
        >>> Optimizer([weight], "sgd", betas=(0.9, 0.0), weight_decay=0.0).step(0.5)
        >>> weight.detach().sum()
        tensor(3.)
    """

    def __init__(
        self,
        parameters: Sequence[nn.Parameter],
        rule: Literal["adamw", "adam", "sgd"],
        *,
        betas: tuple[float, float],
        weight_decay: float,
    ) -> None:
        self.rule, self.betas = rule, betas
        matrices = [p for p in parameters if p.ndim >= 2]
        others = [p for p in parameters if p.ndim < 2]
        pairs = ((weight_decay, matrices), (0.0, others))
        kinds = len(_MOMENTS[rule])
        self._groups = [_group(members, decay, kinds) for decay, members in pairs if members]

    @torch.no_grad()
    def step(self, rate: float, divisor: Tensor | None = None) -> None:
        """Move every parameter that has a gradient.

        Args:
            rate: Learning rate.
            divisor: Divides the gradients inside the kernel, float32 []; one if None.
        """
        for group in self._groups:
            self._move(group, rate, divisor)

    def _move(self, group: "_Group", rate: float, divisor: Tensor | None) -> None:
        grads = [p.grad for p in group.parameters if p.grad is not None]
        parameters, moments, counts = group.parameters, group.moments, group.counts
        if len(grads) == len(parameters):
            group.steps.add_(1)
        else:
            live = [i for i, p in enumerate(group.parameters) if p.grad is not None]
            parameters = [parameters[i] for i in live]
            moments = [[kept[i] for i in live] for kept in moments]
            counts = [counts[i].add_(1) for i in live]
        if not grads:
            return
        decay = group.decay
        if self.rule == "sgd":
            lists = (parameters, grads, moments[0])
            momentum = self.betas[0]
            move_by_momentum(
                lists, rate=rate, momentum=momentum, weight_decay=decay, divisor=divisor
            )
            return
        move_by_adam(
            (parameters, grads, moments[0], moments[1], counts),
            decoupled=self.rule == "adamw",
            rate=rate,
            betas=self.betas,
            weight_decay=decay,
            divisor=divisor,
        )

    def state(self) -> dict[str, Tensor]:
        """Return what is kept for the parameters, by group, kind and place; live tensors."""
        found: dict[str, Tensor] = {}
        for g, group in enumerate(self._groups):
            found[f"{g}/steps"] = group.steps
            for kind, kept in zip(_MOMENTS[self.rule], group.moments, strict=True):
                found |= {f"{g}/{kind}/{i}": tensor for i, tensor in enumerate(kept)}
        return found


@dataclass(frozen=True, slots=True)
class _Group:
    """Parameters that share a weight decay, and what is kept for each."""

    decay: float
    parameters: list[Tensor]
    moments: list[list[Tensor]]
    steps: Tensor
    counts: list[Tensor]  # Views of ``steps``: one addition counts for all, the kernel wants each.


def _group(parameters: Sequence[nn.Parameter], decay: float, kinds: int) -> _Group:
    # The kernels walk the memory of all lists in step, so strides must be the parameters' own.
    moments = [
        [torch.zeros_like(p, memory_format=torch.preserve_format) for p in parameters]
        for _ in range(kinds)
    ]
    with torch.no_grad():
        steps = torch.zeros(len(parameters), device=parameters[0].device)
        return _Group(decay, list(parameters), moments, steps, list(steps.unbind()))
