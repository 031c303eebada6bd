"""The update rules, over lists of tensors that are made once.

``torch.optim`` groups its tensors anew at every step; for a small model that bookkeeping takes
five times as long as the kernel. The kernels here are the same, and so are the bits.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ancestral.training.kernels import move_by_adam, move_by_momentum
from ancestral.training.muon import move_by_muon
from ancestral.training.options import Rule
from ancestral.training.spread import like, local

_MOMENTS: dict[Rule, tuple[str, ...]] = {
    "adamw": ("exp_avg", "exp_avg_sq"),
    "adam": ("exp_avg", "exp_avg_sq"),
    "sgd": ("momentum",),
    "muon": ("momentum",),
}


class Optimizer:
    """AdamW, Adam, SGD with momentum or Muon over one player's parameters.

    Weight decay is on matrices and kernels only (two dimensions or more): shrinking a bias or a
    gain is no prior that anyone holds. A parameter without a gradient is left alone.

    Source: Loshchilov & Hutter 2019, Decoupled Weight Decay Regularization, arXiv:1711.05101.

    Args:
        parameters: To move.
        rule: ``adamw`` (decoupled decay), ``adam`` or ``sgd`` (decay is added to the gradient), or
            ``muon`` for the hidden matrices and ``adamw`` for the rest.
        betas: Decay rates of the moments; ``sgd`` takes the first as its momentum.
        weight_decay: Of matrices and kernels.
        hidden: What ``muon`` moves, matrices among the parameters.
        hidden_decay: Of what ``muon`` moves.

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
        rule: Rule,
        *,
        betas: tuple[float, float],
        weight_decay: float,
        hidden: Sequence[nn.Parameter] = (),
        hidden_decay: float = 0.0,
    ) -> None:
        self.betas = betas
        own = {id(p) for p in hidden} if rule == "muon" else set()
        rest: Rule = "adamw" if rule == "muon" else rule
        kinds: tuple[tuple[Rule, float, list[nn.Parameter]], ...] = (
            ("muon", hidden_decay, [p for p in parameters if id(p) in own]),
            (rest, weight_decay, [p for p in parameters if p.ndim >= 2 and id(p) not in own]),
            (rest, 0.0, [p for p in parameters if p.ndim < 2]),
        )
        self._groups = [_group(*kind) for kind in kinds if kind[2]]

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
        grads = [local(p.grad) for p in group.parameters if p.grad is not None]
        parameters, moments, counts = group.pieces, group.moments, group.counts
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
        if group.rule == "muon":
            owners = [p for p in group.parameters if p.grad is not None]
            lists = (owners, grads, moments[0])
            move_by_muon(lists, rate=rate, weight_decay=decay, divisor=divisor)
            return
        if group.rule == "sgd":
            lists = (parameters, grads, moments[0])
            momentum = self.betas[0]
            move_by_momentum(
                lists, rate=rate, momentum=momentum, weight_decay=decay, divisor=divisor
            )
            return
        move_by_adam(
            (parameters, grads, moments[0], moments[1], counts),
            decoupled=group.rule == "adamw",
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
            for kind, kept in zip(_MOMENTS[group.rule], group.moments, strict=True):
                spread = zip(kept, group.parameters, strict=True)
                found |= {f"{g}/{kind}/{i}": like(*pair) for i, pair in enumerate(spread)}
        return found


@dataclass(frozen=True, slots=True)
class _Group:
    """Parameters that share a rule and a weight decay, and what is kept for each."""

    rule: Rule
    decay: float
    parameters: list[nn.Parameter]
    pieces: list[Tensor]
    moments: list[list[Tensor]]
    steps: Tensor
    counts: list[Tensor]  # Views of ``steps``: one addition counts for all, the kernel wants each.


def _group(rule: Rule, decay: float, parameters: Sequence[nn.Parameter]) -> _Group:
    # The kernels walk the memory of all lists in step, so strides must be the parameters' own.
    pieces = [local(p.detach()) for p in parameters]
    moments = [
        [torch.zeros_like(p, memory_format=torch.preserve_format) for p in pieces]
        for _ in _MOMENTS[rule]
    ]
    with torch.no_grad():
        steps = torch.zeros(len(parameters), device=parameters[0].device)
        return _Group(rule, decay, list(parameters), pieces, moments, steps, list(steps.unbind()))
