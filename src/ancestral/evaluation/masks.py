"""How models of masks given their images are measured and shown."""

import math
from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from ancestral.data.canvas import OUTSIDE
from ancestral.data.dataset import Examples
from ancestral.data.fields import Image
from ancestral.data.image_pairs import value_names
from ancestral.evaluation.attempts import Attempts
from ancestral.evaluation.bench import Progress, few
from ancestral.evaluation.figures import Figure
from ancestral.evaluation.galleries import Gallery, strip
from ancestral.evaluation.images import Images
from ancestral.evaluation.likelihood import likelihoods
from ancestral.evaluation.overlays import coloured, rows_of
from ancestral.evaluation.result import Evaluation
from ancestral.evaluation.segmented import Overlaps, masks_of
from ancestral.networks.units import InDataUnits

if TYPE_CHECKING:
    from ancestral.evaluation.report.entries import Section

SHOWN = 6
"""Images of a picture."""


class Masks(Images):
    """Masks: overlaps with the true ones, and overlays. Models without an image are as others."""

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The classes, as the files have them."""
        return value_names(self.data.field.values) if isinstance(self.data.field, Image) else ()

    @cached_property
    def shares(self) -> Tensor:
        """The share of each class of the pixels of the training split, [K]."""
        parts = [part.flatten().bincount(minlength=256) for part in self.data.train.x.split(256)]
        counts = torch.stack(parts).sum(0)[: len(self.names)].double()
        return counts / counts.sum()

    @cached_property
    def test(self) -> Examples:
        """The held-out examples that are judged."""
        return self.data.test[self.orders[2]]

    def measure(self, model: InDataUnits, attempts: Attempts, tell: Progress) -> Evaluation:
        """Take the likelihood and the overlaps."""
        if not model.needs:
            return super().measure(model, attempts, tell)
        tell("held-out likelihood", 0.0)
        figures = likelihoods(model, self.data, self.sizes, self.setting, attempts)
        figures["bits_per_dim"] = self._bits(figures["log_prob"])
        tell("masks of held-out images", 0.4)
        draw = partial(masks_of, model, self.test, seed=self.setting.seed)
        found = attempts("masks", draw)
        if found is None:
            return Evaluation(figures=figures, definitions=self._definitions())
        each = Overlaps.of(found, self.test.x, classes=len(self.names))
        figures |= each.figures(self.names)
        if (accuracy := figures["pixel_accuracy"]) is not None:
            figures["pixel_accuracy"] = replace(accuracy, floor=float(self.shares.max()))
        shown = self._shown(found[:SHOWN])
        return Evaluation(figures=figures, definitions=self._definitions(), **shown)

    def show(self, model: InDataUnits) -> Evaluation:
        """Return masks of the first test images, without measuring anything."""
        if not model.needs:
            return super().show(model)
        attempts, first = Attempts(), self.test[:SHOWN]
        found = attempts("no masks", partial(masks_of, model, first, seed=self.setting.seed))
        shown = {} if found is None else self._shown(found)
        return Evaluation(**shown, notes=tuple(attempts.notes))

    def facts(self) -> list[tuple[str, str]]:
        """Return shape and classes."""
        shares = [f"{n} ({s:.1%})" for n, s in zip(self.names, self.shares.tolist(), strict=True)]
        return [*super().facts()[:1], ("classes of pixels", few(shares))]

    def view(self, section: "Section", colors: Mapping[str, str]) -> dict[str, Any]:
        """Return overlays in place of galleries, where there are any."""
        usual = super().view(section, colors)
        overlays = [
            self._gallery(entry.name, entry.evaluation)
            for entry in section.entries
            if "mask" in entry.evaluation.given
        ]
        return {**usual, "galleries": overlays, "large": True} if overlays else usual

    def _gallery(self, name: str, shown: Evaluation) -> Gallery:
        if shown.samples is None:
            raise ValueError(f"{name} has no masks to show")
        clear = int(self.shares.argmax())
        rows = rows_of(shown.given["image"], shown.given["mask"], shown.samples, clear)
        labels = ("image", "true", "found", "wrong")
        words = ", ".join(f"{k} {tone}" for k, tone in coloured(self.names, clear).items())
        caption = (
            f"held-out images; {words}; {self.names[clear]} is left clear. Wrong: red where "
            f"{self.names[clear]} was found in its place, blue where another class was"
        )
        strips = [
            strip(label, images, 256, f"{label}: the first held-out images")
            for label, images in zip(labels, rows, strict=True)
        ]
        return Gallery(name, caption, tuple(strips))

    def _shown(self, found: Tensor) -> dict[str, Any]:
        first = self.test[: len(found)]
        return {"samples": found, "given": {"image": first["image"], "mask": first.x}}

    def _bits(self, nats: Figure | None) -> Figure | None:
        """Return minus the log-likelihood in bits for each pixel of an image."""
        if nats is None:
            return None
        pixels = (self.test.x != OUTSIDE).flatten(1).sum(1).double().mean()
        per_nat = 1 / (float(pixels) * math.log(2))
        unit = nats.unit.replace("nats", "bits/dim")
        return Figure(-nats.value * per_nat, (nats.se or 0) * per_nat, unit, nats.kind)

    def _definitions(self) -> dict[str, str]:
        n = f"{len(self.test):,} test images, each at its own size"
        said = f"{n}; classes that are in neither mask of an image are left out of its mean."
        commonest = self.names[int(self.shares.argmax())]
        return {
            "log_prob": f"{n}: log p of the whole mask.",
            "bits_per_dim": "Minus the log-likelihood, in bits for each pixel; smaller is better.",
            "iou": said,
            "dice": said,
            "pixel_accuracy": f"{n}; floor: always saying {commonest}, the commonest in training.",
            **{
                f"{kind}_{name}": f"{n}: mean over those in which one of the masks has {name}."
                for kind in ("iou", "dice")
                for name in self.names
            },
        }
