"""Two passes over a junction tree, for one case or for many at once.

Belief arrays are [entries, B]: the B cases stand last, so that every operation runs over
contiguous numbers whatever the shape of the clique.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from ancestral.networks.exact.junction_tree import Clique
from ancestral.networks.exact.potentials import FLOOR, Factor, clique_factors
from ancestral.networks.exact.structure import Structure
from ancestral.networks.exact.tables import Array, Tables

Values: TypeAlias = Sequence[int] | Array
"""States by node, [nodes]; or by node and case, an array [nodes, B]."""

_TINY = 1e-300
_NOTHING = Clique((), 0, -1, ())


@dataclass(slots=True)
class Beliefs:
    """The calibrated cliques: each array is the posterior of its clique, [entries, B]."""

    cliques: list[Array]
    log_evidence: Array
    count: int


class Program:
    """A junction tree with its numbers: all that is ready before the evidence comes."""

    def __init__(self, tables: Tables, structure: Structure) -> None:
        self.tables, self.structure = tables, structure
        self.stale = False  # Whether the tables have changed since.
        self.known, self.hidden = structure.known, structure.hidden
        self.cliques = structure.tree.cliques
        self.factors = [
            clique_factors(tables, clique, nodes, self.known)
            for clique, nodes in zip(self.cliques, structure.assigned, strict=True)
        ]
        self.numbers: list[Factor] = []
        for node in structure.alone:
            self.numbers += clique_factors(tables, _NOTHING, [node], self.known)
        self.heavy, self.sending, self.receiving = self._plan_scaling()
        self.places = {
            node: (at, *split(self.cliques[at], node)[:2])
            for node, at in structure.smallest.items()
        }

    def _plan_scaling(self) -> tuple[list[bool], list[bool], list[bool]]:
        """Return where to scale, from bounds on what the numbers can become.

        Three flags a clique: between the tables of its potential; before it sends its message;
        its parent's potential, before that receives the message.
        """
        low = [sum(map(self.tables.floor, nodes)) for nodes in self.structure.assigned]
        high = [math.log(clique.entries) for clique in self.cliques]
        heavy = [floor < FLOOR for floor in low]
        sending, receiving = [False] * len(low), [False] * len(low)
        for at in reversed(range(len(low))):
            if low[at] < FLOOR or high[at] > -FLOOR:
                sending[at], low[at], high[at] = True, 0.0, 0.0
            if (parent := self.cliques[at].parent) < 0:
                continue
            if low[parent] + low[at] < FLOOR or high[parent] + high[at] > -FLOOR:
                receiving[at], low[parent], high[parent] = True, 0.0, 0.0
            low[parent] += low[at]
            high[parent] += high[at]
        return heavy, sending, receiving

    def run(self, values: Values, count: int, soft: Sequence[tuple[int, Array]] = ()) -> Beliefs:
        """Propagate B = ``count`` cases; the cliques of an impossible case mean nothing.

        ``values`` are states by node, or by node and case; ``soft`` pairs of a node and the
        likelihood of its states, [states] or [states, B].
        """
        with np.errstate(divide="ignore", invalid="ignore"):
            log_evidence = self._observed_part(values, count)
            potentials = [
                self._potential(at, values, log_evidence) for at in range(len(self.cliques))
            ]
            for node, likelihood in soft:
                self._weigh(potentials, (node, likelihood), values, log_evidence)
            messages = self._collect(potentials, log_evidence, count)
            self._distribute(potentials, messages, count)
        return Beliefs(potentials, log_evidence, count)

    def _potential(self, at: int, values: Values, log_evidence: Array) -> Array:
        clique, count = self.cliques[at], len(log_evidence)
        result: Array | None = None
        for factor in self.factors[at]:
            picked = factor.pick(values)
            if result is None:
                result = self._filled(picked, factor, clique, count)
            elif picked.shape[0] == clique.entries:
                result *= picked
            else:
                view = result.reshape(*clique.shape, count)
                view *= picked.reshape(*factor.shape, -1)
            if self.heavy[at]:
                _scale(result, log_evidence)
        return np.ones((clique.entries, count)) if result is None else result

    @staticmethod
    def _filled(picked: Array, factor: Factor, clique: Clique, count: int) -> Array:
        """Return a new array [entries, B] of a first factor."""
        if picked.shape == (clique.entries, count):
            return picked.copy() if picked.base is not None else picked
        result = np.empty((clique.entries, count))
        result.reshape(*clique.shape, count)[...] = picked.reshape(*factor.shape, -1)
        return result

    def _observed_part(self, values: Values, count: int) -> Array:
        total = np.zeros(count)
        for factor in self.numbers:
            total += np.log(factor.pick(values)[0])
        return total

    def _weigh(
        self,
        potentials: list[Array],
        soft: tuple[int, Array],
        values: Values,
        log_evidence: Array,
    ) -> None:
        node, likelihood = soft
        peak = likelihood.max()
        log_evidence += np.log(peak)
        if not self.hidden >> node & 1:
            log_evidence += np.log(likelihood[values[node]] / peak)
            return
        at = self.structure.tree.home[node]
        before, size, after = split(self.cliques[at], node)
        view = potentials[at].reshape(before, size, after, -1)
        view *= (likelihood / peak).reshape(size, 1, -1)

    def _collect(self, potentials: list[Array], log_evidence: Array, count: int) -> list[Array]:
        links, messages = self.structure.links, [log_evidence] * len(potentials)
        for at in reversed(range(len(potentials))):
            clique, link = self.cliques[at], links[at]
            if self.sending[at]:
                _scale(potentials[at], log_evidence)
            # Not a product with ones: its threads cost more than they save.
            message = np.add.reduce(potentials[at].reshape(clique.own, -1), axis=0)
            messages[at] = message
            if link is None:
                log_evidence += np.log(message)
                continue
            if self.receiving[at]:
                _scale(potentials[clique.parent], log_evidence)
            parent, shape = link.shapes(count)
            view = potentials[clique.parent].reshape(parent)
            view *= message.reshape(shape)
        return messages

    def _distribute(self, potentials: list[Array], messages: list[Array], count: int) -> None:
        """Divide what comes from the parent by what went there, so that all cliques agree."""
        links = self.structure.links
        for at, (clique, link) in enumerate(zip(self.cliques, links, strict=True)):
            old = np.maximum(messages[at], _TINY)  # Where it is 0, the new one is 0 as well.
            if link is None:
                potentials[at] /= old
                continue
            shape, _ = link.shapes(count)
            new = np.add.reduce(potentials[clique.parent].reshape(shape), axis=link.dropped)
            view = potentials[at].reshape(clique.own, -1)
            view *= new.reshape(-1) / old

    def marginal(self, beliefs: Beliefs, node: int) -> Array:
        """Return the posterior of a hidden node, [states, B]."""
        at, before, size = self.places[node]
        table = beliefs.cliques[at]
        if before > 1:
            table = np.add.reduce(table.reshape(before, -1), axis=0)
        return np.add.reduce(table.reshape(size, -1, beliefs.count), axis=1)

    def joint(self, beliefs: Beliefs, nodes: Sequence[int], mass: Array | None = None) -> Array:
        """Return the posterior of hidden nodes that share a clique, [*states of each, in order, B].

        They are all in one table or all in ``together``. With ``mass``, the weight of each case
        [B], the cases are added up, and there is no B.
        """
        if not nodes:
            ones = np.ones(beliefs.count)
            return ones if mass is None else np.asarray(ones @ mass)
        at = self.structure.holder(sum(1 << node for node in nodes))
        clique, table = self.cliques[at], beliefs.cliques[at]
        shape = clique.shape if mass is not None else (*clique.shape, beliefs.count)
        table = (table if mass is None else table @ mass).reshape(shape)
        kept = [clique.nodes.index(node) for node in nodes]
        dropped = tuple([axis for axis in range(len(clique.nodes)) if axis not in kept])
        table = np.add.reduce(table, axis=dropped)
        order = sorted(range(len(kept)), key=kept.__getitem__)
        back = [order.index(axis) for axis in range(len(kept))]
        return table.transpose(back if mass is not None else [*back, len(back)])


def split(clique: Clique, node: int) -> tuple[int, int, int]:
    """Return the numbers of entries before an axis of a clique, along it, and after it."""
    axis, shape = clique.nodes.index(node), clique.shape
    return math.prod(shape[:axis]), shape[axis], math.prod(shape[axis + 1 :])


def _scale(potential: Array, log_evidence: Array) -> None:
    """Divide by the maximum of each case and keep its log."""
    peak = potential.max(axis=0)
    log_evidence += np.log(peak)
    potential /= np.maximum(peak, _TINY)
