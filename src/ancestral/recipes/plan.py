"""A plan: model, data, settings, budget and seed, all checked before anything is written."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from torch import Tensor, nn

from ancestral import settings
from ancestral.data.columns import Vector
from ancestral.data.dataset import Dataset, Loading
from ancestral.data.fields import LABEL, Field, Image, Shape, Tokens, X
from ancestral.data.memory import Data, load_any
from ancestral.data.model_units import fit_transform
from ancestral.data.record import DataRecord
from ancestral.data.recorded import modelled
from ancestral.data.transforms import Transform
from ancestral.errors import ConfigError
from ancestral.networks.units import InDataUnits
from ancestral.recipes.origin import Origin
from ancestral.recipes.reading import OF_DATA, OF_TEXT, is_of_data, loading_of, reading
from ancestral.recipes.recipe import ChecksModel, Config, Recipe, build_model, resolve
from ancestral.recipes.runs import Run, open_parts
from ancestral.recipes.table import RECIPES, name_of, recipe_named
from ancestral.settings import hints, nearest
from ancestral.training.budget import Budget
from ancestral.training.options import Options, by_adamw
from ancestral.training.parts import Part
from ancestral.training.privacy import Privacy, secret_seed
from ancestral.training.tuning import Tuning

_OF_ONE_KIND: dict[str, tuple[type[Field], str]] = {
    "size": (Image, "size must be one of tiny, small, medium for {kind}: pixels are of images"),
    "text": (Tokens, f"{', '.join(OF_TEXT)} are settings of text, {{name}} holds {{kind}}"),
}
"""Fields of ``Loading`` that mean something for one kind of data, and what is said to others."""

_WITH_FIELD = {
    "image": ": give a folder with images/ and masks/ (or --set masks=FOLDER), or with a/ and b/",
}
"""What data have such a field."""

TUNING = ("start", "lora", "lora_alpha")
"""Settings of fine-tuning, fields of ``Tuning``."""

PRIVACY = ("epsilon", "delta", "clip")
"""Settings of private training, fields of ``Privacy``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Everything about a fit that has not begun.

    Args:
        recipe: Of the model.
        config: Its settings, resolved.
        options: Of the training; None for estimators.
        budget: Of the training; None for estimators.
        limit: Seconds that an estimator may take; None: as long as it needs.
        seed: Of everything random.
        device: Where to train.
        data: The data, loaded.
        loading: How they were loaded.
        sampling: How draws are made; None where there is nothing to set.
        parts: Other runs that it stands on, by name.
        tuning: From which run the training goes on; None for one from scratch.
        privacy: What its weights may tell of any one row; None: anything.
        weights: Of that run, where the training has not begun.
    """

    recipe: Recipe
    config: Config
    options: Options | None
    budget: Budget | None
    seed: int
    device: str
    data: Dataset
    loading: Loading
    sampling: Config | None = None
    parts: Mapping[str, Part] = field(default_factory=dict)
    tuning: Tuning | None = None
    privacy: Privacy | None = None
    weights: Mapping[str, Tensor] | None = None
    limit: float | None = None

    @property
    def data_record(self) -> DataRecord:
        """The record of the data."""
        return DataRecord.of(self.data, self.loading)

    @property
    def trains(self) -> bool:
        """Whether the model is trained by gradients."""
        return self.options is not None

    def transform(self) -> Transform:
        """Return the transform fitted on the training split, or that of the part with its units."""
        if (name := self.recipe.units_of) in self.parts:
            one = {name: self.parts[name]}
            return open_parts(one, self.recipe.parts, device=self.device)[name].transform
        return fit_transform(self.recipe.transform, self.data)

    def unused(self, model: InDataUnits | None) -> tuple[str, ...]:
        """Return the names of the fields of the data that a model of them does not take.

        A label that is the same for all counts as taken: samples have it, and so does one by which
        the data were split. None of no model.
        """
        if model is None or self.recipe.conditional:
            return ()
        one = {LABEL} if len(self.data.labels) == 1 or self.loading.even else set()
        return tuple(name for name in self.data.fields if name not in {X, *model.nodes, *one})

    def build(self, transform: Transform, config: Config | None = None) -> nn.Module:
        """Return the model in its first state, under a config in which nothing is left to choose.

        The model's data are those that the transform makes of the user's.

        Of a training that goes on from another run, and has begun, only the shape is right: its
        weights, the frozen ones too, are in its checkpoints.

        Raises:
            ConfigError: If the settings do not fit the data.
        """
        parts = open_parts(self.parts, self.recipe.parts, device=self.device)
        shape = transform.shape(Shape(self.data.fields))
        model = build_model(self.recipe, config or self.config, shape, self.seed, parts)
        if self.recipe.count is not None:
            self.recipe.count(model, self.data)
        if self.weights is not None:
            model.load_state_dict(self.weights)
        if self.tuning is not None and self.recipe.adapted is not None:
            self.tuning.adapt(model, self.recipe.adapted(model), self.seed)
        return model


def plan(
    model: str | Recipe,
    data: Data,
    *,
    settings: Mapping[str, object] | None = None,
    loading: Loading | None = None,
    budget: str | Budget | None = None,
    seed: int = 0,
    device: str = "cpu",
) -> Plan:
    """Check everything, load the data, and return what :func:`ancestral.recipes.start` begins.

    Args:
        model: Name of a recipe, or a recipe of one's own.
        data: Name, file or folder; data that are loaded already; an array [N, D] or of images, a
            tensor or a data frame, of which the cache then keeps a copy.
        settings: Of the model, the training and the data, by name; text or plain values. Those of
            data that are loaded already are refused: they would not be applied.
        loading: How data that are loaded already were read.
        budget: ``"60s"`` or a :class:`~ancestral.training.Budget`; the recipe's own if None.
        seed: Of everything random in the training, at least 0. The split of the data has a seed of
            its own, the setting ``split_seed``, so that runs stay comparable.
        device: Where to train.

    Raises:
        ConfigError: If a name is unknown or a value is out of range.
        DataError: If the data cannot be read.

    Example:
        >>> plan("gmm", "moons", settings={"components": 8}).config.components
        8
    """
    recipe = recipe_named(name_of(model))
    if seed < 0:
        raise ConfigError(f"seed must be at least 0, got {seed}")
    end = Budget.parse(budget) if isinstance(budget, str) else budget
    chosen = _Chosen.sort(recipe, settings or {})
    reads = chosen.reads()
    origin = chosen.open_origin()
    if isinstance(data, Dataset) and chosen.loading:
        name = next(iter(chosen.loading))
        raise ConfigError(
            f"{name} must be left out, or given for all models: the data are read once, before the "
            f"settings of {recipe.name}"
        )
    loading = loading or reading(chosen.make_loading(origin), reads)
    found = load_any(data, loading, tokenizer=origin and origin.tokenizer)
    _check_data(recipe, found, loading)
    if origin is not None:
        origin.check(found)
    shape = replace(modelled(found.fields), rows=found.training_examples)
    config = resolve(chosen.make_config(origin), shape)
    if recipe.check is not None:
        recipe.check(config, found)
    limit = None
    if recipe.trains_with(config):
        end = end or recipe.budget[found.kind]
    else:
        end, limit = None, end and end.seconds
    options = end and chosen.make_options(config, found, origin, end)
    parts = chosen.find_parts(found)
    if recipe.follow is not None:
        config = recipe.follow(config, **open_parts(parts, recipe.parts, device=device))
    sampling = recipe.sampled_with(None, chosen.sampling)
    if isinstance(sampling, ChecksModel):
        sampling.check(config, shape)
    privacy = chosen.make_privacy(found, options, end)
    return Plan(
        recipe=recipe,
        config=config,
        options=options,
        budget=end,
        seed=secret_seed(seed) if privacy else seed,
        device=device,
        data=found,
        loading=loading,
        sampling=sampling,
        parts=parts,
        tuning=origin and origin.tuning,
        privacy=privacy,
        weights=origin and origin.weights,
        limit=limit,
    )


def _check_data(recipe: Recipe, data: Dataset, loading: Loading) -> None:
    """Refuse data that the model cannot take, and settings that are of other data."""
    if data.kind not in recipe.kinds:
        raise ConfigError(
            f"{recipe.name} needs {' or '.join(recipe.kinds)}, {data.name} holds {data.kind}"
            f"{_ways_out(data)}"
        )
    for name, (kind, said) in _OF_ONE_KIND.items():
        if not isinstance(data.field, kind) and getattr(loading, name) != getattr(_USUAL, name):
            raise ConfigError(said.format(kind=data.kind, name=data.name))
    if missing := [name for name in recipe.needs if name not in data.fields]:
        raise ConfigError(
            f"{recipe.name} needs the field {missing[0]!r}, {data.name} has none"
            f"{_WITH_FIELD.get(missing[0], '')}"
        )


def _ways_out(data: Dataset) -> str:
    """Say what keeps a table from being one of numbers, what to do, and which models take it."""
    if not isinstance(data.field, Vector) or not data.field.mixed:
        return ""
    able = [recipe.name for recipe in RECIPES.values() if data.kind in recipe.kinds]
    why = ", ".join(data.field.unlike_numbers[:3])
    also = f"; {', '.join(able)} take it as it is" if able else ""
    return f": {why}; drop=NAME leaves a column out, label=NAME makes one the label{also}"


@dataclass(frozen=True, slots=True)
class _Chosen:
    """The user's settings, sorted by whom they concern."""

    recipe: Recipe
    config: dict[str, Any]
    options: dict[str, Any]
    loading: dict[str, Any]
    tuning: dict[str, Any]
    parts: dict[str, Any]
    sampling: dict[str, Any]
    privacy: dict[str, Any]

    @classmethod
    def sort(cls, recipe: Recipe, given: Mapping[str, object]) -> "_Chosen":
        own, training = hints(recipe.config), hints(Options) if recipe.trains else {}
        found = cls(recipe, {}, {}, {}, {}, {}, {}, {})
        groups = (
            (own, found.config),
            (training, found.options),
            (OF_DATA, found.loading),
            (TUNING if recipe.tunes else (), found.tuning),
            (PRIVACY if recipe.private else (), found.privacy),
            (recipe.parts, found.parts),
            (hints(recipe.sampling) if recipe.sampling else (), found.sampling),
        )
        for name, value in given.items():
            if is_of_data(name, value):
                found.loading[name] = value
                continue
            group = next((group for names, group in groups if name in names), None)
            if group is None:
                known = [name for names, _ in groups for name in names]
                raise ConfigError(
                    f"unknown setting {name!r} of {recipe.name}{nearest(name, known, otherwise=99)}"
                )
            group[name] = value
        return found

    def reads(self) -> Mapping[str, Any]:
        """Refuse wrong values before the data are loaded; return what the reader must do."""
        config = self.make_config()
        if self.recipe.trains_with(config):
            settings.build(Options, self.options)
        elif self.options:
            raise ConfigError(
                f"{', '.join(self.options)} must be left out: {self.recipe.name} is fitted to its "
                "optimum under these settings, without steps"
            )
        return self.recipe.reads(config)

    def open_origin(self) -> Origin | None:
        if not self.tuning:
            return None
        if "start" not in self.tuning:
            first = next(iter(self.tuning))
            raise ConfigError(f"{first} needs start=RUN, at whose weights to begin")
        return Origin.open(settings.build(Tuning, self.tuning), self.recipe)

    def make_privacy(
        self, data: Dataset, options: Options | None, end: Budget | None
    ) -> Privacy | None:
        if not self.privacy or options is None or end is None:
            return None
        if data.stream is not None:
            raise ConfigError("epsilon is of data that are read at once: leave out stream")
        if "epsilon" not in self.privacy:
            raise ConfigError(f"{next(iter(self.privacy))} needs epsilon=NUMBER, whose part it is")
        return settings.build(Privacy, self.privacy).planned(data.training_examples, options, end)

    def find_parts(self, data: Dataset) -> dict[str, Part]:
        """Return the runs that it stands on; they must have seen no row that is held out here."""
        if missing := [name for name in self.recipe.needed_parts if name not in self.parts]:
            raise ConfigError(
                f"{self.recipe.name} stands on another run: give --set {missing[0]}=RUN"
            )
        parts = {name: Part.of(name, str(run)) for name, run in self.parts.items()}
        for name, part in parts.items():
            if Run.open(part.run).record.data.fingerprint != data.fingerprint:
                raise ConfigError(
                    f"{name} must be a run on the same data, split alike: {self.parts[name]} is of "
                    f"others than {data.name}"
                )
        return parts

    def make_loading(self, origin: Origin | None) -> Loading:
        loading = loading_of(self.loading)
        return loading if origin is None else origin.loading(loading, self.loading)

    def make_config(self, origin: Origin | None = None) -> Config:
        try:
            if origin is not None:
                return origin.config(self.config)
            return settings.build(self.recipe.config, self.config)
        except ConfigError as error:
            whole = "images" in self.recipe.kinds and str(error).startswith("size must be one of")
            hint = ", or a whole number of pixels for images" if whole else ""
            raise ConfigError(f"{error.line}{hint}") from None

    def make_options(
        self, config: Config, data: Dataset, origin: Origin | None, end: Budget
    ) -> Options:
        usual = self.recipe.options_of(config, data.kind)
        if self.options.get("optimizer", "muon") != "muon":
            usual = by_adamw(usual)
        if origin is not None:
            usual = origin.tuning.options(usual)
        options, examples = (
            settings.build(Options, self.options, base=usual),
            data.training_examples,
        )
        if "batch_size" in self.options and options.batch_size > examples:
            raise ConfigError(
                f"batch_size must be at most the {examples:,} examples of the training split, got "
                f"{options.batch_size}"
            )
        if "validate_every" in self.options:
            return options
        per_step = options.batch_size * options.accumulate
        if self.recipe.epochs_apart:
            apart = -(-len(data.train) // per_step) * self.recipe.epochs_apart
            options = replace(options, validate_every=min(options.validate_every, max(apart, 10)))
        # What is repeated by a pace is validated where the clock had it so.
        return options.validated(None if end.pace else end.total_steps(examples, per_step))


def reads_of(recipe: Recipe, settings: Mapping[str, object]) -> Mapping[str, Any]:
    """Return what a model asks of the reader under its settings: fields of ``Loading``.

    Raises:
        ConfigError: If a setting is unknown or out of range.
    """
    return _Chosen.sort(recipe, settings).reads()


_USUAL = Loading()
