"""Latents of data, and walks between two examples through them."""

from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import torch
from torch import Tensor

from ancestral.capabilities import Encodes
from ancestral.data.dataset import Examples
from ancestral.data.fields import LABEL, Category, X
from ancestral.errors import CapabilityError, ConfigError, DataError, RunError
from ancestral.networks.latent import Latents, encode, walk
from ancestral.networks.units import InDataUnits
from ancestral.recipes.listing import list_models
from ancestral.recipes.runs import Run


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
    run = Run.open(run)
    model = _encoder(run, device)
    return encode(model, _conditioned(run, model, data), device=device)


@dataclass(frozen=True, slots=True, kw_only=True)
class Walk:
    """A walk between two examples.

    Args:
        x: The way, decoded, [steps, *event] in user units.
        ends: The two examples themselves, [2, *event].
    """

    x: Tensor
    ends: Tensor


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

    See :func:`walk_run`, which also gives the two.
    """
    return walk_run(run, a, b, steps=steps, spherical=spherical, device=device).x


def walk_run(
    run: Run | str | Path,
    a: str,
    b: str,
    *,
    steps: int = 10,
    spherical: bool = False,
    device: str = "cpu",
) -> Walk:
    """Walk between two examples through the latents.

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
    run = Run.open(run)
    if steps < 2:
        raise ConfigError(f"steps must be at least 2, got {steps}")
    model = _encoder(run, device)
    first, last = (_one(run, model, end) for end in (a, b))
    x = walk(model, first, last, steps, spherical=spherical, device=device)
    return Walk(x=x, ends=torch.cat((first.x, last.x)))


def _encoder(run: Run, device: str) -> InDataUnits:
    model = run.model(device=device)
    if not model.can(Encodes):
        able = [info.name for info in list_models() if "encodes" in info.capabilities]
        raise CapabilityError(
            f"{run.record.model} cannot encode: it has no latents; models that can: "
            f"{', '.join(able)}"
        )
    return model


def _conditioned(run: Run, model: InDataUnits, source: str) -> Examples:
    """Read all examples of a source, with what the model takes as given, numbered as in the run.

    Raises:
        RunError: If it takes something that the source does not have.
        DataError: If the source has a label that the run does not know.
    """
    examples, own = run.examples(source)
    given = dict(examples.given)
    for name, mine in run.record.data.fields.items():
        if name == X or name not in model.nodes:
            continue
        if name not in given:
            raise RunError(f"{run.folder} needs the {name} of each example, {source} has none")
        if name == LABEL:
            given[name] = mine.recode(given[name], Category(states=own), source)
    return Examples(examples.x, given)


def _one(run: Run, model: InDataUnits, end: str) -> Examples:
    """Return a row of the held-out test split, or the only example of a file.

    Raises:
        ConfigError: If it is not in the test split.
        DataError: If the file cannot be read or holds several examples.
    """
    if Path(end).exists():
        examples = _conditioned(run, model, end)
        if len(examples) != 1:
            raise DataError(f"{end} must hold one example, it holds {len(examples)}")
        return examples
    if not end.removeprefix("-").isdecimal():
        raise ConfigError(f"an end must be a row of the test split or a file, got {end!r}")
    test = run.data().test
    if not 0 <= (row := Decimal(end)) < len(test):
        raise ConfigError(
            f"a row of the test split must be from 0 to {len(test) - 1}, got {end:.40}"
        )
    return test[int(row) : int(row) + 1]
