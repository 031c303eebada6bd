"""What an evaluation found: figures, and samples to look at."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from torch import Tensor

from ancestral.evaluation.figures import Figure

if TYPE_CHECKING:
    from ancestral.evaluation.codes import Codes
    from ancestral.evaluation.text.passages import Passages


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Evaluation:
    """What was found; of a model that was not measured, samples alone.

    Args:
        figures: By name; None where the model cannot give the number.
        samples: Samples to look at, in user units [N, *event]; None if there are none.
        given: What those samples were conditioned on, ``{"label": [N]}`` or empty.
        means: Means of p(x | z) to look at, in user units [N, *event], or None.
        nearest: The training examples nearest to the first 10 samples, [10, *event], or None.
        definitions: How each figure was measured, one sentence with the sizes used.
        notes: What went wrong, and what is far from real data, one sentence each; to be shown
            beside the figures.
        seconds: Wall-clock time.
        passages: Of text: samples to read, in place of ``samples``.
        confusion: Of labels: true ones by row, likeliest ones by column, int64 [K, K].
        path: Of a model that draws in steps: states of a few draws from noise to data, in user
            units [S, N, *event].
        by_evaluations: Of such a model: its distance to held-out data by how often its network
            is evaluated for a draw.
        codes: Of a model that encodes: what is shown of the codes of test examples.
    """

    figures: Mapping[str, Figure | None] = field(default_factory=dict)
    samples: Tensor | None = None
    given: Mapping[str, Tensor] = field(default_factory=dict)
    means: Tensor | None = None
    nearest: Tensor | None = None
    definitions: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    seconds: float = 0.0
    passages: "Passages | None" = None
    confusion: Tensor | None = None
    path: Tensor | None = None
    by_evaluations: tuple[tuple[int, Figure], ...] = ()
    codes: "Codes | None" = None


def counts_to_json(found: Evaluation) -> list[dict[str, Any]]:
    """Return distances by evaluations as JSON objects; empty of a model that has no steps."""
    return [{"evaluations": count, **figure.to_json()} for count, figure in found.by_evaluations]
