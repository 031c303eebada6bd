"""What a report shows: one entry a model, one section a data set. Filled in by the caller."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ancestral.evaluation.result import Evaluation

if TYPE_CHECKING:
    from torch import Tensor

    from ancestral.data.dataset import Dataset
    from ancestral.evaluation.plane import Density
    from ancestral.networks.dag import DAG


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelEntry:
    """One model of a section: what an evaluation found, and the facts of its run.

    Only ``name`` is needed; what is absent is not shown.

    Args:
        name: The model's name, unique in its section.
        evaluation: Figures, samples and how they were measured.
        run: Path of the run folder, as the user would write it.
        steps: Updates made; None for closed-form estimators.
        parameters: Numbers learned from the data.
        seconds: Wall-clock training time.
        cpu_seconds: Processor time of the training.
        whole_seconds: Wall-clock time of everything: what the budget does not count, too.
        error: One line if the model failed; its other fields may then be empty.
        curves: Rows of ``metrics.jsonl`` in order. A row has ``step`` and, nested under
            ``metrics`` and ``validation``, scalars by name; scalars beside ``step`` count as
            metrics. Rows without ``step`` are passed over.
        graph: The DAGs by name, ``p`` and ``q``.
        pictures: Further pictures of the model: caption and SVG text.
        density: For two numbers: log p(x) on a grid.
        repeat: The command that repeats this run.
        capabilities: Names out of :data:`ancestral.capabilities.CAPABILITIES`.
        notes: Remarks on the run, one sentence each.

    Example:
        >>> ModelEntry(name="kde").evaluation.figures
        {}
    """

    name: str
    evaluation: Evaluation = field(default_factory=Evaluation)
    run: str = ""
    steps: int | None = None
    parameters: int | None = None
    seconds: float | None = None
    cpu_seconds: float | None = None
    whole_seconds: float | None = None
    error: str | None = None
    curves: Sequence[Mapping[str, Any]] = ()
    graph: "Mapping[str, DAG]" = field(default_factory=dict)
    pictures: Sequence[tuple[str, str]] = ()
    density: "Density | None" = None
    repeat: str = ""
    capabilities: Sequence[str] = ()
    notes: Sequence[str] = ()

    def pair(self, most: int) -> "tuple[Tensor, Tensor] | None":
        """Return the first samples and their nearest training examples, None if there are none."""
        samples, nearest = self.evaluation.samples, self.evaluation.nearest
        if samples is None or nearest is None:
            return None
        n = min(most, len(samples), len(nearest))
        return samples[:n], nearest[:n]


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """One data set and the models fitted to it.

    Args:
        data: The data set, with its three splits.
        entries: The models, in the order of the table's columns; names are unique.
        budget: What each model was given, in words: ``30s``, ``20000 steps``.
        limit: The same in seconds, where it is a time.
        repeat: The command that repeats the whole section.
        notes: Further remarks, one sentence each, beside those of the data.

    Raises:
        ValueError: If two entries have the same name.
    """

    data: "Dataset"
    entries: Sequence[ModelEntry]
    budget: str = ""
    limit: float | None = None
    repeat: str = ""
    notes: Sequence[str] = ()

    def __post_init__(self) -> None:
        names = [entry.name for entry in self.entries]
        if len(set(names)) < len(names):
            raise ValueError(f"entries must have different names, got {names}")
