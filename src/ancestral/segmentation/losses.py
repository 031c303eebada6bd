"""What is lowered where every pixel has a class: each a sum and its weight.

All take logits [B, K, H, W] and masks [B, H, W] of classes; pixels outside (255) count for nothing.
"""

import torch
from torch import Tensor
from torch.nn import functional

from ancestral.capabilities import Loss
from ancestral.data.canvas import OUTSIDE


def cross_entropy(logits: Tensor, mask: Tensor, *, weights: Tensor | None = None) -> Loss:
    """Return the sum of -log p(class) over pixels, nats, and their weight.

    Args:
        logits: Of each class, [B, K, H, W].
        mask: Classes, [B, H, W].
        weights: Of each class, [K]; None: 1.
    """
    mask = mask.long()
    total = functional.cross_entropy(logits, mask, weights, ignore_index=OUTSIDE, reduction="sum")
    return Loss(total, _weight(mask, weights))


def focal(
    logits: Tensor, mask: Tensor, *, weights: Tensor | None = None, focus: float = 2.0
) -> Loss:
    """Return the sum of -(1 - p)^focus log p over pixels: what is right already counts for little.

    Source: Lin et al. 2017, Focal Loss for Dense Object Detection, arXiv:1708.02002, eq. 4.

    Args:
        logits: Of each class, [B, K, H, W].
        mask: Classes, [B, H, W].
        weights: Of each class, [K]; None: 1.
        focus: The exponent, at least 0; with 0 it is the cross-entropy.
    """
    mask = mask.long()
    each = functional.cross_entropy(logits, mask, ignore_index=OUTSIDE, reduction="none")
    each = each * (-torch.expm1(-each)).clamp(min=torch.finfo(each.dtype).tiny) ** focus
    if weights is not None:
        each = each * _of_pixels(mask, weights)
    return Loss(each.sum(), _weight(mask, weights))


def dice(logits: Tensor, mask: Tensor, *, weights: Tensor | None = None) -> Loss:
    """Return the sum over images of 1 minus their Dice coefficient, and their number.

    Of each class, 2 sum(p t) / (sum(p) + sum(t)) with probabilities p and targets t, 1 added above
    and below; of an image the mean over the classes, by their weights.

    Source: Milletari, Navab & Ahmadi 2016, V-Net, arXiv:1606.04797, sec. 3, without squares.

    Args:
        logits: Of each class, [B, K, H, W].
        mask: Classes, [B, H, W].
        weights: Of each class, [K]; None: 1.
    """
    classes, inside = logits.shape[1], (mask != OUTSIDE)[:, None]
    target = functional.one_hot(mask.long().where(inside[:, 0], 0), classes).permute(0, 3, 1, 2)
    share, target = logits.softmax(dim=1) * inside, target.to(logits.dtype) * inside
    both, sizes = (share * target).sum((2, 3)), (share + target).sum((2, 3))
    missed = 1 - (2 * both + 1) / (sizes + 1)
    weights = torch.ones_like(missed[0]) if weights is None else weights.to(missed.dtype)
    return Loss((missed @ weights).sum() / weights.sum(), len(logits))


def _weight(mask: Tensor, weights: Tensor | None) -> float:
    if weights is None:
        return float((mask != OUTSIDE).sum())
    return float(_of_pixels(mask, weights).sum())


def _of_pixels(mask: Tensor, weights: Tensor) -> Tensor:
    """Return the weight of each pixel, 0 outside."""
    inside = mask != OUTSIDE
    return weights[mask.where(inside, 0)] * inside
