"""How models of images are measured and shown."""

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from ancestral.capabilities import Given
from ancestral.data.fields import LABEL
from ancestral.evaluation import galleries
from ancestral.evaluation.drawing import device_of, generator_of
from ancestral.evaluation.points import Points
from ancestral.evaluation.space import Space
from ancestral.networks.units import InDataUnits

if TYPE_CHECKING:
    from ancestral.evaluation.report.entries import Section

LARGE = 32
"""Pixels: images with a longer side are shown larger."""


class Images(Points):
    """Images: bits per dimension, and galleries."""

    most = 100
    paths = 6
    likelihoods = ("bits_per_dim",)
    coding = (
        "Minus the log-density, or else its bound, in bits for each value of an image; "
        "smaller is better."
    )

    @cached_property
    def space(self) -> Space:
        """Grey levels from 0 to 1."""
        return Space.of_images(self.data.event_shape, self.data.levels)

    def first(
        self, model: InDataUnits, drawn: Tensor, given: Given | None
    ) -> tuple[Tensor, Given | None]:
        """Return the first of those drawn, or of a model with labels as many of each in turn."""
        if not self.data.labels or LABEL not in model.nodes or model.needs:
            return super().first(model, drawn, given)
        labels = torch.arange(self.most) % len(self.data.labels)
        asked, noise = {LABEL: labels.to(device_of(model))}, generator_of(model, self.setting.seed)
        return model.sample(self.most, given=asked, generator=noise).cpu(), {LABEL: labels}

    def facts(self) -> list[tuple[str, str]]:
        """Return shape and levels."""
        shape = self.data.event_shape
        levels = "grey levels" if shape[0] == 1 else "levels"
        return [("shape", " × ".join(map(str, shape))), (levels, str(self.data.levels))]

    def view(self, section: "Section", colors: Mapping[str, str]) -> dict[str, Any]:
        """Return galleries of samples, and of their nearest training examples."""
        return {
            **super().view(section, colors),
            "galleries": galleries.galleries_of(section),
            "nearest": galleries.nearest_of(section),
            "paths": galleries.paths_of(section),
            "large": max(section.data.event_shape) > LARGE,
        }
