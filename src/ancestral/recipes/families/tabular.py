"""Models of mixed tables: independence, latent classes, autoregression over the columns."""

from dataclasses import dataclass, replace
from functools import partial
from typing import Self

from torch import Generator, Tensor, nn

from ancestral.data.columns import Vector
from ancestral.data.fields import Shape
from ancestral.data.model_units import cells
from ancestral.evaluation import chosen as figures
from ancestral.recipes.recipe import Recipe
from ancestral.settings import Size, arguments, at_least, chosen, require
from ancestral.tabular import LatentClass, TabularAutoregressive, best_classes
from ancestral.training.budget import Budget
from ancestral.training.options import Options

_WIDTHS: dict[Size, int] = {"tiny": 64, "small": 256, "medium": 512}
_MIXED = {"discrete": False, "missing": False, "mixed": True}


@dataclass(frozen=True, slots=True, kw_only=True)
class IndependentConfig:
    """Each column alone.

    Args:
        pseudo_count: Rows that are added, spread evenly over the cells of a column, above 0.
    """

    pseudo_count: float = 1.0

    def __post_init__(self) -> None:
        require(self, "pseudo_count", self.pseudo_count > 0, "above 0")


@dataclass(frozen=True, slots=True, kw_only=True)
class LatentClassConfig:
    """A mixture of classes, the columns independent given the class.

    Args:
        classes: Number of classes, at least 1; None: the number under which a held-out part of the
            training split is most likely.
        pseudo_count: Rows that are added to every class, as all rows are, above 0.
    """

    classes: int = chosen()
    pseudo_count: float = 1.0

    def __post_init__(self) -> None:
        at_least(self, classes=1)
        require(self, "pseudo_count", self.pseudo_count > 0, "above 0")


@dataclass(frozen=True, slots=True, kw_only=True)
class TabularARConfig:
    """One conditional a column, each given any others.

    Args:
        size: Width of the network: tiny, small or medium.
        width: Of the network, at least 1; None: by ``size``.
        blocks: Residual blocks, at least 0.
        dropout: Share of hidden units left out while training, in [0, 1).
        ordered: Whether the cells of each column are in order; None: those of numbers are.
    """

    size: Size = "small"
    width: int = chosen()
    blocks: int = 2
    dropout: float = 0.2
    ordered: tuple[bool, ...] = chosen()

    def __post_init__(self) -> None:
        at_least(self, width=1, blocks=0)
        require(self, "dropout", 0 <= self.dropout < 1, "in [0, 1)")

    def resolved(self, shape: Shape) -> Self:
        """Return the config with the width, and which columns are in order."""
        columns = shape.field.columns if isinstance(shape.field, Vector) else ()
        ordered = tuple(not column.discrete for column in columns)
        return replace(
            self,
            width=self.width or _WIDTHS[self.size],
            ordered=ordered if self.ordered is None else self.ordered,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class TableSampling:
    """How rows of a mixed table are drawn.

    Args:
        balance: A category whose states come equally often, whatever their shares are; None: as
            they are.
    """

    balance: str | None = None


def _sizes(shape: Shape) -> list[int]:
    return [len(states) for states in shape.states]


def _latent_class(config: LatentClassConfig, shape: Shape) -> nn.Module:
    return LatentClass(_sizes(shape), names=shape.columns, **arguments(config))


def _choose_classes(
    config: LatentClassConfig, y: Tensor, generator: Generator
) -> LatentClassConfig:
    """Return the config with the number of classes that held-out rows like best."""
    if config.classes is not None:
        return config
    sizes = (y.amax(dim=0) + 1).tolist()  # Cells that no row of the training split has say nothing.
    return replace(config, classes=best_classes(y, sizes, generator=generator))


def _tabular_ar(config: TabularARConfig, shape: Shape) -> nn.Module:
    own = arguments(config, "size")
    return TabularAutoregressive(_sizes(shape), names=shape.columns, **own)


_table = partial(
    Recipe,
    paradigm="tabular",
    kinds=("mixed",),
    reads=lambda _config: _MIXED,
    transform=cells,
    chosen_by=figures.LOG_PROB,
    sampling=TableSampling,
)

RECIPES = (
    _table(
        name="independent",
        summary="each column of a mixed table alone: the floor",
        config=IndependentConfig,
        build=lambda config, shape: _latent_class(
            LatentClassConfig(classes=1, **arguments(config)), shape
        ),
    ),
    _table(
        name="latent-class",
        summary="a mixture of classes, the columns of a table independent in each, by EM",
        config=LatentClassConfig,
        build=_latent_class,
        choose=_choose_classes,
        listed={"classes": 2},
    ),
    _table(
        name="tabular-ar",
        summary="autoregression over the columns of a mixed table, any given any others",
        config=TabularARConfig,
        build=_tabular_ar,
        options={
            "mixed": Options(
                batch_size=512,
                learning_rate=2e-3,
                ema_decay=0.999,
                max_grad_norm=1.0,
                validate_every=100,
                patience=10,
                warmup=50,
            )
        },
        budget={"mixed": Budget(steps=5_000)},
        epochs_apart=20,
        private=True,
    ),
)
