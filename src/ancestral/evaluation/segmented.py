"""What a model makes of held-out images, beside their masks: IoU, Dice and the share of pixels."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ancestral.data.canvas import OUTSIDE, by_extent
from ancestral.data.dataset import Examples
from ancestral.evaluation.drawing import device_of, generator_of, placed
from ancestral.evaluation.figures import Figure
from ancestral.evaluation.measures.estimate import mean_of
from ancestral.evaluation.measures.overlap import overlaps
from ancestral.networks.units import InDataUnits

SEVERAL = 20
"""Of more classes than these, only the means over all of them are figures."""


@dataclass(frozen=True, slots=True, eq=False)
class Overlaps:
    """Of N images and K classes; NaN where a class is in neither mask of an image.

    Args:
        iou: Intersection over union, [N, K].
        dice: Dice coefficients, [N, K].
        right: Share of the pixels whose class is right, [N].
    """

    iou: Tensor
    dice: Tensor
    right: Tensor

    @classmethod
    def of(cls, found: Tensor, truth: Tensor, *, classes: int) -> "Overlaps":
        """Compare masks [N, 1, H, W] on a canvas with the true ones."""
        each, right = [], []
        for mine, own in zip(found, truth, strict=True):
            inside = own != OUTSIDE
            each.append(overlaps(mine[inside], own[inside], classes=classes))
            right.append((mine[inside] == own[inside]).double().mean())
        iou, dice = (torch.stack(values) for values in zip(*each, strict=True))
        return cls(iou, dice, torch.stack(right))

    def figures(self, names: Sequence[str]) -> dict[str, Figure | None]:
        """Return the figures, those of each class by its name; None of what is in too few images.

        ``iou`` and ``dice`` are means over the classes in an image, then over images.
        """
        values = {"iou": self.iou.nanmean(1), "dice": self.dice.nanmean(1)}
        values["pixel_accuracy"] = self.right
        if 0 < len(names) <= SEVERAL:
            for kind, several in (("iou", self.iou), ("dice", self.dice)):
                columns = zip(names, several.T, strict=True)
                values |= {f"{kind}_{name}": column for name, column in columns}
        return {name: _mean(column[~column.isnan()]) for name, column in values.items()}


def _mean(values: Tensor) -> Figure | None:
    if len(values) < 2:  # Of one image there is no error, of none no figure.
        return Figure(float(values), None, "share", "exact") if len(values) else None
    return Figure.of(mean_of(values), "share", "exact")


def masks_of(model: InDataUnits, examples: Examples, *, seed: int) -> Tensor:
    """Return a mask for each example, drawn as the run draws, from what the model needs.

    Each image is seen at its own size; masks lie on the canvas of the examples, [N, 1, H, W].
    """
    generator, device, found = generator_of(model, seed), device_of(model), examples.x.clone()
    for rows, (height, width) in by_extent(examples.x):
        for row in rows.split(1):
            given = model.required(examples[row].given) or {}
            seen = {name: value[..., :height, :width] for name, value in given.items()}
            drawn = model.sample(1, given=placed(seen, device), generator=generator)
            found[row, :, :height, :width] = drawn.cpu().to(found.dtype)
    return found
