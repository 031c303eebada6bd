"""What an evaluation must know of a kind of field: one object each, found in ``kinds``."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from ancestral.data.dataset import Dataset
from ancestral.evaluation.attempts import Attempts
from ancestral.evaluation.result import Evaluation
from ancestral.evaluation.setting import Setting
from ancestral.evaluation.space import Space
from ancestral.networks.units import InDataUnits

if TYPE_CHECKING:
    from ancestral.evaluation.plane import Density
    from ancestral.evaluation.report.entries import Section

Progress: TypeAlias = Callable[[str, float], None]
"""(what is being done, share done so far)."""


class Bench(Protocol):
    """Real data made ready once, to measure any number of models against.

    What does not depend on a model (the floors, the neighbours among the real data, the training
    text as a suffix array) is computed when it is first asked for, and kept.
    """

    data: Dataset

    def measure(self, units: InDataUnits, attempts: Attempts, tell: Progress) -> Evaluation:
        """Take every figure that the model can give; it is in evaluation mode."""
        ...


class FieldEvaluation(ABC):
    """How models of one kind of field are measured and shown."""

    likelihoods: tuple[str, ...] = ("log_prob", "log_prob_iw", "elbo")
    """Figures of likelihood, of which a chart shows the first that each model gives."""

    @abstractmethod
    def bench(self, data: Dataset, setting: Setting) -> Bench:
        """Prepare real data for the measuring."""

    @abstractmethod
    def shown(self, units: InDataUnits, data: Dataset, *, seed: int) -> Evaluation:
        """Return samples to look at, where there are any, without measuring anything."""

    @abstractmethod
    def facts(self, data: Dataset) -> list[tuple[str, str]]:
        """Return what is to be known about the field: term and text."""

    def space(self, data: Dataset) -> Space:
        """Return the space in which examples are compared.

        Raises:
            ValueError: If there is no distance between such examples.
        """
        raise ValueError(f"{data.name}: {data.kind} have no distances")

    def held_out(self, data: Dataset) -> str:
        """Return how many examples judge, in words."""
        return f"{len(data.test):,} examples"

    def pictures(self, units: InDataUnits, data: Dataset) -> tuple[tuple[str, str], ...]:
        """Return captions and SVG texts of what only such models show."""
        del units, data
        return ()

    def density(self, units: InDataUnits, data: Dataset, *, seed: int) -> "Density | None":
        """Return log p(x) on the grid of a picture, where there is one."""
        del units, data, seed
        return None

    def view(self, section: "Section", colors: Mapping[str, str]) -> dict[str, Any]:
        """Return the parts of a report that show examples, as its template names them."""
        del section, colors
        names = ("marginals", "galleries", "nearest", "nearest_rows")
        return {"plane": None, "large": False, **{name: [] for name in names}}


def few(names: Sequence[str], most: int = 12) -> str:
    """Return the first of some names, and how many more there are."""
    shown = ", ".join(names[:most])
    return f"{shown} and {len(names) - most} more" if len(names) > most else shown
