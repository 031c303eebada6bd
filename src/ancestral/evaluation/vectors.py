"""How models of rows of columns are measured and shown."""

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

from torch import Tensor

from ancestral.evaluation import plane
from ancestral.evaluation.bench import few
from ancestral.evaluation.points import Points
from ancestral.evaluation.space import Space
from ancestral.networks.units import InDataUnits

if TYPE_CHECKING:
    from ancestral.evaluation.report.entries import Section


class Vectors(Points):
    """Rows: numbers have scatters, densities in the plane and histograms."""

    @cached_property
    def space(self) -> Space:
        """Numbers in standard units, states as indicators; toy sets are standardised already."""
        columns, standard = plane.columns_of(self.data), self.data.fresh is not None
        return Space.of_columns(columns, self.data.train, standard=standard)

    def gaps(self, x: Tensor) -> int:
        """Return how many rows lack a cell: NaN, or a state below 0."""
        discrete = [column.discrete for column in plane.columns_of(self.data)]
        missing = x.isnan()
        missing[:, discrete] |= x[:, discrete] < 0
        return int(missing.any(dim=1).sum())

    def facts(self) -> list[tuple[str, str]]:
        """Return the columns."""
        names = self.data.columns
        return [("shape", str(len(names))), ("columns", few(names))]

    def density(self, model: InDataUnits) -> plane.Density | None:
        """Return log p(x) in the plane of two numbers."""
        return plane.density_of(model, self.data, seed=self.setting.seed)

    def view(self, section: "Section", colors: Mapping[str, str]) -> dict[str, Any]:
        """Return scatters, densities and histograms, and the rows nearest to samples."""
        return {
            **super().view(section, colors),
            "plane": plane.plane_of(section, colors),
            "marginals": plane.marginals_of(section, colors),
            "nearest_rows": plane.nearest_rows(section),
        }
