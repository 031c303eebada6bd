"""Models of examples that have distances: rows and images."""

from dataclasses import replace
from functools import cached_property, partial
from typing import Any

import torch
from torch import Generator, Tensor

from ancestral.capabilities import Encodes, Given, Samples, SamplesMeans
from ancestral.data.cells import Cells
from ancestral.data.dataset import Dataset
from ancestral.evaluation.attempts import Attempts
from ancestral.evaluation.bench import Bench, Progress
from ancestral.evaluation.codes import codes_of
from ancestral.evaluation.drawing import device_of, draw, nearest_training
from ancestral.evaluation.figures import Figure
from ancestral.evaluation.labels import evaluate_labels
from ancestral.evaluation.likelihood import bits_per_dim, definitions, likelihoods
from ancestral.evaluation.measures.active_units import active_units
from ancestral.evaluation.quality import Stage, stages
from ancestral.evaluation.result import Evaluation
from ancestral.evaluation.setting import LEAST, WIDE, Setting, Sizes
from ancestral.evaluation.walks import by_evaluations, path_of
from ancestral.networks.units import InDataUnits

_WIDE_DRAWS = 500
"""Draws of wide examples at each number of evaluations."""


class Points(Bench):
    """What is common to them: real points in the evaluation space, in an order fixed by the seed.

    Attributes:
        most: Samples kept for pictures.
        paths: Draws that are shown on their way from noise to data, where a model has steps.
        coding: What ``bits_per_dim`` is; empty where examples are no code.
        sizes: Of everything that is measured.
    """

    most: int = 10_000
    paths: int = 1_000
    coding: str = ""

    def __init__(self, data: Dataset, setting: Setting) -> None:
        super().__init__(data, setting)
        self.sizes = Sizes.of(setting, data)

    @cached_property
    def orders(self) -> tuple[Tensor, Tensor, Tensor]:
        """Places in the training, validation and test split, of the last as many as compared."""
        generator, data = Generator().manual_seed(self.setting.seed), self.data
        sizes = map(len, (data.train, data.validation, data.test))
        train, validation, test = (torch.randperm(n, generator=generator) for n in sizes)
        return train, validation, test[: self.sizes.references]

    @cached_property
    def train(self) -> Tensor:
        """All training points, [T, D]."""
        return self.points(self.data.train.x[self.orders[0]])

    @cached_property
    def validation(self) -> Tensor:
        """All validation points, [V, D]."""
        return self.points(self.data.validation.x[self.orders[1]])

    @cached_property
    def reference(self) -> Tensor:
        """Held-out points, [M, D]."""
        return self.points(self.data.test.x[self.orders[2]])

    def points(self, x: Tensor) -> Tensor:
        """Return what is measured of examples: their place in the space."""
        return self.space(x)

    @cached_property
    def stages(self) -> list[Stage]:
        """The measures; their floors are taken when they are first asked for."""
        return stages(self)

    @torch.no_grad()
    def show(self, model: InDataUnits) -> Evaluation:
        """Return samples to look at, made from the first test examples' fields if need be."""
        attempts, order = Attempts(), torch.arange(len(self.data.test))

        def found() -> Evaluation:
            given = self._given(model, self.most, order)
            return self._look(model, self._draw(model, self.most, given), given)

        shown = attempts("no samples", found) if model.can(Samples) else None
        return replace(shown or Evaluation(), notes=tuple(attempts.notes))

    def first(
        self, model: InDataUnits, drawn: Tensor, given: Given | None
    ) -> tuple[Tensor, Given | None]:
        """Return the samples to look at and what is given of them."""
        del model
        return drawn[: self.most], given and {k: v[: self.most] for k, v in given.items()}

    def of_labels(
        self, drawn: Tensor | None, given: Given | None, attempts: Attempts
    ) -> dict[str, Figure | None]:
        """Return what is measured of samples drawn for labels."""
        del drawn, given, attempts
        return {}

    def _of_labels(
        self, drawn: Tensor | None, means: Tensor | None, given: Given | None, attempts: Attempts
    ) -> dict[str, Figure | None]:
        """Return what is measured of draws for labels and, under names of their own, of means."""
        figures = dict(self.of_labels(drawn, given, attempts))
        of_means = {} if means is None else self.of_labels(means, given, attempts)
        return figures | {f"{name}_means": figure for name, figure in of_means.items()}

    def gaps(self, x: Tensor) -> int:
        """Return how many examples are not whole."""
        del x
        return 0

    def measure(self, model: InDataUnits, attempts: Attempts, tell: Progress) -> Evaluation:
        """Take every figure that the model can give."""
        data, sizes, setting = self.data, self.sizes, self.setting
        tell("held-out likelihood", 0.0)
        figures = likelihoods(model, data, sizes, setting, attempts)
        best = figures["log_prob"] or figures["elbo"]
        figures["bits_per_dim"] = bits_per_dim(best, data) if best and self.coding else None
        examples = data.test[self.orders[2]]
        figures["active_units"] = attempts(
            "active_units",
            lambda: active_units(model, examples, device=str(device_of(model))),
        )
        texts = definitions(model, sizes, setting.draws)
        texts |= {"active_units": f"{len(examples):,} test examples."}
        texts |= {"bits_per_dim": self.coding} if self.coding else {}
        labelled = evaluate_labels(model, data, attempts, seed=setting.seed)
        figures |= labelled.figures
        shown = means = None
        curve = ()
        if model.can(Samples):
            tell("sampling", 0.3)
            given = self._given(model, sizes.samples, self.orders[2])
            drawing = partial(self._draw, model, sizes.samples, given)
            drawn = attempts("samples", drawing)
            if setting.means and model.can(SamplesMeans):
                means = attempts("means", partial(drawing, means=True))
            if drawn is not None:
                look = partial(self._look, model, drawn, given)
                shown = attempts("samples to show", look)
            figures |= self._qualities(drawn, means, attempts, tell)
            figures |= self._of_labels(drawn, means, given, attempts)
            if model.walks and drawn is not None:
                tell("fewer evaluations", 0.9)
                curve = self._by_evaluations(model, given, attempts)
            texts |= {name: text for stage in self.stages for name, text in stage.texts.items()}
        texts |= labelled.definitions
        codes = None
        if model.can(Encodes) and not isinstance(model.transform, Cells):
            tell("codes", 0.95)
            codes = attempts("codes", partial(codes_of, model, data, self.space))
        if codes is not None:
            unit = f"squared {self.space.unit}"
            figures["reconstruction"] = Figure.of(codes.lost, unit, "loss")
            texts["reconstruction"] = f"{len(codes.places):,} test examples, in {unit}."
        return replace(
            shown or Evaluation(),
            codes=codes,
            figures=figures,
            means=None if means is None else means[: self.most],
            definitions={name: texts[name] for name in figures if name in texts},
            confusion=labelled.confusion,
            by_evaluations=curve,
        )

    def _by_evaluations(
        self, model: InDataUnits, given: Given | None, attempts: Attempts
    ) -> tuple[tuple[int, Figure], ...]:
        """Return the distance to held-out data by evaluations; fewer wide examples are drawn."""
        n = min(_WIDE_DRAWS if self.wide else self.sizes.samples, self.sizes.samples)
        first = given and {name: value[:n] for name, value in given.items()}
        name = self.distance
        whole = next(stage for stage in self.stages if name in stage.units)
        stage = replace(whole, stand_in=whole.stand_in[:n], units={name: whole.units[name]})

        def points(count: int) -> Tensor:
            return self.points(self._draw(model, n, first, evaluations=count))

        return by_evaluations(points, stage, attempts)

    def _given(self, model: InDataUnits, n: int, order: Tensor) -> Given | None:
        """Return what n samples are made from: the fields of test examples, again and again."""
        given, rows = model.required(self.data.test.given), order[torch.arange(n) % len(order)]
        return given and {name: value[rows] for name, value in given.items()}

    @property
    def wide(self) -> bool:
        """Whether examples have so many values that fewer are drawn at a time."""
        return self.data.features > WIDE

    def _draw(
        self,
        model: InDataUnits,
        n: int,
        given: Given | None,
        **how: Any,  # noqa: ANN401
    ) -> Tensor:
        seed, whole = self.setting.seed, self.whole
        return draw(model, n, seed=seed, wide=self.wide, given=given, whole=whole, **how)

    def _look(self, model: InDataUnits, drawn: Tensor, given: Given | None) -> Evaluation:
        samples, given = self.first(model, drawn, given)
        nearest = nearest_training(samples, self.data, self.space)
        path = None
        if model.walks:
            n = min(self.paths, len(samples))
            held = given and {name: value[:n] for name, value in given.items()}
            path = path_of(model, n, seed=self.setting.seed, given=held)
        return Evaluation(samples=samples, given=given or {}, nearest=nearest, path=path)

    def _qualities(
        self, drawn: Tensor | None, means: Tensor | None, attempts: Attempts, tell: Progress
    ) -> dict[str, Figure | None]:
        """Take every measure of samples and means, with its floor."""
        figures: dict[str, Figure | None] = {}
        enough = self._enough(attempts)
        points, mean_points = (
            self.points(x) if enough and x is not None else None for x in (drawn, means)
        )
        for number, stage in enumerate(self.stages):
            tell(stage.title, 0.4 + 0.6 * number / len(self.stages))
            figures |= stage.figures(points, attempts)
            if means is not None:
                figures |= stage.figures(mean_points, attempts, means=True)
        return figures

    def _enough(self, attempts: Attempts) -> bool:
        """Return whether samples can be measured, with a note if not."""
        train, test = self.sizes.samples, self.sizes.references
        if min(train, test) < LEAST:
            problem = (
                f"needs at least {LEAST} training and {LEAST} test examples, "
                f"got {train:,} and {test:,}"
            )
        elif rows := sum(self.gaps(part.x) for part in (self.data.train, self.data.test)):
            problem = (
                "samples are whole rows, and cells are missing in "
                f"{rows:,} of {len(self.data.train) + len(self.data.test):,} rows"
            )
        else:
            return True
        attempts.notes.append(f"sample quality: {problem}")
        return False
