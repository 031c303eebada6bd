"""How models of mixed tables are measured and shown."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

from torch import Tensor

from ancestral.capabilities import HasBound, HasDensity, Samples
from ancestral.data.columns import Column
from ancestral.data.dataset import Dataset, Examples
from ancestral.errors import ConfigError
from ancestral.evaluation import plane
from ancestral.evaluation.attempts import Attempts
from ancestral.evaluation.bench import Progress, few
from ancestral.evaluation.figures import Figure
from ancestral.evaluation.measures.estimate import Estimate
from ancestral.evaluation.measures.neighbours import Index
from ancestral.evaluation.points import Points
from ancestral.evaluation.quality import Stage, single
from ancestral.evaluation.result import Evaluation
from ancestral.evaluation.setting import LEAST, Setting
from ancestral.evaluation.space import Space
from ancestral.evaluation.surprise import row_surprise
from ancestral.evaluation.tables.coding import FEW, Coding
from ancestral.evaluation.tables.privacy import Nearer, copies, membership
from ancestral.evaluation.tables.trees import LEAST_DETECTED, Features, Task, detection
from ancestral.evaluation.tables.variation import pairs_of, total_variation
from ancestral.evaluation.tables.view import view_of
from ancestral.networks.units import InDataUnits
from ancestral.settings import nearest

if TYPE_CHECKING:
    from ancestral.evaluation.report.entries import Section

WHO = ("training", "held-out")


class Tables(Points):
    """Rows of typed columns with gaps: measured in the user's units, a gap as a value.

    Attributes:
        columns: Of a row.
    """

    whole = False

    def __init__(self, data: Dataset, setting: Setting) -> None:
        self.columns: tuple[Column, ...] = plane.columns_of(data)
        self.distance = "pair_tv" if len(self.columns) > 1 else "column_tv"
        super().__init__(data, setting)

    def aim(self, target: str) -> None:
        """Check that there is such a column, and another one."""
        names = self.data.columns
        if target not in names:
            raise ConfigError(
                f"target must be a column of {self.data.name}, got {target!r}"
                f"{nearest(target, names, otherwise=20)}"
            )
        if len(names) < 2:
            raise ConfigError(f"target needs another column to be told by, got {target!r} alone")

    @cached_property
    def space(self) -> Space:
        """Numbers in standard units, states as indicators."""
        return Space.of_columns(self.columns, self.data.train, standard=False)

    def points(self, x: Tensor) -> Tensor:
        """Return the rows as they are."""
        return x.double()

    @cached_property
    def cells(self) -> Coding:
        """Columns as few cells, by the training rows."""
        return Coding(self.columns, self.data.train.x)

    @cached_property
    def features(self) -> Features:
        """What trees read of a row."""
        return Features(self.columns, self.data.train.x)

    @cached_property
    def coded(self) -> tuple[Tensor, Tensor]:
        """Cells of the held-out rows [M, D], and of the training rows of the floor [N, D]."""
        return self.cells(self.reference), self.cells(self.train[: self.sizes.samples])

    @property
    def target(self) -> int | None:
        """Number of the column to be told from the others, if there is one."""
        if self.setting.target is not None:
            return self.data.columns.index(self.setting.target)
        truths = [j for j, column in enumerate(self.columns) if column.type == "truth"]
        return truths[0] if len(truths) == 1 < len(self.columns) else None

    @cached_property
    def stages(self) -> list[Stage]:
        """The measures; their floors are taken when they are first asked for."""
        made = [self._variation()]
        if self._detectable:
            made.append(self._detection())
        if self.target is not None:
            made.append(self._utility(self.target))
        return [*made, self._copies(), self._nearer()]

    def measure(self, model: InDataUnits, attempts: Attempts, tell: Progress) -> Evaluation:
        """Take every figure that the model can give."""
        found = super().measure(model, attempts, tell)
        figures, texts = {**found.figures}, {**found.definitions}
        n, m = self.sizes.samples, self.sizes.references
        if model.can(Samples) and not self._detectable:
            figures["detection_auc"] = None
            if min(n, m) >= LEAST:
                attempts.notes.append(
                    f"detection: needs at least {LEAST_DETECTED} training and {LEAST_DETECTED} "
                    f"test rows, got {n:,} and {m:,}; fit with --set fractions=0.1,0.3"
                )
        figures["membership_auc"] = None
        if model.can(HasDensity) or model.can(HasBound):
            tell("membership by likelihood", 0.98)
            rows = self._suspects()
            step = partial(self._membership, model, *rows)
            figures["membership_auc"] = attempts("membership by likelihood", step)
            count = " and ".join(
                f"{len(some):,} {what}" for some, what in zip(rows, WHO, strict=True)
            )
            texts["membership_auc"] = f"log p, or else its bound, of {count} rows."
        return replace(found, figures=figures, definitions=texts)

    def facts(self) -> list[tuple[str, str]]:
        """Return the columns with their types, and how much is missing."""
        types = Counter(column.type for column in self.columns)
        count = ", ".join(f"{number} {name}" for name, number in types.most_common())
        named = [f"{column.name} ({column.type})" for column in self.columns]
        missing = self.data.train.x.isnan()
        gaps = int(missing.any(dim=0).sum())
        share = f"{missing.double().mean().item():.2%}, in {gaps} of {len(named)} columns"
        return [
            ("shape", f"{len(named)}: {count}"),
            ("columns", few(named, 30)),
            ("missing cells", share if gaps else "none"),
        ]

    def view(self, section: "Section", colors: Mapping[str, str]) -> dict[str, Any]:
        """Return the columns and pairs of real rows and samples, rows to read, and privacy."""
        return {**super().view(section, colors), "mixed": view_of(self, section, colors)}

    @property
    def _detectable(self) -> bool:
        return min(self.sizes.samples, self.sizes.references) >= LEAST_DETECTED

    def _variation(self) -> Stage:
        d, n, m = len(self.columns), self.sizes.samples, self.sizes.references
        groups = {"column_tv": [(j,) for j in range(d)], "pair_tv": pairs_of(d, seed=0)}
        groups = {name: some for name, some in groups.items() if some}
        how = (
            f"{n:,} samples against {m:,} test rows. Numbers are cut at tenths of the training "
            f"rows; the {FEW} most frequent states or values, what is missing, and the "
            "rest are cells."
        )

        def measure(points: Tensor) -> dict[str, Estimate]:
            codes, (real, _), sizes = self.cells(points), self.coded, self.cells.sizes
            return {
                name: total_variation(codes, real, sizes, some)[1] for name, some in groups.items()
            }

        return Stage(
            title="total variation",
            measure=measure,
            stand_in=self.train[:n],
            units=dict.fromkeys(groups, ""),
            definitions={name: f"Mean of {len(some)}; {how}" for name, some in groups.items()},
        )

    def _detection(self) -> Stage:
        n = min(self.sizes.classifier, self.sizes.samples, self.sizes.references)
        reference, seed = self.reference[:n], self.setting.seed
        how = f"{n:,} samples and as many test rows; each is scored by trees not trained on it."
        return single(
            "detection_auc",
            "detection",
            lambda points: detection(points[:n], reference, self.features, seed=seed),
            self.train[:n],
            ("probability", how),
        )

    def _utility(self, target: int) -> Stage:
        n, task = self.sizes.samples, Task(self.features, target, self.reference, self.setting.seed)
        how = (
            f"{self.data.columns[target]} told by trees trained on {n:,} samples, tested on "
            f"{len(self.reference):,} test rows. Beside it: trained on as many real rows."
        )
        return single("utility", "utility", task.utility, self.train[:n], (task.unit, how))

    def _copies(self) -> Stage:
        train, n = self.data.train.x, self.sizes.samples
        how = f"{n:,} samples, {len(train):,} training rows."
        measure = partial(copies, train=train)
        return single("copied_rows", "copies", measure, self.reference[:n], ("share", how))

    def _nearer(self) -> Stage:
        n = min(self.sizes.neighbours, self.sizes.samples)
        m = min(self.sizes.neighbours, len(self.train), len(self.validation))
        train, held_out = (Index(self.space(x[:m])) for x in (self.train, self.validation))
        nearer = Nearer(train, held_out)
        return single(
            "nearer_training",
            "distance to training rows",
            lambda points: nearer(self.space(points[:n])),
            self.reference[:n],
            ("share", f"{n:,} samples; {m:,} training rows and as many of the validation split."),
        )

    def _suspects(self) -> tuple[Examples, Examples]:
        """Return training rows and as many that were not trained on.

        They are test rows, but where the source has its own test split, whose law may be another.
        """
        data, (train, validation, test) = self.data, self.orders
        held_out = (data.validation, validation) if data.official_split else (data.test, test)
        n = min(self.sizes.neighbours, len(train), len(held_out[1]))
        return data.train[train[:n]], held_out[0][held_out[1][:n]]

    def _membership(self, model: InDataUnits, members: Examples, others: Examples) -> Figure:
        seed = self.setting.seed
        both = (row_surprise(model, x, seed=seed) for x in (members, others))
        known, new = (-found.scores["surprise"] for found in both)
        return Figure.of(membership(known, new), "probability", floor=0.5)
