"""What a recipe is: how a name becomes a fitted model. The recipes stand in ``families/``."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Protocol, TypeAlias, runtime_checkable

import torch
from torch import Generator, Tensor, nn

from ancestral import settings
from ancestral.data.dataset import Dataset
from ancestral.data.described import Kind
from ancestral.data.fields import LABEL, Shape, X
from ancestral.data.model_units import flat
from ancestral.data.transforms import Transform
from ancestral.errors import ConfigError
from ancestral.evaluation.chosen import Criterion
from ancestral.networks.sampling import last_of
from ancestral.networks.units import InDataUnits
from ancestral.settings import arguments, unset
from ancestral.training.budget import Budget
from ancestral.training.options import Options
from ancestral.training.order import global_randomness, seed_of

Config: TypeAlias = Any
"""A frozen dataclass of settings, checked when it is made.

A setting whose default is :func:`chosen` may be left to the library; ``resolved(shape)``, where a
config has it, chooses it from the data or from ``size``, and the resolved config is what
``run.toml`` keeps, so that a run can be repeated even after a default has changed.
"""


@runtime_checkable
class Resolves(Protocol):
    """A config some of whose settings are chosen from the shape of the data."""

    def resolved(self, shape: Shape) -> Config:
        """Return the config with them."""
        ...


@runtime_checkable
class ChecksModel(Protocol):
    """Settings of sampling that some models of a recipe cannot obey."""

    def check(self, config: Config, shape: Shape) -> None:
        """Refuse a model of this config, resolved, for data of this shape, by a ConfigError."""
        ...


def count_labels(model: Any, data: Dataset) -> None:  # noqa: ANN401 - a model given labels
    """Fit p(label), a table, by counting the training split."""
    if model.classes:
        model.fit_labels(data.train[LABEL].bincount(minlength=model.classes).double())


def resolve(config: Config, shape: Shape) -> Config:
    """Return the config with everything that depends on the data's shape chosen."""
    return config.resolved(shape) if isinstance(config, Resolves) else config


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How a name becomes a fitted model.

    Args:
        name: The fixed name.
        paradigm: The family it belongs to.
        summary: One sentence.
        config: Its settings, a frozen dataclass.
        build: Config, resolved, and shape of the data to a model in model units; ``parts`` are
            given by name.
        models: The field that it models; what else the data hold may be given.
        needs: Fields that must be given for it to say anything of the field it models.
        kinds: Data that it can model.
        reads: By the config: settings of the reader that it needs, fields of ``Loading``.
        transform: Fitted on the training split: user units to model units.
        choose: Completes the config from the training split in model units, before the fit.
        listed: Settings of the instance that is asked for its capabilities.
        count: Fits by counting what is not trained by gradients.
        forecast: Of an estimator: about how many seconds it takes on one thread, and in how many of
            them it cannot be stopped.
        check: Refuses data that the settings do not fit, before anything is written.
        chosen_by: The validation figure that chooses the kept weights (for estimators: the one
            that is reported); None where there is none.
        options: Default settings of the training, by kind; empty for closed-form estimators.
        rate: By the config: the learning rate, where sizes of networks want rates of their own.
        closed: By the config: whether an estimator finds the optimum, without steps of the loop.
        budget: Default end of the training, by kind.
        epochs_apart: Most epochs between validations: the best weights may be early ones; 0: any.
        private: Whether its players bound each example's gradient, so that ``epsilon`` can be set.
        adapted: The part of the model whose layers get adapters; None: it cannot begin at the
            weights of another run.
        sampling: How draws are made, a frozen dataclass with defaults; None: nothing to set.
        draw: With ``sampling``: draws n examples of the model, ``draw(model, n, sampling, given=,
            generator=)``.
        walk: With ``sampling``, of a model that draws in steps: yields the states of n draws, from
            noise to data, ``walk(model, n, sampling, given=, generator=)``; the last are the draws,
            unless ``draw`` is there to make them sooner. The settings then have
            ``within(evaluations)``, which returns them with so many evaluations of the network.
        parts: Other runs that it stands on, by the name of the setting: what the model of each
            must be able to do. Their weights are frozen and stay where they are.
        optional: Those of the parts without which it can do.
        taught_by: Those of the parts that training alone needs: a run is opened without them.
        follow: Completes the config from the models that it is taught by, given by name.
        units_of: A part whose units its data have, where it is there, in place of ``transform``.

    Example:
        >>> from ancestral.recipes import recipe_named
        >>> recipe_named("vae").paradigm
        'autoencoders'
    """

    name: str
    paradigm: str
    summary: str
    config: type[Any]
    build: Callable[..., nn.Module]
    models: str = X
    needs: tuple[str, ...] = ()
    kinds: tuple[Kind, ...] = ("vectors", "images")
    reads: Callable[[Config], Mapping[str, Any]] = lambda _config: {}
    transform: Callable[[Dataset], Transform] = flat
    choose: Callable[[Config, Tensor, Generator], Config] | None = None
    listed: Mapping[str, object] = field(default_factory=dict)
    count: Callable[[Any, Dataset], None] | None = None
    forecast: Callable[[Config, Dataset], tuple[float, float]] = lambda _config, _data: (0.0, 0.0)
    check: Callable[[Config, Dataset], None] | None = None
    chosen_by: Criterion | None = None
    options: Mapping[Kind, Options] = field(default_factory=dict)
    rate: Callable[[Config], float] | None = None
    closed: Callable[[Config], bool] = lambda _config: False
    budget: Mapping[Kind, Budget] = field(default_factory=dict)
    epochs_apart: int = 0
    private: bool = False
    adapted: Callable[[Any], nn.Module] | None = None
    sampling: type[Any] | None = None
    draw: Callable[..., Tensor] | None = None
    walk: Callable[..., Iterator[Tensor]] | None = None
    parts: Mapping[str, type] = field(default_factory=dict)
    optional: tuple[str, ...] = ()
    taught_by: tuple[str, ...] = ()
    follow: Callable[..., Config] | None = None
    units_of: str = ""

    @property
    def needed_parts(self) -> tuple[str, ...]:
        """The other runs without which it cannot be fitted."""
        return tuple(name for name in self.parts if name not in self.optional)

    @property
    def conditional(self) -> bool:
        """Whether it models another field, given x, and not x itself."""
        return self.models != X

    @property
    def trains(self) -> bool:
        """Whether it can be trained by gradients; else a closed form or EM fits it."""
        return bool(self.options)

    @property
    def tunes(self) -> bool:
        """Whether a training can begin at the weights of another run."""
        return self.trains and self.adapted is not None

    def trains_with(self, config: Config) -> bool:
        """Return whether these settings are trained by gradients."""
        return self.trains and not self.closed(config)

    def sampled_with(self, usual: Config | None, given: Mapping[str, object]) -> Config | None:
        """Return the settings of sampling: those given, the others as usual.

        Raises:
            ConfigError: If one is unknown or out of its range.
        """
        if self.sampling is not None:
            return settings.build(self.sampling, given, base=usual)
        if given:
            raise ConfigError(f"{self.name} has nothing to set in sampling, got {', '.join(given)}")
        return None

    def drawn_by(self, sampling: Config | None) -> Callable[..., Tensor] | None:
        """Return what draws examples of the model under these settings; None: its ``sample``."""
        if (walk := self.walk) is None or self.draw is not None:
            return self.draw and partial(self.draw, sampling=sampling)
        return lambda model, n, **how: last_of(walk(model, n, sampling, **how))

    def walked_by(self, sampling: Config) -> Callable[..., Iterator[Tensor]] | None:
        """Return what yields the states of draws under these settings; None: it has no steps."""
        if (walk := self.walk) is None:
            return None

        def walked(
            model: nn.Module, n: int, *, evaluations: int | None = None, **how: object
        ) -> Iterator[Tensor]:
            own = sampling if evaluations is None else sampling.within(evaluations)
            return walk(model, n, own, **how)

        return walked

    def in_units(
        self, model: nn.Module, transform: Transform, sampling: Config | None
    ) -> InDataUnits:
        """Return the model in the user's units, drawn from under these settings."""
        draw, walk = self.drawn_by(sampling), self.walked_by(sampling)
        return InDataUnits(model, transform, draw=draw, walk=walk)

    def options_of(self, config: Config, kind: Kind) -> Options:
        """Return the default settings of the training of a model of this size."""
        rates = {} if self.rate is None else {"learning_rate": self.rate(config)}
        return replace(self.options[kind], **rates)


def sample_as_set(
    model: Any,  # noqa: ANN401 - any whose sample takes the settings
    n: int,
    sampling: Config,
    **how: Any,  # noqa: ANN401 - what is given, the generator
) -> Tensor:
    """Return n draws by a model whose ``sample`` takes the settings as arguments."""
    return model.sample(n, **arguments(sampling), **how)


def build_model(
    recipe: Recipe, config: Config, shape: Shape, seed: int, parts: Mapping[str, InDataUnits]
) -> nn.Module:
    """Return a model in its first state, which is a function of the seed.

    Args:
        recipe: Of the model.
        config: Resolved.
        shape: Of the data.
        seed: Of the run.
        parts: The other runs' models, by name.

    Raises:
        ConfigError: If the settings do not fit the data.
        TypeError: If a setting has not been chosen.
    """
    if names := unset(config):
        raise TypeError(f"{recipe.name}: {', '.join(names)} must be chosen before it is built")
    with global_randomness(torch.device("cpu")) as shared:
        shared.manual_seed(seed_of(seed, "initial weights"))
        try:
            return recipe.build(config, shape, **parts)
        except ValueError as error:
            raise ConfigError(f"{recipe.name}: {error}") from error
