"""Models of examples that have distances: rows and images."""

from dataclasses import replace
from functools import cached_property, partial

import torch
from torch import Tensor

from ancestral.capabilities import Given, Samples, SamplesMeans
from ancestral.data.dataset import Dataset
from ancestral.evaluation.attempts import Attempts
from ancestral.evaluation.drawing import draw, is_wide, nearest_training
from ancestral.evaluation.field_evaluation import FieldEvaluation, Progress
from ancestral.evaluation.figures import Figure
from ancestral.evaluation.labels import evaluate_labels
from ancestral.evaluation.likelihood import bits_per_dim, definitions, likelihoods
from ancestral.evaluation.quality import Reals, Stage, stages
from ancestral.evaluation.result import Evaluation
from ancestral.evaluation.setting import LEAST, Setting, Sizes
from ancestral.networks.units import InDataUnits


class Points(FieldEvaluation):
    """What is common to them.

    Attributes:
        most: Samples kept for pictures.
        coding: What ``bits_per_dim`` is; empty where examples are no code.
    """

    most: int = 10_000
    coding: str = ""

    def bench(self, data: Dataset, setting: Setting) -> "PointBench":
        """Prepare real points for the measuring."""
        return PointBench(self, data, setting)

    @torch.no_grad()
    def shown(self, units: InDataUnits, data: Dataset, *, seed: int) -> Evaluation:
        """Return samples to look at, drawn for the first test examples' own fields if need be."""
        attempts = Attempts()

        def samples() -> Evaluation:
            n, given = self.most, units.required(data.test.given)
            given = given and _rows(given, torch.arange(n) % len(data.test))
            drawn = draw(units, n, seed=seed, wide=is_wide(data), given=given)
            return self.look(units, data, drawn, given, seed=seed)

        found = attempts("no samples", samples) if units.can(Samples) else None
        return replace(found or Evaluation(), notes=tuple(attempts.notes))

    def look(
        self, units: InDataUnits, data: Dataset, drawn: Tensor, given: Given | None, *, seed: int
    ) -> Evaluation:
        """Return samples to look at, of those drawn, and their nearest training examples."""
        samples, given = self.chosen(units, data, drawn, given, seed=seed)
        nearest = nearest_training(samples, data, self.space(data))
        return Evaluation(samples=samples, given=given or {}, nearest=nearest)

    def chosen(
        self, units: InDataUnits, data: Dataset, drawn: Tensor, given: Given | None, *, seed: int
    ) -> tuple[Tensor, Given | None]:
        """Return the first samples and what is given of them."""
        del units, data, seed
        return drawn[: self.most], given and _rows(given, torch.arange(len(drawn))[: self.most])

    def gaps(self, data: Dataset, x: Tensor) -> int:
        """Return how many examples are not whole."""
        del data, x
        return 0


class PointBench:
    """Real points, the measures of samples and their floors.

    Args:
        kind: Of the field.
        data: The data.
        setting: Sizes and seed.
    """

    def __init__(self, kind: Points, data: Dataset, setting: Setting) -> None:
        self.kind, self.data, self.setting = kind, data, setting
        self.sizes = Sizes.of(setting, data)

    @cached_property
    def real(self) -> Reals:
        """Real data in the evaluation space."""
        return Reals.of(self.data, self.kind.space(self.data), self.sizes, self.setting)

    @cached_property
    def stages(self) -> list[Stage]:
        """The measures; their floors are taken when they are first asked for."""
        return stages(self.real)

    def measure(self, units: InDataUnits, attempts: Attempts, tell: Progress) -> Evaluation:
        """Take every figure that the model can give."""
        data, sizes, setting = self.data, self.sizes, self.setting
        tell("held-out likelihood", 0.0)
        figures = likelihoods(units, data, sizes, setting, attempts)
        best = figures["log_prob"] or figures["elbo"]
        figures["bits_per_dim"] = bits_per_dim(best, data) if best and self.kind.coding else None
        texts = definitions(units, sizes, setting.draws)
        texts |= {"bits_per_dim": self.kind.coding} if self.kind.coding else {}
        labelled = evaluate_labels(units, data, attempts, seed=setting.seed)
        figures |= labelled.figures
        texts |= labelled.definitions
        found, means = Evaluation(), None
        if units.can(Samples):
            tell("sampling", 0.3)
            drawn, means, given = self._draw(units, attempts)
            if drawn is not None:
                look = partial(self.kind.look, units, data, drawn, given, seed=setting.seed)
                found = attempts("samples to show", look) or found
            figures |= self._qualities(drawn, means, attempts, tell)
            texts |= self._texts()
        return replace(
            found,
            figures=figures,
            means=None if means is None else means[: self.kind.most],
            definitions={name: texts[name] for name in figures if name in texts},
            confusion=labelled.confusion,
        )

    def _draw(
        self, units: InDataUnits, attempts: Attempts
    ) -> tuple[Tensor | None, Tensor | None, Given | None]:
        """Return samples to measure, means where the model has them, and what is given of both."""
        n, wide = self.sizes.samples, is_wide(self.data)
        given = units.required(self.data.test.given)
        if given is not None:
            given = _rows(given, self.real.order[torch.arange(n) % len(self.real.order)])
        drawing = partial(draw, units, n, seed=self.setting.seed, wide=wide, given=given)
        drawn = attempts("samples", drawing)
        wanted = self.setting.means and units.can(SamplesMeans)
        return drawn, attempts("means", partial(drawing, means=True)) if wanted else None, given

    def _qualities(
        self,
        drawn: Tensor | None,
        means: Tensor | None,
        attempts: Attempts,
        tell: Progress,
    ) -> dict[str, Figure | None]:
        """Take every measure of samples and means, with its floor."""
        figures: dict[str, Figure | None] = {}
        space, enough = self.real.space, self._enough(attempts) and self._whole(attempts)
        of_drawn = space(drawn) if enough and drawn is not None else None
        of_means = space(means) if enough and means is not None else None
        for number, stage in enumerate(self.stages):
            tell(stage.title, 0.4 + 0.6 * number / len(self.stages))
            figures |= stage.figures(of_drawn, attempts)
            if means is not None:
                figures |= stage.figures(of_means, attempts, means=True)
        return figures

    def _texts(self) -> dict[str, str]:
        """Return what each measure means, of means too."""
        texts: dict[str, str] = {}
        for stage in self.stages:
            texts |= stage.definitions
            for name in stage.of_means:
                means = f"Of means of p(x | z) instead of draws. {texts[name]}"
                texts[f"{name}_means"] = means
        return texts

    def _enough(self, attempts: Attempts) -> bool:
        """Return whether there are examples enough to measure samples, with a note if not."""
        train, test = self.sizes.samples, self.sizes.references
        if min(train, test) >= LEAST:
            return True
        attempts.notes.append(
            f"sample quality: needs at least {LEAST} training and {LEAST} test examples, "
            f"got {train:,} and {test:,}"
        )
        return False

    def _whole(self, attempts: Attempts) -> bool:
        """Return whether no cell of a table is missing, with a note if one is."""
        parts = (self.data.train, self.data.test)
        rows = sum(self.kind.gaps(self.data, part.x) for part in parts)
        if rows:
            attempts.notes.append(
                "sample quality: samples are whole rows, and cells are missing in "
                f"{rows:,} of {sum(map(len, parts)):,} rows"
            )
        return not rows


def _rows(given: Given, rows: Tensor) -> Given:
    return {name: value[rows] for name, value in given.items()}
