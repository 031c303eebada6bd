"""The conditional p(label | x), by logistic regression, a network, or a Transformer of images."""

from dataclasses import dataclass, replace
from functools import partial
from typing import Literal, Self

from torch import nn

from ancestral.autoregressive.sizes import rate_of_width
from ancestral.classic import Classifier, LogisticRegression
from ancestral.data.dataset import Dataset
from ancestral.data.described import Kind
from ancestral.data.fields import LABEL, Shape
from ancestral.data.model_units import noiseless, symmetric
from ancestral.errors import ConfigError
from ancestral.evaluation import chosen as figures
from ancestral.nn import ViT
from ancestral.recipes.recipe import Recipe
from ancestral.settings import Size, arguments, at_least, chosen, require, shares, widths
from ancestral.training.budget import Budget
from ancestral.training.options import MUON_RATE, Options

_HIDDEN: dict[Size, tuple[int, ...]] = {"tiny": (32,), "small": (128,), "medium": (256, 256)}
_VIT: dict[Size, tuple[int, int, int]] = {
    "tiny": (32, 2, 2),
    "small": (64, 4, 4),
    "medium": (192, 6, 6),
}
"""Width, layers and heads."""

_OPTIONS = Options(batch_size=128, learning_rate=3e-3, validate_every=100, patience=10)
_HINTS: dict[Kind, str] = {
    "vectors": "set a column apart with --set label=COLUMN",
    "images": "give a folder with one subfolder for each label",
}


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
        require(self, "hidden", widths(self.hidden), "one or more numbers of at least 1")
        at_least(self, penalty=0)
        require(
            self, "hidden", not self.closed or self.hidden is None, "left out with kind=logistic"
        )
        require(self, "penalty", self.closed or self.penalty is None, "left out with kind=mlp")

    @property
    def closed(self) -> bool:
        """Whether the optimum is found by an estimator."""
        return self.kind == "logistic"

    def resolved(self, shape: Shape) -> Self:  # noqa: ARG002 - every config's signature
        """Return the config with the widths, or the penalty."""
        if self.closed:
            return replace(self, penalty=1.0 if self.penalty is None else self.penalty)
        return replace(self, hidden=self.hidden or _HIDDEN[self.size])


def _classifier(config: ClassifierConfig, shape: Shape) -> nn.Module:
    classes = len(shape.labels)
    if config.penalty is not None:
        return LogisticRegression(shape.features, classes, penalty=config.penalty)
    return Classifier((shape.features,), classes, hidden=config.hidden or ())


@dataclass(frozen=True, slots=True, kw_only=True)
class ViTConfig:
    """The conditional p(label | image), by a vision Transformer.

    Args:
        size: Width and depth: tiny, small or medium.
        patch: Side of a patch, at least 1; None: an eighth of the image's, and 2 at least.
        width: Features of a patch, a multiple of ``heads``; None: by ``size``.
        layers: Blocks of the Transformer, at least 1; None: by ``size``.
        heads: Attention heads, at least 1; None: by ``size``.
        dropout: Share of features put to zero in training, in [0, 1).
    """

    size: Size = "small"
    patch: int = chosen()
    width: int = chosen()
    layers: int = chosen()
    heads: int = chosen()
    dropout: float = 0.1

    def __post_init__(self) -> None:
        at_least(self, patch=1, width=1, layers=1, heads=1)
        shares(self, "dropout")

    def resolved(self, shape: Shape) -> Self:
        """Return the config with its patch and its sizes."""
        width, layers, heads = _VIT[self.size]
        heads = self.heads or heads
        width = self.width or (width if width % heads == 0 else 16 * heads)
        require(self, "width", width % heads == 0, f"a multiple of heads = {heads}")
        return replace(
            self,
            patch=self.patch or max(2, -(-max(shape.event_shape[1:]) // 8)),
            width=width,
            layers=self.layers or layers,
            heads=heads,
        )


def _vit(config: ViTConfig, shape: Shape) -> nn.Module:
    channels, height, width = shape.event_shape
    classes = len(shape.labels)
    network = ViT((channels, height, width), classes, **arguments(config, "size"))
    return Classifier(shape.event_shape, classes, network=network)


def _check_labels(name: str, _config: object, data: Dataset) -> None:
    """Refuse data without labels to tell apart."""
    if len(data.labels) < 2:
        raise ConfigError(
            f"{name} needs at least 2 labels, {data.name} has {len(data.labels)}: "
            f"{_HINTS[data.kind]}"
        )


RECIPES = (
    Recipe(
        name="classifier",
        paradigm="classic",
        summary="the label given x, by logistic regression or a network; not a model of x",
        config=ClassifierConfig,
        build=_classifier,
        models=LABEL,
        transform=noiseless,
        check=partial(_check_labels, "classifier"),
        chosen_by=figures.LABEL_LOG_PROB,
        options={"vectors": _OPTIONS, "images": replace(_OPTIONS, validate_every=200)},
        closed=lambda config: config.closed,
        budget={"vectors": Budget(steps=2_000), "images": Budget(steps=5_000)},
    ),
    Recipe(
        name="vit",
        paradigm="classic",
        summary="the label given an image, by a Transformer over its patches; not a model of x",
        config=ViTConfig,
        build=_vit,
        models=LABEL,
        kinds=("images",),
        transform=lambda data: symmetric(data.levels),
        check=partial(_check_labels, "vit"),
        chosen_by=figures.LABEL_LOG_PROB,
        options={
            "images": Options(
                optimizer="muon",
                batch_size=128,
                weight_decay=0.05,
                betas=(0.9, 0.95),
                warmup=100,
                max_grad_norm=1.0,
                validate_every=200,
                patience=10,
                large_products=True,
            )
        },
        rate=lambda config: MUON_RATE * rate_of_width(config.width),
        budget={"images": Budget(steps=5_000)},
    ),
)
