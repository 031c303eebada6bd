"""Glow: flows of images that halve the side, mix the channels and let a half of them go."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from ancestral.flows.affine import Affine, ElementwiseAffine
from ancestral.flows.autoregressive import Elementwise
from ancestral.flows.bijection import Bijection, Composed
from ancestral.nn.zeroed import zeroed


class ChannelMixing(Bijection):
    """An invertible 1x1 convolution: ``z = P L (U + diag s) x`` at each pixel; L, U, s are learned.

    P, and the signs of s, stay those of a random rotation, at which it begins.

    Source: Kingma & Dhariwal 2018, Glow, arXiv:1807.03039, sec. 3.2.

    Args:
        channels: Channels C, at least 1.

    Example:
        >>> ChannelMixing(4)(torch.zeros(5, 4, 8, 8)).shape
        torch.Size([5, 4, 8, 8])
    """

    order: Tensor
    signs: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        rotation = torch.linalg.qr(torch.randn(channels, channels))[0]
        permutation, lower, upper = torch.linalg.lu(rotation)
        self.lower, self.upper = nn.Parameter(lower), nn.Parameter(upper.triu(1))
        self.log_scale = nn.Parameter(upper.diagonal().abs().log())
        self.register_buffer("order", permutation.argmax(dim=1))
        self.register_buffer("signs", upper.diagonal().sign())

    def forward_and_log_det(
        self, z: Tensor, context: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Return x [B, C, H, W] and log |dx/dz| [B]."""
        del context  # The same for all.
        lower, upper = self._factors()
        rows = z.movedim(1, 0)[self.order.argsort()].flatten(1)
        middle = torch.linalg.solve_triangular(lower, rows, upper=False, unitriangular=True)
        found = torch.linalg.solve_triangular(upper, middle, upper=True)
        return found.view(-1, len(z), *z.shape[2:]).movedim(0, 1), -self._log_det(z)

    def inverse_and_log_det(
        self, x: Tensor, context: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Return z [B, C, H, W] and log |dz/dx| [B]."""
        del context  # The same for all.
        lower, upper = self._factors()
        weight = (lower @ upper)[self.order]
        return functional.conv2d(x, weight[:, :, None, None]), self._log_det(x)

    def _factors(self) -> tuple[Tensor, Tensor]:
        ones = torch.ones_like(self.log_scale)
        scale = self.signs * self.log_scale.exp()
        return self.lower.tril(-1) + ones.diag(), self.upper.triu(1) + scale.diag()

    def _log_det(self, x: Tensor) -> Tensor:
        return (x[0, 0].numel() * self.log_scale.sum()).expand(len(x))


class ChannelCoupling(Bijection):
    """The first half of the channels is mapped as convolutions of the second half say.

    The last convolution begins at zero, and the map as the identity.

    Source: Kingma & Dhariwal 2018, Glow, arXiv:1807.03039, sec. 3.3.

    Args:
        channels: Channels, at least 2.
        elementwise: The map of each number, from data to noise.
        width: Channels of the hidden layers.
        context: Numbers C of the context, at least 0.

    Raises:
        ValueError: If there are not two channels to be coupled.

    Example:
        >>> ChannelCoupling(4, Affine(), width=8)(torch.zeros(5, 4, 8, 8)).shape
        torch.Size([5, 4, 8, 8])
    """

    def __init__(
        self, channels: int, elementwise: Elementwise, *, width: int, context: int = 0
    ) -> None:
        super().__init__()
        if channels < 2:
            raise ValueError(f"channels must be at least 2, got {channels}")
        self.elementwise, self.mapped = elementwise, channels // 2
        self.first = nn.Conv2d(channels - self.mapped, width, 3, padding=1)
        self.shown = nn.Linear(context, width, bias=False) if context else None
        last = zeroed(nn.Conv2d(width, elementwise.parameters * self.mapped, 3, padding=1))
        self.rest = nn.Sequential(nn.SiLU(), nn.Conv2d(width, width, 1), nn.SiLU(), last)

    def forward_and_log_det(
        self, z: Tensor, context: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Return x [B, C, H, W] and log |dx/dz| [B]."""
        mapped, seen = self._halves(z)
        theta = self._theta(seen, context)
        found, log_slopes = self.elementwise.inverse_and_log_det(mapped, theta)
        return torch.cat((found, seen), dim=1), log_slopes.flatten(1).sum(dim=1)

    def inverse_and_log_det(
        self, x: Tensor, context: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Return z [B, C, H, W] and log |dz/dx| [B]."""
        mapped, seen = self._halves(x)
        theta = self._theta(seen, context)
        found, log_slopes = self.elementwise.forward_and_log_det(mapped, theta)
        return torch.cat((found, seen), dim=1), log_slopes.flatten(1).sum(dim=1)

    def _halves(self, x: Tensor) -> Sequence[Tensor]:
        return x[:, : self.mapped], x[:, self.mapped :]

    def _theta(self, seen: Tensor, context: Tensor | None) -> Tensor:
        hidden = self.first(seen)
        if self.shown is not None and context is not None:
            hidden = hidden + self.shown(context)[:, :, None, None]
        return self.rest(hidden).unflatten(1, (-1, self.mapped)).movedim(1, 0)


class Scale(Bijection):
    """Squares of four pixels become four channels; after some maps half of them goes on.

    What goes on to the coarser scale is mapped there; the other half is noise. The shape of images
    stays as it is: noise lies where its pixels were.

    Source: Dinh, Sohl-Dickstein & Bengio 2017, Density estimation using Real NVP,
    arXiv:1605.08803, sec. 3.6.

    Args:
        here: From noise to data, of images of four times the channels and half the side.
        coarser: Of the second half of these channels; None at the coarsest scale.

    Example:
        >>> Scale(ElementwiseAffine(4))(torch.zeros(5, 1, 8, 8)).shape
        torch.Size([5, 1, 8, 8])
    """

    def __init__(self, here: Bijection, coarser: Bijection | None = None) -> None:
        super().__init__()
        self.here, self.coarser = here, coarser

    def forward_and_log_det(
        self, z: Tensor, context: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Return x [B, C, H, W] and log |dx/dz| [B]."""
        z, deeper = functional.pixel_unshuffle(z, 2), 0
        if self.coarser is not None:
            noise, seen = z.chunk(2, dim=1)
            seen, deeper = self.coarser.forward_and_log_det(seen, context)
            z = torch.cat((noise, seen), dim=1)
        x, log_det = self.here.forward_and_log_det(z, context)
        return functional.pixel_shuffle(x, 2), log_det + deeper

    def inverse_and_log_det(
        self, x: Tensor, context: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Return z [B, C, H, W] and log |dz/dx| [B]."""
        z, log_det = self.here.inverse_and_log_det(functional.pixel_unshuffle(x, 2), context)
        if self.coarser is not None:
            noise, seen = z.chunk(2, dim=1)
            seen, deeper = self.coarser.inverse_and_log_det(seen, context)
            z, log_det = torch.cat((noise, seen), dim=1), log_det + deeper
        return functional.pixel_shuffle(z, 2), log_det


def glow(
    channels: int,
    *,
    scales: int,
    steps: int,
    width: int,
    elementwise: Elementwise | None = None,
    context: int = 0,
) -> Bijection:
    """Return the flow of Glow: at each scale steps of scaling, mixing and coupling.

    A last coupling tells what the half that goes on says of the half that is noise, in place of
    Glow's prior of the latter: a Gaussian whose mean and deviation depend on the former.

    Args:
        channels: Channels of the images, whose sides can be halved ``scales`` times.
        scales: At least 1.
        steps: Steps K at each scale, at least 1.
        width: Channels of the hidden layers of each coupling.
        elementwise: The map of each coupling; affine if None.
        context: Numbers C of the context, at least 0.

    Example:
        >>> glow(1, scales=2, steps=2, width=8)(torch.zeros(5, 1, 8, 8)).shape
        torch.Size([5, 1, 8, 8])
    """
    if min(scales, steps, width) < 1:
        raise ValueError(
            f"scales, steps and width must be at least 1, got {scales}, {steps}, {width}"
        )
    inside, own = 4 * channels, elementwise or Affine()
    sizes = {"width": width, "context": context}
    parts: list[Bijection] = [ChannelCoupling(inside, own, **sizes)] if scales > 1 else []
    for _ in range(steps):
        parts += [
            ChannelCoupling(inside, own, **sizes),
            ChannelMixing(inside),
            ElementwiseAffine(inside),
        ]
    coarser = None
    if scales > 1:
        rest = {"steps": steps, "elementwise": own, **sizes}
        coarser = glow(inside // 2, scales=scales - 1, **rest)
    return Scale(Composed(parts), coarser)
