"""How models of images made from images are measured and shown."""

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from ancestral.capabilities import Restores
from ancestral.data.dataset import Examples
from ancestral.data.fields import Image
from ancestral.evaluation.attempts import Attempts
from ancestral.evaluation.bench import Progress
from ancestral.evaluation.drawing import BATCH, device_of
from ancestral.evaluation.figures import Figure
from ancestral.evaluation.galleries import Gallery, columns_for, strip
from ancestral.evaluation.images import Images
from ancestral.evaluation.measures.difference import differences
from ancestral.evaluation.measures.estimate import mean_of
from ancestral.evaluation.result import Evaluation
from ancestral.networks.units import InDataUnits

if TYPE_CHECKING:
    from ancestral.evaluation.report.entries import Section

IMAGE, TRUTH, BACK = "image", "truth", "back"
_WORDS = {IMAGE: "given", "made": "made of it", TRUTH: "the truth", BACK: "made back"}
_UNIT = "grey levels of 1"


class Translations(Images):
    """Images beside images that they are made from: the difference to the truth, or there and back.

    Models without a way back are held to the images that belong to those given.
    """

    def measure(self, model: InDataUnits, attempts: Attempts, tell: Progress) -> Evaluation:
        """Take the figures of images, and the difference."""
        found = super().measure(model, attempts, tell)
        if not model.needs:
            return found
        tell("images made of held-out images", 0.95)
        more = attempts("differences", lambda: self._figures(model))
        return self._shown(model, replace(found, figures={**(more or {}), **found.figures}))

    def show(self, model: InDataUnits) -> Evaluation:
        """Return what is made of the first test images."""
        found = super().show(model)
        return self._shown(model, found) if model.needs else found

    def view(self, section: "Section", colors: Mapping[str, str]) -> dict[str, Any]:
        """Return rows of what was given, what was made, and what it is held to."""
        usual = super().view(section, colors)
        made = [
            self._gallery(entry.name, entry.evaluation)
            for entry in section.entries
            if IMAGE in entry.evaluation.given and entry.evaluation.samples is not None
        ]
        return {**usual, "galleries": made, "large": True} if made else usual

    @property
    def test(self) -> Examples:
        """The held-out examples that are judged."""
        return self.data.test[self.orders[2]]

    def _figures(self, model: InDataUnits) -> dict[str, Figure | None]:
        test, network = self.test, model.network
        given = model.required(test.given)
        made = self._draw(model, len(test), given)
        if isinstance(network, Restores):
            back = self._back(model, made)
            found = differences(back, test[IMAGE], self._levels)
            return {"there_and_back": Figure.of(mean_of(found), _UNIT, "exact")}
        found = differences(made, test.x, self.data.levels)
        return {"difference": Figure.of(mean_of(found), _UNIT, "exact", floor=self._nothing())}

    def _nothing(self) -> float:
        """Return the difference of what is had without a model: a copy, or one level for all."""
        test, image = self.test, self.data.fields[IMAGE]
        middle = self.data.train.x[:1_000].float().median()
        found = [differences(middle.expand_as(test.x), test.x, self.data.levels).mean().item()]
        if isinstance(image, Image) and image.channels == self.data.event_shape[0]:
            copy = test[IMAGE].double() * ((self.data.levels - 1) / (image.levels - 1))
            found.append(differences(copy, test.x, self.data.levels).mean().item())
        return min(found)

    @property
    def _levels(self) -> int:
        image = self.data.fields[IMAGE]
        return image.levels if isinstance(image, Image) else 256

    @torch.no_grad()
    def _back(self, model: InDataUnits, x: Tensor) -> Tensor:
        """Return what x become on the way back, in grey levels, [N, C, H, W]."""
        network, device = model.network, device_of(model)
        if not isinstance(network, Restores):
            raise TypeError(f"{type(network).__name__} has no way back")
        parts = x.split(BATCH[self.wide])
        return torch.cat(
            [network.restore(model.transform(part.to(device))).cpu() for part in parts]
        )

    def _shown(self, model: InDataUnits, found: Evaluation) -> Evaluation:
        """Return an evaluation with what its samples are held to."""
        if found.samples is None:
            return found
        n = min(columns_for(self.data), len(found.samples))
        given = {name: value[:n] for name, value in found.given.items()}
        if isinstance(model.network, Restores):
            back = self._back(model, found.samples[:n])
            given[BACK] = back.round().clamp(0, self._levels - 1).to(given[IMAGE].dtype)
        else:
            rows = torch.arange(n)
            same = torch.equal(self.test[IMAGE][:n], given[IMAGE])
            given[TRUTH] = (self.test if same else self.data.test)[rows].x
        return replace(found, samples=found.samples[:n], given=given)

    def _gallery(self, name: str, shown: Evaluation) -> Gallery:
        rows = {
            IMAGE: (shown.given[IMAGE], self._levels),
            "made": (shown.samples, self.data.levels),
        }
        rows |= {
            key: (shown.given[key], levels)
            for key, levels in ((TRUTH, self.data.levels), (BACK, self._levels))
            if key in shown.given
        }
        strips = [
            strip(_WORDS[key], images, levels, f"{_WORDS[key]}: the first held-out images")
            for key, (images, levels) in rows.items()
            if images is not None
        ]
        return Gallery(name, "held-out images", tuple(strips))
