"""Measure a run on held-out data, and put what was found into its report."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ancestral.capabilities import Classifies
from ancestral.data.dataset import Dataset, adopt
from ancestral.data.fields import LABEL
from ancestral.errors import RunError
from ancestral.evaluation import (
    Evaluation,
    Setting,
    bench_of,
    counts_to_json,
    evaluate,
    figures_to_json,
)
from ancestral.evaluation.bench import Progress
from ancestral.evaluation.report import ModelEntry, Section
from ancestral.recipes.kinds import ways_of
from ancestral.recipes.reporting import model_entry, report_run, section_of
from ancestral.recipes.runs import Run


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluated:
    """A run and what was found of it.

    Args:
        run: The run.
        data: On whose test split it was measured.
        entry: What a report shows: what was found, and the facts of the run.
        report: The page; None where it was measured on data that are not its own.
        problem: Why the page could not be written.
    """

    run: Run
    data: Dataset
    entry: ModelEntry
    report: Path | None
    problem: str | None = None

    @property
    def evaluation(self) -> Evaluation:
        """The figures, and samples to look at."""
        return self.entry.evaluation

    @property
    def section(self) -> Section:
        """The section of the report."""
        return section_of(self.run, self.data, self.entry)

    def to_json(self) -> dict[str, Any]:
        """Return the object that ``evaluate --json`` prints."""
        return {
            "run": str(self.run.folder),
            "data": self.data.source,
            "figures": figures_to_json(self.evaluation.figures),
            "by_evaluations": counts_to_json(self.evaluation),
            "seconds": self.evaluation.seconds,
            "notes": list(self.evaluation.notes),
            "report": self.report and str(self.report),
        }


def evaluate_run(
    run: Run | str | Path,
    data: str | None = None,
    *,
    setting: Setting | None = None,
    device: str = "cpu",
    progress: Progress | None = None,
) -> Evaluated:
    """Measure a run on the test split of its own data, or of others of the same kind.

    Another text is held out as a whole, but for the documents that the run has seen.

    Args:
        run: The run, or its folder.
        data: Other data; the run's own if None, and only then is ``report.html`` written.
        setting: Sizes and seed.
        device: Where to compute.
        progress: Told what is being done.

    Raises:
        RunError: If it is not a run, or has no weights, or the data do not fit it.
        DataError: If the data cannot be read.
    """
    run = Run.open(run)
    model = run.model(device=device)
    loaded = run.data() if data is None else ways_of(run).other(run, data)
    fields = run.record.data.fields
    if model.can(Classifies) and LABEL in fields:
        words = {"who": f"{run.folder} models", "source": data or loaded.source}
        loaded = adopt(loaded, {LABEL: fields[LABEL]}, **words)
    bench = bench_of(loaded, setting)
    found = evaluate(model, loaded, bench=bench, progress=progress)
    if data is not None:  # How it was read, and what was left out.
        found = replace(found, notes=(*loaded.notes, *found.notes))
    entry = model_entry(run, model, bench, found)
    report, problem = None, None
    if data is None:
        try:
            report = report_run(run, loaded, entry)
        except RunError as error:  # The figures cost more than the page: they are not lost.
            problem = error.line
    return Evaluated(run=run, data=loaded, entry=entry, report=report, problem=problem)
