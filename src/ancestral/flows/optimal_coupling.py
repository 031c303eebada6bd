"""Minibatch optimal transport: which noise goes with which example of a batch."""

import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor


@torch.no_grad()
def optimal_coupling(x_0: Tensor, x_1: Tensor, label: Tensor | None = None) -> Tensor:
    """Return the noise in the order in which its squared distance to the data is least in sum.

    The law of the noise and that of the data stay what they are; paths cross less. Labels are
    coupled each for itself, for otherwise the noise of a label would no longer be normal.

    Source: Tong et al. 2024, Improving and Generalizing Flow-Based Generative Models with Minibatch
    Optimal Transport, arXiv:2302.00482, sec. 3.2; Pooladian et al. 2023, arXiv:2304.14772.

    Args:
        x_0: Noise, [B, *event].
        x_1: Data, [B, *event].
        label: Labels of the data, int64 [B]; None: one group.

    Returns:
        The rows of ``x_0``, [B, *event], each for the same row of ``x_1``. The assignment is exact
        and costs up to B^3.

    Example:
        >>> optimal_coupling(torch.tensor([[5.0], [1.0]]), torch.tensor([[0.0], [6.0]]))
        tensor([[1.],
                [5.]])
    """
    every = torch.arange(len(x_1), device=x_1.device)
    groups = [every] if label is None else [every[label == k] for k in label.unique()]
    order = every.clone()
    for rows in groups:
        distance = torch.cdist(x_1[rows].flatten(1), x_0[rows].flatten(1)).square()
        _, best = linear_sum_assignment(distance.cpu().numpy())
        order[rows] = rows[torch.as_tensor(best, device=rows.device)]
    return x_0[order]
