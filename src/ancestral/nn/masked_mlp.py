"""Fully connected networks whose outputs see only the inputs of groups that come before theirs."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn
from torch.autograd import Function
from torch.autograd.function import once_differentiable
from torch.nn import functional

Saved: TypeAlias = Any
"""What torch keeps of a forward pass for the backward pass: it takes any attribute."""


class MaskedLinear(nn.Linear):
    """A linear layer without the connections that a mask rules out.

    Args:
        mask: 1 where there is a connection, [O, I].

    Example:
        >>> layer = MaskedLinear(torch.ones(4, 3).tril())
        >>> layer.connected().shape, layer(torch.zeros(5, 3)).shape
        (torch.Size([4, 3]), torch.Size([5, 4]))
    """

    mask: Tensor

    def __init__(self, mask: Tensor) -> None:
        super().__init__(mask.shape[1], mask.shape[0])
        self.register_buffer("mask", mask.to(self.weight.dtype), persistent=False)

    def connected(self) -> Tensor:
        """Return the weights, 0 where there is no connection, [O, I]."""
        return self.weight * self.mask

    def forward(self, input: Tensor) -> Tensor:
        """Map [*, I] to [*, O]."""
        return functional.linear(input, self.connected(), self.bias)


class MaskedMLP(nn.Module):
    """P numbers for each feature, computed from the features of earlier groups alone.

    With a group a feature it is the network of an autoregressive model; with two groups the second
    is computed from the first, as in a coupling. All see what is given beside x.

    The examples lie innermost and the P numbers outermost, so that what is computed of them element
    by element runs over contiguous memory.

    Source: Germain, Gregor, Murray & Larochelle 2015, MADE: Masked Autoencoder for Distribution
    Estimation, arXiv:1502.03509.

    Args:
        groups: The group of each of the D features; groups are numbered from 0, without a gap.
        outputs: Numbers P of each feature, at least 1.
        hidden: Widths of the hidden layers, at least one.
        context: Numbers C that are given beside x, at least 0.

    Raises:
        ValueError: If an argument is out of its range.

    Example:
        >>> network = MaskedMLP([0, 1, 2], outputs=2, hidden=(16, 16))
        >>> network(torch.zeros(5, 3)).shape
        torch.Size([2, 3, 5])
    """

    def __init__(
        self, groups: Sequence[int], *, outputs: int, hidden: Sequence[int], context: int = 0
    ) -> None:
        super().__init__()
        if set(groups) != set(range(max(groups, default=-1) + 1)) or not groups:
            raise ValueError(f"groups must be numbered from 0 without a gap, got {tuple(groups)}")
        if not hidden or min(hidden) < 1:
            raise ValueError(f"hidden must be widths of at least 1, got {tuple(hidden)}")
        if outputs < 1 or context < 0:
            raise ValueError(f"outputs must be at least 1, context 0, got {outputs}, {context}")
        own, last = torch.tensor(groups), max(groups)
        # A hidden unit of degree d sees the groups up to d; one of degree -1 what is given alone.
        lowest = -1 if context or not last else 0
        spread = [lowest + torch.arange(width) * (last - lowest) // width for width in hidden]
        degrees = [torch.cat((own, own.new_full((context,), -1))), *spread]
        masks = [after[:, None] >= before for before, after in pairwise(degrees)]
        masks.append((own[:, None] > degrees[-1]).repeat(outputs, 1))
        self.layers = nn.ModuleList(map(MaskedLinear, masks))
        self.outputs, self.features = outputs, len(own)

    def forward(
        self, x: Tensor, context: Tensor | None = None, *, features: Tensor | None = None
    ) -> Tensor:
        """Return the numbers of all features, [P, D, B], or of some alone.

        Args:
            x: [B, D].
            context: [B, C].
            features: Those that are asked for, int64 [F]; the result is [P, F, B].
        """
        layers = [layer for layer in self.layers if isinstance(layer, MaskedLinear)]
        weights: list[Tensor] = [layer.weight for layer in layers]
        biases: list[Tensor] = [layer.bias for layer in layers]
        masks = [layer.mask for layer in layers]
        if features is not None:
            rows = torch.arange(self.outputs, device=features.device)[:, None] * self.features
            rows = (rows + features).flatten()
            for of in (weights, biases, masks):
                of[-1] = of[-1][rows]
        seen = x.mT if context is None else torch.cat((x.mT, context.mT))
        return _Layers.apply(seen, *weights, *biases, *masks).view(self.outputs, -1, len(x))


class _Layers(Function):
    """Masked linear layers with ReLU between them, [I, B] to [O, B].

    What autograd would keep, allocate and visit between the layers takes a fifth of a small step.
    """

    @staticmethod
    def forward(ctx: Saved, x: Tensor, *parameters: Tensor) -> Tensor:
        depth = len(parameters) // 3
        weights = [w * m for w, m in zip(parameters[:depth], parameters[2 * depth :], strict=True)]
        values = [x]
        for weight, bias in zip(weights, parameters[depth : 2 * depth], strict=True):
            x = torch.addmm(bias[:, None], weight, x)
            values.append(x.relu_() if len(values) < depth else x)
        ctx.save_for_backward(*values[:-1], *weights, *parameters[2 * depth :])
        return x

    @staticmethod
    @once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride] - the decorator hides ctx
        ctx: Saved, grad: Tensor
    ) -> tuple[Tensor | None, ...]:
        saved = ctx.saved_tensors
        depth = len(saved) // 3
        values, weights, masks = saved[:depth], saved[depth : 2 * depth], saved[2 * depth :]
        to_weights, to_biases = [], []
        for number in reversed(range(depth)):
            to_weights.append((grad @ values[number].mT).mul_(masks[number]))
            to_biases.append(grad.sum(dim=1))
            if number or ctx.needs_input_grad[0]:
                grad = weights[number].mT @ grad
            if number:
                torch.ops.aten.threshold_backward(grad, values[number], 0, grad_input=grad)
        to_x = grad if ctx.needs_input_grad[0] else None
        return to_x, *to_weights[::-1], *to_biases[::-1], *[None] * depth
