"""How models of images are measured and shown."""

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from ancestral.capabilities import Given, HasLabelLaw
from ancestral.data.fields import LABEL
from ancestral.evaluation import galleries
from ancestral.evaluation.attempts import Attempts
from ancestral.evaluation.drawing import device_of, generator_of
from ancestral.evaluation.figures import Figure
from ancestral.evaluation.measures import frechet, precision_recall
from ancestral.evaluation.measures.estimate import share_of
from ancestral.evaluation.measures.recogniser import Recogniser
from ancestral.evaluation.points import Points
from ancestral.evaluation.quality import Stage, single
from ancestral.evaluation.space import Space
from ancestral.networks.labels import draw_labels
from ancestral.networks.units import InDataUnits

if TYPE_CHECKING:
    from ancestral.evaluation.report.entries import Section

_TAUGHT = "two convolutions and a hidden layer, taught on the training images"
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

    @cached_property
    def stages(self) -> list[Stage]:
        """The measures of all points, and of features where there are labels to learn them."""
        if len(self.data.labels) < 2:
            return super().stages
        n, m = self.sizes.samples, self.sizes.references
        how = f"{n:,} generated against {m:,} test images; {_TAUGHT}."
        return [
            *super().stages,
            single(
                "feature_frechet",
                "features of a classifier",
                lambda points: frechet(self._features(points), self._real_features),
                self.train[:n],
                ("squared features", how),
            ),
        ]

    @cached_property
    def recogniser(self) -> Recogniser:
        """A classifier of the training images."""
        labels = self.data.train.given[LABEL][self.orders[0]]
        return Recogniser(self._pictures(self.train), labels, seed=self.setting.seed)

    @cached_property
    def _real_features(self) -> Tensor:
        return self._features(self.reference)

    def _features(self, points: Tensor) -> Tensor:
        return self.recogniser.features(self._pictures(points))

    def _pictures(self, points: Tensor) -> Tensor:
        return points.reshape(-1, *self.data.event_shape)

    def _given(self, model: InDataUnits, n: int, order: Tensor) -> Given | None:
        """Return what samples are made from; labels are drawn by the model's own law of them."""
        given = super()._given(model, n, order)
        if LABEL not in model.nodes or not isinstance(model.network, HasLabelLaw):
            return given
        labels = draw_labels(model.network, n, generator_of(model, self.setting.seed + 1))
        return {**(given or {}), LABEL: labels.cpu()}

    def of_labels(
        self, drawn: Tensor | None, given: Given | None, attempts: Attempts
    ) -> dict[str, Figure | None]:
        """Return how often a classifier of real images sees the label that was asked for."""
        if drawn is None or not given or LABEL not in given or len(self.data.labels) < 2:
            return {}
        asked = given[LABEL]

        def found() -> Figure:
            seen = self.recogniser.labels(self._pictures(self.points(drawn)))
            return Figure.of(share_of(seen == asked), "share", floor=self._accuracy)

        within = attempts("coverage of labels", lambda: self._covered(self.points(drawn), asked))
        agreement = attempts("agreement with labels", found)
        return {"label_agreement": agreement, "label_coverage": within}

    def _covered(self, made: Tensor, asked: Tensor) -> Figure:
        """Return the coverage within the label where it is the least share of its floor."""
        m, n, k = self.sizes.radii, self.sizes.samples, self.setting.k
        test, train = (
            examples.given[LABEL][order]
            for examples, order in (
                (self.data.test, self.orders[2][:m]),
                (self.data.train, self.orders[0][:n]),
            )
        )
        found = []
        for label in asked.unique():
            real, points = self.reference[:m][test == label], made[asked == label]
            stand_in = self.train[:n][train == label][: len(points)]
            ours, floor = (precision_recall(real, x, k=k)["coverage"] for x in (points, stand_in))
            found.append(Figure.of(ours, "share", floor=floor.value))
        return min(found, key=lambda figure: figure.value / (figure.floor or 1))

    @cached_property
    def _accuracy(self) -> float:
        """Share of held-out images whose label the classifier sees."""
        seen = self.recogniser.labels(self._pictures(self.reference))
        return (seen == self.data.test.given[LABEL][self.orders[2]]).double().mean().item()

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
