"""Latents of data, and walks between two examples through them."""

from pathlib import Path

from torch import Tensor

from ancestral.capabilities import Encodes
from ancestral.errors import CapabilityError, ConfigError
from ancestral.networks.latent import Latents, encode, walk
from ancestral.networks.units import InDataUnits
from ancestral.recipes.reading import conditioned, one_example
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
    units = _encoder(run, device)
    return encode(units, conditioned(run, units, data), device=device)


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
    run = Run.open(run)
    if steps < 2:
        raise ConfigError(f"steps must be at least 2, got {steps}")
    units = _encoder(run, device)
    first, last = (one_example(run, units, end) for end in (a, b))
    return walk(units, first, last, steps, spherical=spherical, device=device)


def _encoder(run: Run, device: str) -> InDataUnits:
    units = run.model(device=device)
    if not units.can(Encodes):
        raise CapabilityError(
            f"{run.record.model} cannot encode: it has no latents; models that can: vae, image-vae"
        )
    return units
