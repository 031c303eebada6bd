"""Gaussians with full covariances, chosen by a discrete parent."""

import math

import torch
from torch import Tensor, nn
from torch.distributions import MultivariateNormal


class Gaussians(nn.Module):
    """The conditional p(x | z) of a mixture: one full-covariance Gaussian for each state of z.

    Args:
        components: Number of states of z, K.
        features: Dimension D of x.

    Example:
        >>> Gaussians(3, 2)(torch.tensor([0, 2, 2, 1])).batch_shape
        torch.Size([4])
    """

    means: Tensor
    scale_tril: Tensor

    def __init__(self, components: int, features: int) -> None:
        super().__init__()
        self.register_buffer("means", torch.zeros(components, features))
        self.register_buffer("scale_tril", torch.eye(features).repeat(components, 1, 1))

    def forward(self, z: Tensor) -> MultivariateNormal:
        """Return p(x | z), batch shape [*B], for states z [*B]."""
        return MultivariateNormal(self.means[z], scale_tril=self.scale_tril[z], validate_args=False)

    def log_prob(self, x: Tensor) -> Tensor:
        """Return log p(x | z) for every state, in nats, [B, K], for x [B, D].

        One matrix product whitens x under all components; equal to asking :meth:`forward` for
        each, whose batched solve is slower.
        """
        centre = self.means.mean(dim=0)
        identity = torch.eye(x.shape[1], dtype=self.means.dtype, device=x.device)
        whiten = torch.linalg.solve_triangular(
            self.scale_tril, identity.expand_as(self.scale_tril), upper=False
        )
        shifts = (whiten @ (self.means - centre)[:, :, None])[:, :, 0]
        white = ((x - centre) @ whiten.flatten(0, 1).T).unflatten(1, shifts.shape) - shifts
        log_volumes = self.scale_tril.diagonal(dim1=1, dim2=2).log().sum(dim=1)
        half_log_2pi = 0.5 * x.shape[1] * math.log(2 * math.pi)
        return -0.5 * white.square().sum(dim=2) - log_volumes - half_log_2pi
