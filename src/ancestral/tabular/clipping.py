"""Losses of rows whose gradients are bounded, each by itself, without making any of them."""

from collections.abc import Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

from ancestral.data.cells import UNKNOWN
from ancestral.networks.cells import OneHot

if TYPE_CHECKING:
    from ancestral.tabular.autoregressive import TabularAutoregressive


def clipped_loss(net: "TabularAutoregressive", x: Tensor, hidden: Tensor, clip: float) -> Tensor:
    """Return the sum of losses of rows x [B, D], weighted so that no gradient is longer than clip.

    The loss of a row is D times the mean of -log p(column | the others) of its hidden columns,
    bool [B, D].

    The gradient of a row by the weights of a linear layer is the product of what it reads and of
    the gradient by what it gives, so its length is known from these two. The weights are constants:
    the gradient of the sum is that of the rows' gradients, each cut to ``clip``.

    Source: Goodfellow 2015, Efficient Per-Example Gradient Computations, arXiv:1510.01799; Li et
    al. 2022, Large Language Models Can Be Strong Differentially Private Learners, arXiv:2110.05679,
    sec. 4 (ghost clipping).
    """
    seen = x.masked_fill(hidden, UNKNOWN)
    read: list[tuple[nn.Module, Tensor]] = []
    given: list[Tensor] = []

    def keep(layer: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        read.append((layer, inputs[0].detach()))
        given.append(output)

    first: list[Tensor] = []
    with ExitStack() as hooks:
        for layer in net.modules():
            if isinstance(layer, nn.Linear | nn.LayerNorm):
                hooks.callback(layer.register_forward_hook(keep).remove)
        entry = net.blocks[0] if len(net.blocks) else net.norm
        hooks.callback(entry.register_forward_pre_hook(lambda _, x: first.append(x[0])).remove)
        features = net.features(seen)
    logits = net.logits(features)
    each = log_probs(logits, x) * hidden
    losses = -each.sum(dim=1) * x.shape[1] / hidden.sum(dim=1)
    slopes = torch.autograd.grad(losses.sum(), [*first, *given, *logits], retain_graph=True)
    with torch.no_grad():
        entered, outputs, ends = slopes[0], slopes[1 : len(given) + 1], slopes[len(given) + 1 :]
        unknown = (seen == UNKNOWN).sum(dim=1)
        squares = (net.known.squares(OneHot(net.sizes).to(entered)(seen)) + unknown) * _sum(entered)
        ends = torch.cat(ends, dim=1)
        squares += net.head.squares(ends) * _sum(features) + _sum(ends)
        for (layer, value), slope in zip(read, outputs, strict=True):
            squares += _of_layer(layer, value, slope)
        factor = (clip / squares.sqrt()).clamp_max(1)
    return (factor * losses).sum()


def _of_layer(layer: nn.Module, value: Tensor, slope: Tensor) -> Tensor:
    """Return the squared length of each row's gradient by weights and bias, [B]."""
    if isinstance(layer, nn.LayerNorm):
        normed = functional.layer_norm(value, layer.normalized_shape, eps=layer.eps)
        return _sum(slope * normed) + _sum(slope)
    return (_sum(value) + 1) * _sum(slope)


def _sum(x: Tensor) -> Tensor:
    return x.square().sum(dim=1)


def log_probs(logits: Sequence[Tensor], x: Tensor) -> Tensor:
    """Return the log-probability of each cell of rows x [B, D], given those of its column."""
    each = [
        -functional.cross_entropy(column, cells, reduction="none")
        for column, cells in zip(logits, x.unbind(1), strict=True)
    ]
    return torch.stack(each, dim=1)
