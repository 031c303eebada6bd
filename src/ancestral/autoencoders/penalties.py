"""What sparse and contractive autoencoders add to their loss, and codes of few numbers."""

from dataclasses import dataclass

import torch
from torch import Generator, Tensor, nn


@dataclass(frozen=True, slots=True, kw_only=True)
class Sparsity:
    """The penalty ``weight ||z||_p^p`` of a code z.

    Source: Ng 2011, Sparse autoencoder, CS294A lecture notes (with p = 1 in place of a KL).

    Args:
        weight: At least 0; 0 leaves the plain autoencoder.
        power: The exponent p, at least 1.

    Example:
        >>> penalty = Sparsity(weight=0.5)
        >>> penalty(torch.zeros(2, 3), torch.tensor([[1.0, -2.0], [0.0, 0.0]]), None)
        tensor([1.5000, 0.0000])
    """

    weight: float
    power: float = 1.0

    def __call__(self, x: Tensor, z: Tensor, generator: Generator | None) -> Tensor:
        """Return the penalty of each code, [B]."""
        del x, generator
        return self.weight * z.abs().pow(self.power).sum(dim=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Contraction:
    """The penalty ``weight ||J(x)||_F^2``, J the Jacobian of the encoder at x.

    See :func:`squared_jacobian_norm`, also for ``probes``. Where ``||J||_F`` is at most M on a
    convex set, the encoder is M-Lipschitz there.

    Source: Rifai et al. 2011, Contractive auto-encoders, ICML.

    Args:
        weight: At least 0.
        probes: Random projections of each example, at least 1; 0 for the exact norm.
    """

    weight: float
    probes: int = 0

    def __call__(self, x: Tensor, z: Tensor, generator: Generator | None) -> Tensor:
        """Return the penalty of each example, [B]; x must ask for gradients, and z be made of x."""
        norms = squared_jacobian_norm(x, z, probes=self.probes, generator=generator)
        return self.weight * norms


def squared_jacobian_norm(
    x: Tensor, z: Tensor, *, probes: int = 0, generator: Generator | None = None
) -> Tensor:
    """Return the squared Frobenius norm of dz/dx of each example, [B].

    Exactly it takes a backward pass for each of the L numbers of a code. With ``probes`` it is
    estimated: over random signs v, ``E ||J^T v||^2 = tr(J J^T) = ||J||_F^2``.

    Source: Hutchinson 1989, A stochastic estimator of the trace of the influence matrix.

    Args:
        x: Examples [B, *event] that ask for gradients.
        z: Their codes [B, L], each a function of its own example alone.
        probes: Backward passes of the estimate, at least 1; 0 for the exact norm.
        generator: Of the signs.

    Raises:
        ValueError: If probes is negative.

    Example:
        >>> x = torch.ones(5, 2, requires_grad=True)
        >>> squared_jacobian_norm(x, x @ torch.tensor([[1.0, 2.0], [3.0, 4.0]]))[0]
        tensor(30.)
    """
    if probes < 0:
        raise ValueError(f"probes must be at least 0, got {probes}")
    total = x.new_zeros(len(x))
    for i in range(probes or z.shape[1]):
        if probes:
            signs = torch.randint(2, z.shape, generator=generator, device=z.device)
            along = (2 * signs - 1).to(z.dtype)
        else:
            along = torch.zeros_like(z)
            along[:, i] = 1
        (slope,) = torch.autograd.grad(z, x, along, create_graph=True)
        total = total + slope.square().flatten(1).sum(1)
    return total / max(probes, 1)


class KeepLargest(nn.Module):
    """Sets all numbers of a code to 0 but the K largest in absolute value.

    Source: Makhzani & Frey 2014, k-Sparse Autoencoders, arXiv:1312.5663.

    Args:
        keep: How many stay, K, at least 1.

    Raises:
        ValueError: If keep is below 1.

    Example:
        >>> KeepLargest(1)(torch.tensor([[0.5, -2.0, 1.0]]))
        tensor([[ 0., -2.,  0.]])
    """

    def __init__(self, keep: int) -> None:
        super().__init__()
        if keep < 1:
            raise ValueError(f"keep must be at least 1, got {keep}")
        self.keep = keep

    def forward(self, z: Tensor) -> Tensor:
        """Map codes [B, L] to codes [B, L] of at most K numbers other than 0."""
        if self.keep >= z.shape[-1]:
            return z
        places = z.abs().topk(self.keep, dim=-1).indices
        return torch.zeros_like(z).scatter(-1, places, z.gather(-1, places))

    def extra_repr(self) -> str:
        """Say how many stay."""
        return f"keep={self.keep}"
