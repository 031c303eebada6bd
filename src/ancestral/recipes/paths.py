"""Latents of data, and walks between two examples through them."""

from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor
from torch.distributions import Distribution

from ancestral.capabilities import Encodes
from ancestral.data.dataset import Examples, as_field
from ancestral.data.fields import LABEL, Category, X
from ancestral.data.sources import read
from ancestral.data.splitting import Contents
from ancestral.errors import CapabilityError, ConfigError, DataError, RunError
from ancestral.networks.latent import interpolate, slerp
from ancestral.networks.units import InDataUnits
from ancestral.recipes.record import DataRecord
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

    Each end is encoded under what is given of it, such as its label, where the model takes it; on
    the way it is that of the nearer end.

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
    half = (steps + 1) // 2
    given = {
        name: torch.cat([value] * half + [ends[1].given[name]] * (steps - half)).to(device)
        for name, value in (units.taken(ends[0].given) or {}).items()
    }
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
    return units.encode(examples.x.to(device), given=units.taken(given))


def examples_for(run: Run, source: str) -> tuple[Examples, tuple[str, ...]]:
    """Read all examples of a source, in its order, for the model of a run.

    Returns:
        The examples, under the run's states; their labels, which need not be the run's, keep the
        numbers that they have in the names returned. A table need not have the label's column.

    Raises:
        RunError: If the run's model does not take them.
        DataError: If they cannot be read.
    """
    examples, contents = _read(source, run.record.data)
    values = {X: examples.x, **examples.given}
    for name, mine in run.record.data.fields.items():
        if name in values and name != LABEL:
            words = {"who": f"{run.folder} models", "source": source}
            values[name] = as_field(mine, contents.fields[name], values[name], **words)
    return Examples(values.pop(X), values), contents.labels


def _read(source: str, mine: DataRecord) -> tuple[Examples, Contents]:
    """Read a source; one that has only ``x`` has lost nothing that is needed."""
    loading = replace(mine.loading, size=mine.side)
    try:
        return read(source, loading, expected=mine.field)
    except DataError:
        bare = replace(loading, label=None, field=None)
        if bare == loading:
            raise
        with suppress(DataError):  # The first error is the one to tell.
            found = read(source, bare, expected=mine.field)
            if mine.field.difference(found[1].field, found[0].x) is None:
                return found
        raise


def _conditioned(run: Run, units: InDataUnits, source: str) -> Examples:
    """Read all examples of a source, with what the model takes as given, numbered as in the run.

    Raises:
        RunError: If it takes something that the source does not have.
        DataError: If the source has a label that the run does not know.
    """
    examples, own = examples_for(run, source)
    given = dict(examples.given)
    for name, mine in run.record.data.fields.items():
        if name == X or name not in units.nodes:
            continue
        if name not in given:
            raise RunError(f"{run.folder} needs the {name} of each example, {source} has none")
        if name == LABEL:
            given[name] = mine.recode(given[name], Category(states=own), source)
    return Examples(examples.x, given)


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
