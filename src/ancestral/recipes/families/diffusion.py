"""Diffusion and score models, of vectors and of images, diffusion of mixed tables too."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal, Self

from torch import Tensor, nn

from ancestral.capabilities import Encodes
from ancestral.data.dataset import Dataset
from ancestral.data.fields import LABEL, Shape
from ancestral.data.model_units import flat, symmetric
from ancestral.data.transforms import Transform
from ancestral.diffusion.denoiser import Denoiser
from ancestral.diffusion.denoising import Denoising
from ancestral.diffusion.diffusion import Diffusion
from ancestral.diffusion.latent import Autoencodes, LatentDiffusion
from ancestral.diffusion.samplers import evaluations as cost
from ancestral.diffusion.score import ImageScoreModel, ScoreModel
from ancestral.diffusion.table import TableDiffusion
from ancestral.errors import ConfigError
from ancestral.evaluation import chosen as figures
from ancestral.networks.noising import LearnedSchedule, cosine_schedule, linear_schedule
from ancestral.networks.sampling import last_of
from ancestral.networks.units import InDataUnits
from ancestral.nn import TimedMLP
from ancestral.nn.guidance import check_guidance
from ancestral.recipes.recipe import Recipe, count_labels
from ancestral.recipes.timed_networks import (
    IMAGE_TRAINING,
    TABLE_TRAINING,
    TimedNetworkConfig,
    check_table,
    count_cells,
    ordered_columns,
    table_network,
)
from ancestral.settings import arguments, at_least, chosen, require
from ancestral.training.budget import Budget
from ancestral.training.options import Options

_ENCODED = 10_000
"""Training examples whose latents tell their mean and deviation."""

_SCHEDULES: dict[str, Callable[[int, float], nn.Module]] = {
    "cosine": lambda steps, lowest: cosine_schedule(steps, lowest=lowest),
    "linear": lambda steps, _lowest: linear_schedule(steps),
    "learned": lambda steps, lowest: LearnedSchedule(steps, lowest=lowest),
}
"""By the steps of a chain and its lowest level of noise."""

_OF_A_LEVEL = 0.5
"""The lowest level of noise in the chain of images, in distances between grey levels."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DiffusionConfig(TimedNetworkConfig):
    """A denoising diffusion model.

    Args:
        chain: Steps T of the chain, at least 2, of ``linear`` 21; None: 1,000, of mixed tables
            4,000, whose bound gains by them.
        schedule: How the chain adds noise: ``cosine``, ``linear``, or ``learned`` with the bound.
        prediction: What the network predicts; of mixed tables laws of cells in its place.
        weighting: Of the levels in the loss, by whose squared error it is; ``bound`` lowers -elbo,
            and is the only one by which a schedule is learned; of mixed tables ``cross-entropy``
            or ``bound``; None: ``v``, ``bound`` there, ``cross-entropy`` of mixed tables.
        emphasis: Levels at which the loss is taken: ``log-normal``, or those of the ``schedule``.
        dropped: Share of the labels that training hides, for guidance, in [0, 1).
        ordered: Of mixed tables, whether the cells of each column are in order and get Gaussian
            noise; None: those of numbers without gaps.
    """

    chain: int = chosen()
    schedule: Literal["cosine", "linear", "learned"] = "cosine"
    prediction: Literal["v", "epsilon", "x"] = "v"
    weighting: Literal["v", "epsilon", "x", "min-snr", "bound", "cross-entropy"] = chosen()
    emphasis: Literal["log-normal", "schedule"] = "log-normal"
    dropped: float = 0.1
    ordered: tuple[bool, ...] | None = chosen("by column")

    def __post_init__(self) -> None:
        TimedNetworkConfig.__post_init__(self)
        at_least(self, chain=21 if self.schedule == "linear" else 2)
        require(self, "dropped", 0 <= self.dropped < 1, "in [0, 1)")
        learns = self.schedule != "learned" or self.weighting in (None, "bound")
        require(self, "weighting", learns, "bound where the schedule is learned")

    def resolved(self, shape: Shape) -> Self:
        """Return the config with the network and the columns in order.

        Raises:
            ConfigError: If a loss or a prediction is of other data.
        """
        mixed = shape.kind == "mixed"
        usual = "cross-entropy" if mixed else "v"
        weighting = self.weighting or ("bound" if self.schedule == "learned" else usual)
        fits = (weighting in ("bound", "cross-entropy")) if mixed else weighting != "cross-entropy"
        rule = "cross-entropy or bound of mixed tables, and cross-entropy of them alone"
        require(self, "weighting", fits, rule)
        require(self, "prediction", not mixed or self.prediction == "v", "left out of mixed tables")
        return replace(
            super(DiffusionConfig, self).resolved(shape),
            chain=self.chain or (4000 if mixed else 1000),
            ordered=ordered_columns(shape) if self.ordered is None else self.ordered,
            weighting=weighting,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreConfig(TimedNetworkConfig):
    """A score model.

    Args:
        process: ``ve``, whose variance explodes, or ``vp``, which preserves it: at which levels of
            noise the score is learned.
        prediction: What the network predicts.
        dropped: Share of the labels that training hides, for guidance, in [0, 1).
    """

    process: Literal["ve", "vp"] = "ve"
    prediction: Literal["v", "epsilon", "x", "score"] = "v"
    dropped: float = 0.1

    def __post_init__(self) -> None:
        TimedNetworkConfig.__post_init__(self)
        require(self, "dropped", 0 <= self.dropped < 1, "in [0, 1)")


@dataclass(frozen=True, slots=True, kw_only=True)
class DiffusionSampling:
    """How draws are made.

    Args:
        steps: Steps from noise to data, at least 1.
        sampler: ``ancestral``, ``sde-dpmpp-2m``, ``euler-maruyama``, ``churn``, ``langevin`` and
            ``repaint`` add noise on the way, ``ddim``, ``euler``, ``heun`` and ``dpmpp-2m`` do not.
            A step takes one evaluation of the network, of ``heun`` and ``churn`` two, of
            ``langevin`` and ``repaint`` five.
        guidance: Scale of classifier-free guidance, at least 0: 0 is without, 1 with the label,
            above 1 further away from what is likely without.
    """

    steps: int = 50
    sampler: Literal[
        "dpmpp-2m",
        "ancestral",
        "ddim",
        "euler",
        "heun",
        "sde-dpmpp-2m",
        "euler-maruyama",
        "churn",
        "langevin",
        "repaint",
    ] = "dpmpp-2m"
    guidance: float = 1.0

    def __post_init__(self) -> None:
        at_least(self, steps=1, guidance=0)

    def check(self, config: TimedNetworkConfig, shape: Shape) -> None:
        """Refuse guidance of a model that is given no label."""
        check_guidance(self.guidance, labelled=config.classes(shape) > 0)

    def within(self, evaluations: int) -> Self:
        """Return the settings of so many evaluations at most, by ``ddim`` where they are few."""
        able = [n for n in range(1, evaluations + 1) if cost(self.sampler, n) <= evaluations]
        if able:
            return replace(self, steps=able[-1])
        return replace(self, steps=evaluations, sampler="ddim")


def _draw(
    model: Denoising | LatentDiffusion | TableDiffusion,
    n: int,
    sampling: DiffusionSampling,
    **how: Any,  # noqa: ANN401 - what is given, the generator
) -> Tensor:
    if isinstance(model, LatentDiffusion):
        return model.draw(n, **arguments(sampling), **how)
    return last_of(model.walk(n, **arguments(sampling), **how))


def _walk(
    model: Denoising | LatentDiffusion | TableDiffusion,
    n: int,
    sampling: DiffusionSampling,
    **how: Any,  # noqa: ANN401 - what is given, the generator
) -> Iterator[Tensor]:
    return model.walk(n, **arguments(sampling), **how)


def _denoiser(config: DiffusionConfig | ScoreConfig, shape: Shape) -> Denoiser:
    return Denoiser(
        config.build(shape), prediction=config.prediction, classes=config.classes(shape)
    )


def _diffusion(
    config: DiffusionConfig, shape: Shape, autoencoder: InDataUnits | None = None
) -> nn.Module:
    if autoencoder is not None:
        return _latent_diffusion(config, shape, autoencoder)
    if shape.kind == "tables":
        return _table_diffusion(config, shape)
    grey = shape.levels if shape.kind == "images" else 0
    lowest = _OF_A_LEVEL * 2 / (grey - 1) if grey else 0.0
    return Diffusion(
        _denoiser(config, shape),
        shape.event_shape,
        schedule=_SCHEDULES[config.schedule](config.chain, lowest),
        weighting=_weighting(config),
        emphasis=config.emphasis,
        grey_levels=grey,
        dropped=config.dropped,
    )


def _weighting(config: DiffusionConfig) -> Any:  # noqa: ANN401 - of these data: resolving checked it
    return config.weighting


def _table_diffusion(config: DiffusionConfig, shape: Shape) -> TableDiffusion:
    return TableDiffusion(
        *table_network(config, shape, config.ordered),
        schedule=_SCHEDULES[config.schedule](config.chain, 0.0),
        weighting=_weighting(config),
        emphasis=config.emphasis,
    )


def _latent_diffusion(
    config: DiffusionConfig, shape: Shape, autoencoder: InDataUnits
) -> LatentDiffusion:
    """Return a diffusion of the latents of a run, by a fully connected network.

    Raises:
        ConfigError: If the run is of other data, or is no variational autoencoder, or the data are
            a mixed table.
    """
    if shape.kind == "tables":
        raise ConfigError(
            "autoencoder must be left out of mixed tables, whose columns are cells, got a run"
        )
    network = autoencoder.network
    own = network.p.nodes["x"].event_shape if isinstance(network, Autoencodes) else None
    if not isinstance(network, Autoencodes) or own != shape.event_shape:
        raise ConfigError(
            f"autoencoder must be a run of a vae or image-vae on data of shape "
            f"{[*shape.event_shape]}, got {'one of ' + str([*own]) if own else 'another model'}"
        )
    (latent,) = network.p.nodes["z"].event_shape
    classes = config.classes(shape)
    layers = TimedMLP(latent, hidden=config.hidden, classes=classes)
    denoiser = Denoiser(layers, prediction=config.prediction, classes=classes)
    prior = Diffusion(
        denoiser,
        (latent,),
        schedule=_SCHEDULES[config.schedule](config.chain, 0.0),
        weighting=_weighting(config),
        emphasis=config.emphasis,
        dropped=config.dropped,
    )
    return LatentDiffusion(network, prior, units=autoencoder.transform)


def _count(model: Denoising | LatentDiffusion | TableDiffusion, data: Dataset) -> None:
    """Fit p(label) by counting, of latents the mean and deviation, and of cells the scores."""
    if isinstance(model, TableDiffusion):
        count_cells(model, data)
        return
    count_labels(model, data)
    if isinstance(model, LatentDiffusion):
        some = data.train[:_ENCODED]
        model.fit_latents(some.x, label=some.given.get(LABEL) if model.classes else None)


def _score(config: ScoreConfig, shape: Shape) -> nn.Module:
    kind = ImageScoreModel if shape.kind == "images" else ScoreModel
    denoiser = _denoiser(config, shape)
    return kind(denoiser, shape.event_shape, process=config.process, dropped=config.dropped)


def _units(data: Dataset) -> Transform:
    """Return the transform: grey levels onto [-1, 1], columns as of other models."""
    return symmetric(data.levels) if data.kind == "images" else flat(data)


_TRAINING = {
    "paradigm": "diffusion",
    "count": _count,
    "transform": _units,
    "options": {
        "vectors": Options(
            batch_size=500,
            learning_rate=2e-3,
            ema_decay=0.999,
            weight_decay=0.0,
            validate_every=1000,
        ),
        "images": IMAGE_TRAINING,
        "mixed": TABLE_TRAINING,
    },
    "budget": {
        "vectors": Budget(steps=10_000),
        "images": Budget(steps=5_000),
        "mixed": Budget(steps=10_000),
    },
    "sampling": DiffusionSampling,
    "draw": _draw,
    "walk": _walk,
}

RECIPES = (
    Recipe(
        name="diffusion",
        summary="denoising diffusion: a chain from noise to data, with a bound; labels, guidance",
        config=DiffusionConfig,
        build=_diffusion,
        kinds=("vectors", "images", "mixed"),
        check=check_table,
        chosen_by=figures.ELBO,
        parts={"autoencoder": Encodes},
        optional=("autoencoder",),
        units_of="autoencoder",
        **_TRAINING,
    ),
    Recipe(
        name="score",
        summary="score of the data at all levels of noise, by denoising; density by an ODE",
        config=ScoreConfig,
        build=_score,
        chosen_by=figures.SQUARED_ERROR,
        **_TRAINING,
    ),
)
