"""What a report shows: one entry a model, one section a data set. Filled in by the caller."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from torch import Tensor

    from ancestral.data.dataset import Dataset
    from ancestral.evaluation.figures import Figure
    from ancestral.evaluation.text.passages import Passages
    from ancestral.networks.dag import DAG


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelEntry:
    """One model of a section, with everything about it that a reader may want to see.

    Only ``name`` and ``figures`` are needed; what is absent is not shown.

    Args:
        name: The model's name, unique in its section.
        run: Path of the run folder, as the user would write it.
        figures: By the fixed names of figures; None is a dash: the model cannot give it.
        steps: Updates made; None for closed-form estimators.
        parameters: Numbers learned from the data.
        seconds: Wall-clock training time.
        cpu_seconds: Processor time of the training.
        error: One line if the model failed; its other fields may then be empty.
        curves: Rows of ``metrics.jsonl`` in order. A row has ``step`` and, nested under
            ``metrics`` and ``validation``, scalars by name; scalars beside ``step`` count as
            metrics. Rows without ``step`` are passed over.
        graph: The DAGs by name, ``p`` and ``q``.
        observed: Names of the nodes that the data observe, shaded in the DAGs.
        deterministic: Names of the nodes that are functions of their parents, drawn double in p.
        samples: Draws in the user's units, [N, D] or uint8 [N, C, H, W].
        sample_labels: Value of ``label`` each sample was drawn for, int64 [N].
        samples_are_means: The samples are means of p(x | z), and are labelled so.
        nearest: Nearest training example of each of the first samples, same units, [M, *event].
        passages: Generated texts, with copies of the training marked.
        confusion: Of labels: true ones by row, likeliest ones by column, int64 [K, K].
        pictures: Further pictures of the model: caption and SVG text.
        log_density: For 2-D data: maps points [M, 2] in the user's units to log p(x) in nats [M].
        log_density_kind: What ``log_density`` is; a bound or an estimate is labelled so.
        repeat: The command that repeats this run.
        capabilities: Names out of :data:`ancestral.capabilities.CAPABILITIES`.
        notes: Further remarks, one sentence each.
        definitions: How each figure was measured, one sentence with the sizes used.

    Example:
        >>> ModelEntry(name="kde", figures={"elbo": None}).figures["elbo"] is None
        True
    """

    name: str
    figures: "Mapping[str, Figure | None]"
    run: str = ""
    steps: int | None = None
    parameters: int | None = None
    seconds: float | None = None
    cpu_seconds: float | None = None
    error: str | None = None
    curves: Sequence[Mapping[str, Any]] = ()
    graph: "Mapping[str, DAG]" = field(default_factory=dict)
    observed: Sequence[str] = ("x", "label")
    deterministic: Sequence[str] = ()
    samples: "Tensor | None" = None
    sample_labels: "Tensor | None" = None
    samples_are_means: bool = False
    nearest: "Tensor | None" = None
    passages: "Passages | None" = None
    confusion: "Tensor | None" = None
    pictures: Sequence[tuple[str, str]] = ()
    log_density: "Callable[[Tensor], Tensor] | None" = None
    log_density_kind: Literal["exact", "bound", "estimate"] = "exact"
    repeat: str = ""
    capabilities: Sequence[str] = ()
    notes: Sequence[str] = ()
    definitions: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """One data set and the models fitted to it.

    Args:
        data: The data set, with its three splits.
        entries: The models, in the order of the table's columns; names are unique.
        budget: What each model was given, in words: ``30s``, ``20000 steps``.
        repeat: The command that repeats the whole section.
        notes: Further remarks, one sentence each, beside those of the data.

    Raises:
        ValueError: If two entries have the same name.
    """

    data: "Dataset"
    entries: Sequence[ModelEntry]
    budget: str = ""
    repeat: str = ""
    notes: Sequence[str] = ()

    def __post_init__(self) -> None:
        names = [entry.name for entry in self.entries]
        if len(set(names)) < len(names):
            raise ValueError(f"entries must have different names, got {names}")
