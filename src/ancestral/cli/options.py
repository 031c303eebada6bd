"""The options that every command has, and how options are read."""

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Group, Parameter

from ancestral.errors import ConfigError, RunError

if TYPE_CHECKING:
    from ancestral.data.fields import Field
    from ancestral.training.budget import Budget, Pace

EVERYWHERE = Group("Everywhere", sort_key=99)


def check_text(_: object, value: str | Sequence[str] | None) -> None:
    """Refuse what is no text: bytes of another encoding arrive as lone surrogates.

    The name of a file, behind ``key=``, may be of any bytes.

    Raises:
        ValueError: If there is such a byte.
    """
    for text in [value] if isinstance(value, str) else value or ():
        if not text.isascii() and not os.path.lexists(text.partition("=")[2]):
            try:
                text.encode()
            except UnicodeEncodeError as error:
                byte = ord(text[error.start]) & 0xFF
                raise ValueError(
                    f"must be text in {sys.getfilesystemencoding().upper()}, got the byte "
                    f"0x{byte:02x} after {text[: error.start]!r}"
                ) from None


Flag = Annotated[bool, Parameter(negative="", show_default=False)]
Text = Annotated[str | None, Parameter(allow_leading_hyphen=True, validator=check_text)]
Words = Annotated[
    list[str] | None, Parameter(negative="", allow_leading_hyphen=True, validator=check_text)
]
Pairs = Annotated[list[str] | None, Parameter(negative="", validator=check_text)]


@Parameter(name="*", group=EVERYWHERE)
@dataclass(frozen=True, kw_only=True)
class Common:
    """Options of every command.

    Parameters
    ----------
    json
        Print one JSON object on standard output, and nothing else there.
    seed
        Seed of everything random; 0 if not given.
    device
        Where to compute: cpu, cuda, cuda:1, mps ...
    threads
        Threads of the processor; if not given one or all, by what a training is measured to gain.
    """

    json: Annotated[bool, Parameter(negative="", show_default=False)] = False
    seed: int | None = None
    device: str | None = None
    threads: int | None = None

    @property
    def seed_or_default(self) -> int:
        """The seed, 0 if none was given."""
        return self.seed or 0

    @property
    def device_or_default(self) -> str:
        """The device, the processor if none was given."""
        return self.device or "cpu"

    def apply(self) -> None:
        """Set the number of threads and the use of memory; check the device and the seed.

        Raises:
            ConfigError: If a value is out of range or the device is not there.
        """
        import torch

        from ancestral.training.process import tune_process

        tune_process()
        if self.seed is not None and not 0 <= self.seed < 2**63:
            raise ConfigError(f"--seed must be from 0 to 2**63 - 1, got {self.seed}")
        if self.threads is not None:
            if self.threads < 1:
                raise ConfigError(f"--threads must be at least 1, got {self.threads}")
            torch.set_num_threads(self.threads)
        if self.device is not None:
            try:
                torch.zeros(1, device=self.device).item()
            except (RuntimeError, AssertionError, NotImplementedError):
                raise ConfigError(
                    f"--device must be one that is here, such as cpu, got {self.device!r}"
                ) from None


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Ending:
    """When training ends.

    Parameters
    ----------
    budget
        Wall-clock training time: 30s, 5m, 1h.
    steps
        Total updates, those before a resume included.
    epochs
        Passes over the training data.
    pace
        With --steps: a run that was ended by --budget, of which the schedule is repeated.
    """

    budget: Text = None
    steps: int | None = None
    epochs: float | None = None
    pace: Path | None = None

    def read(self) -> "Budget | None":
        """Return the one that was given, if any.

        Raises:
            ConfigError: If several were, or the one is not above 0, or there is no pace.
        """
        from ancestral.training.budget import Budget

        named = {"--budget": self.budget, "--steps": self.steps, "--epochs": self.epochs}
        given = [name for name, value in named.items() if value is not None]
        if len(given) > 1:
            raise ConfigError(
                f"only one of {', '.join(named)} can be given, got {', '.join(given)}"
            )
        for name, value in (("--steps", self.steps), ("--epochs", self.epochs)):
            if value is not None and not value > 0:
                raise ConfigError(f"{name} must be above 0, got {value}")
        if self.pace is not None and self.steps is None:
            raise ConfigError("--pace needs --steps: as many as that run made")
        if self.budget is not None:
            return Budget.parse(self.budget)
        return Budget(steps=self.steps, epochs=self.epochs, pace=self._pace()) if given else None

    def _pace(self) -> "Pace | None":
        from ancestral.recipes import Run

        if self.pace is None:
            return None
        if not (found := Run.open(self.pace).pace):
            raise ConfigError(f"--pace must be a run that was ended by --budget, got {self.pace}")
        return found


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Folder:
    """Where a run or a comparison goes.

    Parameters
    ----------
    out
        A folder that does not exist yet; one below runs/ if not given.
    overwrite
        Replace what an earlier command has put there.
    """

    out: Path | None = None
    overwrite: Flag = False


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Destination:
    """Where examples go.

    Parameters
    ----------
    out
        A table (csv, tsv, parquet, json, jsonl, npy, npz); of images a folder, a .png grid, npy or
        npz; of texts a table, or the texts as they are. Without it a table goes to standard
        output, images into the run folder.
    overwrite
        Replace what is at --out.
    """

    out: Path | None = None
    overwrite: Flag = False

    def check(self) -> None:
        """Refuse, before any work, a place that is taken.

        Raises:
            RunError: If it exists and ``overwrite`` is false.
        """
        if self.out is not None and self.out.exists() and not self.overwrite:
            raise RunError(f"{self.out} exists; choose another --out, or give --overwrite")

    def check_table(self) -> None:
        """Refuse the same for a table, which is a csv where no ending is given.

        Raises:
            ConfigError: If the ending is of no table.
            RunError: If the place is taken and ``overwrite`` is false.
        """
        from ancestral.data.writing import table_path

        if self.out is not None:
            Destination(out=table_path(self.out), overwrite=self.overwrite).check()

    def check_samples(self, field: "Field") -> None:
        """Refuse the same for examples of a field.

        Raises:
            ConfigError: If such examples are not written to the ending.
            RunError: If the place is taken and ``overwrite`` is false.
        """
        from ancestral.data.writing import check_samples_path

        if self.out is not None:
            path = check_samples_path(self.out, field)
            Destination(out=path, overwrite=self.overwrite).check()
