"""Which measures of sample quality are taken, of which sizes, and what each one means."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from torch import Tensor

from ancestral.data.dataset import Fresh
from ancestral.evaluation.attempts import Attempts
from ancestral.evaluation.figures import Figure
from ancestral.evaluation.measures import (
    Estimate,
    classifier_accuracy,
    frechet,
    off_manifold,
    precision_recall,
    squared_mmd,
)
from ancestral.evaluation.measures.memorisation import Suspect
from ancestral.evaluation.measures.neighbours import Index
from ancestral.evaluation.measures.sliced_wasserstein import Projected

if TYPE_CHECKING:
    from ancestral.evaluation.points import Points

FRESH = 200_000
"""Fresh draws of a toy set that stand for its support."""

OFF = 0.05
"""Further than this from all of them, in standardised units, is off the support."""


@dataclass(slots=True, kw_only=True, eq=False)
class Stage:
    """One or more figures that are computed together.

    Args:
        title: Said while it runs.
        measure: Generated points [N, D] in the evaluation space -> estimates by figure.
        stand_in: Real points in the place of generated ones, as many: they give the floor.
        units: By figure.
        definitions: By figure, one sentence with the sizes in it.
        of_means: Figures that are also taken of a model's means.
    """

    title: str
    measure: Callable[[Tensor], dict[str, Estimate]]
    stand_in: Tensor
    units: Mapping[str, str]
    definitions: Mapping[str, str]
    of_means: tuple[str, ...] = ()
    _floor: tuple[dict[str, Estimate] | None, list[str]] | None = field(default=None, init=False)

    @property
    def texts(self) -> dict[str, str]:
        """What each figure means, those of means too."""
        means = {
            f"{name}_means": f"Of means of p(x | z) instead of draws. {self.definitions[name]}"
            for name in self.of_means
        }
        return {**self.definitions, **means}

    def figures(
        self, points: Tensor | None, attempts: Attempts, *, means: bool = False
    ) -> dict[str, Figure | None]:
        """Return the figures of some points beside their floors, None with a note where it fails.

        Args:
            points: Generated ones; None if there are none.
            attempts: Takes the notes.
            means: The points are means: of figures that are taken of these.
        """
        names = {f"{name}_means": name for name in self.of_means}
        names = names if means else {name: name for name in self.units}
        if points is None:
            return dict.fromkeys(names)
        floor = self.floor(Attempts() if means else attempts)
        what = f"means: {self.title}" if means else self.title
        found = attempts(what, partial(self._finite, points))
        if found is None:
            return dict.fromkeys(names)
        return {shown: self._figure(name, found, floor) for shown, name in names.items()}

    def floor(self, attempts: Attempts) -> dict[str, Estimate] | None:
        """Return the estimates of real points; they are taken once, and so are their notes."""
        if self._floor is None:
            once = Attempts()
            found = once(f"floor of {self.title}", partial(self._finite, self.stand_in))
            self._floor = found, once.notes
        attempts.notes += self._floor[1]
        return self._floor[0]

    def _finite(self, points: Tensor) -> dict[str, Estimate]:
        estimates = self.measure(points)
        for name, estimate in estimates.items():
            if not (math.isfinite(estimate.value) and math.isfinite(estimate.se)):
                raise ArithmeticError(f"{name} is {estimate.value} +- {estimate.se}")
        return estimates

    def _figure(
        self,
        name: str,
        estimates: Mapping[str, Estimate],
        floor: Mapping[str, Estimate] | None,
    ) -> Figure:
        found, least = estimates[name], None if floor is None else floor[name].value
        return Figure(found.value, found.se, self.units[name], "estimate", least, found.p_value)


def stages(real: "Points") -> list[Stage]:
    """Return the measures in the order in which they are taken."""
    made = [
        _sliced_wasserstein(real),
        _mmd(real),
        _classifier(real),
        _precision_recall(real),
        _memorisation(real),
        _frechet(real),
    ]
    return made if real.data.fresh is None else [*made, _off_manifold(real, real.data.fresh)]


def _sliced_wasserstein(real: "Points") -> Stage:
    n, m = real.sizes.samples, real.sizes.references
    projected = Projected(real.reference, seed=real.setting.seed)
    return Stage(
        title="sliced Wasserstein distance",
        measure=lambda points: {"sliced_wasserstein": projected.distance(points)},
        stand_in=real.train[:n],
        units={"sliced_wasserstein": real.space.unit},
        definitions={
            "sliced_wasserstein": "Sliced Wasserstein-2 distance along 256 fixed directions, "
            f"{n:,} generated against {m:,} test examples, in {real.space.unit}."
        },
        of_means=("sliced_wasserstein",),
    )


def _mmd(real: "Points") -> Stage:
    n = min(real.sizes.kernel, real.sizes.samples)
    m = min(real.sizes.kernel, real.sizes.references)
    return Stage(
        title="kernel two-sample test",
        measure=lambda points: {
            "mmd": squared_mmd(points[:n], real.reference[:m], seed=real.setting.seed)
        },
        stand_in=real.train[:n],
        units={"mmd": "squared MMD"},
        definitions={
            "mmd": "Unbiased squared maximum mean discrepancy, Gaussian kernels at 2, 1, 1/2 and "
            "1/4 of the median distance, p-value of 200 permutations, "
            f"{n:,} generated against {m:,} test examples."
        },
    )


def _classifier(real: "Points") -> Stage:
    n = min(real.sizes.classifier, real.sizes.samples, len(real.reference))
    return Stage(
        title="classifier two-sample test",
        measure=lambda points: {
            "classifier_accuracy": classifier_accuracy(
                points[:n], real.reference[:n], seed=real.setting.seed
            )
        },
        stand_in=real.train[:n],
        units={"classifier_accuracy": "share"},
        definitions={
            "classifier_accuracy": "Accuracy of boosted trees at telling generated from test "
            f"examples that they were not trained on, {n:,} of each; 0.5: they cannot."
        },
    )


def _precision_recall(real: "Points") -> Stage:
    k, n, m = real.setting.k, real.sizes.samples, real.sizes.radii

    def measure(points: Tensor) -> dict[str, Estimate]:
        four = precision_recall(real.reference[:m], points, k=k)
        return {name: getattr(four, name) for name in definitions}

    definitions = {
        "precision": "Share of generated examples inside a ball around a test example",
        "recall": "Share of test examples inside a ball around a generated example",
        "density": "Mean number of test examples' balls around a generated example, over k",
        "coverage": "Share of test examples with a generated example inside their ball",
    }
    sizes = f"; balls reach to the {k}th nearest of their kind; {m:,} test, {n:,} generated."
    return Stage(
        title="precision, recall, density, coverage",
        measure=measure,
        stand_in=real.train[:n],
        units=dict.fromkeys(definitions, "share") | {"density": "ratio"},
        definitions={name: sentence + sizes for name, sentence in definitions.items()},
        of_means=("coverage",),
    )


def _memorisation(real: "Points") -> Stage:
    n = min(real.sizes.neighbours, real.sizes.samples)
    # An official test split may have another law (the writers of MNIST's did not write its
    # training digits), which would look like copying; validation is cut from training at random.
    control = real.validation[: real.sizes.neighbours]
    suspect = Suspect(real.train, control)
    return Stage(
        title="memorisation",
        measure=lambda points: {"memorisation": suspect.memorisation(points[:n])},
        # Training examples would be copies of themselves.
        stand_in=real.reference[:n],
        units={"memorisation": "probability"},
        definitions={
            "memorisation": "Probability that a generated example leans to its nearest of "
            f"{len(real.train):,} training examples, relative to its nearest held-out example, "
            f"more than a held-out example does ({n:,} generated, {len(control):,} of the "
            "validation split, on which no weight was trained); 0.5: like fresh data, 1: copies. A "
            "small p-value says that training examples are copied. Floor: test examples."
        },
    )


def _frechet(real: "Points") -> Stage:
    space, n, m = real.space, real.sizes.samples, real.sizes.references
    reference = space.coarse(real.reference)
    return Stage(
        title="Frechet distance",
        measure=lambda points: {"frechet": frechet(space.coarse(points), reference)},
        stand_in=real.train[:n],
        units={"frechet": f"squared {space.unit}"},
        definitions={
            "frechet": "Frechet distance between the Gaussian fits of "
            f"{n:,} generated and {m:,} test examples, in the {reference.shape[1]:,} values of "
            "the data themselves: not the FID, which takes the features of a network."
        },
    )


def _off_manifold(real: "Points", fresh: Fresh) -> Stage:
    seed = real.setting.seed
    support = Index(real.space(fresh(FRESH, seed + 1)))
    return Stage(
        title="distance to fresh data",
        measure=lambda points: {"off_manifold": off_manifold(points, support, distance=OFF)},
        stand_in=real.space(fresh(real.sizes.samples, seed + 2)),
        units={"off_manifold": "share"},
        definitions={
            "off_manifold": f"Share of {real.sizes.samples:,} generated examples further than "
            f"{OFF} in standardised units from each of {FRESH:,} fresh real ones."
        },
        of_means=("off_manifold",),
    )
