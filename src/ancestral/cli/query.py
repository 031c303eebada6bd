"""``ancestral query``: answers from a Bayesian network, exact or estimated."""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias

from cyclopts import Parameter

from ancestral.cli import console
from ancestral.cli.answers import show_estimate, show_joint, show_posterior, show_states
from ancestral.cli.options import Common, Destination, Flag, Pairs
from ancestral.errors import ConfigError, DataError, InferenceError

if TYPE_CHECKING:
    from ancestral.networks import BayesianNetwork, Inference

_BUILT_IN = ("student",)

Method: TypeAlias = Literal["exact", "likelihood-weighting", "rejection", "gibbs", "loopy"]
Answer: TypeAlias = dict[str, Any]


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Asking:
    """What is asked, and how.

    Parameters
    ----------
    do
        Interventions, NODE=STATE: the node no longer listens to its parents.
    likelihood
        Soft evidence, NODE=L1,L2,...: how likely what was seen is under each of its states.
    mpe
        The most probable states of the targets together; of all nodes if none is named.
    joint
        The joint probabilities of the targets.
    rows
        A table (csv, tsv, parquet) with a column a node and a row a case, blanks missing: the
        posteriors of every row, at once.
    method
        exact, or an estimate: likelihood-weighting, rejection, gibbs, or loopy (no draws).
    draws
        Draws of an estimate; of gibbs in each of 8 chains.
    memory
        Most GiB that an exact answer may use; beyond it the question is refused at once.
    """

    do: Pairs = None
    likelihood: Pairs = None
    mpe: Flag = False
    joint: Flag = False
    rows: Path | None = None
    method: Annotated[Method, Parameter(show_choices=True)] = "exact"
    draws: int | None = None
    memory: float = 2.0

    def check(self, given: Pairs) -> None:
        """Refuse what does not go together.

        Raises:
            ConfigError: If options exclude each other or a number is out of range.
        """
        asked = {"--mpe": self.mpe, "--joint": self.joint, "--rows": self.rows is not None}
        chosen = [name for name, is_set in asked.items() if is_set]
        if len(chosen) > 1:
            raise ConfigError(f"only one of {', '.join(asked)} can be given, got {chosen}")
        extra = {"--do": self.do, "--likelihood": self.likelihood}
        for name in (name for name, value in extra.items() if value):
            if chosen or self.method != "exact":
                other = chosen[0] if chosen else f"--method {self.method}"
                raise ConfigError(f"{name} goes with plain exact posteriors, not with {other}")
        if self.rows is not None and given:
            raise ConfigError("--given goes into the table of --rows, as a column")
        if chosen and self.method != "exact":
            raise ConfigError(f"{chosen[0]} needs --method exact, got {self.method}")
        if self.draws is not None and (self.method in ("exact", "loopy") or self.draws < 1):
            raise ConfigError(
                f"--draws must be at least 1, of a method that draws, got {self.draws}"
            )
        if not self.memory > 0:
            raise ConfigError(f"--memory must be above 0, got {self.memory}")


def query(
    network: str,
    /,
    *targets: str,
    given: Pairs = None,
    asking: Asking = Asking(),
    out: Path | None = None,
    overwrite: Flag = False,
    common: Common = Common(),  # noqa: B008 - frozen
) -> int:
    """Ask for posterior probabilities.

    Parameters
    ----------
    network
        A file (bif, xmlbif, uai or net, plain or .gz), or the built-in network student.
    targets
        Nodes to ask for; all that are not given if none is named.
    given
        Evidence, NODE=STATE; a state by name or by its number from 0.
    out
        Draw the network with the answers into this .svg; with --rows the table of answers.
    overwrite
        Replace what is at --out.
    """
    from ancestral.networks import Inference
    from ancestral.recipes.settings import parse_pairs

    asking.check(given)
    common.apply()
    Destination(out=out, overwrite=overwrite).check()
    if out is not None and asking.joint:
        raise ConfigError("--out is a picture or the table of --rows, --joint has neither")
    if out is not None and asking.rows is None and out.suffix.lower() != ".svg":
        raise ConfigError(f"--out must end in .svg, got {str(out)!r}")
    opened = _open(network)
    evidence = _states(opened, parse_pairs(given or (), option="--given"))
    words = _Words(network, opened, targets, evidence, asking, common)
    if asking.method != "exact":
        return _estimate(words, out)
    engine = Inference(opened, limit=asking.memory * 2**30)
    if asking.rows is not None:
        return _rows(words, engine, asking.rows, out)
    if asking.mpe:
        return _most_probable(words, engine, out)
    if asking.joint:
        return _joint(words, engine)
    return _posterior(words, engine, out)


@dataclass(frozen=True, slots=True)
class _Words:
    """What was said on the command line, read."""

    network: str
    opened: "BayesianNetwork"
    targets: tuple[str, ...]
    evidence: dict[str, str]
    asking: Asking
    common: Common

    @property
    def wanted(self) -> list[str]:
        """The targets, or all nodes that are not given."""
        from ancestral.recipes.settings import parse_pairs

        known = {*self.evidence, *parse_pairs(self.asking.do or (), option="--do")}
        return list(self.targets or (name for name in self.opened.nodes if name not in known))

    def answer(self, **parts: object) -> Answer:
        """Return the object of ``--json``."""
        return {"network": self.network, "given": self.evidence, **parts}


def _posterior(words: _Words, engine: "Inference", out: Path | None) -> int:
    from ancestral.recipes.settings import parse_pairs

    do = _states(words.opened, parse_pairs(words.asking.do or (), option="--do"))
    soft = {
        name: _numbers(name, text)
        for name, text in parse_pairs(words.asking.likelihood or (), option="--likelihood").items()
    }
    found = engine.query(words.wanted, given=words.evidence, likelihood=soft, do=do)
    parts: Answer = {"posteriors": {name: dict(p) for name, p in found.probabilities.items()}}
    parts |= {"log_evidence": found.log_evidence}
    parts |= {"do": do} if do else {}
    parts |= {"likelihood": soft} if soft else {}
    if out is not None:
        _draw(words.opened, found.probabilities, words.evidence, out, do=do)
        parts["out"] = str(out)
    if words.common.json:
        console.emit(words.answer(**parts))
    else:
        show_posterior(found, words.evidence, do)
    return 0


def _most_probable(words: _Words, engine: "Inference", out: Path | None) -> int:
    targets, given = list(words.targets), words.evidence
    found = engine.marginal_map(targets, given) if targets else engine.most_probable(given)
    if out is not None:
        values = {
            name: {state: float(state == best) for state in words.opened.states(name)}
            for name, best in found.states.items()
        }
        _draw(words.opened, values, given, out)
    if words.common.json:
        parts = {"most_probable": dict(found.states), "log_probability": found.log_probability}
        console.emit(words.answer(**parts))
    else:
        show_states(found, given)
    return 0


def _joint(words: _Words, engine: "Inference") -> int:
    names = words.wanted
    table = engine.joint(names, given=words.evidence)
    states = [words.opened.states(name) for name in names]
    cells = [
        {
            "states": {n: s[i] for n, s, i in zip(names, states, where, strict=True)},
            "probability": p,
        }
        for where, p in _cells(table.tolist())
    ]
    if words.common.json:
        console.emit(words.answer(joint=cells))
    else:
        show_joint(names, cells, words.evidence)
    return 0


def _rows(words: _Words, engine: "Inference", path: Path, out: Path | None) -> int:
    from ancestral.networks.formats import read_evidence

    rows = read_evidence(words.opened, path)
    targets = list(words.targets or (name for name in words.opened.nodes if name not in rows))
    try:
        found = engine.query_rows(rows, targets)
    except InferenceError as error:
        raise InferenceError(f"{path}: {error}") from None
    header = [f"{name}={state}" for name in targets for state in words.opened.states(name)]
    lines = [
        [*(p for name in targets for p in found.probabilities[name][i].tolist()), log_evidence]
        for i, log_evidence in enumerate(found.log_evidence.tolist())
    ]
    columns = [*header, "log_evidence"]
    if out is not None:
        _write(out, console.csv_text(columns, lines))
    if words.common.json:
        parts: Answer = {"rows": len(lines), "columns": columns}
        parts |= {"out": str(out)} if out is not None else {"posteriors": lines}
        console.emit(words.answer(**parts))
    elif out is None:
        console.csv(columns, lines)
    else:
        console.write(f"{len(lines):,} rows of answers in {out}")
    return 0


def _estimate(words: _Words, out: Path | None) -> int:
    from torch import Generator

    from ancestral.networks import approximate

    asking, wanted, given = words.asking, words.wanted, words.evidence
    generator = Generator().manual_seed(words.common.seed_or_default)
    if asking.method == "loopy":
        found = approximate.loopy_belief_propagation(words.opened, wanted, given=given)
    else:
        method = {
            "likelihood-weighting": approximate.likelihood_weighting,
            "rejection": approximate.rejection,
            "gibbs": approximate.gibbs,
        }[asking.method]
        draws = {} if asking.draws is None else {"draws": asking.draws}
        found = method(words.opened, wanted, given=given, generator=generator, **draws)
    if out is not None:
        _draw(words.opened, found.probabilities, given, out)
    if words.common.json:
        errors = found.standard_errors
        parts: Answer = {
            "method": found.method,
            "posteriors": {name: dict(p) for name, p in found.probabilities.items()},
            "standard_errors": errors and {name: dict(p) for name, p in errors.items()},
            "diagnostics": dict(found.diagnostics),
            "warnings": list(found.warnings),
        }
        console.emit(words.answer(**parts))
    else:
        show_estimate(found, given)
    return 0


def _open(network: str) -> "BayesianNetwork":
    from ancestral.networks import read_network, student_network
    from ancestral.recipes.settings import nearest

    if network in _BUILT_IN:
        return student_network()
    if not Path(network).exists():
        hint = nearest(network, _BUILT_IN)
        raise DataError(f"no network {network!r}: there is no such file{hint}")
    return read_network(network)


def _states(network: "BayesianNetwork", given: dict[str, str]) -> dict[str, str]:
    """Return evidence by the names of states; a number counts where no state has that name."""
    found = {}
    for name, state in given.items():
        known = network.states(name) if name in network.nodes else ()
        numbered = state not in known and state.isdecimal() and int(state) < len(known)
        found[name] = known[int(state)] if numbered else state
    return found


def _numbers(name: str, text: str) -> list[float]:
    try:
        return [float(part) for part in text.split(",")]
    except ValueError:
        raise ConfigError(
            f"--likelihood {name} must be numbers separated by commas, got {text!r}"
        ) from None


def _cells(table: Any, at: tuple[int, ...] = ()) -> list[tuple[tuple[int, ...], float]]:  # noqa: ANN401
    """Return every entry of nested lists with its position."""
    if not isinstance(table, list):
        return [(at, table)]
    return [cell for i, part in enumerate(table) for cell in _cells(part, (*at, i))]


def _draw(
    network: "BayesianNetwork",
    values: Any,  # noqa: ANN401 - node -> state -> probability
    evidence: dict[str, str],
    out: Path,
    *,
    do: Collection[str] = (),
) -> None:
    graph = network.graph.cut(do)
    _write(out, graph.draw(observed=(*evidence, *do), values=values))


def _write(out: Path, text: str) -> None:
    from ancestral.recipes.files import disk_errors, write_text

    with disk_errors(out):
        out.parent.mkdir(parents=True, exist_ok=True)
    write_text(out, text)
