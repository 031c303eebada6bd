"""Energies: densities known up to their normaliser, as networks over a Gaussian base."""

import math
from collections.abc import Sequence

import torch
from torch import Generator, Tensor, nn

from ancestral.nn import MLP, ConvEncoder, FourierFeatures, halvings


class Energy(nn.Module):
    """The Boltzmann law ``p(x) = exp(-E(x)) / Z`` with ``E(x) = |x|^2 / (2 s^2) - f(x)``.

    The network f bends a Gaussian base Normal(0, s^2), so that Z is finite for any f that grows
    more slowly than a square, and there is a law to start from. Z is not known: there is no
    ``log_prob``.

    Source: LeCun et al. 2006, A tutorial on energy-based learning; the base: Xie et al. 2016, A
    theory of generative ConvNet, arXiv:1602.03264, eq. 1.

    Args:
        network: f, smooth, from x [B, *event] to [B, 1].
        event_shape: Shape of one example.
        base_std: s, above 0, in the units of x.

    Raises:
        ValueError: If base_std is not above 0.

    Example:
        >>> energy = Energy(vector_network(2, hidden=(8,)), (2,))
        >>> energy(torch.zeros(5, 2)).shape, energy.score(torch.zeros(5, 2)).shape
        (torch.Size([5]), torch.Size([5, 2]))
    """

    def __init__(
        self, network: nn.Module, event_shape: Sequence[int], *, base_std: float = 1.0
    ) -> None:
        super().__init__()
        if not base_std > 0:
            raise ValueError(f"base_std must be above 0, got {base_std}")
        self.network, self.event_shape = network, tuple(event_shape)
        self.base_std = base_std

    def forward(self, x: Tensor) -> Tensor:
        """Return E(x) = -log p(x) - log Z, [B], for x [B, *event]."""
        return -self.path(x, 1.0)

    def log_density(self, x: Tensor) -> Tensor:
        """Return log p(x) + log Z = -E(x), nats, [B]."""
        return self.path(x, 1.0)

    def path(self, x: Tensor, share: float) -> Tensor:
        """Return the log-density, up to a constant, on the way from the base (0) to p (1), [B]."""
        squares = x.flatten(start_dim=1).square().sum(dim=1)
        return share * self.tilt(x) - squares / (2 * self.base_std**2)

    def tilt(self, x: Tensor) -> Tensor:
        """Return f(x) = log p(x) - log base(x) + constant, [B]."""
        return self.network(x.to(self._like())).squeeze(-1)

    def score(self, x: Tensor) -> Tensor:
        """Return grad_x log p(x), [B, *event]; it can be differentiated again."""
        with torch.enable_grad():
            x = x if x.requires_grad else x.detach().requires_grad_()
            (gradient,) = torch.autograd.grad(self.log_density(x).sum(), x, create_graph=True)
        return gradient

    def base(self, n: int, generator: Generator | None) -> Tensor:
        """Draw n examples of the base, [n, *event]."""
        like = self._like()
        shape = (n, *self.event_shape)
        noise = torch.randn(shape, generator=generator, dtype=like.dtype, device=like.device)
        return self.base_std * noise

    @property
    def log_normaliser_of_base(self) -> float:
        """Log of the integral of exp(-|x|^2 / (2 s^2)), nats."""
        return math.prod(self.event_shape) * (math.log(2 * math.pi) / 2 + math.log(self.base_std))

    def _like(self) -> Tensor:
        return next(self.network.parameters())


def vector_network(features: int, *, hidden: Sequence[int], frequencies: int = 0) -> nn.Module:
    """Return f of vectors [B, D]: smooth fully connected layers, of Fourier features if any.

    Raises:
        ValueError: If there is no hidden layer, or a width is below 1.
    """
    if not hidden:
        raise ValueError("hidden must hold a width or more, got none")
    first: list[nn.Module] = []
    if frequencies:
        first.append(FourierFeatures(features, frequencies=frequencies, scale=2 * math.pi))
        features += 2 * frequencies
    body = MLP(features, hidden[-1], hidden=hidden[:-1], activation=nn.SiLU)
    return nn.Sequential(*first, body, *_head(hidden[-1]))


def image_network(channels: int, side: int, *, width: int) -> nn.Module:
    """Return f of square images [B, C, S, S]: convolutions that halve the side, all smooth.

    Raises:
        ValueError: If width < 1.
    """
    if width < 1:
        raise ValueError(f"width must be at least 1, got {width}")
    widths = [width * 2**level for level in range(max(1, halvings(side)))]
    features = 4 * width
    body = ConvEncoder(
        channels, features, size=side, widths=widths, kernel_size=3, activation=nn.SiLU
    )
    return nn.Sequential(body, *_head(features))


class Unwhitened(nn.Module):
    """Rows without correlations [B, D] as the images [B, *event] they are, about standard units.

    So a network of pixels has an energy of white rows, in which chains move alike in all directions
    (a preconditioned Langevin walk).

    Args:
        event_shape: Shape of an image, of D pixels.

    Example:
        >>> Unwhitened((1, 8, 8))(torch.zeros(5, 64)).shape
        torch.Size([5, 1, 8, 8])
    """

    mean: Tensor
    factor: Tensor

    def __init__(self, event_shape: Sequence[int]) -> None:
        super().__init__()
        self.event_shape = tuple(event_shape)
        features = math.prod(event_shape)
        self.register_buffer("mean", torch.zeros(features))
        self.register_buffer("factor", torch.eye(features))

    @torch.no_grad()
    def begin(self, mean: Tensor, factor: Tensor) -> None:
        """Take the mean [D] and the factor L [D, D] of the pixels' covariance."""
        centre, spread = mean.mean(), factor.square().sum(dim=1).mean().sqrt()
        self.mean.copy_((mean - centre) / spread)
        self.factor.copy_(factor / spread)

    def forward(self, y: Tensor) -> Tensor:
        """Map y [B, D] to mean + L y, [B, *event]."""
        return (self.mean + y @ self.factor.T).unflatten(1, self.event_shape)


def _head(features: int) -> tuple[nn.Module, nn.Module]:
    # A constant is no part of an energy: it would go into Z.
    return nn.SiLU(), nn.Linear(features, 1, bias=False)
