"""The options that every command has."""

from dataclasses import dataclass
from typing import Annotated

from cyclopts import Group, Parameter

from ancestral.errors import ConfigError

EVERYWHERE = Group("Everywhere", sort_key=99)


@Parameter(name="*", group=EVERYWHERE)
@dataclass(frozen=True, kw_only=True)
class Common:
    """Options of every command.

    Parameters
    ----------
    json
        Print one JSON object on standard output.
    seed
        Seed of everything random; 0 if not given.
    device
        Where to compute: cpu, cuda, cuda:1, mps ...
    threads
        Threads of the processor; torch's choice if not given.
    """

    json: Annotated[bool, Parameter(negative="")] = False
    seed: int | None = None
    device: str = "cpu"
    threads: int | None = None

    @property
    def seed_or_default(self) -> int:
        """The seed, 0 if none was given."""
        return self.seed or 0

    def apply(self) -> None:
        """Set the number of threads; check the device and the seed.

        Raises:
            ConfigError: If a value is out of range or the device is not there.
        """
        import torch

        if self.seed is not None and not 0 <= self.seed < 2**63:
            raise ConfigError(f"--seed must be from 0 to 2**63 - 1, got {self.seed}")
        if self.threads is not None:
            if self.threads < 1:
                raise ConfigError(f"--threads must be at least 1, got {self.threads}")
            torch.set_num_threads(self.threads)
        try:
            torch.zeros(1, device=self.device)
        except (RuntimeError, AssertionError, NotImplementedError):
            raise ConfigError(
                f"--device must be one that is here, such as cpu, got {self.device!r}"
            ) from None
