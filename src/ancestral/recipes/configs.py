"""What can be set for each model: one frozen dataclass a model, checked when it is made.

A field whose default is None is chosen from the data or from ``size``; ``resolved`` makes the
choice, and it is the resolved config that ``run.toml`` keeps, so that a run can be repeated even
after a default has changed.
"""

from dataclasses import dataclass, field, replace
from typing import Any, Literal, Protocol, Self, TypeAlias, runtime_checkable

from ancestral.data.fields import Shape
from ancestral.networks.formats import network_suffix, network_suffixes
from ancestral.recipes.graphs import graph_of_file
from ancestral.recipes.settings import require

Size: TypeAlias = Literal["tiny", "small", "medium"]

_VAE_HIDDEN: dict[Size, tuple[int, ...]] = {
    "tiny": (32, 32),
    "small": (128, 64, 32),
    "medium": (256, 256, 256),
}
_GAN_HIDDEN: dict[Size, tuple[int, ...]] = {
    "tiny": (32, 32),
    "small": (64, 64, 64),
    "medium": (256, 256, 256),
}
_CLASSIFIER_HIDDEN: dict[Size, tuple[int, ...]] = {
    "tiny": (32,),
    "small": (128,),
    "medium": (256, 256),
}
_IMAGE_GAN_HIDDEN: dict[Size, tuple[int, ...]] = {
    "tiny": (64, 64),
    "small": (256, 256),
    "medium": (512, 512, 512),
}
_WIDTHS: dict[Size, int] = {"tiny": 8, "small": 16, "medium": 32}


class Config(Protocol):
    """What every model's config can do."""

    def resolved(self, shape: Shape) -> Self:
        """Return the config with everything that depends on the data's shape filled in."""
        ...


@runtime_checkable
class HasRate(Protocol):
    """A config whose networks come in sizes that want learning rates of their own."""

    @property
    def learning_rate(self) -> float:
        """Return the peak rate."""
        ...


@runtime_checkable
class MayMiss(Protocol):
    """A config that says what is done about missing cells."""

    @property
    def missing(self) -> Literal["refuse", "em"]:
        """Return whether they are refused."""
        ...


def takes_gaps(config: object) -> bool:
    """Return whether the cells of a table may be missing, for a model with this config."""
    return isinstance(config, MayMiss) and config.missing != "refuse"


@runtime_checkable
class HasOptimum(Protocol):
    """A config of a recipe that trains by gradients, under some of whose settings it need not."""

    @property
    def closed(self) -> bool:
        """Whether an estimator finds the optimum; no step is then made by the loop."""
        ...


def chosen(word: str = "chosen") -> Any:  # noqa: ANN401 - as dataclasses.field itself
    """Return a field that is None by default, written as ``word``."""
    return field(default=None, metadata={"none": word})


@dataclass(frozen=True, slots=True, kw_only=True)
class EmpiricalConfig:
    """The training set itself: nothing to set."""

    def resolved(self, shape: Shape) -> Self:  # noqa: ARG002 - every config's signature
        """Return the config as it is."""
        return self


@dataclass(frozen=True, slots=True, kw_only=True)
class KDEConfig:
    """A kernel density estimate.

    Args:
        bandwidth: Width of the kernel in standardised units, above 0, or a rule of thumb; None:
            the one under which left-out examples are most likely.
        kernel: The kernel's shape; the compact ones give probability 0 to what is far from every
            example.
    """

    bandwidth: float | Literal["scott", "silverman"] | None = chosen()
    kernel: Literal["gaussian", "tophat", "epanechnikov", "exponential", "linear", "cosine"] = (
        "gaussian"
    )

    def __post_init__(self) -> None:
        number = isinstance(self.bandwidth, int | float)
        require(self, "bandwidth", not number or float(self.bandwidth or 0) > 0, "above 0")

    def resolved(self, shape: Shape) -> Self:  # noqa: ARG002 - every config's signature
        """Return the config as it is: the bandwidth is found by ``fit``."""
        return self


@dataclass(frozen=True, slots=True, kw_only=True)
class GMMConfig:
    """A mixture of Gaussians.

    Args:
        components: Number of Gaussians, at least 1; None: the number under which a held-out part
            of the training split is most likely.
        covariance: Of each Gaussian: ``full``, ``diag`` (independent columns), ``tied`` (the same
            full one for all) or ``spherical`` (one variance).
        least_variance: Least variance of a component in any direction, relative to the data's, in
            (0, 1]; None: 1e-6, or 0.1 for the many pixels of images.
    """

    components: int | None = chosen()
    covariance: Literal["full", "diag", "tied", "spherical"] = "full"
    least_variance: float | None = chosen()

    def __post_init__(self) -> None:
        require(self, "components", self.components is None or self.components >= 1, "at least 1")
        least = self.least_variance
        require(self, "least_variance", least is None or 0 < least <= 1, "above 0 and at most 1")

    def resolved(self, shape: Shape) -> Self:
        """Return the config with the least variance; the components wait for the data."""
        least = 0.1 if shape.kind == "images" else 1e-6
        return replace(self, least_variance=self.least_variance or least)


@dataclass(frozen=True, slots=True, kw_only=True)
class NaiveBayesConfig:
    """Independent normals given the label.

    Args:
        smoothing: What is added to every variance, relative to the largest one, above 0.
    """

    smoothing: float = 1e-6

    def __post_init__(self) -> None:
        require(self, "smoothing", self.smoothing > 0, "above 0")

    def resolved(self, shape: Shape) -> Self:  # noqa: ARG002 - every config's signature
        """Return the config as it is."""
        return self


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassifierConfig:
    """The conditional p(label | x).

    Args:
        kind: ``mlp``: a network, trained in batches; ``logistic``: logits linear in x, at the
            optimum.
        size: Width of the network's layers: tiny, small or medium.
        hidden: Widths of the network's layers; None: by ``size``.
        penalty: Of ``logistic``: weight of half the squared weights against the sum of
            -log p(label | x), at least 0; None: 1.
    """

    kind: Literal["mlp", "logistic"] = "mlp"
    size: Size = "small"
    hidden: tuple[int, ...] | None = chosen()
    penalty: float | None = chosen()

    def __post_init__(self) -> None:
        network = self.kind == "mlp"
        require(self, "hidden", _widths(self.hidden), "one or more numbers of at least 1")
        require(self, "penalty", self.penalty is None or self.penalty >= 0, "at least 0")
        require(self, "hidden", network or self.hidden is None, "left out with kind=logistic")
        require(self, "penalty", not network or self.penalty is None, "left out with kind=mlp")

    @property
    def closed(self) -> bool:
        """Whether the optimum is found by an estimator."""
        return self.kind == "logistic"

    def resolved(self, shape: Shape) -> Self:  # noqa: ARG002 - every config's signature
        """Return the config with the widths, or the penalty."""
        if self.closed:
            return replace(self, penalty=1.0 if self.penalty is None else self.penalty)
        return replace(self, hidden=self.hidden or _CLASSIFIER_HIDDEN[self.size])


@dataclass(frozen=True, slots=True, kw_only=True)
class VAEConfig:
    """A variational autoencoder of fully connected layers.

    Args:
        size: Width of the layers: tiny, small or medium.
        latent: Latent dimensions, at least 1; None: as many as columns, from 2 to 16.
        hidden: Widths of the encoder's layers, the decoder's in reverse; None: by ``size``.
        decoder_std: Fixed standard deviation of p(x | z) in standardised units; None: learned.
        prior: Of the latents: ``mixture`` is learned, ``normal`` is the book's Normal(0, I).
        components: Gaussians of the mixture, at least 1.
        frequencies: Fourier features that the encoder sees beside x, at least 0.
    """

    size: Size = "small"
    latent: int | None = chosen()
    hidden: tuple[int, ...] | None = chosen()
    decoder_std: float | None = chosen("learned")
    prior: Literal["mixture", "normal"] = "mixture"
    components: int = 50
    frequencies: int = 0

    def __post_init__(self) -> None:
        require(self, "latent", self.latent is None or self.latent >= 1, "at least 1")
        require(self, "hidden", _widths(self.hidden), "one or more numbers of at least 1")
        require(self, "decoder_std", self.decoder_std is None or self.decoder_std > 0, "above 0")
        require(self, "components", self.components >= 1, "at least 1")
        require(self, "frequencies", self.frequencies >= 0, "at least 0")

    def resolved(self, shape: Shape) -> Self:
        """Return the config with the latent dimensions and the widths."""
        return replace(
            self,
            latent=self.latent or max(2, min(16, shape.features)),
            hidden=self.hidden or _VAE_HIDDEN[self.size],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageVAEConfig:
    """A variational autoencoder of convolutions, for images.

    Args:
        size: Channels of the layers: tiny, small or medium.
        latent: Latent dimensions, at least 1; None: 16 below 16 x 16 pixels, 64 above.
        width: Channels at the finest resolution; None: by ``size``.
        decoder: How the decoder doubles the side: ``transposed`` or ``resize``, both without
            checkerboard, or ``book``, the book's networks.
        likelihood: Of a pixel: ``logistic`` gives probabilities to grey levels; with the book's
            ``cross-entropy`` there is a loss, no bound.
        conditional: Give the class label to encoder and decoder where the data have labels.
    """

    size: Size = "small"
    latent: int | None = chosen()
    width: int | None = chosen()
    decoder: Literal["transposed", "resize", "book"] = "transposed"
    likelihood: Literal["logistic", "cross-entropy"] = "logistic"
    conditional: bool = True

    def __post_init__(self) -> None:
        require(self, "latent", self.latent is None or self.latent >= 1, "at least 1")
        require(self, "width", self.width is None or self.width >= 1, "at least 1")

    def resolved(self, shape: Shape) -> Self:
        """Return the config with the latent dimensions and the width."""
        return replace(
            self,
            latent=self.latent or (16 if shape.event_shape[-1] < 16 else 64),
            width=self.width or _WIDTHS[self.size],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class GANConfig:
    """A generative adversarial network of fully connected layers.

    Args:
        size: Width of the layers: tiny, small or medium.
        latent: Latent dimensions, at least 1; None: 4 for few columns, 32 for images.
        hidden: Widths of the generator's layers, the critic's in reverse; None: by ``size``.
        loss: What the generator lowers.
        prior: Distribution of the latents.
        penalty: Weight of the penalty on the critic's slope at real examples, at least 0.
        updates: Updates of the critic and of the generator in one step.
    """

    size: Size = "small"
    latent: int | None = chosen()
    hidden: tuple[int, ...] | None = chosen()
    loss: Literal["non-saturating", "saturating"] = "non-saturating"
    prior: Literal["normal", "uniform"] = "normal"
    penalty: float = 0.02
    updates: tuple[int, int] = (1, 1)

    def __post_init__(self) -> None:
        require(self, "latent", self.latent is None or self.latent >= 1, "at least 1")
        require(self, "hidden", _widths(self.hidden), "one or more numbers of at least 1")
        require(self, "penalty", self.penalty >= 0, "at least 0")
        require(self, "updates", min(self.updates) >= 1, "two numbers of at least 1")

    def resolved(self, shape: Shape) -> Self:
        """Return the config with the latent dimensions and the widths."""
        images = shape.kind == "images"
        hidden = _IMAGE_GAN_HIDDEN if images else _GAN_HIDDEN
        return replace(
            self,
            latent=self.latent or (32 if images else max(4, min(32, shape.features))),
            hidden=self.hidden or hidden[self.size],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class BayesNetConfig:
    """A Bayesian network of probability tables, for columns of states.

    Args:
        structure: ``hill-climb``, ``chow-liu``, or a network file (bif, xmlbif, uai or net) whose
            graph is taken; its nodes are the columns, and with ``missing=em`` others are latent.
        edges: The graph, as positions of columns and after them of latent nodes, from 0, a parent
            and its child in turn; None: by ``structure``.
        pseudo_count: Added to every count, at least 0; with 0, what was never seen is impossible.
        max_parents: Most parents of a node that hill climbing tries, at least 1.
        missing: ``refuse`` cells that say nothing, or fit the tables by ``em``.
        latent: Names of nodes without a column, of which ``edges`` or the file tells.
        latent_states: Their numbers of states, at least 1.
        starts: Random starts of EM, at least 1; the best is kept.
    """

    structure: str = "hill-climb"
    edges: tuple[int, ...] | None = chosen()
    pseudo_count: float = 1.0
    max_parents: int = 4
    missing: Literal["refuse", "em"] = "refuse"
    latent: tuple[str, ...] = ()
    latent_states: tuple[int, ...] = ()
    starts: int = 5

    def __post_init__(self) -> None:
        known = self.structure in {"hill-climb", "chow-liu"} or self.from_file
        rule = "hill-climb, chow-liu or a network file (.bif, .xmlbif, .uai, .net)"
        require(self, "structure", known, rule)
        pairs = self.edges is None or len(self.edges) % 2 == 0
        require(self, "edges", pairs, "pairs of a parent and its child")
        require(self, "pseudo_count", self.pseudo_count >= 0, "at least 0")
        require(self, "max_parents", self.max_parents >= 1, "at least 1")
        require(self, "starts", self.starts >= 1, "at least 1")
        fitted = not self.latent or (self.missing == "em" and self.edges is not None)
        require(self, "latent", fitted, "left out, or given together with missing=em and edges")
        counts = len(self.latent_states) == len(self.latent)
        counts = counts and min(self.latent_states, default=1) >= 1
        require(self, "latent_states", counts, "a number of at least 1 for each latent node")

    @property
    def from_file(self) -> bool:
        """Whether the graph is that of a file."""
        return network_suffix(self.structure) in network_suffixes()

    def resolved(self, shape: Shape) -> Self:
        """Return the config with the graph of the file; a learned one waits for the data."""
        if self.edges is not None or not self.from_file or not shape.columns:
            return self
        found = graph_of_file(self.structure, shape.columns, latent=self.missing == "em")
        return replace(
            self, edges=found.edges, latent=found.latent, latent_states=found.latent_states
        )


def _widths(widths: tuple[int, ...] | None) -> bool:
    return widths is None or (len(widths) > 0 and min(widths) >= 1)
