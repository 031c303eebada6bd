"""Bijections: what maps noise to data and back, and the logarithm of the volume that it makes."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

from torch import Tensor, nn


class Bijection(nn.Module, ABC):
    """A differentiable map with a differentiable inverse, from noise z to data x of one shape.

    A subclass gives the two maps with the logarithm of the absolute determinant of their Jacobian,
    nats, [B]; all else follows.
    """

    @abstractmethod
    def forward_and_log_det(
        self, z: Tensor, context: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Return x [B, *event] and log |dx/dz| [B].

        Args:
            z: Noise, [B, *event].
            context: What is given, [B, C]; None where nothing is.
        """

    @abstractmethod
    def inverse_and_log_det(
        self, x: Tensor, context: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Return z [B, *event] and log |dz/dx| [B], for data x [B, *event]."""

    def forward(self, z: Tensor, context: Tensor | None = None) -> Tensor:
        """Return x [B, *event] for noise z [B, *event]."""
        return self.forward_and_log_det(z, context)[0]

    def inverse(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """Return z [B, *event] for data x [B, *event]."""
        return self.inverse_and_log_det(x, context)[0]


class Composed(Bijection):
    """Bijections one after the other, from noise to data; the logarithms add up.

    Args:
        parts: The first is next to the noise; at least one.

    Example:
        >>> import torch
        >>> from ancestral.flows import ElementwiseAffine
        >>> both = Composed([ElementwiseAffine(3), ElementwiseAffine(3)])
        >>> both(torch.zeros(5, 3)).shape
        torch.Size([5, 3])
    """

    def __init__(self, parts: Sequence[Bijection]) -> None:
        super().__init__()
        if not parts:
            raise ValueError("parts must be at least one bijection, got none")
        self.parts = nn.ModuleList(parts)

    def forward_and_log_det(
        self, z: Tensor, context: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Apply the parts from first to last."""
        log_dets = []
        for part in self._bijections():
            z, log_det = part.forward_and_log_det(z, context)
            log_dets.append(log_det)
        return z, sum(log_dets[1:], log_dets[0])

    def inverse_and_log_det(
        self, x: Tensor, context: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Undo the parts from last to first."""
        log_dets = []
        for part in reversed(self._bijections()):
            x, log_det = part.inverse_and_log_det(x, context)
            log_dets.append(log_det)
        return x, sum(log_dets[1:], log_dets[0])

    def _bijections(self) -> list[Bijection]:
        return [part for part in self.parts if isinstance(part, Bijection)]


class Inverted(Bijection):
    """A bijection the other way round: an inverse autoregressive flow is one of these.

    Source: Kingma et al. 2016, Improving Variational Inference with Inverse Autoregressive Flow,
    arXiv:1606.04934; Papamakarios, Pavlakou & Murray 2017, arXiv:1705.07057, sec. 3.2.

    Args:
        bijection: What is turned round.

    Example:
        >>> import torch
        >>> from ancestral.flows import Affine, Autoregressive
        >>> iaf = Inverted(Autoregressive([0, 1, 2], Affine(), hidden=(16,)))  # Draws in one pass.
        >>> iaf(torch.zeros(5, 3)).shape
        torch.Size([5, 3])
    """

    def __init__(self, bijection: Bijection) -> None:
        super().__init__()
        self.bijection = bijection

    def forward_and_log_det(
        self, z: Tensor, context: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Apply the inverse."""
        return self.bijection.inverse_and_log_det(z, context)

    def inverse_and_log_det(
        self, x: Tensor, context: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Undo the inverse."""
        return self.bijection.forward_and_log_det(x, context)
