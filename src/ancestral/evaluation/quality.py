"""Which measures of sample quality are taken, of which sizes, and what each one means."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

import torch
from torch import Generator, Tensor

from ancestral.data.dataset import Dataset
from ancestral.evaluation.measures import (
    Estimate,
    classifier_accuracy,
    frechet,
    memorisation,
    off_manifold,
    precision_recall,
    sliced_wasserstein,
    squared_mmd,
)
from ancestral.evaluation.setting import Setting, Sizes
from ancestral.evaluation.space import Space

FRESH = 200_000
"""Fresh draws of a toy set that stand for its support."""

Fresh: TypeAlias = Callable[[int, int], Tensor]
"""(n, seed) -> n new draws of a toy set in its standardised units [n, 2]."""

OFF = 0.05
"""Further than this from all of them, in standardised units, is off the support."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
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


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Bench:
    """Real data in the evaluation space, in an order fixed by the seed.

    Args:
        space: The evaluation space.
        sizes: Of everything.
        setting: As asked for.
        train: All training points [T, D].
        validation: All validation points [V, D].
        reference: Held-out points [M, D].
        fresh: Of a toy set; None where there are no new draws.
    """

    space: Space
    sizes: Sizes
    setting: Setting
    train: Tensor
    validation: Tensor
    reference: Tensor
    fresh: Fresh | None

    @classmethod
    def of(cls, data: Dataset, setting: Setting, fresh: Fresh | None) -> "Bench":
        """Prepare a data set; a toy set, which has fresh draws, is in standard units already."""
        space = Space.of(data, standard=fresh is not None)
        sizes = Sizes.of(setting, data)
        generator = Generator().manual_seed(setting.seed)

        def shuffled(x: Tensor) -> Tensor:
            return space(x)[torch.randperm(len(x), generator=generator)]

        return cls(
            space=space,
            sizes=sizes,
            setting=setting,
            train=shuffled(data.train.x),
            validation=shuffled(data.validation.x),
            reference=shuffled(data.test.x)[: sizes.references],
            fresh=fresh,
        )


def stages(bench: Bench) -> list[Stage]:
    """Return the measures in the order in which they are taken."""
    found = [
        _sliced_wasserstein(bench),
        _mmd(bench),
        _classifier(bench),
        _precision_recall(bench),
        _memorisation(bench),
        _frechet(bench),
    ]
    return found if bench.fresh is None else [*found, _off_manifold(bench, bench.fresh)]


def _sliced_wasserstein(bench: Bench) -> Stage:
    n, m = bench.sizes.samples, bench.sizes.references
    return Stage(
        title="sliced Wasserstein distance",
        measure=lambda points: {
            "sliced_wasserstein": sliced_wasserstein(
                points, bench.reference, seed=bench.setting.seed
            )
        },
        stand_in=bench.train[:n],
        units={"sliced_wasserstein": bench.space.unit},
        definitions={
            "sliced_wasserstein": "Sliced Wasserstein-2 distance along 256 fixed directions, "
            f"{n:,} generated against {m:,} test examples, in {bench.space.unit}."
        },
        of_means=("sliced_wasserstein",),
    )


def _mmd(bench: Bench) -> Stage:
    n = min(bench.sizes.kernel, bench.sizes.samples)
    m = min(bench.sizes.kernel, bench.sizes.references)
    return Stage(
        title="kernel two-sample test",
        measure=lambda points: {
            "mmd": squared_mmd(points[:n], bench.reference[:m], seed=bench.setting.seed)
        },
        stand_in=bench.train[:n],
        units={"mmd": "squared MMD"},
        definitions={
            "mmd": "Unbiased squared maximum mean discrepancy, Gaussian kernels at 2, 1, 1/2 and "
            "1/4 of the median distance, p-value of 200 permutations, "
            f"{n:,} generated against {m:,} test examples."
        },
    )


def _classifier(bench: Bench) -> Stage:
    n = min(bench.sizes.classifier, bench.sizes.samples, len(bench.reference))
    return Stage(
        title="classifier two-sample test",
        measure=lambda points: {
            "classifier_accuracy": classifier_accuracy(
                points[:n], bench.reference[:n], seed=bench.setting.seed
            )
        },
        stand_in=bench.train[:n],
        units={"classifier_accuracy": "share"},
        definitions={
            "classifier_accuracy": "Accuracy of boosted trees at telling generated from test "
            f"examples that they were not trained on, {n:,} of each; 0.5: they cannot."
        },
    )


def _precision_recall(bench: Bench) -> Stage:
    k, n, m = bench.setting.k, bench.sizes.samples, bench.sizes.radii

    def measure(points: Tensor) -> dict[str, Estimate]:
        found = precision_recall(bench.reference[:m], points, k=k)
        return {name: getattr(found, name) for name in definitions}

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
        stand_in=bench.train[:n],
        units=dict.fromkeys(definitions, "share") | {"density": "ratio"},
        definitions={name: sentence + sizes for name, sentence in definitions.items()},
        of_means=("coverage",),
    )


def _memorisation(bench: Bench) -> Stage:
    n = min(bench.sizes.neighbours, bench.sizes.samples)
    # An official test split may have another law (the writers of MNIST's did not write its
    # training digits), which would look like copying; validation is cut from training at random.
    control = bench.validation[: bench.sizes.neighbours]
    return Stage(
        title="memorisation",
        measure=lambda points: {"memorisation": memorisation(points[:n], bench.train, control)},
        # Training examples would be copies of themselves.
        stand_in=bench.reference[:n],
        units={"memorisation": "probability"},
        definitions={
            "memorisation": "Probability that a generated example leans to its nearest of "
            f"{len(bench.train):,} training examples, relative to its nearest held-out example, "
            f"more than a held-out example does ({n:,} generated, {len(control):,} of the "
            "validation split, on which no weight was trained); 0.5: like fresh data, 1: copies. A "
            "small p-value says that training examples are copied. Floor: test examples."
        },
    )


def _frechet(bench: Bench) -> Stage:
    space, n, m = bench.space, bench.sizes.samples, bench.sizes.references
    reference = space.coarse(bench.reference)
    return Stage(
        title="Frechet distance",
        measure=lambda points: {"frechet": frechet(space.coarse(points), reference)},
        stand_in=bench.train[:n],
        units={"frechet": f"squared {space.unit}"},
        definitions={
            "frechet": "Frechet distance between the Gaussian fits of "
            f"{n:,} generated and {m:,} test examples, in the {reference.shape[1]:,} values of "
            "the data themselves: not the FID, which takes the features of a network."
        },
    )


def _off_manifold(bench: Bench, fresh: Fresh) -> Stage:
    seed = bench.setting.seed
    support = bench.space(fresh(FRESH, seed + 1))
    return Stage(
        title="distance to fresh data",
        measure=lambda points: {"off_manifold": off_manifold(points, support, distance=OFF)},
        stand_in=bench.space(fresh(bench.sizes.samples, seed + 2)),
        units={"off_manifold": "share"},
        definitions={
            "off_manifold": f"Share of {bench.sizes.samples:,} generated examples further than "
            f"{OFF} in standardised units from each of {FRESH:,} fresh real ones."
        },
        of_means=("off_manifold",),
    )
