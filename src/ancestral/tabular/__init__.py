"""Models of mixed tables: one categorical node a column, a cell number each.

Rows are cells, int64 [N, D], as :class:`ancestral.data.cells.Cells` makes them of a table; -1 is a
cell that is not known.
"""

from ancestral.tabular.autoregressive import TabularAutoregressive
from ancestral.tabular.latent_class import LatentClass, best_classes

__all__ = ["LatentClass", "TabularAutoregressive", "best_classes"]
