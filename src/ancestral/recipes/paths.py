"""Latents of data, and walks between two examples through them."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor
from torch.distributions import Distribution

from ancestral.capabilities import Encodes, Given
from ancestral.data.dataset import Examples, Loading
from ancestral.data.discrete import read_states
from ancestral.data.fields import LABEL
from ancestral.data.sources import read
from ancestral.data.splitting import Contents
from ancestral.data.words import open_words
from ancestral.errors import CapabilityError, ConfigError, DataError, RunError
from ancestral.networks.latent import interpolate, slerp
from ancestral.networks.units import InDataUnits
from ancestral.recipes.runs import Run

_CHUNK = 1_000
_ENCODERS = "vae, image-vae"


@dataclass(frozen=True, slots=True, kw_only=True)
class Latents:
    """The posterior of each example.

    Args:
        mean: Of q(z | x), [N, L].
        std: Of q(z | x), [N, L].
    """

    mean: Tensor
    std: Tensor


@torch.no_grad()
def encode_run(run: Run | str | Path, data: str, *, device: str = "cpu") -> Latents:
    """Return the latents of all examples of DATA, in the order of the file.

    Args:
        run: The run, or its folder.
        data: A name, a file or a folder.
        device: Where to compute.

    Raises:
        CapabilityError: If the model has no encoder.
        RunError: If the data do not fit the run.
    """
    run = run if isinstance(run, Run) else Run.open(run)
    units = _encoder(run, device)
    examples = _conditioned(run, units, data)
    means, stds = [], []
    for start in range(0, len(examples), _CHUNK):
        q = _encode(units, examples[start : start + _CHUNK], device)
        means.append(q.mean.cpu())
        stds.append(q.stddev.cpu())
    return Latents(mean=torch.cat(means), std=torch.cat(stds))


@torch.no_grad()
def interpolate_run(
    run: Run | str | Path,
    a: str,
    b: str,
    *,
    steps: int = 10,
    spherical: bool = False,
    device: str = "cpu",
) -> Tensor:
    """Return a walk between two examples through the latents, [steps, *event] in user units.

    Each end is encoded under its own label, where the model has one; on the way the label is that
    of the nearer end.

    Args:
        run: The run, or its folder.
        a: Start: a row of the held-out test split, or a file with one example.
        b: End, likewise.
        steps: Points on the way, both ends included, at least 2.
        spherical: Along the great circle in place of the straight line.
        device: Where to compute.

    Raises:
        CapabilityError: If the model has no latents to walk through.
        ConfigError: If steps < 2, or an end is not in the test split.
        DataError: If a file cannot be read or holds several examples.
    """
    run = run if isinstance(run, Run) else Run.open(run)
    if steps < 2:
        raise ConfigError(f"steps must be at least 2, got {steps}")
    units = _encoder(run, device)
    ends = [_one(run, units, end) for end in (a, b)]
    first, last = (_encode(units, end, device).mean[0] for end in ends)
    way = (slerp if spherical else interpolate)(first, last, steps)
    given: Given = {}
    if LABEL in units.nodes:
        half = (steps + 1) // 2
        labels = [ends[0].given["label"]] * half + [ends[1].given["label"]] * (steps - half)
        given = {"label": torch.cat(labels).to(device)}
    return units.decode(way, given=given or None).cpu()


def _encoder(run: Run, device: str) -> InDataUnits:
    units = run.model(device=device)
    if not units.can(Encodes):
        raise CapabilityError(
            f"{run.record.model} cannot encode: it has no latents; models that can: {_ENCODERS}"
        )
    return units


def _encode(units: InDataUnits, examples: Examples, device: str) -> Distribution:
    given = {name: value.to(device) for name, value in examples.given.items()}
    return units.encode(examples.x.to(device), given=given if LABEL in units.nodes else None)


def examples_for(run: Run, source: str) -> Examples:
    """Read all examples of a source, in its order, and check that the run's model takes them.

    Raises:
        RunError: If it does not.
        DataError: If they cannot be read.
    """
    return labelled_examples_for(run, source)[0]


def labelled_examples_for(run: Run, source: str) -> tuple[Examples, tuple[str, ...]]:
    """Return the same, and the names of their labels; a table need not have the label's column.

    Raises:
        RunError: If the run's model does not take them.
        DataError: If they cannot be read.
    """
    mine = run.record.data
    path = Path(source).expanduser()
    if mine.kind == "tables" and path.is_file():
        return _states_for(run, path), ()
    loading = mine.loading
    if mine.kind == "images":
        loading = replace(loading, size=mine.event_shape[-1])
    examples, contents = _read(source, loading, mine.columns)
    shape = tuple(examples.x.shape[1:])
    if contents.kind == mine.kind:
        run.check_columns(contents.columns, source)
        run.check_levels(examples.x, contents.levels, source)
    if contents.kind != mine.kind or shape != mine.event_shape:
        raise RunError(
            f"{run.folder} models {mine.kind} of shape {list(mine.event_shape)}, "
            f"{source} holds {contents.kind} of shape {list(shape)}"
        )
    return examples, contents.labels


def _states_for(run: Run, path: Path) -> Examples:
    """Read a table by the names of the run's own states, whichever of them stand in it."""
    mine = run.record.data
    table = open_words(path, expected=mine.columns)
    run.check_columns(table.columns, str(path))
    return Examples(read_states(table, mine.states, missing=mine.loading.missing))


def _read(source: str, loading: Loading, columns: Sequence[str]) -> tuple[Examples, Contents]:
    """Read a source; a table that has only the columns of x has lost nothing that is needed."""
    try:
        return read(source, loading)
    except DataError:
        if loading.label is None:
            raise
        with suppress(DataError):  # The first error is the one to tell.
            found = read(source, replace(loading, label=None))
            if found[1].columns == tuple(columns):
                return found
        raise


def _conditioned(run: Run, units: InDataUnits, source: str) -> Examples:
    """Read all examples of a source, their labels numbered as the run has them, if it needs any.

    Raises:
        RunError: If the model needs labels and there are none, or one that it does not know.
    """
    examples, own = labelled_examples_for(run, source)
    if LABEL not in units.nodes:
        return examples
    known = run.record.data.labels
    if not own:
        raise RunError(f"{run.folder} needs the label of each example, {source} has none")
    if strange := [name for name in own if name not in known]:
        few = ", ".join(known[:10])
        raise RunError(f"{source}: the label {strange[0]!r} is none of {run.folder}: {few}")
    place = torch.tensor([known.index(name) for name in own])
    return Examples(examples.x, {**examples.given, "label": place[examples.given["label"]]})


def _one(run: Run, units: InDataUnits, end: str) -> Examples:
    if Path(end).exists():
        examples = _conditioned(run, units, end)
        if len(examples) != 1:
            raise DataError(f"{end} must hold one example, it holds {len(examples)}")
        return examples
    if not end.removeprefix("-").isdecimal():
        raise ConfigError(f"an end must be a row of the test split or a file, got {end!r}")
    test = run.data().test
    row = int(end)
    if not 0 <= row < len(test):
        raise ConfigError(f"a row of the test split must be from 0 to {len(test) - 1}, got {row}")
    return test[row : row + 1]
