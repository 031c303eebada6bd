"""Another run that a run stands on or begins at, told by the fingerprint of its weights."""

import os
from dataclasses import dataclass
from pathlib import Path

from ancestral.data.files import file_digest
from ancestral.errors import ConfigError, RunError

WEIGHTS = "model.safetensors"


def fingerprint(folder: Path | str) -> str:
    """Return the SHA-256 of the weights in a run folder, hexadecimal.

    Raises:
        OSError: If they cannot be read.
    """
    return file_digest(Path(folder) / WEIGHTS)


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
    def of(cls, name: str, folder: str) -> "Part":
        """Return the part that a folder is now.

        Raises:
            ConfigError: If it has no weights.
        """
        try:
            return cls(run=os.path.abspath(folder), fingerprint=fingerprint(folder))
        except OSError:
            raise ConfigError(f"{name} must be a run that has weights, got {folder}") from None

    def check(self, name: str) -> None:
        """Refuse a run that is no longer what it was.

        Raises:
            RunError: If it has gone, or its weights have changed since.
        """
        try:
            digest = fingerprint(self.run)
        except OSError:
            raise RunError(
                f"{name}: the run {self.run}, on which this one stands, is gone"
            ) from None
        if digest != self.fingerprint:
            raise RunError(
                f"{name}: the weights of {self.run} have changed (fingerprint {digest[:12]}, this "
                f"run was begun with {self.fingerprint[:12]})"
            )
