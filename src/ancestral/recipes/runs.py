"""A run is a folder: opened for reading here, written by :mod:`ancestral.recipes.fitting`."""

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from ancestral.data.dataset import Dataset, Examples, adopt
from ancestral.data.fields import LABEL, Field, Shape, Tokens, X
from ancestral.data.files import check_free, disk_errors, write_text
from ancestral.data.model_units import build
from ancestral.data.schema import loading_like
from ancestral.data.sources import load
from ancestral.data.text import Tokenizer
from ancestral.data.transforms import Transform
from ancestral.errors import ConfigError, DamagedFileError, RunError
from ancestral.networks.units import InDataUnits
from ancestral.nn.low_rank import merged_state
from ancestral.recipes.recipe import Recipe, build_model
from ancestral.recipes.record import Record
from ancestral.recipes.table import recipe_named
from ancestral.training.budget import Pace
from ancestral.training.checkpoint import load_tensors, save_tensors
from ancestral.training.metrics import FORMAT, check_format, read_metrics
from ancestral.training.parts import WEIGHTS, Part
from ancestral.training.ranks import is_first
from ancestral.training.weights import check_finite, check_numbers, load_state

RECORD, CHECKPOINT = "run.toml", "checkpoint"
METRICS, REPORT, TOKENIZER = "metrics.jsonl", "report.html", "tokenizer.json"
ADAPTER = "adapter"


@dataclass(frozen=True, slots=True)
class Run:
    """A run folder.

    Args:
        folder: Where it is.
        record: What its ``run.toml`` says.
    """

    folder: Path
    record: Record

    @classmethod
    def open(cls, folder: "Run | str | Path") -> "Run":
        """Read a run folder; a run that is open stays as it is.

        Raises:
            RunError: If it is not a run, or a newer version wrote it.
            DamagedFileError: If ``run.toml`` is damaged.
        """
        if isinstance(folder, Run):
            return folder
        folder = Path(folder)
        path = folder / RECORD
        if not folder.exists():
            raise RunError(f"no run {folder}: there is no such folder")
        if not path.is_file():
            raise RunError(f"{folder} is not a run: it has no {RECORD}")
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise DamagedFileError(f"{path} cannot be read: {error}") from None
        return cls(folder, Record.from_toml(text, path))

    @property
    def recipe(self) -> Recipe:
        """The recipe of its model."""
        return recipe_named(self.record.model)

    @property
    def modelled(self) -> Field:
        """The field that its model models, given the others."""
        return self.record.data.fields[LABEL if self.recipe.conditional else X]

    @property
    def pace(self) -> Pace:
        """What the clock read while it was trained; empty where no clock ended the training."""
        budget = self.record.budget
        return self.record.result.pace or (budget and budget.pace) or ()

    def metrics(self) -> list[dict[str, Any]]:
        """Return the rows of ``metrics.jsonl``."""
        return read_metrics(self.folder / METRICS)

    def model(
        self, *, device: str = "cpu", sampling: Mapping[str, object] | None = None
    ) -> InDataUnits:
        """Return the model with the kept weights, in evaluation mode, in the user's units.

        Args:
            device: Where to compute.
            sampling: Settings of how draws are made, in place of the run's own.

        Raises:
            ConfigError: If there is no such setting of sampling.
            RunError: If there are no weights yet.
            DamagedFileError: If the weights are damaged, not numbers, or infinite in a network.
        """
        path = self.folder / WEIGHTS
        if not path.is_file():
            raise RunError(
                f"{self.folder} has no {WEIGHTS} yet: ancestral fit --resume {self.folder}"
            )
        tensors, metadata = load_tensors(path)
        check_format(metadata.get("format"), path)
        check_numbers(tensors, path)
        record = self.record
        own = {n: part for n, part in record.parts.items() if n not in self.recipe.taught_by}
        parts = open_parts(own, self.recipe.parts, device=device)
        transform = build(record.transform)
        load_state(transform, tensors, "transform.", path)
        shape = transform.shape(Shape(record.data.fields))
        model = build_model(self.recipe, record.config, shape, record.seed, parts)
        if record.options is not None:  # What was counted or solved may well hold log 0.
            check_finite(tensors, model, path)
        load_state(model, tensors, "model.", path)
        how = self.recipe.sampled_with(record.sampling, sampling or {})
        return self.recipe.in_units(model.to(device).eval(), transform.to(device), how)

    def tokenizer(self) -> Tokenizer:
        """Return the tokenizer of a run on text.

        Raises:
            RunError: If the run is of other data.
            DamagedFileError: If it cannot be read.
        """
        path = self.folder / TOKENIZER
        if not self.record.data.vocabulary:
            raise RunError(f"{self.folder} models {self.record.data.kind}: it has no tokenizer")
        try:
            found = Tokenizer.load(path)
        except (OSError, ValueError) as error:
            raise DamagedFileError(f"{path} cannot be read: {error}") from None
        if found.vocabulary != self.record.data.vocabulary:
            raise DamagedFileError(
                f"{path} is of another run: it has {found.vocabulary:,} tokens, this run "
                f"{self.record.data.vocabulary:,}"
            )
        return found

    def data(self) -> Dataset:
        """Load the data of the run again, and check that they are the same.

        Raises:
            RunError: If they have changed.
            DataError: If they cannot be read.
        """
        mine = self.record.data
        again = _LOADERS.get(type(mine.field))
        data = again(self) if again else load(mine.source, mine.loading)
        if data.fingerprint != mine.fingerprint:
            raise RunError(
                f"the data of {self.folder} have changed: {mine.source} has "
                f"fingerprint {data.fingerprint[:12]}, the run was begun with "
                f"{mine.fingerprint[:12]}"
            )
        return replace(data, fields=mine.fields)  # An older version may have seen less in them.

    def same_kind(self, source: str) -> Dataset:
        """Load other data, as the run's own were loaded, for this run's model.

        Raises:
            RunError: If they are not the fields that the model knows.
            DataError: If they cannot be read, or hold a state that it does not know.
        """
        mine = self.record.data
        fields = {name: field for name, field in mine.fields.items() if name != LABEL}
        data = load(source, loading_like(mine.loading, mine.field))
        return adopt(data, fields, who=f"{self.folder} models", source=source)

    def examples(self, source: str) -> tuple[Examples, tuple[str, ...]]:
        """Read all examples of a source for this run's model; see :meth:`DataRecord.read`.

        Raises:
            RunError: If the run's model does not take them.
            DataError: If they cannot be read.
        """
        return self.record.data.read(source, who=f"{self.folder} models")


def _load_text(run: Run) -> Dataset:
    own, load_as = run.tokenizer(), partial(load, run.record.data.source, run.record.data.loading)
    if run.record.tuning is not None:
        return load_as(tokenizer=own)
    data = load_as()
    # Another version may have learned another tokenizer.
    return data if data.text.tokenizer == own else load_as(tokenizer=own)


_LOADERS: dict[type[Field], Callable[[Run], Dataset]] = {Tokens: _load_text}
"""How the data of a run are loaded again, where it is not by ``load`` alone."""


def open_parts(
    parts: Mapping[str, Part], needed: Mapping[str, type], *, device: str
) -> dict[str, InDataUnits]:
    """Return the models of the runs that another one stands on, frozen, by name.

    They are no modules of the model that is built on them: it does not train, save or move them.

    Raises:
        RunError: If one has gone, or its weights have changed since.
        ConfigError: If a model cannot do what is needed, the capability of that name.
    """
    models = {}
    for name, part in parts.items():
        part.check(name)
        models[name] = Run.open(part.run).model(device=device)
        if not models[name].can(needed[name]):
            held = Run.open(part.run).record.model
            raise ConfigError(f"{name} must be another kind of run: {part.run} holds {held}")
        models[name].network.requires_grad_(False).eval()
    return models


def save_weights(
    run: Run, model: nn.Module, transform: Transform, metadata: Mapping[str, Any]
) -> None:
    """Write the weights that are kept, adapters merged, and the transform's numbers.

    Raises:
        RunError: If they cannot be written; older weights stay as they are.
    """
    tensors: dict[str, Tensor] = {}
    for prefix, state in (("model.", merged_state(model)), ("transform.", transform.state_dict())):
        tensors |= {prefix + name: value for name, value in state.items()}
    words = {"format": FORMAT, "model": run.record.model, **metadata}
    save_tensors(run.folder / WEIGHTS, tensors, words)


def save_tokenizer(folder: Path, tokenizer: Tokenizer) -> None:
    """Write the tokenizer of a run on text.

    Raises:
        RunError: If it cannot be written.
    """
    if is_first():
        write_text(folder / TOKENIZER, tokenizer.to_json())


def save_record(folder: Path, record: Record) -> Run:
    """Write ``run.toml`` and return the run.

    Raises:
        RunError: If it cannot be written.
    """
    if is_first():
        write_text(folder / RECORD, record.to_toml())
    return Run(folder, record)


def make_folder(folder: Path, *, overwrite: bool) -> tuple[Path, ...]:
    """Make an empty folder for a run.

    Returns:
        What is to be removed if nothing comes of it: the folder, and those above it that were
        made, too.

    Raises:
        RunError: If it exists and ``overwrite`` is false, or holds something that is not a run,
            or cannot be made.
    """
    if not is_first():
        return ()
    check_free(folder, overwrite=overwrite)
    with disk_errors(folder):
        _empty(folder)
        made = [parent for parent in folder.parents if not parent.exists()]
        folder.mkdir(parents=True, exist_ok=True)
    return (folder, *made)


@contextmanager
def discarding(made: Sequence[Path]) -> Iterator[None]:
    """Remove the folder of a run, and those made for it, if the block fails; not after Ctrl-C.

    What other programs have put there since stays.
    """
    try:
        yield
    except Exception:
        with suppress(OSError):  # The failure itself is what is to be told.
            for folder in made[:1]:
                _empty(folder)
            for folder in made:
                folder.rmdir()
        raise


def _empty(folder: Path) -> None:
    """Remove what belongs to a run."""
    for name in (RECORD, WEIGHTS, METRICS, REPORT, TOKENIZER):
        (folder / name).unlink(missing_ok=True)
    for name in (CHECKPOINT, ADAPTER):
        if (folder / name).is_dir():
            shutil.rmtree(folder / name)
