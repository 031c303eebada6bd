"""What an evaluation must know of a kind of field: one class each, found in ``kinds``."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeAlias

from ancestral.data.dataset import Dataset
from ancestral.errors import ConfigError
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


class Bench(ABC):
    """Data of one kind of field, ready to measure any number of models and to show them.

    What does not depend on a model (floors, neighbours among the real data, the training text as a
    suffix array) is computed when it is first asked for, and kept.

    Args:
        data: The test split judges; training and validation stand in for the generated
            examples where a floor is measured, and training is the memorisation test's suspect.
        setting: Sizes and seed.

    Raises:
        ConfigError: If the setting has a target that the data do not have.

    Attributes:
        likelihoods: Figures, of which a chart shows the first that each model gives.
        distance: Figure that is taken by the number of evaluations of the network.
        whole: Whether a missing cell of a sample is a fault.
    """

    likelihoods: tuple[str, ...] = ("log_prob", "log_prob_iw", "elbo")
    distance: str = "sliced_wasserstein"
    whole: bool = True

    def __init__(self, data: Dataset, setting: Setting) -> None:
        self.data, self.setting = data, setting
        if setting.target is not None:
            self.aim(setting.target)

    def aim(self, target: str) -> None:
        """Check that there is such a column to be told from the others."""
        raise ConfigError(
            f"target must be left out of {self.data.kind}: it is a column of a mixed table, "
            f"got {target!r}"
        )

    @abstractmethod
    def measure(self, model: InDataUnits, attempts: Attempts, tell: Progress) -> Evaluation:
        """Take every figure that a model can give; it is in evaluation mode."""

    @abstractmethod
    def show(self, model: InDataUnits) -> Evaluation:
        """Return samples to look at, where there are any, without measuring anything."""

    @abstractmethod
    def facts(self) -> list[tuple[str, str]]:
        """Return what is to be known about the field: term and text."""

    @cached_property
    def space(self) -> Space:
        """The space in which examples are compared; a ValueError if they have no distances."""
        raise ValueError(f"{self.data.name}: {self.data.kind} have no distances")

    def held_out(self) -> str:
        """Return how many examples judge, in words."""
        return f"{len(self.data.test):,} examples"

    def pictures(self, model: InDataUnits) -> tuple[tuple[str, str], ...]:
        """Return captions and SVG texts of what only such models show."""
        del model
        return ()

    def density(self, model: InDataUnits) -> "Density | None":
        """Return log p(x) on the grid of a picture, where there is one."""
        del model

    def view(self, section: "Section", colors: Mapping[str, str]) -> dict[str, Any]:
        """Return the parts of a report that show examples, as its template names them."""
        del section, colors
        names = ("marginals", "galleries", "nearest", "nearest_rows", "paths")
        return {"plane": None, "mixed": None, "large": False, **{name: [] for name in names}}


def few(names: Sequence[str], most: int = 12) -> str:
    """Return the first of some names, and how many more there are."""
    shown = ", ".join(names[:most])
    return f"{shown} and {len(names) - most} more" if len(names) > most else shown
