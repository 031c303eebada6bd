"""Other runs that a run stands on: their models by name, frozen, told by their fingerprints."""

import hashlib
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from ancestral.errors import ConfigError, RunError
from ancestral.networks.units import InDataUnits


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A run that another one stands on.

    Args:
        run: Its folder, an absolute path.
        fingerprint: SHA-256 of its weights, hexadecimal.
    """

    run: str
    fingerprint: str

    @classmethod
    def of(cls, name: str, folder: str, weights: str) -> "Part":
        """Return the part that a folder is now.

        Raises:
            ConfigError: If it has no weights.
        """
        try:
            return cls(run=os.path.abspath(folder), fingerprint=_digest(Path(folder) / weights))
        except OSError:
            raise ConfigError(f"{name} must be a run that has weights, got {folder}") from None


def frozen(
    parts: Mapping[str, Part],
    needed: Mapping[str, type],
    weights: str,
    open_run: Callable[[str], InDataUnits],
) -> dict[str, InDataUnits]:
    """Return the models of the parts, frozen and in evaluation mode.

    They are no modules of the model that is built on them: it does not train, save or move them.

    Args:
        parts: By name.
        needed: The capability of each.
        weights: Name of the file of weights in a run folder.
        open_run: Opens the model of a run folder, on its device.

    Raises:
        RunError: If a run has gone, or its weights have changed since.
        ConfigError: If a model cannot do what is needed.
    """
    models = {}
    for name, part in parts.items():
        try:
            digest = _digest(Path(part.run) / weights)
        except OSError:
            raise RunError(
                f"{name}: the run {part.run}, on which this one stands, is gone"
            ) from None
        if digest != part.fingerprint:
            raise RunError(
                f"{name}: the weights of {part.run} have changed (fingerprint {digest[:12]}, this "
                f"run was begun with {part.fingerprint[:12]})"
            )
        units = open_run(part.run)
        if not units.can(needed[name]):
            raise ConfigError(f"{name}: {part.run} has no {needed[name].__name__}")
        units.model.requires_grad_(False).eval()
        models[name] = units
    return models


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
