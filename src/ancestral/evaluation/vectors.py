"""How models of rows of columns are measured and shown."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from torch import Tensor

from ancestral.data.dataset import Dataset
from ancestral.data.fields import Vector
from ancestral.evaluation import plane
from ancestral.evaluation.field_evaluation import few
from ancestral.evaluation.points import Points
from ancestral.evaluation.space import Space
from ancestral.networks.units import InDataUnits

if TYPE_CHECKING:
    from ancestral.evaluation.report.entries import Section


class Vectors(Points):
    """Rows: of numbers there are scatters, densities in the plane and histograms."""

    def space(self, data: Dataset) -> Space:
        """Return numbers in standard units, states as indicators; toy sets are standardised."""
        assert isinstance(data.field, Vector)
        return Space.of_vector(data.field, data.train, standard=data.fresh is not None)

    def gaps(self, data: Dataset, x: Tensor) -> int:
        """Return how many rows lack a cell: NaN, or a state below 0."""
        assert isinstance(data.field, Vector)
        discrete = [column.discrete for column in data.field.columns]
        missing = x.isnan()
        missing[:, discrete] |= x[:, discrete] < 0
        return int(missing.any(dim=1).sum())

    def facts(self, data: Dataset) -> list[tuple[str, str]]:
        """Return the columns."""
        return [("shape", str(len(data.columns))), ("columns", few(data.columns))]

    def density(self, units: InDataUnits, data: Dataset, *, seed: int) -> plane.Density | None:
        """Return log p(x) in the plane of two numbers."""
        return plane.density_of(units, data, seed=seed)

    def view(self, section: "Section", colors: Mapping[str, str]) -> dict[str, Any]:
        """Return scatters, densities and histograms, and the rows nearest to samples."""
        return {
            **super().view(section, colors),
            "plane": plane.plane_of(section, colors),
            "marginals": plane.marginals_of(section, colors),
            "nearest_rows": plane.nearest_rows(section),
        }
