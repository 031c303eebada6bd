"""The variational autoencoder: two Bayesian networks and the generic evidence lower bound."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence

import torch
from torch import Generator, Tensor, nn
from torch.distributions import Distribution

from ancestral.autoencoders.conditionals import GaussianDecoder, GaussianEncoder
from ancestral.autoencoders.priors import GaussianMixturePrior
from ancestral.capabilities import Batch, Given, Loss, Player
from ancestral.networks.bayesian_network import BayesianNetwork
from ancestral.networks.dag import DAG
from ancestral.networks.elbo import elbo, estimate_log_prob
from ancestral.networks.nodes import Node, StandardNormal
from ancestral.nn.fourier import FourierFeatures
from ancestral.nn.mlp import MLP


class Autoencoder(nn.Module, ABC):
    """What the VAEs of rows share: ``p = {z, x | z}``, ``q = {z | x}``, draws and bounds.

    Args:
        encoder: Network of q(z | x): x [B, D] to means and log standard deviations [B, 2 L].
        decoder: The conditional p(x | z).
        features: Columns D of x.
        latent: Dimension L of z.
        components: Gaussians of a learned mixture prior; 0 for the prior Normal(0, I).

    Raises:
        ValueError: If a count is out of its range.
    """

    def __init__(
        self,
        encoder: nn.Module,
        decoder: nn.Module,
        *,
        features: int,
        latent: int,
        components: int,
    ) -> None:
        super().__init__()
        if components < 0:
            raise ValueError(f"components must be at least 0, got {components}")
        z, x = (latent,), (features,)
        prior = (
            GaussianMixturePrior(latent, components=components) if components else StandardNormal(z)
        )
        self.p = BayesianNetwork(
            [Node("z", prior, event_shape=z), Node("x", decoder, ("z",), event_shape=x)]
        )
        self.q = BayesianNetwork([Node("z", GaussianEncoder(encoder), ("x",), event_shape=z)])

    @property
    def graph(self) -> Mapping[str, DAG]:
        """The generative network ``p`` and the inference network ``q``."""
        return {"p": self.p.graph, "q": self.q.graph}

    @property
    def encoder(self) -> nn.Module:
        """The conditional q(z | x)."""
        return self.q.nodes["z"].conditional

    @property
    def decoder(self) -> nn.Module:
        """The conditional p(x | z)."""
        return self.p.nodes["x"].conditional

    def sample(
        self, n: int, *, given: Given | None = None, generator: Generator | None = None
    ) -> Tensor:
        """Draw z, then x from p(x | z), noise included; [n, D].

        The latents ``z`` [n, L] may be given.
        """
        return self.p.sample(n, given=given, generator=generator)["x"]

    def encode(self, x: Tensor, *, given: Given | None = None) -> Distribution:
        """Return q(z | x), batch shape [B], event shape [L], for x [B, D]."""
        refuse_given(given)
        return self.encoder(x)

    @abstractmethod
    def decode(self, z: Tensor, *, given: Given | None = None) -> Tensor:
        """Return the rows [B, D] that stand for p(x | z), given z [B, L]."""

    def elbo(
        self,
        x: Tensor,
        *,
        given: Given | None = None,
        draws: int = 1,
        generator: Generator | None = None,
    ) -> Tensor:
        """Return an unbiased estimate of a lower bound on log p(x), nats, [B], for x [B, D]."""
        refuse_given(given)
        return elbo(self.p, self.q, {"x": x}, draws=draws, generator=generator)

    def estimate_log_prob(
        self,
        x: Tensor,
        *,
        given: Given | None = None,
        draws: int = 64,
        generator: Generator | None = None,
    ) -> Tensor:
        """Return the importance-weighted estimate of log p(x), nats, [B], for x [B, D]."""
        refuse_given(given)
        return estimate_log_prob(self.p, self.q, {"x": x}, draws=draws, generator=generator)

    def players(self) -> Sequence[Player]:
        """Return the one player: it lowers -elbo."""
        return [Player(name="vae", module=self, loss=self._loss)]

    def _loss(self, batch: Batch, generator: Generator | None) -> Loss:
        bound = self.elbo(batch.x, generator=generator)
        return Loss(-bound.sum(), weight=len(batch.x))


class VAE(Autoencoder):
    """A variational autoencoder of vectors: ``p = {z, x | z}`` and ``q = {z | x}``.

    Prior z ~ Normal(0, I) or a learned mixture, Gaussian encoder and decoder by fully connected
    networks. The bound keeps every constant, so it is one, in nats.

    Source: Kingma & Welling 2014, Auto-Encoding Variational Bayes, arXiv:1312.6114.

    Args:
        features: Dimension D of x, at least 1.
        latent: Dimension L of z, at least 1.
        hidden: Widths of the encoder's hidden layers; the decoder has them in reverse.
        decoder_std: Standard deviation of p(x | z) in model units; None to learn one a coordinate.
        frequencies: Fourier features of x that the encoder sees beside x; 0 for none.
        components: Gaussians of a learned mixture prior; 0 for the prior Normal(0, I).

    Raises:
        ValueError: If a width or decoder_std is not positive, or another count is negative.

    Example:
        >>> model = VAE(2, latent=4, hidden=(32,))
        >>> model.sample(3).shape, model.elbo(torch.zeros(5, 2)).shape
        (torch.Size([3, 2]), torch.Size([5]))
    """

    def __init__(
        self,
        features: int,
        *,
        latent: int = 16,
        hidden: Sequence[int] = (128, 64, 32),
        decoder_std: float | None = None,
        frequencies: int = 0,
        components: int = 0,
    ) -> None:
        if frequencies < 0:
            raise ValueError(f"frequencies must be at least 0, got {frequencies}")
        waves = FourierFeatures(features, frequencies=frequencies) if frequencies else None
        seen = waves.features_out if waves else features
        encoder: nn.Module = MLP(seen, 2 * latent, hidden=hidden)
        encoder = nn.Sequential(waves, encoder) if waves else encoder
        decoder = GaussianDecoder(
            MLP(latent, features, hidden=tuple(hidden)[::-1]), features, std=decoder_std
        )
        super().__init__(encoder, decoder, features=features, latent=latent, components=components)

    @torch.no_grad()
    def sample_means(
        self, n: int, *, given: Given | None = None, generator: Generator | None = None
    ) -> Tensor:
        """Return the means of p(x | z) for n drawn z, [n, D]: not draws of the model."""
        return self.decode(self.p.sample(n, given=given, generator=generator)["z"])

    def decode(self, z: Tensor, *, given: Given | None = None) -> Tensor:
        """Return the mean of p(x | z), [B, D], for z [B, L]."""
        refuse_given(given)
        return self.decoder(z).mean


def refuse_given(given: Given | None) -> None:
    """Refuse, by a ValueError, that anything is given."""
    if given:
        raise ValueError(f"this model is conditional on nothing, got given {sorted(given)}")
