"""Exact inference in discrete networks.

Read in this order: ``tables`` (the numbers), ``triangulation`` and ``junction_tree`` (the graph),
``structure`` and ``potentials`` (what is prepared), ``propagation`` (the two passes), ``engine``
(what is kept), ``inference`` (the questions), ``maximum``, ``counts`` and ``sampling``.
"""

from ancestral.networks.exact.counts import expected_counts
from ancestral.networks.exact.inference import Explanation, Inference, Posterior, RowPosteriors
from ancestral.networks.exact.questions import joint, query
from ancestral.networks.exact.size import Cost

__all__ = [
    "Cost",
    "Explanation",
    "Inference",
    "Posterior",
    "RowPosteriors",
    "expected_counts",
    "joint",
    "query",
]
