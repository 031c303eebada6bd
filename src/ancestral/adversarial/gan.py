"""The generative adversarial network: a sampler learned against a critic, without a density."""

from abc import ABC
from collections.abc import Callable, Mapping, Sequence
from typing import Literal, cast

import torch
from torch import Generator, Size, Tensor, nn
from torch.distributions import Uniform

from ancestral.adversarial.critic import Critic
from ancestral.adversarial.game import AdversarialGame
from ancestral.adversarial.initialise import rescale
from ancestral.adversarial.rules import GameRules
from ancestral.adversarial.spectral import normalise_spectrum
from ancestral.capabilities import Batch, Given, Player
from ancestral.networks.bayesian_network import BayesianNetwork
from ancestral.networks.dag import DAG
from ancestral.networks.labels import fit_labels
from ancestral.networks.nodes import Deterministic, Node, StandardNormal, Table
from ancestral.networks.sampling import draw
from ancestral.nn import MLP


class UniformPrior(nn.Module):
    """The root node z ~ Uniform[-1, 1] in every coordinate.

    Args:
        event_shape: Shape of z.

    Example:
        >>> UniformPrior((16,))().batch_shape
        torch.Size([16])
    """

    one: Tensor

    def __init__(self, event_shape: Sequence[int]) -> None:
        super().__init__()
        self.register_buffer("one", torch.ones(*event_shape), persistent=False)

    def forward(self) -> Uniform:
        """Return the distribution, batch shape [*event]."""
        return Uniform(-self.one, self.one, validate_args=False)


PRIORS: dict[str, Callable[[Sequence[int]], nn.Module]] = {
    "normal": StandardNormal,
    "uniform": UniformPrior,
}


def latent_node(prior: str, latent: int) -> Node:
    """Return the root node z [latent] of a prior; ValueError if there is none."""
    if latent < 1:
        raise ValueError(f"latent must be at least 1, got {latent}")
    if prior not in PRIORS:
        raise ValueError(f"prior must be one of {', '.join(PRIORS)}, got {prior!r}")
    return Node("z", PRIORS[prior]((latent,)), (), (latent,))


def label_node(classes: int) -> Node:
    """Return the root node label of K equally probable classes."""
    return Node("label", Table(torch.full((classes,), 1 / classes, dtype=torch.float64)))


class AdversarialNetworks(nn.Module, ABC):
    """What the GANs here share: the two networks, the two players, and the draws.

    The node ``x`` of ``p`` is a function of ``z`` and, where there is such a node, of ``label``;
    ``q`` has one node ``y``, the critic, which sees x and the label.

    Args:
        p: The model.
        q: The critic.
        rules: Of the game; the defaults if None.
        coupled: Whether a layer of the critic lets the examples of a batch see each other.
    """

    def __init__(
        self,
        p: BayesianNetwork,
        q: BayesianNetwork,
        *,
        rules: GameRules | None = None,
        coupled: bool = False,
    ) -> None:
        super().__init__()
        self.p, self.q = p, q
        self.classes = len(self.labels.states) if self.labels else 0
        rescale(self.generator, gain=1.0)
        rescale(self.critic, gain=2.0)
        rules = rules or GameRules()
        if rules.spectral:
            normalise_spectrum(self.critic)
        self.game = AdversarialGame(
            generate=self._generate,
            judge=self._judge,
            read=self._read,
            rules=rules,
            coupled=coupled,
        )

    @property
    def generator(self) -> nn.Module:
        """The generator alone, z [B, L] -> x [B, *event]: it holds none of the critic's weights."""
        return cast(nn.Module, self.p.nodes["x"].conditional.function)

    @property
    def critic(self) -> Critic:
        """The critic: x [B, *event] -> Bernoulli(y), y = 1 for real."""
        return cast(Critic, self.q.nodes["y"].conditional)

    @property
    def graph(self) -> Mapping[str, DAG]:
        """The network of the model and the one of the critic."""
        return {"p": self.p.graph, "q": self.q.graph}

    @property
    def labels(self) -> Table | None:
        """The law of the label; None without classes."""
        return self.p.table("label") if "label" in self.p.nodes else None

    @property
    def label_probabilities(self) -> Tensor:
        """The probabilities p(label), [K]; no attribute of a model without classes."""
        if self.labels is None:
            raise AttributeError("without classes there is no law of labels")
        return self.labels.probabilities

    def fit_labels(self, counts: Tensor) -> None:
        """Set p(label) to the share of each class, the maximum-likelihood table.

        Args:
            counts: Examples of each class, [K], not all 0.

        Raises:
            ValueError: If there are no classes, or counts has another shape or sums to 0.
        """
        fit_labels(self.labels, counts)

    def players(self) -> Sequence[Player]:
        """Return the critic, then the generator."""
        return self.game.players(self.generator, self.critic)

    def sample(
        self, n: int, *, given: Given | None = None, generator: Generator | None = None
    ) -> Tensor:
        """Draw the latents, and the label where there is one, then x = G(z); n draws [n, *event].

        The latents ``z``, [n, L] or [L], and the ``label``, [n] or a scalar, may be given.
        """
        return self.p.sample(n, given=given, generator=generator)["x"]

    def _latents(self, batch: Batch, generator: Generator | None) -> Tensor:
        return draw(self.p.nodes["z"].distribution(()), (len(batch.x),), generator)

    def _read(self, x: Tensor) -> Tensor:
        return x

    def _generate(self, batch: Batch, generator: Generator | None) -> Tensor:
        return self.generator(self._latents(batch, generator), *self._labels(batch))

    def _judge(self, batch: Batch) -> Tensor:
        return self.critic.logits(batch.x, *self._labels(batch))

    def _labels(self, batch: Batch) -> tuple[Tensor, ...]:
        return (batch.given["label"],) if self.classes else ()


class DecodingNetworks(AdversarialNetworks):
    """Adversarial networks whose x is a function of z, and of the label, alone."""

    def draw_latents(self, n: int, *, generator: Generator | None = None) -> Tensor:
        """Return n draws of p(z), [n, L]."""
        return draw(self.p.nodes["z"].distribution(()), (n,), generator)

    def decode(self, z: Tensor, *, given: Given | None = None) -> Tensor:
        """Return x = G(z), [B, *event], given z [B, L] and the ``label``, [B], where there is one.

        Raises:
            ValueError: If something else is given, or the label is not, or z has another width.
        """
        wanted = self.p.nodes["z"].event_shape
        if z.shape[1:] != wanted:
            raise ValueError(f"z must have shape [B, {wanted[0]}], got {list(z.shape)}")
        names = {"label"} if self.classes else set()
        if set(given or {}) != names:
            raise ValueError(f"given must be {sorted(names)}, got {sorted(given or {})}")
        return self.generator(z, **(given or {}))


class GAN(DecodingNetworks):
    """A generative adversarial network of fully connected layers.

    Two Bayesian networks. ``p = {z, x | z}``: latents z are drawn from a simple prior and x is a
    FUNCTION of z, the generator, so that p(x) has no density and this class no ``log_prob``.
    ``q = {y | x}``: the critic, a classifier of real (y = 1) against generated (y = 0), which
    serves training only.

    Source: Goodfellow et al. 2014, Generative Adversarial Nets, arXiv:1406.2661; the critic's
    penalty: Mescheder et al. 2018, arXiv:1801.04406.

    Args:
        features: Number of features, or the event shape of x; images are flattened.
        latent: Latent dimensions L, at least 1; a few more than the data's own dimension.
        hidden: Widths of the generator's hidden layers; the critic has them in reverse.
        prior: Distribution of z: standard normal, or uniform on [-1, 1].
        rules: Of the game; the defaults if None.

    Raises:
        ValueError: If an argument is outside its range.

    Example:
        >>> gan = GAN(2, latent=4)
        >>> gan.sample(5).shape
        torch.Size([5, 2])
        >>> gan.graph["p"].edges, gan.graph["q"].edges
        ((('z', 'x'),), (('x', 'y'),))
    """

    def __init__(
        self,
        features: int | Sequence[int],
        *,
        latent: int = 3,
        hidden: Sequence[int] = (128, 128, 128),
        prior: Literal["normal", "uniform"] = "normal",
        rules: GameRules | None = None,
    ) -> None:
        z = latent_node(prior, latent)
        shape = Size((features,) if isinstance(features, int) else features)
        generator, critic = _generator(latent, shape, hidden), _critic(shape, hidden[::-1])
        x_given_z = Node("x", Deterministic(generator), ("z",), shape)
        p = BayesianNetwork([z, x_given_z])
        q = BayesianNetwork([Node("y", critic, ("x",))])
        super().__init__(p, q, rules=rules)


def _generator(latent: int, event_shape: Size, hidden: Sequence[int]) -> nn.Module:
    network = MLP(latent, event_shape.numel(), hidden=hidden)
    if len(event_shape) == 1:
        return network
    return nn.Sequential(network, nn.Unflatten(1, tuple(event_shape)))


def _critic(event_shape: Size, hidden: Sequence[int]) -> Critic:
    network = MLP(event_shape.numel(), 1, hidden=hidden, activation=lambda: nn.LeakyReLU(0.2))
    return Critic(network if len(event_shape) == 1 else nn.Sequential(nn.Flatten(), network))
