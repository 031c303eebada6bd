"""Draw from a run, in the user's units; labels by name or by number."""

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Generator, Tensor

from ancestral.capabilities import Given, SamplesMeans
from ancestral.data.writing import write_samples
from ancestral.errors import CapabilityError, ConfigError
from ancestral.networks.units import InDataUnits
from ancestral.recipes.runs import Run
from ancestral.recipes.settings import nearest
from ancestral.recipes.validation import conditions
from ancestral.training.order import seed_of

_NUMBERS_AT_ONCE = 2_000_000


def label_values(run: Run, given: Mapping[str, str | int]) -> dict[str, Tensor]:
    """Return what is given as tensors, each a scalar.

    Args:
        run: Whose labels.
        given: ``{"label": "3"}``: a label by name, or by its number from 0.

    Raises:
        ConfigError: If there is no such node or no such label.
    """
    found = {}
    for name, value in given.items():
        if name != "label":
            raise ConfigError(f"--given takes the node label, got {name!r}")
        found[name] = torch.tensor(_label_index(run.record.data.labels, str(value)))
    return found


def sample_run(
    run: Run | str | Path,
    n: int,
    *,
    given: Mapping[str, str | int] | None = None,
    means: bool = False,
    seed: int = 0,
    device: str = "cpu",
) -> Tensor:
    """Return n draws of a run in the user's units, [n, *event].

    Args:
        run: The run, or its folder.
        n: Number of draws, at least 1.
        given: ``{"label": "3"}``, of a conditional model.
        means: Means of p(x | z) in place of draws.
        seed: Of the draws.
        device: Where to compute.

    Raises:
        RunError: If it is not a run or has no weights.
        CapabilityError: If the model cannot do what is asked.
        ConfigError: If n < 1 or the label is unknown.
    """
    run = run if isinstance(run, Run) else Run.open(run)
    if n < 1:
        raise ConfigError(f"n must be at least 1, got {n}")
    units = run.model(device=device)
    if means and not units.can(SamplesMeans):
        raise CapabilityError(f"{run.record.model} has no means of p(x | z); leave out --means")
    fixed = given_for(run, units, given or {}, device=device)
    generator = Generator(device).manual_seed(seed_of(seed, "sample"))
    batch = max(1, _NUMBERS_AT_ONCE // units_width(run))
    sizes = [min(batch, n - start) for start in range(0, n, batch)]
    with torch.no_grad():
        parts = [
            units.sample(size, given=fixed or None, generator=generator, means=means).cpu()
            for size in sizes
        ]
    return torch.cat(parts)


def given_for(
    run: Run, units: InDataUnits, given: Mapping[str, str | int], *, device: str
) -> Given:
    """Return what is given, for a model that can be conditioned on it.

    Raises:
        CapabilityError: If the model has no label.
        ConfigError: If there is no such label.
    """
    if given and not conditions(units):
        labels = run.record.data.labels
        if len(labels) == 1:  # Whatever has the only label: p(x | label) is p(x).
            label_values(run, given)
            return {}
        reason = (
            "image-vae and naive-bayes have one"
            if labels
            else "its data have none: set a column apart with --set label=COLUMN"
        )
        raise CapabilityError(
            f"{run.record.model} in {run.folder} has no label to be given; {reason}"
        )
    return {name: value.to(device) for name, value in label_values(run, given).items()}


def write_run_samples(run: Run, x: Tensor, path: Path) -> Path:
    """Write samples in the file format of the run's data; return where they are.

    Raises:
        ConfigError: If the ending does not fit the data.
        RunError: If it cannot be written.
    """
    data = run.record.data
    return write_samples(
        x, path, kind=data.kind, columns=data.columns, levels=data.levels, states=data.states
    )


def units_width(run: Run) -> int:
    """Return how many numbers one example has."""
    return max(1, run.record.data.shape.features)


def _label_index(labels: tuple[str, ...], value: str) -> int:
    if value in labels:
        return labels.index(value)
    if value.isdecimal() and int(value) < len(labels):
        return int(value)
    if not labels:
        raise ConfigError(f"label must be left out, for the data have no labels, got {value!r}")
    raise ConfigError(f"unknown label {value!r}{nearest(value, labels, otherwise=30)}")
