"""How much the regions of a mask overlap those of another, class by class."""

import torch
from torch import Tensor


def overlaps(found: Tensor, truth: Tensor, *, classes: int) -> tuple[Tensor, Tensor]:
    """Return intersection over union and the Dice coefficient of each class, [K] each.

    A class that is in neither mask has none: NaN.

    Source: Everingham et al. 2010, The Pascal Visual Object Classes Challenge, sec. 4.1.4; Dice
    1945, Measures of the Amount of Ecologic Association Between Species.

    Args:
        found: Classes, [*].
        truth: Classes, [*], all of them below ``classes``.
        classes: Their number K.

    Example:
        >>> overlaps(torch.tensor([0, 1, 1, 1]), torch.tensor([0, 0, 1, 1]), classes=3)[0]
        tensor([0.5000, 0.6667,    nan], dtype=torch.float64)
    """
    pairs = truth.flatten().long() * classes + found.flatten().long()
    counts = torch.bincount(pairs, minlength=classes**2).reshape(classes, classes).double()
    both, sizes = counts.diag(), counts.sum(0) + counts.sum(1)
    return both / (sizes - both), 2 * both / sizes
