"""Exact answers from one network: compiled once for each set of evidence nodes, then reused."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from ancestral.errors import InferenceError
from ancestral.networks.exact.engine import Engine, engine_of
from ancestral.networks.exact.evidence import Case, Given, read_case, read_names, read_rows
from ancestral.networks.exact.maximum import maximise
from ancestral.networks.exact.size import LIMIT, Cost
from ancestral.networks.exact.structure import Structure
from ancestral.networks.exact.tables import Array
from ancestral.networks.tabular import TableNetwork


@dataclass(frozen=True, slots=True)
class Posterior:
    """The answer to a query.

    Args:
        probabilities: For each target the probability of each of its states, given the evidence.
        log_evidence: Log-probability of the evidence, in nats; 0 without evidence. With a
            likelihood, the log of its expected value.
    """

    probabilities: Mapping[str, Mapping[str, float]]
    log_evidence: float


@dataclass(frozen=True, slots=True)
class RowPosteriors:
    """The answers to N rows of evidence.

    Args:
        probabilities: For each target an array [N, states], float64; rows sum to 1.
        log_evidence: Log-probability of each row's evidence, nats, [N].
    """

    probabilities: Mapping[str, Array]
    log_evidence: Array


@dataclass(frozen=True, slots=True)
class Explanation:
    """The most probable states.

    Args:
        states: State of each node asked for.
        log_probability: Log of the joint probability of these states and the evidence, nats; times
            their likelihood, where there is soft evidence.
    """

    states: Mapping[str, str]
    log_probability: float


class Inference:
    """Exact inference in a network of probability tables, by propagation in a junction tree.

    What depends only on which nodes are observed is prepared once and kept; a table that is
    changed or replaced is noticed, and everything is prepared again.

    Source: Jensen, Lauritzen and Olesen 1990 (propagation); Koller & Friedman 2009, ch. 10;
    Pearl 2009, Causality, sec. 1.3 (``do``).

    Args:
        network: A network whose nodes are all tables.
        limit: Most bytes that one computation may use.

    Raises:
        CapabilityError: If a node is not a table.

    Example:
        >>> from ancestral.networks import student_network
        >>> inference = Inference(student_network())
        >>> round(inference.query(["x1"], given={"x2": "0"}).probabilities["x1"]["1"], 6)
        0.737705
        >>> rows = inference.query_rows({"x2": [0, 1], "x3": [-1, 1]}, ["x1"])
        >>> rows.probabilities["x1"].round(3).tolist()
        [[0.262, 0.738], [0.011, 0.989]]
    """

    def __init__(self, network: TableNetwork, *, limit: float = LIMIT) -> None:
        self._network = network
        self._limit = limit
        engine_of(network)  # A network that is not discrete is refused here.

    def query(
        self,
        targets: Iterable[str] | None = None,
        *,
        given: Given | None = None,
        likelihood: Mapping[str, ArrayLike] | None = None,
        do: Given | None = None,
    ) -> Posterior:
        """Return the posterior of each target.

        Args:
            targets: Names of nodes (a string is one); all if None.
            given: Evidence, node name -> state: its name, or its index if no name is a number.
            likelihood: Soft evidence, node name -> p(what was seen | state) for each of its
                states, [states]; any scale.
            do: Interventions, node name -> state: the node no longer listens to its parents.

        Raises:
            InferenceError: If a name or state is unknown, the evidence is impossible, or the
                computation would not fit.
        """
        engine = self._engine()
        tables = engine.tables
        case = read_case(tables, given, likelihood, do)
        wanted = None if targets is None else read_names(tables, targets)
        program = engine.program(engine.question(case, wanted), self._limit)
        beliefs = program.run(case.values, 1, case.soft)
        log_evidence = float(beliefs.log_evidence[0])
        if log_evidence == -np.inf:
            engine.refuse(case, self._limit)
        answers = {}
        for node in range(len(tables.sizes)) if wanted is None else wanted:
            if program.hidden >> node & 1:
                p = program.marginal(beliefs, node)[:, 0].tolist()
            else:
                p = [0.0] * tables.sizes[node]
                p[case.values[node]] = 1.0
            answers[tables.names[node]] = dict(zip(tables.states[node], p, strict=True))
        return Posterior(answers, log_evidence if case.observed or case.soft else 0.0)

    def query_rows(
        self,
        given: Mapping[str, ArrayLike],
        targets: Iterable[str] | None = None,
        *,
        likelihood: Mapping[str, ArrayLike] | None = None,
        do: Given | None = None,
    ) -> RowPosteriors:
        """Answer N rows of evidence in one batched computation.

        Args:
            given: For each observed node its state indices, integers [N]; -1 where missing.
            targets: Names of nodes; all if None.
            likelihood: Soft evidence of every row, as in :meth:`query`.
            do: Interventions in every row, as in :meth:`query`.

        Raises:
            InferenceError: If a name or state is unknown, the columns do not fit together, a row
                is impossible (it is named), or the computation would not fit.
        """
        engine = self._engine()
        tables = engine.tables
        base = read_case(tables, None, likelihood, do)
        nodes, rows = read_rows(tables, given, base.cut)
        wanted = None if targets is None else read_names(tables, targets)
        asked = range(len(tables.sizes)) if wanted is None else wanted
        out = [np.zeros((rows.shape[1], tables.sizes[node])) for node in asked]
        log_evidence = np.zeros(rows.shape[1])
        parts = engine.batches(nodes, rows, wanted, self._limit, base)
        for program, beliefs, values, members in parts:
            log_evidence[members] = beliefs.log_evidence
            for array, node in zip(out, asked, strict=True):
                if program.hidden >> node & 1:
                    array[members] = program.marginal(beliefs, node).T
                else:
                    array[members, values[node]] = 1.0
        engine.check_rows(nodes, rows, log_evidence, self._limit, base)
        names = [tables.names[node] for node in asked]
        return RowPosteriors(dict(zip(names, out, strict=True)), log_evidence)

    def joint(
        self,
        names: Iterable[str],
        *,
        given: Given | None = None,
        likelihood: Mapping[str, ArrayLike] | None = None,
        do: Given | None = None,
    ) -> Tensor:
        """Return the joint posterior of several nodes, float64 [*states of each, in order].

        The evidence is given as in :meth:`query`.

        Raises:
            InferenceError: If a name or state is unknown, a name comes twice, the evidence is
                impossible, or the computation would not fit.
        """
        engine = self._engine()
        case = read_case(engine.tables, given, likelihood, do)
        nodes = read_names(engine.tables, names)
        if len(set(nodes)) < len(nodes):
            shown = ", ".join(engine.tables.names[node] for node in nodes)
            raise InferenceError(f"the nodes of a joint must differ, got {shown}")
        together = sum(1 << node for node in nodes) & ~case.known
        program = engine.program(engine.question(case, nodes, together), self._limit)
        beliefs = program.run(case.values, 1, case.soft)
        if beliefs.log_evidence[0] == -np.inf:
            engine.refuse(case, self._limit)
        result = np.zeros([engine.tables.sizes[node] for node in nodes])
        slot = [slice(None) if together >> node & 1 else case.values[node] for node in nodes]
        free = [node for node in nodes if together >> node & 1]
        result[tuple(slot)] = program.joint(beliefs, free)[..., 0]
        return torch.from_numpy(result)

    def log_evidence(
        self,
        given: Given | None = None,
        *,
        likelihood: Mapping[str, ArrayLike] | None = None,
        do: Given | None = None,
    ) -> float:
        """Return the log-probability of evidence, nats; -inf if it is impossible.

        Raises:
            InferenceError: If a name or state is unknown, or the computation would not fit.
        """
        engine = self._engine()
        return engine.log_evidence(read_case(engine.tables, given, likelihood, do), self._limit)

    def log_evidence_rows(self, given: Mapping[str, ArrayLike]) -> Array:
        """Return the log-probability of each row of evidence, nats [N]; -inf if impossible.

        Args:
            given: For each observed node its state indices, integers [N]; -1 where missing.

        Raises:
            InferenceError: If a name or state is unknown, the columns do not fit together, or the
                computation would not fit.

        Example:
            >>> from ancestral.networks import student_network
            >>> Inference(student_network()).log_evidence_rows({"x2": [1, -1]}).round(4).tolist()
            [-0.3638, 0.0]
        """
        engine = self._engine()
        nodes, rows = read_rows(engine.tables, given)
        found = np.zeros(rows.shape[1])
        for _, beliefs, _, members in engine.batches(nodes, rows, (), self._limit):
            found[members] = beliefs.log_evidence
        return found

    def most_probable(
        self,
        given: Given | None = None,
        *,
        likelihood: Mapping[str, ArrayLike] | None = None,
        do: Given | None = None,
    ) -> Explanation:
        """Return the most probable states of all other nodes together (MPE).

        They need not be the states that are most probable one by one. The evidence is given as in
        :meth:`query`.

        Raises:
            InferenceError: If a name or state is unknown, the evidence is impossible, or the
                computation would not fit.
        """
        case = read_case(self._engine().tables, given, likelihood, do)
        every = range(len(case.values))
        return self._maximise([node for node in every if not case.known >> node & 1], case)

    def marginal_map(
        self,
        names: Iterable[str],
        given: Given | None = None,
        *,
        likelihood: Mapping[str, ArrayLike] | None = None,
        do: Given | None = None,
    ) -> Explanation:
        """Return the most probable states of some nodes together, the rest summed out.

        The evidence is given as in :meth:`query`.

        Raises:
            InferenceError: If a name or state is unknown, a name is given as evidence or set, the
                evidence is impossible, or the computation would not fit.
        """
        tables = self._engine().tables
        case = read_case(tables, given, likelihood, do)
        nodes = list(dict.fromkeys(read_names(tables, names)))
        for node in nodes:
            if case.known >> node & 1:
                how = "set" if case.cut >> node & 1 else "given"
                raise InferenceError(f"{tables.names[node]!r} is {how}: its state is known")
        return self._maximise(nodes, case)

    def cost(self, targets: Iterable[str] | None = None, *, given: Iterable[str] = ()) -> Cost:
        """Return what a query would cost, without computing it.

        Args:
            targets: Names of nodes; all if None.
            given: Names of the evidence nodes.

        Raises:
            InferenceError: If a name is unknown.
        """
        engine = self._engine()
        case = Case([0] * len(engine.tables.sizes))
        case.observed = sum(1 << node for node in set(read_names(engine.tables, given)))
        wanted = None if targets is None else read_names(engine.tables, targets)
        return Structure(engine.tables, engine.question(case, wanted), math.inf).cost

    def _maximise(self, nodes: Sequence[int], case: Case) -> Explanation:
        tables = self._engine().tables
        states, log_probability = maximise(tables, nodes, case, self._limit)
        if log_probability == -np.inf:
            self._engine().refuse(case, self._limit)
        named = {tables.names[node]: tables.states[node][states[node]] for node in nodes}
        return Explanation(named, log_probability)

    def _engine(self) -> Engine:
        return engine_of(self._network)
