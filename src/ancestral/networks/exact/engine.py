"""Compiled programs of a network, kept for the next question about the same nodes."""

import math
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from typing import NoReturn
from weakref import WeakKeyDictionary

import numpy as np

from ancestral.errors import InferenceError
from ancestral.networks.exact.evidence import Case, by_pattern, smallest_conflict
from ancestral.networks.exact.propagation import Beliefs, Program
from ancestral.networks.exact.size import check_size
from ancestral.networks.exact.structure import Question, Structure
from ancestral.networks.exact.tables import Array, Tables
from ancestral.networks.exact.triangulation import bits
from ancestral.networks.tabular import TableNetwork

_KEPT, _KEPT_BYTES = 64, 1 << 29
"""Most programs that are kept, and most bytes of them; the one unused for longest goes first."""
_CHUNK = 1 << 18
"""Entries of all cliques times cases in one pass: about the size of a cache, in doubles."""
_PATTERNS, _COMPILING = 8, 1 << 17
"""From how many patterns on one program may serve all, if a case then costs fewer entries."""
_FEW = 16
"""Cases in one pass where more than one would not fit into the cache, but into memory."""


class Engine:
    """The programs of one network, whose numbers are ``tables``.

    It holds no reference to the network itself, so that a network can be forgotten.
    """

    def __init__(self, tables: Tables) -> None:
        self.tables = tables
        self._programs: OrderedDict[Question, Program] = OrderedDict()

    def refresh(self, tables: Tables) -> None:
        """Take changed tables; junction trees are kept, since the graph is the same."""
        stale = list(self._programs.values())
        self._programs.clear()
        if tables.sizes == self.tables.sizes:
            for program in stale:
                program.stale = True
                self._programs[program.structure.question] = program
        self.tables = tables

    def question(self, case: Case, targets: Iterable[int] | None, together: int = 0) -> Question:
        """Return what the answer for these targets (all if None) depends on."""
        tables, soft = self.tables, case.weighed
        if targets is None:
            relevant = (1 << len(tables.sizes)) - 1
        else:
            relevant = tables.relevant([*targets, *bits(case.observed | soft)], case.cut)
        return Question(case.observed, case.cut, soft, relevant, together)

    def program(self, question: Question, limit: float) -> Program:
        """Return the compiled program of a question.

        Raises InferenceError if it would need more than ``limit`` bytes.
        """
        program = self._programs.get(question)
        if program is not None and not program.stale:
            self._programs.move_to_end(question)
            check_size(program.structure.cost, limit)
            return program
        structure = program.structure if program else Structure(self.tables, question, limit)
        check_size(structure.cost, limit)
        program = self._programs[question] = Program(self.tables, structure)
        self._programs.move_to_end(question)
        self._forget()
        return program

    def _forget(self) -> None:
        held = sum(program.structure.cost.size for program in self._programs.values())
        while len(self._programs) > 1 and (len(self._programs) > _KEPT or held > _KEPT_BYTES):
            _, program = self._programs.popitem(last=False)
            held -= program.structure.cost.size

    def batches(
        self,
        nodes: Sequence[int],
        rows: Array,
        targets: Iterable[int] | None,
        limit: float,
        base: Case | None = None,
    ) -> Iterable[tuple[Program, Beliefs, Array, Array]]:
        """Yield (program, beliefs, states by node and case, row numbers), chunk by chunk.

        Rows [nodes, N], -1 where missing, with the same missing cells share a program that has
        their evidence cut out. Where that makes too many programs, one serves all: what is missing
        in some rows only stays in the cliques, and is known in the others by a likelihood of 0 and
        1. What holds in every row, likelihoods and interventions, is ``base``.
        """
        groups, base = by_pattern(rows), base or Case([0] * len(self.tables.sizes))
        if len(groups) > _PATTERNS and self._one_serves_all(
            nodes, rows, targets, len(groups), base
        ):
            groups = [(np.asarray((rows >= 0).all(axis=1)), np.arange(rows.shape[1]))]
        for known, members in groups:
            case, mixed = self._case_of(nodes, rows[:, members], known, base)
            program = self.program(self.question(case, targets), limit)
            step = _cases_at_once(program.structure.cost.entries)
            for start in range(0, len(members), step):
                chunk = members[start : start + step]
                values = np.repeat(np.array(base.values, dtype=np.int64)[:, None], len(chunk), 1)
                values[nodes] = rows[:, chunk]
                soft = [(node, self._indicator(node, values[node])) for node in mixed]
                soft += base.soft
                yield program, program.run(values, len(chunk), soft), values, chunk

    def _case_of(
        self, nodes: Sequence[int], rows: Array, known: Array, base: Case
    ) -> tuple[Case, list[int]]:
        """Return the evidence nodes of a group of rows, and the nodes known in some rows only."""
        seen = np.asarray((rows >= 0).any(axis=1))
        case = Case(base.values, cut=base.cut)
        case.observed = sum(1 << node for node, all_ in zip(nodes, known, strict=True) if all_)
        mixed = [node for node, some, all_ in zip(nodes, seen, known, strict=True) if some > all_]
        case.soft = [(node, np.ones(self.tables.sizes[node])) for node in mixed] + base.soft
        return case, mixed

    def _one_serves_all(
        self,
        nodes: Sequence[int],
        rows: Array,
        targets: Iterable[int] | None,
        groups: int,
        base: Case,
    ) -> bool:
        case, _ = self._case_of(nodes, rows, np.asarray((rows >= 0).all(axis=1)), base)
        question = self.question(case, targets)
        entries = Structure(self.tables, question, math.inf).cost.entries
        return entries * rows.shape[1] < groups * _COMPILING

    def _indicator(self, node: int, states: Array) -> Array:
        """Return 1 where a state may be, [states, B]: everywhere if it is missing (-1)."""
        every = np.arange(self.tables.sizes[node])[:, None]
        return ((every == states) | (states < 0)).astype(np.float64)

    def log_evidence(self, case: Case, limit: float) -> float:
        """Return the log-probability of the evidence of a case, nats; -inf if impossible."""
        if not case.observed and not case.soft:
            return 0.0
        program = self.program(self.question(case, ()), limit)
        return float(program.run(case.values, 1, case.soft).log_evidence[0])

    def check_rows(
        self,
        nodes: Sequence[int],
        rows: Array,
        log_evidence: Array,
        limit: float,
        base: Case | None = None,
    ) -> None:
        """Refuse rows of which one is impossible.

        Raises InferenceError if so; it names the first such row and its conflict.
        """
        impossible = np.flatnonzero(np.isneginf(log_evidence))
        if not len(impossible):
            return
        row = int(impossible[0])
        base = base or Case([0] * len(self.tables.sizes))
        case = Case(list(base.values), cut=base.cut, soft=base.soft)
        for node, state in zip(nodes, rows[:, row].tolist(), strict=True):
            if state >= 0:
                case.values[node] = state
                case.observed |= 1 << node
        self.refuse(case, limit, f"row {row + 1}: " if rows.shape[1] > 1 else "")

    def refuse(self, case: Case, limit: float, where: str = "") -> NoReturn:
        """Say which evidence conflicts, by an InferenceError."""
        tables, weights = self.tables, dict(case.soft)

        def possible(some: Sequence[int]) -> bool:
            part = Case(case.values, 0, case.cut)
            part.observed = sum(1 << node for node in some if node >= 0)
            part.soft = [(~node, weights[~node]) for node in some if node < 0]
            return self.log_evidence(part, limit) > -np.inf

        items = [*bits(case.observed), *(~node for node in weights)]
        named = [
            f"{tables.names[node]}={tables.states[node][case.values[node]]}"
            if node >= 0
            else f"the likelihood of {tables.names[~node]}"
            for node in smallest_conflict(items, possible)
        ]
        rule = "these cannot hold together" if len(named) > 1 else "this cannot hold"
        raise InferenceError(f"{where}the evidence has probability 0: {', '.join(named)}; {rule}")


def _cases_at_once(entries: int) -> int:
    return max(1, min(_FEW, (_CHUNK << 5) // entries), min(8192, _CHUNK // entries))


_ENGINES: WeakKeyDictionary[TableNetwork, Engine] = WeakKeyDictionary()


def engine_of(network: TableNetwork) -> Engine:
    """Return the engine of a network, with its tables as they are now.

    Raises CapabilityError if a node is not a table.
    """
    engine = _ENGINES.get(network)
    if engine is None:
        engine = _ENGINES[network] = Engine(Tables(network))
    elif not engine.tables.current():
        engine.refresh(Tables(network))
    return engine
