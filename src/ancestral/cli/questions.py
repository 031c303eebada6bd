"""Questions to a Bayesian network: read them, answer them, show or write the answers."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self, TypeAlias

import numpy as np
from torch import Generator

from ancestral.cli import answers, console
from ancestral.cli.asking import Asking
from ancestral.cli.options import Common, Pairs
from ancestral.data.files import make_above, write_text
from ancestral.data.writing import write_table
from ancestral.errors import ConfigError, InferenceError
from ancestral.networks import BayesianNetwork, Inference, approximate
from ancestral.networks.formats import read_evidence, states_by_name
from ancestral.networks.learning import criteria, sensitivities
from ancestral.recipes import open_network
from ancestral.settings import parse_pairs

Answer: TypeAlias = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A question from the command line, with its network opened and its evidence parsed.

    Args:
        source: The name or path given for the network.
        network: The network.
        targets: Nodes asked for, as written.
        given: Evidence, node -> state.
        do: Interventions, node -> state.
        likelihood: Soft evidence, node -> one number for each of its states.
        asking: The options that say what is asked, and how.
        common: The options of every command.
    """

    source: str
    network: BayesianNetwork
    targets: tuple[str, ...]
    given: dict[str, str]
    do: dict[str, str]
    likelihood: dict[str, list[float]]
    asking: Asking
    common: Common

    @classmethod
    def read(
        cls,
        source: str,
        targets: tuple[str, ...],
        given: Pairs,
        asking: Asking,
        common: Common,
    ) -> Self:
        """Open the network and parse the evidence.

        Raises:
            AncestralError: If the network cannot be opened, or a node, state or number is wrong.
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
        """Nodes whose state is known, observed or set by an intervention."""
        return {**self.given, **self.do}

    @property
    def wanted(self) -> list[str]:
        """The targets, or all nodes whose state is not known."""
        return list(self.targets or (name for name in self.network.nodes if name not in self.known))

    @property
    def title(self) -> str | None:
        """The evidence in words, None if there is none."""
        soft = {node: ", ".join(f"{x:g}" for x in row) for node, row in self.likelihood.items()}
        evidence = {"given": self.given, "do": self.do, "likelihood": soft}
        parts = [f"{word} {answers.pairs(states)}" for word, states in evidence.items() if states]
        return ", ".join(parts) or None

    def engine(self) -> Inference:
        """Return exact inference within the allowed memory."""
        return Inference(self.network, limit=self.asking.memory * 2**30)

    def emit(self, **parts: object) -> bool:
        """Print an object of JSON and return True, or return False without ``--json``."""
        if not self.common.json:
            return False
        options = {"do": self.do, "likelihood": self.likelihood}
        more = {name: value for name, value in options.items() if value}
        console.emit({"network": self.source, "given": self.given, **parts, **more})
        return True


def answer(asked: Question, out: Path | None) -> None:
    """Answer a question on standard output, and in a picture or a table at ``out`` if given.

    Raises:
        AncestralError: If the question has no answer.
    """
    if asked.asking.method != "exact":
        _estimate(asked, out)
        return
    answer_by_kind: dict[str, Callable[[Question, Path | None], None]] = {
        "posteriors": _posteriors,
        "--mpe": _most_probable,
        "--joint": _joint,
        "--rows": _rows,
        "--score": _score,
        "--sensitivity": _sensitivity,
    }
    answer_by_kind[asked.asking.kind](asked, out)


def _posteriors(asked: Question, out: Path | None) -> None:
    posterior = asked.engine().query(
        asked.wanted, given=asked.given, likelihood=asked.likelihood, do=asked.do
    )
    parts: Answer = {"posteriors": {name: dict(p) for name, p in posterior.probabilities.items()}}
    parts |= {"log_evidence": posterior.log_evidence} | _draw(asked, posterior.probabilities, out)
    if not asked.emit(**parts):
        has_evidence = bool(asked.given or asked.likelihood)
        answers.show_posterior(posterior, asked.title, evidence=has_evidence)


def _most_probable(asked: Question, out: Path | None) -> None:
    engine, targets = asked.engine(), list(asked.targets)
    evidence = {"likelihood": asked.likelihood, "do": asked.do}
    if targets:
        best = engine.marginal_map(targets, asked.given, **evidence)
    else:
        best = engine.most_probable(asked.given, **evidence)
    values = {
        name: {state: float(state == chosen) for state in asked.network.states(name)}
        for name, chosen in best.states.items()
    }
    parts = {"most_probable": dict(best.states), "log_probability": best.log_probability}
    if not asked.emit(**parts, **_draw(asked, values, out)):
        answers.show_states(best, asked.title)


def _joint(asked: Question, out: Path | None) -> None:
    del out  # Checked before: there is nothing to write.
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
        posteriors = asked.engine().query_rows(
            rows, targets, likelihood=asked.likelihood, do=asked.do
        )
    except InferenceError as error:
        raise InferenceError(f"{path}: {error.line}") from None
    header = [f"{name}={state}" for name in targets for state in asked.network.states(name)]
    parts = [*(posteriors.probabilities[name] for name in targets), posteriors.log_evidence]
    table = np.column_stack(parts)
    columns = [*header, "log_evidence"]
    answer: Answer = {"rows": len(table), "columns": columns}
    if out is None:
        if not asked.emit(**answer, posteriors=table.tolist()):
            console.csv(columns, table.tolist())
        return
    make_above(out)
    out = write_table(dict(zip(columns, table.T, strict=True)), out)
    if not asked.emit(**answer, out=str(out)):
        console.write(f"{len(table):,} rows of answers in {out}")


def _score(asked: Question, out: Path | None) -> None:
    del out  # Checked before: there is nothing to write.
    path = asked.asking.score or Path()
    rows = read_evidence(asked.network, path)
    scores = criteria(asked.network, rows)
    if scores.log_likelihood == -math.inf:
        each = asked.engine().log_evidence_rows(rows)
        console.say(f"{path}: row {int(each.argmin()) + 1} has probability 0 under this network")
    names = ("rows", "parameters", "log_likelihood", "aic", "bic")
    if not asked.emit(table=str(path), **{name: getattr(scores, name) for name in names}):
        answers.show_criteria(scores)


def _sensitivity(asked: Question, out: Path | None) -> None:
    del out  # Checked before: there is nothing to write.
    network, node = asked.network, asked.asking.sensitivity or ""
    pairs = parse_pairs(asked.targets, option="a target of --sensitivity", names=network.nodes)
    target = states_by_name(network, pairs)
    if both := [name for name in target if name in asked.given]:
        raise ConfigError(f"{both[0]!r} is a target and given: its state is known")
    if len(network.states(node)) < 2:
        raise ConfigError(f"--sensitivity needs a node of at least 2 states, {node!r} has 1")
    effects = sensitivities(network, target, node=node, given=asked.given)
    parents = network.nodes[node].parents
    entries = [
        {
            "parents": dict(zip(parents, states[:-1], strict=True)),
            "state": states[-1],
            "entry": effect.entry,
            "derivative": effect.derivative(),
        }
        for states, effect in effects.items()
    ]
    first = next(iter(effects.values()))
    p = first(first.entry)
    if not asked.emit(target=target, probability=p, node=node, entries=entries):
        answers.show_sensitivity(target, p, (node, parents, entries), asked.given)


def _estimate(asked: Question, out: Path | None) -> None:
    generator = Generator().manual_seed(asked.common.seed_or_default)
    evidence = approximate.plain_evidence(
        asked.network, given=asked.given, likelihood=asked.likelihood, do=asked.do
    )
    wanted = approximate.check_targets(asked.network, asked.wanted)
    if asked.asking.method == "loopy":
        estimate = approximate.loopy_belief_propagation(
            evidence.network, wanted, given=evidence.given
        )
    else:
        method = {
            "likelihood-weighting": approximate.likelihood_weighting,
            "rejection": approximate.rejection,
            "gibbs": approximate.gibbs,
        }[asked.asking.method]
        draws = {} if asked.asking.draws is None else {"draws": asked.asking.draws}
        estimate = method(
            evidence.network, wanted, given=evidence.given, generator=generator, **draws
        )
    diagnostics = dict(estimate.diagnostics)
    if "log_evidence" in diagnostics:
        diagnostics["log_evidence"] += evidence.log_scale
    errors = estimate.standard_errors
    parts: Answer = {
        "method": estimate.method,
        "posteriors": {name: dict(p) for name, p in estimate.probabilities.items()},
        "standard_errors": errors and {name: dict(p) for name, p in errors.items()},
        "diagnostics": diagnostics,
        "warnings": list(estimate.warnings),
    }
    if not asked.emit(**parts, **_draw(asked, estimate.probabilities, out)):
        answers.show_estimate(replace(estimate, diagnostics=diagnostics), asked.title)


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
    asked: Question, values: Mapping[str, Mapping[str, float]], out: Path | None
) -> dict[str, str]:
    """Draw the network with its answers at ``out`` if given; return what to report of it."""
    if out is None:
        return {}
    graph = asked.network.graph.cut(asked.do)
    make_above(out)
    write_text(out, graph.draw(observed=tuple(asked.known), values=values))
    return {"out": str(out)}
