"""The autoencoder: a code for each example, what is made of the code again, and no density."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from typing import TypeAlias, cast

import torch
from torch import Generator, Tensor, nn
from torch.distributions import Distribution, MultivariateNormal
from torch.nn import functional

from ancestral.autoencoders.conditionals import full_precision
from ancestral.capabilities import Batch, Given, Loss, Player
from ancestral.networks.bayesian_network import BayesianNetwork
from ancestral.networks.dag import DAG
from ancestral.networks.nodes import Deterministic, Node
from ancestral.networks.point_mass import PointMass

Penalty: TypeAlias = Callable[[Tensor, Tensor, Generator | None], Tensor]
"""(examples [B, *event], their codes [B, L], noise) -> what is added to the loss of each, [B]."""

Corruption: TypeAlias = Callable[[Tensor, Generator | None], Tensor]
"""(examples [B, *event], noise) -> what the encoder is shown of them while it is trained."""

_FIRST, _RARELY = 20, 10
"""So many batches count alike; after them only each tenth one is looked at, for it takes time."""


class CodeLaw(nn.Module):
    """The root node z as a Gaussian with the mean and covariance of the codes in training.

    They are running means over the last two hundred batches or so, buffers and no parameters: the
    autoencoder is trained as if there were no such law.

    Args:
        latent: Dimension L of z.

    Example:
        >>> CodeLaw(3)().event_shape
        torch.Size([3])
    """

    mean: Tensor
    covariance: Tensor
    batches: Tensor

    def __init__(self, latent: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(latent))
        self.register_buffer("covariance", torch.eye(latent))
        self.register_buffer("batches", torch.zeros((), dtype=torch.int64))

    def forward(self) -> MultivariateNormal:
        """Return p(z), event shape [L]."""
        covariance = self.covariance.double()
        size = covariance.diagonal().max()
        # A code that never varies has no covariance to be factored.
        factor = torch.linalg.cholesky(covariance + (1e-5 * size + 1e-12) * _eye(covariance))
        scale = factor.to(self.mean.dtype)
        return MultivariateNormal(self.mean, scale_tril=scale, validate_args=False)

    @torch.no_grad()
    def follow(self, z: Tensor) -> None:
        """Move the mean and the covariance towards those of a batch of codes [B, L]."""
        self.batches += 1
        taken = int(self.batches)
        if taken > _FIRST and taken % _RARELY:
            return
        share = 1 / min(taken, _FIRST)
        z = z.to(self.mean.dtype)
        centre = z.mean(dim=0)
        step, spread = centre - self.mean, z - centre
        self.mean += share * step
        moved = self.covariance + share * torch.outer(step, step)
        with torch.autocast(z.device.type, enabled=False):
            self.covariance.copy_(torch.lerp(moved, spread.T @ spread / len(z), share))


class AE(nn.Module):
    """An autoencoder: ``q = {z | x}`` and ``p = {z, x | z}``, both functions without noise.

    Its loss is the book's, the squared distance of an example to its reconstruction, summed over
    its values and averaged over examples; ``nn.MSELoss`` is that divided by the number of values.
    It has no density. A draw decodes a draw of the Gaussian of the training codes, which nothing in
    the training makes them follow: such draws lie off the data, as the book shows.

    With a penalty it is a sparse or a contractive autoencoder, with a corruption a denoising one.

    Source: Hinton & Salakhutdinov 2006, Reducing the dimensionality of data with neural networks.

    Args:
        encoder: Maps x [B, *event] to codes [B, L].
        decoder: Maps codes [B, L] to x [B, *event].
        event_shape: Of x.
        latent: Dimension L of the codes, at least 1.
        penalty: Added to the loss; None for none.
        corruption: Of what the encoder is shown in training; None for none.

    Example:
        >>> from ancestral.autoencoders import dense_networks
        >>> model = AE(*dense_networks((2,), 1, hidden=(32,)), event_shape=(2,), latent=1)
        >>> model.encode(torch.zeros(5, 2)).mean.shape, model.sample(3).shape
        (torch.Size([5, 1]), torch.Size([3, 2]))
    """

    def __init__(
        self,
        encoder: nn.Module,
        decoder: nn.Module,
        *,
        event_shape: Sequence[int],
        latent: int,
        penalty: Penalty | None = None,
        corruption: Corruption | None = None,
    ) -> None:
        super().__init__()
        z, x = (latent,), tuple(event_shape)
        self.p = BayesianNetwork(
            [
                Node("z", CodeLaw(latent), event_shape=z),
                Node("x", Deterministic(decoder), ("z",), event_shape=x),
            ]
        )
        self.q = BayesianNetwork([Node("z", Deterministic(encoder), ("x",), event_shape=z)])
        self.penalty, self.corruption = penalty, corruption

    @property
    def graph(self) -> Mapping[str, DAG]:
        """The network that makes x of a code ``p`` and the one that finds the code ``q``."""
        return {"p": self.p.graph, "q": self.q.graph}

    @property
    def encoder(self) -> nn.Module:
        """The network from x [B, *event] to codes [B, L]."""
        return cast(nn.Module, self.q.nodes["z"].conditional.function)

    @property
    def decoder(self) -> nn.Module:
        """The network from codes [B, L] to x [B, *event]."""
        return cast(nn.Module, self.p.nodes["x"].conditional.function)

    def sample(
        self, n: int, *, given: Given | None = None, generator: Generator | None = None
    ) -> Tensor:
        """Decode n draws of the Gaussian of the codes, [n, *event]; ``z`` [n, L] may be given."""
        return self.p.sample(n, given=given, generator=generator)["x"]

    def encode(self, x: Tensor, *, given: Given | None = None) -> Distribution:
        """Return the code of x [B, *event] as a point, batch shape [B], event shape [L]."""
        _refuse(given)
        return PointMass(self._code(x), event_dims=1)

    def decode(self, z: Tensor, *, given: Given | None = None) -> Tensor:
        """Return what is made of codes z [B, L], [B, *event]."""
        _refuse(given)
        return full_precision(self.decoder(z))

    def players(self) -> Sequence[Player]:
        """Return the one player: it lowers the squared error and the penalty."""
        return [Player(name="autoencoder", module=self, loss=self._loss)]

    def _code(self, x: Tensor) -> Tensor:
        return full_precision(self.encoder(x))

    def _loss(self, batch: Batch, generator: Generator | None) -> Loss:
        x = shown = batch.x
        if self.corruption is not None:
            shown = self.corruption(x, generator)
        # A penalty may be one on slopes, which are asked for in validation, too.
        slopes = nullcontext() if self.penalty is None else torch.enable_grad()
        with slopes:
            shown = shown if self.penalty is None else shown.detach().requires_grad_()
            z = self._code(shown)
            added = None if self.penalty is None else self.penalty(shown, z, generator)
        if self.training:
            cast(CodeLaw, self.p.nodes["z"].conditional).follow(z.detach())
        # One kernel there and one back: half of a small network's step was the error's gradient.
        error = functional.mse_loss(self.decode(z), x, reduction="sum")
        if added is None:
            return Loss(error, weight=len(x))
        metrics = {"squared_error": error.detach() / len(x), "penalty": added.detach().mean()}
        return Loss(error + added.sum(), weight=len(x), metrics=metrics)


def _eye(like: Tensor) -> Tensor:
    return torch.eye(len(like), dtype=like.dtype, device=like.device)


def _refuse(given: Given | None) -> None:
    if given:
        raise ValueError(f"this model is conditional on nothing, got given {[*given]}")
