"""How models of images are measured and shown."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from ancestral.capabilities import Given
from ancestral.data.dataset import Dataset
from ancestral.data.fields import LABEL, Image
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
    likelihoods = ("bits_per_dim",)
    coding = (
        "Minus the log-density, or else its bound, in bits for each value of an image; "
        "smaller is better."
    )

    def space(self, data: Dataset) -> Space:
        """Return grey levels from 0 to 1."""
        assert isinstance(data.field, Image)
        return Space.of_image(data.field)

    def chosen(
        self, units: InDataUnits, data: Dataset, drawn: Tensor, given: Given | None, *, seed: int
    ) -> tuple[Tensor, Given | None]:
        """Return the first of those drawn, or of a model with labels as many of each in turn."""
        if not data.labels or LABEL not in units.nodes or units.needs:
            return super().chosen(units, data, drawn, given, seed=seed)
        labels = torch.arange(self.most) % len(data.labels)
        asked = {LABEL: labels.to(device_of(units))}
        samples = units.sample(self.most, given=asked, generator=generator_of(units, seed))
        return samples.cpu(), {LABEL: labels}

    def facts(self, data: Dataset) -> list[tuple[str, str]]:
        """Return shape and levels."""
        levels = "grey levels" if data.event_shape[0] == 1 else "levels"
        shape = " × ".join(map(str, data.event_shape))
        return [("shape", shape), (levels, str(data.levels))]

    def view(self, section: "Section", colors: Mapping[str, str]) -> dict[str, Any]:
        """Return galleries of samples, and of their nearest training examples."""
        return {
            **super().view(section, colors),
            "galleries": galleries.galleries_of(section),
            "nearest": galleries.nearest_of(section),
            "large": max(section.data.event_shape) > LARGE,
        }
