"""Each kind of question to a Bayesian network: read, answered, shown or written."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeAlias

import numpy as np
from torch import Generator

from ancestral.cli import answers, console
from ancestral.cli.options import Common, Pairs
from ancestral.data.writing import write_table
from ancestral.errors import ConfigError, InferenceError
from ancestral.networks import BayesianNetwork, Inference, approximate
from ancestral.networks.formats import read_evidence
from ancestral.networks.learning import criteria, sensitivities
from ancestral.recipes import open_network
from ancestral.recipes.files import disk_errors, write_text
from ancestral.recipes.networks import states_by_name
from ancestral.recipes.settings import parse_pairs

if TYPE_CHECKING:
    from ancestral.cli.query import Asking

Answer: TypeAlias = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What was said on the command line, read.

    Args:
        source: What was written for the network.
        network: The network.
        targets: Nodes asked for, as written.
        given: Evidence, node -> state.
        do: Interventions, node -> state.
        likelihood: Soft evidence, node -> a number a state.
        asking: The options.
        common: The options of every command.
    """

    source: str
    network: BayesianNetwork
    targets: tuple[str, ...]
    given: dict[str, str]
    do: dict[str, str]
    likelihood: dict[str, list[float]]
    asking: "Asking"
    common: Common

    @classmethod
    def read(
        cls,
        source: str,
        targets: tuple[str, ...],
        given: Pairs,
        asking: "Asking",
        common: Common,
    ) -> Self:
        """Open the network and read the evidence.

        Raises:
            AncestralError: If something is not there or cannot be read.
        """
        network = open_network(source)

        def pairs(words: Pairs, option: str) -> dict[str, str]:
            return parse_pairs(words or (), option=option, names=network.nodes)

        soft = pairs(asking.likelihood, "--likelihood")
        return cls(
            source=source,
            network=network,
            targets=targets,
            given=states_by_name(network, pairs(given, "--given")),
            do=states_by_name(network, pairs(asking.do, "--do")),
            likelihood={name: _numbers(name, text) for name, text in soft.items()},
            asking=asking,
            common=common,
        )

    @property
    def known(self) -> dict[str, str]:
        """Every node whose state is known, seen or set."""
        return {**self.given, **self.do}

    @property
    def wanted(self) -> list[str]:
        """The targets, or all nodes whose state is not known."""
        return list(self.targets or (name for name in self.network.nodes if name not in self.known))

    @property
    def title(self) -> str | None:
        """What is known, in words."""
        soft = {n: ", ".join(f"{x:g}" for x in of) for n, of in self.likelihood.items()}
        parts = [
            f"{word} {answers.pairs(of)}"
            for word, of in (("given", self.given), ("do", self.do), ("likelihood", soft))
            if of
        ]
        return ", ".join(parts) or None

    def engine(self) -> Inference:
        """Return exact inference within the memory that is allowed."""
        return Inference(self.network, limit=self.asking.memory * 2**30)

    def emit(self, **parts: object) -> bool:
        """Print the object of ``--json`` and return True; return False if it is not asked for."""
        if not self.common.json:
            return False
        said = {"do": self.do, "likelihood": self.likelihood}
        more = {name: of for name, of in said.items() if of}
        console.emit({"network": self.source, "given": self.given, **parts, **more})
        return True


def answer(asked: Question, out: Path | None) -> None:
    """Answer a question, to standard output and to a picture or a table.

    Raises:
        AncestralError: If there is no answer.
    """
    if asked.asking.method != "exact":
        _estimate(asked, out)
        return
    ways: dict[str, Callable[[Question, Path | None], None]] = {
        "posteriors": _posteriors,
        "--mpe": _most_probable,
        "--joint": _joint,
        "--rows": _rows,
        "--score": _score,
        "--sensitivity": _sensitivity,
    }
    ways[asked.asking.kind](asked, out)


def _posteriors(asked: Question, out: Path | None) -> None:
    found = asked.engine().query(
        asked.wanted, given=asked.given, likelihood=asked.likelihood, do=asked.do
    )
    parts: Answer = {"posteriors": {name: dict(p) for name, p in found.probabilities.items()}}
    parts |= {"log_evidence": found.log_evidence} | _drawn(asked, found.probabilities, out)
    if not asked.emit(**parts):
        seen = bool(asked.given or asked.likelihood)
        answers.show_posterior(found, asked.title, evidence=seen)


def _most_probable(asked: Question, out: Path | None) -> None:
    engine, targets = asked.engine(), list(asked.targets)
    words = {"likelihood": asked.likelihood, "do": asked.do}
    if targets:
        found = engine.marginal_map(targets, asked.given, **words)
    else:
        found = engine.most_probable(asked.given, **words)
    values = {
        name: {state: float(state == best) for state in asked.network.states(name)}
        for name, best in found.states.items()
    }
    parts = {"most_probable": dict(found.states), "log_probability": found.log_probability}
    if not asked.emit(**parts, **_drawn(asked, values, out)):
        answers.show_states(found, asked.title)


def _joint(asked: Question, out: Path | None) -> None:
    del out  # Refused at the door.
    names = asked.wanted
    table = asked.engine().joint(names, given=asked.given, likelihood=asked.likelihood, do=asked.do)
    states = [asked.network.states(name) for name in names]
    cells = [
        {
            "states": {n: s[i] for n, s, i in zip(names, states, where, strict=True)},
            "probability": p,
        }
        for where, p in _cells(table.tolist())
    ]
    if not asked.emit(joint=cells):
        answers.show_joint(names, cells, asked.title)


def _rows(asked: Question, out: Path | None) -> None:
    path = asked.asking.rows or Path()
    rows = read_evidence(asked.network, path)
    targets = list(asked.targets or (name for name in asked.wanted if name not in rows))
    try:
        found = asked.engine().query_rows(rows, targets, likelihood=asked.likelihood, do=asked.do)
    except InferenceError as error:
        raise InferenceError(f"{path}: {error}") from None
    header = [f"{name}={state}" for name in targets for state in asked.network.states(name)]
    parts = [*(found.probabilities[name] for name in targets), found.log_evidence]
    table = np.column_stack(parts)
    columns = [*header, "log_evidence"]
    answer: Answer = {"rows": len(table), "columns": columns}
    if out is None:
        if not asked.emit(**answer, posteriors=table.tolist()):
            console.csv(columns, table.tolist())
        return
    _make_folder(out)
    out = write_table(dict(zip(columns, table.T, strict=True)), out)
    if not asked.emit(**answer, out=str(out)):
        console.write(f"{len(table):,} rows of answers in {out}")


def _score(asked: Question, out: Path | None) -> None:
    del out  # Refused at the door.
    path = asked.asking.score or Path()
    rows = read_evidence(asked.network, path)
    found = criteria(asked.network, rows)
    if found.log_likelihood == -math.inf:
        each = asked.engine().log_evidence_rows(rows)
        console.say(f"{path}: row {int(each.argmin()) + 1} has probability 0 under this network")
    names = ("rows", "parameters", "log_likelihood", "aic", "bic")
    if not asked.emit(table=str(path), **{name: getattr(found, name) for name in names}):
        answers.show_criteria(found)


def _sensitivity(asked: Question, out: Path | None) -> None:
    del out  # Refused at the door.
    network, node = asked.network, asked.asking.sensitivity or ""
    words = parse_pairs(asked.targets, option="a target of --sensitivity", names=network.nodes)
    target = states_by_name(network, words)
    if both := [name for name in target if name in asked.given]:
        raise ConfigError(f"{both[0]!r} is a target and given: its state is known")
    if len(network.states(node)) < 2:
        raise ConfigError(f"--sensitivity needs a node of at least 2 states, {node!r} has 1")
    found = sensitivities(network, target, node=node, given=asked.given)
    parents = network.nodes[node].parents
    entries = [
        {
            "parents": dict(zip(parents, states[:-1], strict=True)),
            "state": states[-1],
            "entry": effect.entry,
            "derivative": effect.derivative(),
        }
        for states, effect in found.items()
    ]
    first = next(iter(found.values()))
    p = first(first.entry)
    if not asked.emit(target=target, probability=p, node=node, entries=entries):
        answers.show_sensitivity(target, p, (node, parents, entries), asked.given)


def _estimate(asked: Question, out: Path | None) -> None:
    generator = Generator().manual_seed(asked.common.seed_or_default)
    what = approximate.plain_evidence(
        asked.network, given=asked.given, likelihood=asked.likelihood, do=asked.do
    )
    wanted = approximate.check_targets(asked.network, asked.wanted)
    if asked.asking.method == "loopy":
        found = approximate.loopy_belief_propagation(what.network, wanted, given=what.given)
    else:
        method = {
            "likelihood-weighting": approximate.likelihood_weighting,
            "rejection": approximate.rejection,
            "gibbs": approximate.gibbs,
        }[asked.asking.method]
        draws = {} if asked.asking.draws is None else {"draws": asked.asking.draws}
        found = method(what.network, wanted, given=what.given, generator=generator, **draws)
    diagnostics = dict(found.diagnostics)
    if "log_evidence" in diagnostics:
        diagnostics["log_evidence"] += what.log_scale
    errors = found.standard_errors
    parts: Answer = {
        "method": found.method,
        "posteriors": {name: dict(p) for name, p in found.probabilities.items()},
        "standard_errors": errors and {name: dict(p) for name, p in errors.items()},
        "diagnostics": diagnostics,
        "warnings": list(found.warnings),
    }
    if not asked.emit(**parts, **_drawn(asked, found.probabilities, out)):
        answers.show_estimate(replace(found, diagnostics=diagnostics), asked.title)


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


def _drawn(
    asked: Question, values: Mapping[str, Mapping[str, float]], out: Path | None
) -> dict[str, str]:
    """Draw the network with its answers where a place is given; return what is to be told."""
    if out is None:
        return {}
    graph = asked.network.graph.cut(asked.do)
    _write(out, graph.draw(observed=tuple(asked.known), values=values))
    return {"out": str(out)}


def _write(out: Path, text: str) -> None:
    _make_folder(out)
    write_text(out, text)


def _make_folder(out: Path) -> None:
    with disk_errors(out):
        out.parent.mkdir(parents=True, exist_ok=True)
