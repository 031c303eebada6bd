"""A bound on log p(x) of a model whose bounds are given a label."""

from collections.abc import Callable

import torch
from torch import Tensor

from ancestral.networks.nodes import Table


def bound_by_label(
    bound: Callable[[Tensor | None, int], Tensor],
    table: Table | None,
    label: Tensor | None,
    like: Tensor,
    *,
    draws: int,
) -> Tensor:
    """Return a bound given the label, or, where none is, on log p(x), nats, [B].

    The latter is ``log p(k) + bound given k`` of the k that seems best by draws of its own, in
    expectation at most ``log sum_k p(k) p(x | k)``: the logarithm of a sum of bounds that are
    drawn would not be.

    Args:
        bound: Maps labels [B] or None and a number of draws to bounds [B].
        table: p(label); None without classes.
        label: Labels [B], None where they are not known.
        like: Examples [B, *event]: of their number, dtype and device.
        draws: Of the bound that is returned.
    """
    if table is None or label is not None:
        return bound(label, draws)
    log_p, rows = table.probabilities.log().to(like), like.new_empty(len(like), dtype=torch.int64)
    with torch.no_grad():
        tried = [bound(rows.fill_(k).clone(), 1) for k in range(len(log_p))]
    best = (torch.stack(tried, dim=1) + log_p).argmax(dim=1)
    return bound(best, draws) + log_p[best]
