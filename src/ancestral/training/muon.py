"""Muon: a matrix moves by its gradient made orthogonal, all directions equally far."""

from collections.abc import Sequence

import torch
from torch import Tensor

from ancestral.training.spread import local, on_whole

_MOMENTUM = 0.95
_COEFFICIENTS = (3.4445, -4.7750, 2.0315)
"""Of the polynomial that drives all singular values to about 1, as published."""


@torch.no_grad()
def move_by_muon(
    tensors: tuple[Sequence[Tensor], Sequence[Tensor], Sequence[Tensor]],
    *,
    rate: float,
    weight_decay: float,
    divisor: Tensor | None,
) -> None:
    """One step of Muon with Nesterov's momentum and decoupled decay, in place.

    A move of a matrix [J, D] is scaled by ``0.2 sqrt(max(J, D))``: then its entries are as large
    as AdamW's, and one learning rate serves both.

    Source: Jordan et al. 2024, Muon: an optimizer for hidden layers in neural networks; the scale
    from Liu et al. 2025, Muon is scalable for LLM training, arXiv:2502.16982, eq. 4.

    Args:
        tensors: Matrices, gradients and momenta, [J, D] each; momenta start at zero. Of matrices
            that are spread over the ranks, the gradients and momenta are this rank's pieces.
        rate: Learning rate.
        weight_decay: Of all these matrices.
        divisor: Divides the gradients; one if None.
    """
    for matrix, gradient, momentum in zip(*tensors, strict=True):
        piece = local(matrix)
        if divisor is not None:
            gradient = gradient / divisor
        momentum.lerp_(gradient, 1.0 - _MOMENTUM)
        direction = on_whole(orthogonalise, gradient.lerp(momentum, _MOMENTUM), matrix)
        piece.mul_(1.0 - rate * weight_decay)
        piece.add_(direction, alpha=-rate * 0.2 * max(matrix.shape) ** 0.5)


def orthogonalise(matrix: Tensor, *, steps: int = 5) -> Tensor:
    """Return a matrix of the same singular vectors and singular values near 1, in [0.6, 1.3].

    By Newton and Schulz's iteration with coefficients that are fast, not exact.

    Args:
        matrix: [J, D]; of zeros it returns zeros.
        steps: Iterations.

    Example:
        >>> found = orthogonalise(torch.tensor([[3.0, 0.0], [0.0, 1.0]]))
        >>> bool((torch.linalg.svdvals(found) - 1).abs().max() < 0.4)
        True
    """
    a, b, c = _COEFFICIENTS
    x = matrix / (matrix.norm() + 1e-7)
    if x.shape[0] > x.shape[1]:
        x = x.mT
    for _ in range(steps):
        square = x @ x.mT
        x = torch.addmm(x, torch.addmm(square, square, square, beta=b, alpha=c), x, beta=a)
    return x.mT if matrix.shape[0] > matrix.shape[1] else x
