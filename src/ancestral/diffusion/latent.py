"""Latent diffusion: a diffusion model as the prior of an autoencoder that is trained already."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Protocol, Self, runtime_checkable

import torch
from torch import Generator, Tensor, nn
from torch.distributions import Distribution

from ancestral.capabilities import Batch, Given, Loss, Player
from ancestral.diffusion.bounds import bound_by_label
from ancestral.diffusion.diffusion import Diffusion
from ancestral.networks import labels
from ancestral.networks.arguments import check_whole, refuse_unknown
from ancestral.networks.bayesian_network import BayesianNetwork
from ancestral.networks.dag import DAG
from ancestral.networks.sampling import draw, last_of


@runtime_checkable
class Autoencodes(Protocol):
    """A variational autoencoder: ``p`` with the nodes z and x, and q(z | x)."""

    p: BayesianNetwork

    def encode(self, x: Tensor, *, given: Given | None = None) -> Distribution:
        """Return q(z | x), batch shape [B]."""
        ...


class LatentDiffusion(nn.Module):
    """``p = {z_T, ..., z_1, z, x | z}``: the prior of an autoencoder is a diffusion.

    Sampling stays ancestral: noise, the latents by the chain, then x from the decoder. The bound
    is that of the autoencoder with the diffusion's own in the place of log p(z). The autoencoder
    is frozen and no part of the module: neither trained, moved nor saved with it.

    Source: Vahdat, Kreis & Kautz 2021, LSGM, arXiv:2106.05931, eq. 1; Rombach et al. 2022,
    arXiv:2112.10752 (two stages).

    Args:
        autoencoder: The variational autoencoder, in model units, conditional on a label or not.
        latent: Diffusion of its latents, [L], which are brought to mean 0 and variance 1.
        units: Maps the data that ``fit_latents`` is given to model units; None: they are in them.

    Raises:
        ValueError: If the latents have another shape, or the autoencoder is given labels and the
            diffusion none.

    Example:
        >>> from ancestral.autoencoders import VAE
        >>> from ancestral.diffusion import Denoiser
        >>> from ancestral.nn import TimedMLP
        >>> prior = Diffusion(Denoiser(TimedMLP(4, hidden=(32,))), (4,))
        >>> model = LatentDiffusion(VAE(2, latent=4), prior).fit_latents(torch.randn(50, 2))
        >>> model.sample(3).shape, model.elbo(torch.zeros(5, 2)).shape
        (torch.Size([3, 2]), torch.Size([5]))
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        autoencoder: Autoencodes,
        latent: Diffusion,
        *,
        units: Callable[[Tensor], Tensor] | None = None,
    ) -> None:
        super().__init__()
        node, decoder = autoencoder.p.nodes["z"], autoencoder.p.nodes["x"]
        if node.event_shape != latent.event_shape:
            raise ValueError(
                f"latents must have shape {[*node.event_shape]}, those of the autoencoder, "
                f"got {[*latent.event_shape]}"
            )
        self._given = "label" in decoder.parents
        if self._given and not latent.classes:
            raise ValueError("the autoencoder is given labels, so the diffusion must be, too")
        self._frozen = (autoencoder, units)  # In a tuple, so that they are no submodules.
        self.latent, self.event_shape = latent, decoder.event_shape
        self.register_buffer("mean", torch.zeros(latent.event_shape))
        self.register_buffer("std", torch.ones(latent.event_shape))

    @property
    def autoencoder(self) -> Autoencodes:
        """The frozen autoencoder."""
        return self._frozen[0]

    @property
    def classes(self) -> int:
        """Number of labels; 0 without."""
        return self.latent.classes

    @property
    def label_probabilities(self) -> Tensor:
        """The probabilities p(label), [K]; no attribute of a model without classes."""
        return self.latent.label_probabilities

    def fit_labels(self, counts: Tensor) -> None:
        """Set p(label) to the share of each class, from counts [K]; ValueError without classes."""
        self.latent.fit_labels(counts)

    @torch.no_grad()
    def fit_latents(self, x: Tensor, *, label: Tensor | None = None) -> Self:
        """Set mean and deviation of the latents to those of examples [N, *event]; return self.

        The variance is that of the means of q(z | x) and the mean of its own: that of draws.
        """
        units = self._frozen[1]
        x = x if units is None else units(x)
        q = self.autoencoder.encode(x, given=self._condition(label))
        variance = q.mean.var(dim=0, correction=0) + q.variance.mean(dim=0)
        self.mean.copy_(q.mean.mean(dim=0))
        self.std.copy_(variance.sqrt())
        return self

    @property
    def graph(self) -> Mapping[str, DAG]:
        """The network ``p`` from noise through the latents to x, and ``q`` the other way."""
        names = {"x": "z"}
        chain, back = self.latent.graph["p"], self.latent.graph["q"]

        def edges(dag: DAG) -> dict[str, list[str]]:
            return {
                names.get(name, name): [names.get(above, above) for above in dag.parents(name)]
                for name in dag.names
            }

        label = ["label"] if self._given else []
        p = {**edges(chain), "x": ["z", *label]}
        return {"p": DAG(p), "q": DAG({"x": [], **edges(back), "z": ["x", *label]})}

    def sample(
        self, n: int, *, given: Given | None = None, generator: Generator | None = None
    ) -> Tensor:
        """Draw the latents by the chain, then x from p(x | z), [n, *event].

        A ``label``, [n] or one for all, and the first states of the walk may be given.
        """
        label, held = self._held(n, given, generator)
        z = self.latent.sample(n, given=held, generator=generator)
        return self._drawn(z, label, generator)

    @torch.no_grad()
    def draw(
        self,
        n: int,
        *,
        given: Given | None = None,
        generator: Generator | None = None,
        steps: int = 50,
        sampler: str = "dpmpp-2m",
        guidance: float = 1.0,
    ) -> Tensor:
        """Draw the latents by a sampler, then x. Arguments as of :meth:`Diffusion.walk`."""
        label, held = self._held(n, given, generator)
        walk = self.latent.walk(
            n, given=held, generator=generator, steps=steps, sampler=sampler, guidance=guidance
        )
        return self._drawn(last_of(walk), label, generator)

    @torch.no_grad()
    def walk(
        self,
        n: int,
        *,
        given: Given | None = None,
        generator: Generator | None = None,
        steps: int = 50,
        sampler: str = "dpmpp-2m",
        guidance: float = 1.0,
    ) -> Iterator[Tensor]:
        """Yield what the decoder makes of the states of n draws, [n, *event], then the draws.

        Arguments as of :meth:`Diffusion.walk`.
        """
        label, held = self._held(n, given, generator)
        walk = self.latent.walk(
            n, given=held, generator=generator, steps=steps, sampler=sampler, guidance=guidance
        )
        last = None
        for last in walk:
            z = last * self.std + self.mean
            yield self.autoencoder.p.nodes["x"].distribution([z, *self._parents(label)]).mean
        if last is not None:
            yield self._drawn(last, label, generator)

    def elbo(
        self,
        x: Tensor,
        *,
        given: Given | None = None,
        draws: int = 1,
        generator: Generator | None = None,
    ) -> Tensor:
        """Return an unbiased estimate of a lower bound on log p(x | label), or log p(x), in nats.

        It is ``log p(x | z) - log q(z | x)`` at a draw of z, plus the diffusion's bound on
        log p(z). Without a label as of :meth:`Diffusion.elbo`. Arguments as there.
        """
        check_whole("draws", draws)
        refuse_unknown(given, "latent diffusion", ("label",) if self.classes else ())
        label = labels.given_label(self.latent.labels, given, len(x))

        def bound(label: Tensor | None, draws: int) -> Tensor:
            rounds = [self._bound(x, label, generator) for _ in range(draws)]
            return torch.stack(rounds).mean(0)

        return bound_by_label(bound, self.latent.labels, label, x, draws=draws)

    def players(self) -> Sequence[Player]:
        """Return the one player: it lowers the diffusion's loss on latents that are drawn."""
        return [Player(name="diffusion", module=self, loss=self._loss)]

    def _loss(self, batch: Batch, generator: Generator | None) -> Loss:
        label = batch.given.get("label")
        with torch.no_grad():
            q = self.autoencoder.encode(batch.x, given=self._condition(label))
            z = (draw(q, (), generator) - self.mean) / self.std
        (player,) = self.latent.players()
        return player.loss(Batch(z, batch.given), generator)

    def _bound(self, x: Tensor, label: Tensor | None, generator: Generator | None) -> Tensor:
        q = self.autoencoder.encode(x, given=self._condition(label))
        z = draw(q, (), generator)
        likelihood = self.autoencoder.p.nodes["x"].distribution([z, *self._parents(label)])
        own = None if label is None else {"label": label}
        prior = self.latent.elbo((z - self.mean) / self.std, given=own, generator=generator)
        return likelihood.log_prob(x) + prior - self.std.log().sum() - q.log_prob(z)

    def _held(
        self, n: int, given: Given | None, generator: Generator | None
    ) -> tuple[Tensor | None, dict[str, Tensor]]:
        """Return the labels of n draws, [n], and all that is given to the diffusion."""
        check_whole("n", n)
        label = labels.some_label(self.latent.labels, given, n, generator)
        return label, {**(given or {}), **({} if label is None else {"label": label})}

    def _drawn(self, z: Tensor, label: Tensor | None, generator: Generator | None) -> Tensor:
        parents = [z * self.std + self.mean, *self._parents(label)]
        with torch.no_grad():
            return draw(self.autoencoder.p.nodes["x"].distribution(parents), (), generator)

    def _condition(self, label: Tensor | None) -> dict[str, Tensor] | None:
        return {"label": label} if self._given and label is not None else None

    def _parents(self, label: Tensor | None) -> list[Tensor]:
        return [label] if self._given and label is not None else []
