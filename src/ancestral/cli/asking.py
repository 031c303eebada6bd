"""The options of ``ancestral query`` that say what is asked, and how."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, TypeAlias

from cyclopts import Parameter

from ancestral.cli.options import Flag, Pairs
from ancestral.errors import ConfigError

Method: TypeAlias = Literal["exact", "likelihood-weighting", "rejection", "gibbs", "loopy"]


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Asking:
    """What is asked, and how.

    Parameters
    ----------
    do
        Interventions, NODE=STATE: the node no longer depends on its parents.
    likelihood
        Soft evidence, NODE=L1,L2,...: how likely what was seen is under each of its states.
    mpe
        The most probable states of the targets together; of all nodes if none is named.
    joint
        The joint probabilities of the targets.
    rows
        A table (csv, tsv, parquet) with one column for each node and one row for each case; blank
        cells are missing. Answers the posteriors of every row.
    score
        A table as for --rows: its log-likelihood under the network, AIC and BIC.
    sensitivity
        A node: how the probability of the targets, written NODE=STATE, changes with each entry of
        its table.
    method
        exact, or an estimate: likelihood-weighting, rejection, gibbs, or loopy (no draws).
    draws
        Number of draws for an estimate; for gibbs in each of its 8 chains.
    memory
        Most GiB that an exact answer may use; a question that needs more is refused at once.
    """

    do: Pairs = None
    likelihood: Pairs = None
    mpe: Flag = False
    joint: Flag = False
    rows: Path | None = None
    score: Path | None = None
    sensitivity: str | None = None
    method: Annotated[Method, Parameter(show_choices=True)] = "exact"
    draws: int | None = None
    memory: float = 2.0

    @property
    def kind(self) -> str:
        """What is asked for; posteriors if no option asks for anything else.

        Raises:
            ConfigError: If two options each ask for something else.
        """
        asked = {
            "--mpe": self.mpe,
            "--joint": self.joint,
            "--rows": self.rows is not None,
            "--score": self.score is not None,
            "--sensitivity": self.sensitivity is not None,
        }
        chosen = [name for name, is_set in asked.items() if is_set]
        if len(chosen) > 1:
            raise ConfigError(f"only one of {', '.join(asked)} can be given, got {chosen}")
        return chosen[0] if chosen else "posteriors"

    def check(self, targets: tuple[str, ...], given: Pairs) -> None:
        """Refuse options that do not go together.

        Raises:
            ConfigError: If options exclude each other or a number is out of range.
        """
        kind = self.kind
        options = {"--given": given, "--do": self.do, "--likelihood": self.likelihood}
        options |= {"targets": targets}
        refused = {"--score": (*options,), "--sensitivity": ("--do", "--likelihood")}.get(kind, ())
        if extra := [name for name in refused if options[name]]:
            raise ConfigError(f"{extra[0]} cannot be combined with {kind}")
        if kind == "--rows" and given:
            raise ConfigError("--rows takes evidence from its table: add a column, not --given")
        if kind == "--sensitivity" and not targets:
            raise ConfigError("--sensitivity needs one or more targets, written NODE=STATE")
        if kind != "posteriors" and self.method != "exact":
            raise ConfigError(f"{kind} needs --method exact, got {self.method}")
        self._check_numbers()

    def _check_numbers(self) -> None:
        least = 4 if self.method == "gibbs" else 1
        if self.draws is not None and self.method in ("exact", "loopy"):
            raise ConfigError(f"--draws needs a --method that draws, {self.method} does not")
        if self.draws is not None and self.draws < least:
            raise ConfigError(f"--draws must be at least {least}, got {self.draws}")
        if not self.memory > 0:
            raise ConfigError(f"--memory must be above 0, got {self.memory}")

    def check_out(self, out: Path | None) -> None:
        """Refuse --out for an answer that is not written to a file.

        Raises:
            ConfigError: If the answer is neither picture nor table, or a picture is not an .svg.
        """
        if out is not None and self.kind in ("--joint", "--score", "--sensitivity"):
            raise ConfigError(
                f"--out writes a picture or the table of --rows, {self.kind} has neither"
            )
        if out is not None and self.kind != "--rows" and out.suffix.lower() != ".svg":
            raise ConfigError(f"--out must end in .svg, got {str(out)!r}")
