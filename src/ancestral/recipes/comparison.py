"""What is compared, and what was found of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ancestral.data.dataset import Dataset
from ancestral.evaluation import Evaluation, Setting, counts_to_json, figures_to_json
from ancestral.evaluation.report import ModelEntry, Section
from ancestral.recipes.plan import Plan
from ancestral.recipes.runs import REPORT, Run
from ancestral.training.budget import Budget, budget_text


@dataclass(slots=True, kw_only=True)
class Compared:
    """One model of a comparison.

    Args:
        name: Of the recipe, or of the folder of a run that was there before.
        run: Its run; None if it failed before there was one.
        entry: What the report shows; None if it failed.
        error: The one line of its failure.
    """

    name: str
    run: Run | None = None
    entry: ModelEntry | None = None
    error: str | None = None

    @property
    def evaluation(self) -> Evaluation | None:
        """What was found; None if it failed."""
        return self.entry and self.entry.evaluation

    def to_json(self) -> dict[str, Any]:
        """Return the model's object in ``compare --json``."""
        result = self.run.record.result if self.run else None
        trained = self.run is not None and self.run.record.options is not None
        return {
            "name": self.name,
            "run": str(self.run.folder) if self.run else None,
            "figures": figures_to_json(self.evaluation.figures) if self.evaluation else {},
            "by_evaluations": counts_to_json(self.evaluation) if self.evaluation else [],
            "steps": result.steps if result and trained else None,
            "parameters": result.parameters if result else None,
            "seconds": result.seconds if result else None,
            "cpu_seconds": result.cpu_seconds if result else None,
            "whole_seconds": self.entry.whole_seconds if self.entry else None,
            "error": self.error,
        }


@dataclass(slots=True, kw_only=True)
class Comparison:
    """What is to be compared, and what :func:`hold` has found of it.

    Args:
        entrants: A plan for each model that is to be fitted, a run for each that was before.
        data: The data of all.
        seed: Of everything random.
        end: Of the training of each model that trains.
        folder: Where the runs and the report are.
        repeat: The command that repeats it.
        device: Where runs that were there before are measured.
        sampling: Of each run that was there before: how it is sampled, in place of its own way.
        setting: How large the measuring is.
        models: Those measured so far, in the order asked for.
    """

    entrants: Sequence[Plan | Run]
    data: Dataset
    seed: int
    end: Budget
    folder: Path
    repeat: str
    device: str = "cpu"
    sampling: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    setting: Setting = field(default_factory=Setting)
    models: list[Compared] = field(default_factory=list)

    @property
    def names(self) -> tuple[str, ...]:
        """What each of them is called."""
        return tuple(
            name_of_run(one) if isinstance(one, Run) else one.recipe.name for one in self.entrants
        )

    @property
    def budget(self) -> str:
        """The end of each training in words."""
        return budget_text(self.end)

    @property
    def report(self) -> Path:
        """The page."""
        return self.folder / REPORT

    @property
    def section(self) -> Section:
        """The section of the report."""
        entries = [
            model.entry or ModelEntry(name=model.name, error=model.error) for model in self.models
        ]
        return Section(
            data=self.data,
            entries=entries,
            budget=self.budget,
            limit=self.end.seconds,
            repeat=self.repeat,
        )

    @property
    def failed(self) -> bool:
        """Whether no model could be measured."""
        return all(model.error is not None for model in self.models)

    def to_json(self) -> dict[str, Any]:
        """Return the object that ``compare --json`` prints."""
        return {
            "data": self.data.source,
            "budget": self.budget,
            "models": [model.to_json() for model in self.models],
            "report": str(self.report),
        }


def name_of_run(run: Run) -> str:
    """Return what a run is called in a comparison: the last part of its folder."""
    return run.folder.resolve().name
