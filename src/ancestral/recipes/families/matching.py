"""Continuous flows: flow matching, rectified flow, MeanFlow, and maximum likelihood."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal, Self

from torch import Tensor, nn

from ancestral.data.dataset import Dataset
from ancestral.data.fields import Shape
from ancestral.data.model_units import flat, symmetric
from ancestral.data.transforms import Transform
from ancestral.errors import ConfigError
from ancestral.evaluation import chosen as figures
from ancestral.flows.cnf import CNF
from ancestral.flows.flow_matching import FlowMatching, ImageFlowMatching
from ancestral.flows.mean_flow import MeanFlow
from ancestral.flows.rectified import Couples, DistilledFlow, RectifiedFlow, TeacherPairs
from ancestral.flows.table import TableFlowMatching
from ancestral.networks.units import InDataUnits
from ancestral.nn import TimedMLP
from ancestral.recipes.recipe import Recipe, count_labels
from ancestral.recipes.solving import GuidedSampling, SolverSampling
from ancestral.recipes.timed_networks import (
    IMAGE_TRAINING,
    TABLE_TRAINING,
    TimedNetworkConfig,
    check_table,
    count_cells,
    ordered_columns,
    table_network,
)
from ancestral.settings import Size, arguments, at_least, chosen, require, widths
from ancestral.training.budget import Budget
from ancestral.training.options import Options

_MOST_VALUES = 256
"""Of an example whose exact density is wanted."""


def _target(shape: Shape) -> Literal["averaged", "single"]:
    """Return the target by the data: in many dimensions hardly two paths of a batch meet."""
    return "averaged" if shape.kind != "images" and shape.features <= 8 else "single"


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowMatchingConfig(TimedNetworkConfig):
    """Flow matching.

    Args:
        path: From noise to data: ``straight``, or ``preserving`` the variance.
        coupling: Of noise with examples: ``independent``, or ``optimal`` in each batch.
        dropped: Share of the labels that training hides, for guidance, in [0, 1).
        target: Velocity of a ``single`` path, or ``averaged`` over the batch; None: averaged of up
            to eight columns of numbers that are coupled independently.
        ordered: Of mixed tables, whether the cells of each column are in order and carried by their
            scores; None: those of numbers without gaps.
    """

    path: Literal["straight", "preserving"] = "straight"
    coupling: Literal["independent", "optimal"] = "independent"
    dropped: float = 0.1
    target: Literal["averaged", "single"] = chosen()
    ordered: tuple[bool, ...] | None = chosen("by column")

    def __post_init__(self) -> None:
        TimedNetworkConfig.__post_init__(self)
        require(self, "dropped", 0 <= self.dropped < 1, "in [0, 1)")

    def resolved(self, shape: Shape) -> Self:
        """Return the config with the network, the target and the columns in order.

        Raises:
            ConfigError: If paths of mixed tables are to be coupled, or averaged.
        """
        cells = shape.kind == "mixed"
        alone = not cells or self.coupling == "independent"
        require(self, "coupling", alone, "left out of mixed tables")
        require(self, "target", not cells or self.target != "averaged", "left out of mixed tables")
        usual = "single" if self.coupling == "optimal" or cells else _target(shape)
        return replace(
            super(FlowMatchingConfig, self).resolved(shape),
            target=self.target or usual,
            ordered=ordered_columns(shape) if self.ordered is None else self.ordered,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RectifiedFlowConfig(TimedNetworkConfig):
    """Rectified flow, learned from the draws of another run, its ``teacher``.

    Args:
        pairs: Draws of the teacher, made once, at least 1; None: 20,000, or 2,000 images.
    """

    pairs: int = chosen()

    def __post_init__(self) -> None:
        TimedNetworkConfig.__post_init__(self)
        at_least(self, pairs=1)

    def resolved(self, shape: Shape) -> Self:
        """Return the config with the network and the number of pairs."""
        usual = 2_000 if shape.kind == "images" else 20_000
        return replace(
            super(RectifiedFlowConfig, self).resolved(shape),
            pairs=usual if self.pairs is None else self.pairs,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class MeanFlowConfig(TimedNetworkConfig):
    """MeanFlow: one evaluation of the network draws.

    The network is an ``mlp``, or of images a ``dit``: a ``unet`` takes one time, not an interval.

    Args:
        intervals: Share of the examples of which the interval has a length, in (0, 1].
        power: Of the error in the weight of an example, at least 0; None: 0, or 1 of images.
        target: Velocity of a ``single`` path, or ``averaged`` over the batch; None: averaged of up
            to eight columns.
    """

    intervals: float = 0.5
    power: float = chosen()
    target: Literal["averaged", "single"] = chosen()

    def __post_init__(self) -> None:
        TimedNetworkConfig.__post_init__(self)
        require(self, "intervals", 0 < self.intervals <= 1, "in (0, 1]")
        at_least(self, power=0)

    def resolved(self, shape: Shape) -> Self:
        """Return the config with the network, of images ``dit``, and the power.

        Raises:
            ConfigError: If the network takes one time.
        """
        images = shape.kind == "images"
        own = replace(self, network=self.network or ("dit" if images else "mlp"))
        require(own, "network", own.network != "unet", "mlp or dit: a unet takes one time")
        power = (1.0 if images else 0.0) if self.power is None else self.power
        return replace(
            super(MeanFlowConfig, own).resolved(shape),
            power=power,
            target=self.target or _target(shape),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class CNFConfig:
    """A continuous normalising flow, trained by maximum likelihood.

    Args:
        size: Width of the layers: tiny, small or medium.
        hidden: Widths of the layers; None: by ``size``.
        trace: In training, ``exact`` or estimated (``hutchinson``); None: exact of up to four
            columns.
        steps: Of the solver in training, at least 1.
        energy: Weight of the squared velocity, at least 0; without it training learns to use the
            errors of so few steps.
        frequencies: Fourier features of the input that the network sees beside it, at least 0;
            None: 8 of up to eight columns, else 0.
    """

    size: Size = "small"
    hidden: tuple[int, ...] = chosen()
    trace: Literal["exact", "hutchinson"] = chosen()
    steps: int = 4
    energy: float = 0.1
    frequencies: int = chosen()

    def __post_init__(self) -> None:
        at_least(self, steps=1, energy=0, frequencies=0)
        require(self, "hidden", widths(self.hidden), "one or more numbers of at least 1")

    def resolved(self, shape: Shape) -> Self:
        """Return the config with the widths, the trace and the frequencies."""
        hidden = {"tiny": (32, 32), "small": (64, 64, 64), "medium": (128, 128, 128)}
        return replace(
            self,
            hidden=self.hidden or hidden[self.size],
            trace=self.trace or ("exact" if shape.features <= 4 else "hutchinson"),
            frequencies=8 * (shape.features <= 8) if self.frequencies is None else self.frequencies,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class MeanFlowSampling:
    """How MeanFlow draws.

    Args:
        steps: Evaluations of the network, at least 1.
    """

    steps: int = 1

    def __post_init__(self) -> None:
        at_least(self, steps=1)

    def within(self, evaluations: int) -> Self:
        """Return the settings of so many evaluations."""
        return replace(self, steps=evaluations)


def _walk(
    model: Any,  # noqa: ANN401 - any of this family
    n: int,
    sampling: Any,  # noqa: ANN401 - its settings
    **how: Any,  # noqa: ANN401 - what is given, the generator
) -> Iterator[Tensor]:
    return model.walk(n, **arguments(sampling), **how)


def _flow_matching(config: FlowMatchingConfig, shape: Shape) -> nn.Module:
    if shape.kind == "tables":
        return TableFlowMatching(*table_network(config, shape, config.ordered), path=config.path)
    kind = ImageFlowMatching if shape.kind == "images" else FlowMatching
    return kind(
        config.build(shape),
        shape.event_shape,
        classes=config.classes(shape),
        path=config.path,
        coupling=config.coupling,
        dropped=config.dropped,
        target=config.target,
    )


def _mean_flow(config: MeanFlowConfig, shape: Shape) -> nn.Module:
    return MeanFlow(
        config.build(shape, times=2),
        shape.event_shape,
        classes=config.classes(shape),
        intervals=config.intervals,
        power=config.power,
        target=config.target,
    )


def _follow(config: RectifiedFlowConfig, teacher: InDataUnits) -> RectifiedFlowConfig:
    """Return the config of a student that has labels if its teacher has them."""
    network: Any = teacher.network
    return replace(config, conditional=network.labels is not None)


def _of_pairs(
    kind: type[RectifiedFlow | DistilledFlow],
    config: RectifiedFlowConfig,
    shape: Shape,
    teacher: InDataUnits | None = None,
) -> nn.Module:
    """Return a model that learns from a teacher of the same data; one that has learned needs none.

    Raises:
        ConfigError: If the teacher is of other data.
    """
    classes, pairs = config.classes(shape), None
    if teacher is not None:
        network: Any = teacher.network
        if (network.event_shape, network.classes) != (shape.event_shape, classes):
            raise ConfigError(
                f"teacher must draw events of shape {list(shape.event_shape)} and have as many "
                f"labels as the data, got {list(network.event_shape)} and {network.classes}"
            )
        pairs = TeacherPairs(network, size=config.pairs)
    return kind(config.build(shape), shape.event_shape, pairs=pairs, classes=classes)


def _cnf(config: CNFConfig, shape: Shape) -> nn.Module:
    network = TimedMLP(shape.features, hidden=config.hidden, frequencies=config.frequencies)
    return CNF(network, (shape.features,), **arguments(config, "size", "hidden", "frequencies"))


def _count(model: Any, data: Dataset) -> None:  # noqa: ANN401 - any of this family
    """Fit p(label) by counting, or of mixed tables the scores of cells."""
    (count_cells if data.kind == "mixed" else count_labels)(model, data)


def _rate(config: TimedNetworkConfig) -> float:
    """Return the learning rate: targets that hardly vary bear a high one."""
    if config.network != "mlp":
        return IMAGE_TRAINING.learning_rate if config.network == "unet" else 1e-3
    if getattr(config, "ordered", None) is not None:  # Of mixed tables.
        return TABLE_TRAINING.learning_rate
    return 2e-3 if getattr(config, "target", "averaged") == "single" else 5e-3


def _check_cnf(_config: CNFConfig, data: Dataset) -> None:
    """Refuse data of so many values that the exact density would take hours."""
    if data.features > _MOST_VALUES:
        small = "; set pixels=16" if data.kind == "images" else ""
        raise ConfigError(
            f"cnf has an exact density, which costs an evaluation for each value of an example: "
            f"there may be {_MOST_VALUES}, {data.name} has {data.features}{small}"
        )


def _units(data: Dataset) -> Transform:
    """Return the transform: grey levels onto [-1, 1], columns as of other models."""
    return symmetric(data.levels) if data.kind == "images" else flat(data)


_VECTORS = Options(
    batch_size=500, learning_rate=2e-3, ema_decay=0.999, weight_decay=0.0, validate_every=1000
)
_TRAINING = {
    "paradigm": "flows",
    "count": _count,
    "transform": _units,
    "rate": _rate,
    "options": {"vectors": _VECTORS, "images": IMAGE_TRAINING, "mixed": TABLE_TRAINING},
    "budget": {
        "vectors": Budget(steps=10_000),
        "images": Budget(steps=5_000),
        "mixed": Budget(steps=10_000),
    },
}
_FROM_TEACHER = {**_TRAINING, "chosen_by": figures.SQUARED_ERROR, "parts": {"teacher": Couples}}
_FROM_TEACHER |= {"taught_by": ("teacher",), "follow": _follow}

RECIPES = (
    Recipe(
        name="cnf",
        paradigm="flows",
        summary="continuous normalising flow by maximum likelihood; small, slow, exact density",
        config=CNFConfig,
        build=_cnf,
        transform=flat,
        check=_check_cnf,
        chosen_by=figures.LOSS,
        options={
            "vectors": replace(_VECTORS, learning_rate=1e-2, validate_every=100),
            "images": replace(_VECTORS, learning_rate=2e-3, validate_every=100),
        },
        budget={"vectors": Budget(steps=1_000), "images": Budget(steps=1_000)},
        sampling=SolverSampling,
        walk=_walk,
    ),
    Recipe(
        name="flow-matching",
        summary="flow matching: straight ways from noise to data; labels with guidance",
        config=FlowMatchingConfig,
        build=_flow_matching,
        chosen_by=figures.SQUARED_ERROR,
        sampling=GuidedSampling,
        walk=_walk,
        kinds=("vectors", "images", "mixed"),
        check=check_table,
        **_TRAINING,
    ),
    Recipe(
        name="rectified-flow",
        summary="straighter ways, learned from a run of flow matching (teacher=RUN)",
        config=RectifiedFlowConfig,
        build=partial(_of_pairs, RectifiedFlow),
        sampling=GuidedSampling,
        walk=_walk,
        **_FROM_TEACHER,
    ),
    Recipe(
        name="distilled-flow",
        summary="one step, learned from a run of flow matching or rectified flow (teacher=RUN)",
        config=RectifiedFlowConfig,
        build=partial(_of_pairs, DistilledFlow),
        **_FROM_TEACHER,
    ),
    Recipe(
        name="meanflow",
        summary="mean velocities, so that one evaluation draws; no density",
        config=MeanFlowConfig,
        build=_mean_flow,
        chosen_by=figures.SLICED_WASSERSTEIN,
        sampling=MeanFlowSampling,
        walk=_walk,
        **_TRAINING,
    ),
)
