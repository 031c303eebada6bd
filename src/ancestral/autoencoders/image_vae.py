"""Convolutional variational autoencoders of images, conditional on a label where there is one."""

from abc import ABC
from collections.abc import Mapping, Sequence

import torch
from torch import Generator, Tensor, nn
from torch.distributions import Distribution

from ancestral.autoencoders.conditionals import GaussianEncoder
from ancestral.autoencoders.image_networks import (
    Architecture,
    BernoulliDecoder,
    DiscretisedLogisticDecoder,
)
from ancestral.capabilities import Batch, Given, Loss, Player
from ancestral.networks.arguments import held_rows
from ancestral.networks.bayesian_network import BayesianNetwork
from ancestral.networks.dag import DAG
from ancestral.networks.elbo import elbo, estimate_log_prob
from ancestral.networks.labels import fit_labels, uniform_labels
from ancestral.networks.nodes import Node, StandardNormal, Table
from ancestral.nn.pyramid import Upsampling


class _ImageAutoencoder(nn.Module, ABC):
    """What both image VAEs share: ``p = {label, z, x | z, label}`` and ``q = {z | x, label}``."""

    def __init__(self, sizes: Architecture, decoder: nn.Module) -> None:
        super().__init__()
        z, x = (sizes.latent,), (sizes.channels, sizes.size, sizes.size)
        label = ("label",) if sizes.classes else ()
        encoder = GaussianEncoder(sizes.encoder_network())
        # In both networks the label is an input: training and bounds are conditional on it.
        self.p = BayesianNetwork(
            [
                Node("z", StandardNormal(z), event_shape=z),
                Node("x", decoder, ("z", *label), event_shape=x),
            ]
        )
        self.q = BayesianNetwork([Node("z", encoder, ("x", *label), event_shape=z)])
        self.classes = sizes.classes
        self.labels = uniform_labels(self.classes)

    @property
    def joint(self) -> BayesianNetwork:
        """The whole generative network, ``p`` with the node ``label`` where there are classes."""
        label = [Node("label", self.labels)] if self.labels is not None else []
        return BayesianNetwork([*label, *self.p.nodes.values()])

    @property
    def graph(self) -> Mapping[str, DAG]:
        """The generative network ``p`` and the inference network ``q``."""
        return {"p": self.joint.graph, "q": self.q.graph}

    def fit_labels(self, counts: Tensor) -> None:
        """Set p(label) to the share of each class, the maximum-likelihood table, from counts [K].

        Raises ValueError if there are no classes, or counts has another shape or sums to 0.
        """
        fit_labels(self.labels, counts)

    def sample(
        self, n: int, *, given: Given | None = None, generator: Generator | None = None
    ) -> Tensor:
        """Draw label and z, then x from p(x | z, label), noise included; [n, C, S, S].

        A ``label``, [n] or a scalar, and ``z`` [n, L] may be given.
        """
        return self.joint.sample(n, given=given, generator=generator)["x"]

    @torch.no_grad()
    def sample_means(
        self, n: int, *, given: Given | None = None, generator: Generator | None = None
    ) -> Tensor:
        """Return the means of p(x | z, label) for n drawn z and labels: not draws of the model."""
        roots = [self.p.nodes["z"]]
        if self.labels is not None:
            roots.append(Node("label", self.labels))
        values = BayesianNetwork(roots).sample(n, given=given, generator=generator)
        return self.decode(values.pop("z"), given=values)

    def encode(self, x: Tensor, *, given: Given | None = None) -> Distribution:
        """Return q(z | x, label), batch shape [B], event shape [L], for x [B, C, S, S].

        Raises ValueError if there are classes and no label is given.
        """
        return self.q.nodes["z"].distribution([x, *self._label(given, len(x)).values()])

    def decode(self, z: Tensor, *, given: Given | None = None) -> Tensor:
        """Return the mean of p(x | z, label), [B, C, S, S] in [0, 1], for z [B, L].

        Raises ValueError if there are classes and no label is given.
        """
        return self.p.nodes["x"].distribution([z, *self._label(given, len(z)).values()]).mean

    def players(self) -> Sequence[Player]:
        """Return the one player: it lowers -elbo given the label."""
        return [Player(name="vae", module=self, loss=self._loss)]

    def _bound(
        self, x: Tensor, given: Given | None, draws: int, generator: Generator | None
    ) -> Tensor:
        values = {"x": x, **self._label(given, len(x))}
        return elbo(self.p, self.q, values, draws=draws, generator=generator)

    def _loss(self, batch: Batch, generator: Generator | None) -> Loss:
        bound = self._bound(batch.x, batch.given, 1, generator)
        return Loss(-bound.sum(), weight=len(batch.x))

    def _label(self, given: Given | None, n: int) -> dict[str, Tensor]:
        """Check what is given and return the label [n] by name, or nothing without classes."""
        given = dict(given or {})
        label = given.pop("label", None) if self.classes else None
        if given:
            raise ValueError(f"only a label of the model's classes can be given, got {[*given]}")
        if not self.classes:
            return {}
        if label is None:
            raise ValueError(f"a label of {self.classes} classes must be given, got none")
        return {"label": held_rows("label", label, n, ())}


class ImageVAE(_ImageAutoencoder):
    """A convolutional VAE of images, conditional on ``label`` where there are classes.

    Pixels are grey levels ``level / (levels - 1)`` in [0, 1] with a discretised logistic each, so
    the bound is one on the probability of the image, in nats. Without a given label the bounds
    sum over the labels' own table p(label).

    Source: Kingma & Welling 2014, arXiv:1312.6114; Sohn, Lee & Yan 2015, Learning Structured
    Output Representation using Deep Conditional Generative Models (the condition on labels).

    Args:
        channels: Channels C of the images, 1 or 3.
        size: Side S in pixels, at least 1; the networks have a border where it is no multiple of 4.
        classes: Number K of labels; 0 for an unconditional model.
        levels: Number of grey levels, at least 2.
        latent: Dimension L of z.
        width: Channels at the finest resolution; they double with every halving.
        decoder: How the side is doubled; "book" gives the book's encoder and decoder.

    Raises:
        ValueError: If an argument is out of its range.

    Example:
        >>> model = ImageVAE(size=8, classes=10, levels=17, latent=8, width=8)
        >>> model.sample(3, given={"label": torch.tensor(7)}).shape
        torch.Size([3, 1, 8, 8])
    """

    def __init__(
        self,
        *,
        channels: int = 1,
        size: int = 32,
        classes: int = 0,
        levels: int = 256,
        latent: int = 128,
        width: int = 16,
        decoder: Upsampling = "transposed",
    ) -> None:
        sizes = Architecture(channels, size, classes, latent, width, decoder)
        super().__init__(sizes, DiscretisedLogisticDecoder(sizes.decoder_network(2), levels=levels))

    def elbo(
        self,
        x: Tensor,
        *,
        given: Given | None = None,
        draws: int = 1,
        generator: Generator | None = None,
    ) -> Tensor:
        """Return an unbiased estimate of a lower bound on log p(x | label), or log p(x), in nats.

        Without a label it is ``log sum_k p(k) w_k`` with one importance weight
        ``w_k = p(x, z_k | k) / q(z_k | x, k)`` a class. In expectation that is at most log p(x);
        the same sum over one-draw bounds in closed form need not be.

        Args:
            x: Grey levels in [0, 1], [B, C, S, S].
            given: ``label`` [B] or a scalar; None to sum over all classes (without gradient).
            draws: Number of draws that are averaged, at least 1.
            generator: Source of the draws; torch's global one if None.

        Returns:
            The bound, [B].
        """
        if self.labels is not None and not given:
            rounds = [self._marginal(x, self.labels, 1, generator) for _ in range(draws)]
            return torch.stack(rounds).mean(0)
        return self._bound(x, given, draws, generator)

    def estimate_log_prob(
        self,
        x: Tensor,
        *,
        given: Given | None = None,
        draws: int = 64,
        generator: Generator | None = None,
    ) -> Tensor:
        """Return the importance-weighted estimate of log p(x | label), or log p(x), nats, [B]."""
        if self.labels is not None and not given:
            return self._marginal(x, self.labels, draws, generator)
        return self._estimate(x, given, draws, generator)

    def _marginal(
        self, x: Tensor, labels: Table, draws: int, generator: Generator | None
    ) -> Tensor:
        terms = [
            self._estimate(x, {"label": torch.tensor(k)}, draws, generator)
            for k in range(self.classes)
        ]
        return (torch.stack(terms, -1) + labels.probabilities.log()).logsumexp(-1)

    def _estimate(
        self, x: Tensor, given: Given | None, draws: int, generator: Generator | None
    ) -> Tensor:
        values = {"x": x, **self._label(given, len(x))}
        return estimate_log_prob(self.p, self.q, values, draws=draws, generator=generator)


class CrossEntropyImageVAE(_ImageAutoencoder):
    """The image VAE with the book's cross-entropy on grey pixels: a loss, so it has no bound.

    A Bernoulli lives on {0, 1}; on grey levels its expression is not a density (it sums to less
    than 1), so this model offers neither ``elbo`` nor ``estimate_log_prob``. Its ``sample`` draws
    black or white pixels; ``sample_means`` gives the grey images that the book shows.

    Source: Kingma & Welling 2014, arXiv:1312.6114, app. C.1; Loaiza-Ganem & Cunningham 2019,
    The continuous Bernoulli, arXiv:1907.06845 (why it is no density).

    Args:
        channels: Channels C of the images, 1 or 3.
        size: Side S in pixels, at least 1; the networks have a border where it is no multiple of 4.
        classes: Number K of labels; 0 for an unconditional model.
        latent: Dimension L of z.
        width: Channels at the finest resolution; they double with every halving.
        decoder: How the side is doubled; "book" gives the book's encoder and decoder.

    Raises:
        ValueError: If an argument is out of its range.

    Example:
        >>> model = CrossEntropyImageVAE(classes=10, decoder="book")
        >>> model.sample_means(3).shape, hasattr(model, "elbo")
        (torch.Size([3, 1, 32, 32]), False)
    """

    def __init__(
        self,
        *,
        channels: int = 1,
        size: int = 32,
        classes: int = 0,
        latent: int = 128,
        width: int = 16,
        decoder: Upsampling = "transposed",
    ) -> None:
        sizes = Architecture(channels, size, classes, latent, width, decoder)
        super().__init__(sizes, BernoulliDecoder(sizes.decoder_network(1)))
