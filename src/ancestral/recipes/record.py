"""What ``run.toml`` holds: enough to repeat a run, to go on with it and to use its model."""

import platform
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, Self, TypeAlias

import tomli_w
import torch

from ancestral import __version__, settings
from ancestral.data.record import DataRecord
from ancestral.errors import ConfigError, DamagedFileError
from ancestral.evaluation.figures import Figure
from ancestral.recipes.recipe import Config
from ancestral.recipes.table import VARIABLE, recipe_named
from ancestral.training.budget import Budget, Pace, pace_of
from ancestral.training.metrics import FORMAT, check_format
from ancestral.training.options import Options
from ancestral.training.parts import Part
from ancestral.training.privacy import Privacy
from ancestral.training.tuning import Tuning

Stopped: TypeAlias = Literal["completed", "budget", "early", "interrupted"]
Status: TypeAlias = Literal["running", "finished", "interrupted", "failed"]

_AS_THEY_ARE = ("model", "seed", "device", "threads", "versions")
"""What is written as it is."""


def versions() -> dict[str, str]:
    """Return the versions that a number can depend on."""
    return {
        "ancestral": __version__,
        "torch": str(torch.__version__),
        "python": platform.python_version(),
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """Where a run stands.

    Args:
        status: running (also after a kill), finished, interrupted or failed.
        stopped: Why training ended.
        steps: Updates made.
        seconds: Wall-clock training time.
        cpu_seconds: Processor time of the same.
        best: The figure that the kept weights were chosen by.
        best_step: When it was seen.
        pace: What the clock read, where it ended the training.
        parameters: Numbers learned from the data.
        error: The one line of a failure.
    """

    status: Status = "running"
    stopped: Stopped | None = None
    steps: int = 0
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    best: Figure | None = None
    best_step: int = 0
    pace: Pace = ()
    parameters: int = 0
    error: str | None = None

    def to_plain(self) -> dict[str, Any]:
        """Return what TOML can hold."""
        best = self.best and self.best.to_json()
        return _without_none({**asdict(self), "best": best, "pace": self.pace or None})

    @classmethod
    def from_plain(cls, found: Mapping[str, Any]) -> Self:
        """Return what :meth:`to_plain` described."""
        values = {**found, "pace": pace_of(found.get("pace", ()))}
        if "best" in values:
            values["best"] = Figure.from_json({"se": None, **values["best"]})
        return cls(**values)


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """All of ``run.toml``.

    Args:
        model: Name of the recipe.
        seed: Of everything random in the training.
        device: Where it was trained.
        threads: Threads of the processor: the bits depend on their number.
        versions: Of the library, torch and Python.
        data: The data.
        config: The model's settings, resolved.
        options: The training's settings; None for closed-form estimators.
        budget: When training ends; None for closed-form estimators.
        transform: User units to model units.
        sampling: How draws are made; None where there is nothing to set.
        parts: Other runs that it stands on, by name.
        tuning: The run at whose weights this one began; None: it began at its own.
        privacy: What its weights may tell of any one row; None: anything.
        result: Where the run stands.
    """

    model: str
    seed: int
    device: str
    threads: int
    versions: Mapping[str, str]
    data: DataRecord
    config: Config
    options: Options | None
    budget: Budget | None
    transform: Mapping[str, Any]
    sampling: Config | None = None
    parts: Mapping[str, Part] = field(default_factory=dict)
    tuning: Tuning | None = None
    privacy: Privacy | None = None
    result: Result = field(default_factory=Result)

    def to_toml(self) -> str:
        """Return the text of ``run.toml``."""
        found = {
            "format": FORMAT,
            **{name: getattr(self, name) for name in _AS_THEY_ARE},
            "result": self.result.to_plain(),
            "config": settings.plain(self.config),
            "budget": self.budget and asdict(self.budget),
            "options": self.options and settings.plain(self.options),
            "sampling": self.sampling and settings.plain(self.sampling),
            "parts": {name: asdict(part) for name, part in self.parts.items()} or None,
            "tuning": self.tuning and settings.plain(self.tuning),
            "privacy": self.privacy and settings.plain(self.privacy),
            "data": self.data.to_plain(),
            "transform": self.transform,
        }
        return tomli_w.dumps(_without_none(found))

    @classmethod
    def from_toml(cls, text: str, path: Path) -> Self:
        """Return the record in a text.

        Args:
            text: Of ``run.toml``.
            path: Where it was, for the messages.

        Raises:
            DamagedFileError: If it is not what :meth:`to_toml` writes.
            RunError: If a newer version wrote it.
            ConfigError: If it names a model or a setting that does not exist.
        """
        try:
            found = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise DamagedFileError(f"{path} is damaged: {error}") from None
        check_format(found.get("format"), path)
        try:
            return cls._from_plain(found)
        except ConfigError as error:
            raise ConfigError(f"{path}: {error.line}") from None
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise DamagedFileError(f"{path} is damaged: {error!r}") from None

    @classmethod
    def _from_plain(cls, found: Mapping[str, Any]) -> Self:
        trained = "options" in found
        try:
            recipe = recipe_named(found["model"])
        except ConfigError as error:
            hint = f"; a model of one's own is found through {VARIABLE}, which names its file"
            raise ConfigError(f"{error.line}{hint}") from None
        config, options = dict(found["config"]), dict(found.get("options", {}))
        if trained:  # As runs were made before there were these settings.
            options.setdefault("hidden_weight_decay", options["weight_decay"])
        if found["model"] == "gpt":
            config.setdefault("parts", "book")
        if found["model"] in ("gan", "cgan", "dcgan"):
            config.setdefault("regulariser", "r1")
        return cls(
            **{name: found[name] for name in _AS_THEY_ARE},
            data=DataRecord.from_plain(found["data"]),
            config=settings.build(recipe.config, config),
            options=settings.build(Options, options) if trained else None,
            budget=Budget(**found["budget"]) if trained else None,
            transform=found["transform"],
            sampling=recipe.sampling and settings.build(recipe.sampling, found.get("sampling", {})),
            parts={name: Part(**part) for name, part in found.get("parts", {}).items()},
            tuning=settings.build(Tuning, found["tuning"]) if "tuning" in found else None,
            privacy=settings.build(Privacy, found["privacy"]) if "privacy" in found else None,
            result=Result.from_plain(found["result"]),
        )


def is_finished(record: Record, end: Budget | None = None) -> bool:
    """Return whether a run has nothing left to do, also under a new end."""
    result, examples, options = record.result, record.data.train, record.options
    if result.status != "finished" or options is None or end in (None, record.budget):
        return result.status == "finished"
    total = end.total_steps(examples, min(options.batch_size * options.accumulate, examples))
    return (end.seconds or 0.0) <= result.seconds if total is None else total <= result.steps


def _without_none(value: object) -> Any:  # noqa: ANN401 - any JSON
    if isinstance(value, Mapping):
        return {key: _without_none(item) for key, item in value.items() if item is not None}
    if isinstance(value, list | tuple):
        return [_without_none(item) for item in value]
    return value
