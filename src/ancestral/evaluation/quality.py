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
        if points is None or not names:
            return dict.fromkeys(names)
        floor = self.floor(Attempts() if means else attempts)
        what = f"means: {self.title}" if means else self.title
        found = attempts(what, partial(self._finite, points))
        if found is None:
            return dict.fromkeys(names)
        least = {name: None if floor is None else floor[name].value for name in found}
        return {
            shown: Figure.of(found[name], self.units[name], floor=least[name])
            for shown, name in names.items()
        }

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


def single(
    name: str,
    title: str,
    measure: Callable[[Tensor], Estimate],
    stand_in: Tensor,
    how: tuple[str, str],
    *,
    of_means: bool = False,
) -> Stage:
    """Return the stage of one figure; ``how`` is its unit and definition."""
    return Stage(
        title=title,
        measure=lambda points: {name: measure(points)},
        stand_in=stand_in,
        units={name: how[0]},
        definitions={name: how[1]},
        of_means=(name,) * of_means,
    )


def _sliced_wasserstein(real: "Points") -> Stage:
    n, m, unit = real.sizes.samples, real.sizes.references, real.space.unit
    return single(
        "sliced_wasserstein",
        "sliced Wasserstein distance",
        Projected(real.reference, seed=real.setting.seed).distance,
        real.train[:n],
        (unit, f"256 fixed directions; {n:,} generated against {m:,} test examples, in {unit}."),
        of_means=True,
    )


def _mmd(real: "Points") -> Stage:
    n = min(real.sizes.kernel, real.sizes.samples)
    m = min(real.sizes.kernel, real.sizes.references)
    how = (
        "Kernels at 2, 1, 1/2 and 1/4 of the median distance; p-value of 200 permutations; "
        f"{n:,} generated against {m:,} test examples."
    )
    return single(
        "mmd",
        "kernel two-sample test",
        lambda points: squared_mmd(points[:n], real.reference[:m], seed=real.setting.seed),
        real.train[:n],
        ("squared MMD", how),
    )


def _classifier(real: "Points") -> Stage:
    n = min(real.sizes.classifier, real.sizes.samples, len(real.reference))
    seed, how = real.setting.seed, f"{n:,} generated and as many test examples."
    return single(
        "classifier_accuracy",
        "classifier two-sample test",
        lambda points: classifier_accuracy(points[:n], real.reference[:n], seed=seed),
        real.train[:n],
        ("share", f"{how} Half of each train trees, the others are judged."),
    )


def _precision_recall(real: "Points") -> Stage:
    k, n, m = real.setting.k, real.sizes.samples, real.sizes.radii

    names = ("precision", "recall", "density", "coverage")
    how = f"Balls reach to the {k}th nearest of their kind; {m:,} test, {n:,} generated."
    return Stage(
        title=", ".join(names),
        measure=lambda points: precision_recall(real.reference[:m], points, k=k),
        stand_in=real.train[:n],
        units=dict.fromkeys(names, "share") | {"density": "ratio"},
        definitions=dict.fromkeys(names, how),
        of_means=("coverage",),
    )


def _memorisation(real: "Points") -> Stage:
    n = min(real.sizes.neighbours, real.sizes.samples)
    # An official test split may have another law (the writers of MNIST's did not write its
    # training digits), which would look like copying; validation is cut from training at random.
    control = real.validation[: real.sizes.neighbours]
    suspect = Suspect(real.train, control)
    how = (
        f"{n:,} generated, {len(real.train):,} training examples; as control {len(control):,} "
        "of the validation split, on which no weight was trained. Floor: test examples."
    )
    return single(
        "memorisation",
        "memorisation",
        lambda points: suspect.memorisation(points[:n]),
        real.reference[:n],  # Training examples would be copies of themselves.
        ("probability", how),
    )


def _frechet(real: "Points") -> Stage:
    space, n, m = real.space, real.sizes.samples, real.sizes.references
    reference = space.coarse(real.reference)
    values = f"{reference.shape[1]:,} values of the data themselves"
    return single(
        "frechet",
        "Frechet distance",
        lambda points: frechet(space.coarse(points), reference),
        real.train[:n],
        (f"squared {space.unit}", f"{n:,} generated against {m:,} test examples, in {values}."),
    )


def _off_manifold(real: "Points", fresh: Fresh) -> Stage:
    n, seed = real.sizes.samples, real.setting.seed
    support = Index(real.space(fresh(FRESH, seed + 1)))
    return single(
        "off_manifold",
        "distance to fresh data",
        lambda points: off_manifold(points, support, distance=OFF),
        real.space(fresh(n, seed + 2)),
        ("share", f"{n:,} generated examples, further than {OFF} from {FRESH:,} fresh real ones."),
        of_means=True,
    )
