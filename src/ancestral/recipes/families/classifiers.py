"""The conditional p(label | x), by logistic regression or a network."""

from dataclasses import dataclass, replace
from typing import Literal, Self

from torch import nn

from ancestral.classic import Classifier, LogisticRegression
from ancestral.data.dataset import Dataset
from ancestral.data.described import Kind
from ancestral.data.fields import LABEL, Shape
from ancestral.data.model_units import noiseless
from ancestral.errors import ConfigError
from ancestral.evaluation import chosen as figures
from ancestral.recipes.recipe import Recipe
from ancestral.settings import Size, at_least, chosen, require, widths
from ancestral.training.budget import Budget
from ancestral.training.options import Options

_HIDDEN: dict[Size, tuple[int, ...]] = {"tiny": (32,), "small": (128,), "medium": (256, 256)}
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


def _check_labels(_config: ClassifierConfig, data: Dataset) -> None:
    """Refuse data without labels to tell apart."""
    if len(data.labels) < 2:
        raise ConfigError(
            f"classifier needs at least 2 labels, {data.name} has {len(data.labels)}: "
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
        check=_check_labels,
        chosen_by=figures.LABEL_LOG_PROB,
        options={"vectors": _OPTIONS, "images": replace(_OPTIONS, validate_every=200)},
        closed=lambda config: config.closed,
        budget={"vectors": Budget(steps=2_000), "images": Budget(steps=5_000)},
    ),
)
