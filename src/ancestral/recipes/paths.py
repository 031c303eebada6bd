"""Latents of data, walks between examples through them, and directions of attributes."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import torch
from torch import Tensor

from ancestral.capabilities import Decodes, Encodes
from ancestral.data.dataset import Examples
from ancestral.data.fields import LABEL, Category, X
from ancestral.errors import CapabilityError, ConfigError, DataError, RunError
from ancestral.networks.latent import (
    Latents,
    difference,
    encode,
    grid,
    reconstruct,
    shifted,
    walk,
)
from ancestral.networks.units import InDataUnits
from ancestral.recipes.listing import list_models
from ancestral.recipes.runs import Run

_LABELLED = re.compile("label=(.*)")


def encode_run(run: Run | str | Path, data: str, *, device: str = "cpu") -> Latents:
    """Return the latents of all examples of DATA, in the order of the file.

    Args:
        run: The run, or its folder.
        data: A name, a file or a folder.
        device: Where to compute.

    Raises:
        CapabilityError: If the model has no latents.
        RunError: If the data do not fit the run.
    """
    run = Run.open(run)
    model = _with_latents(run, device)
    return encode(model, _conditioned(run, model, data), device=device)


def reconstruct_run(run: Run | str | Path, data: str, *, device: str = "cpu") -> Tensor:
    """Return each example of DATA as the run makes it of its latents, [N, *event] in user units.

    A denoising autoencoder cleans them. Arguments and errors as of :func:`encode_run`.
    """
    run = Run.open(run)
    model = _with_latents(run, device)
    return reconstruct(model, _conditioned(run, model, data), device=device)


@dataclass(frozen=True, slots=True, kw_only=True)
class Walk:
    """A walk between two examples.

    Args:
        x: The way, decoded, [steps, *event] in user units.
        ends: The examples that it is about, themselves, [1 or 2, *event].
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
    model = _with_latents(run, device)
    first, last = (_one(run, model, end) for end in (a, b))
    x = walk(model, first, last, steps, spherical=spherical, device=device)
    return Walk(x=x, ends=torch.cat((first.x, last.x)))


def grid_run(
    run: Run | str | Path, corners: Sequence[str], *, steps: int = 8, device: str = "cpu"
) -> Tensor:
    """Return what lies between four examples, row by row, [steps * steps, *event] in user units.

    Args:
        run: The run, or its folder.
        corners: Top left, top right, bottom left, bottom right, each as an end of :func:`walk_run`.
        steps: Of each side, at least 2.
        device: Where to compute.

    Raises:
        AncestralError: As :func:`walk_run` does.
    """
    run = Run.open(run)
    if steps < 2 or len(corners) != 4:
        raise ConfigError(
            f"a grid has four corners and at least 2 steps, got {len(corners)} and {steps}"
        )
    model = _with_latents(run, device)
    ends = [_one(run, model, end) for end in corners]
    given = {name: torch.cat([end.given[name] for end in ends]) for name in ends[0].given}
    together = Examples(torch.cat([end.x for end in ends]), given)
    return grid(model, together, steps, device=device)


def shift_run(
    run: Run | str | Path,
    example: str,
    toward: str,
    *,
    away: str | None = None,
    strengths: Sequence[float] = (-1, -0.5, 0, 0.5, 1, 1.5, 2),
    device: str = "cpu",
) -> Walk:
    """Move an example along the direction of an attribute, by several strengths.

    The direction leads from the mean of the latents without the attribute to the mean with it:
    strength 0 is the example as the model makes it, 1 goes the whole way.

    Args:
        run: The run, or its folder.
        example: A row of the held-out test split, or a file with one example.
        toward: Examples that have the attribute: ``label=VALUE`` of the training split, or a file
            or a folder.
        away: Examples that have it not, likewise; None: those of the training split with another
            label, or all of it.
        strengths: How far to go, one or more.
        device: Where to compute.

    Raises:
        AncestralError: As :func:`walk_run` does.
        ConfigError: If there are no such examples, or the label is given to the model, so that no
            latent tells it.
    """
    run = Run.open(run)
    if not strengths:
        raise ConfigError("strengths must be one or more numbers")
    model = _with_latents(run, device)
    first = _one(run, model, example)
    with_ = _having(run, model, toward, "toward")
    if away is not None:
        without = _having(run, model, away, "away")
    elif _LABELLED.match(toward):
        without = _having(run, model, toward, "toward", others=True)
    else:
        without = run.data().train[: _most(model)]
    direction = difference(model, with_, without, device=device)
    x = shifted(model, first, direction, strengths, device=device)
    return Walk(x=x, ends=first.x)


def _most(model: InDataUnits) -> int:
    """Return of how many examples a mean is taken; to find latents without an encoder is slow."""
    return 2_000 if model.can(Encodes) else 100


def _having(
    run: Run, model: InDataUnits, what: str, name: str, *, others: bool = False
) -> Examples:
    """Return training examples of a label (or of the other ones), or those of a file or folder."""
    found = _LABELLED.match(what)
    if not found:
        return _conditioned(run, model, what)[: _most(model)]
    train, field = run.data().train, run.record.data.fields.get(LABEL)
    if not isinstance(field, Category) or LABEL not in train.given:
        raise ConfigError(f"{name}: {run.folder} was fitted to data without labels")
    if LABEL in model.nodes:
        raise ConfigError(
            f"{name}: {run.record.model} is given the label, its latents do not hold it: "
            f"ancestral sample {run.folder} --given label={found[1]}"
        )
    states = [str(state) for state in field.states]
    if found[1] not in states:
        raise ConfigError(f"{name}: label must be one of {', '.join(states)}, got {found[1]}")
    of_it = train.given[LABEL] == states.index(found[1])
    rows = (~of_it if others else of_it).nonzero().flatten()[: _most(model)]
    return train[rows]


def _with_latents(run: Run, device: str) -> InDataUnits:
    model = run.model(device=device)
    if not model.can(Encodes) and not model.can(Decodes):
        able = [
            info.name for info in list_models() if {"encodes", "decodes"} & set(info.capabilities)
        ]
        raise CapabilityError(
            f"{run.record.model} has no latents; models that have: {', '.join(able)}"
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
