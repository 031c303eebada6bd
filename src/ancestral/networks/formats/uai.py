"""The format of the UAI competitions: bare numbers, no names."""

import math
import re
import sys

import numpy as np

from ancestral.errors import DataError
from ancestral.networks.bayesian_network import BayesianNetwork
from ancestral.networks.formats.description import Description, check_writable, rows_of
from ancestral.networks.formats.scanning import Scanner

_TOKEN = re.compile(r"\S+")
_WHOLE = re.compile(r"[0-9]{1,18}")
# Lines that begin with a lone c are comments since 2016; some programs write #.
_COMMENT = re.compile(r"#[^\n]*|^c(?:[ \t][^\n]*)?$", re.MULTILINE)


def parse_uai(text: str, *, name: str = "the text") -> BayesianNetwork:
    """Build the network that a UAI text of type BAYES describes.

    The format has no names: the variables are "0", "1", ... and their states "0", ..., "k-1".

    Source: the file format of the UAI 2014 inference competition. The last variable of a factor
    is the child, and varies fastest.

    Raises:
        DataError: If the text is malformed (the line is named) or of type MARKOV.

    Example:
        >>> network = parse_uai("BAYES  2  2 2  2  1 0  2 0 1  2  .8 .2  4  .9 .1  .3 .7")
        >>> network.graph.edges
        (('0', '1'),)
    """
    reader = _Reader(_COMMENT.sub("", text), name)
    return reader.found.network(name, "UAI", reader.scan.line)


def format_uai(network: BayesianNetwork) -> str:
    """Return a network of tables as UAI text; names of nodes and states are lost.

    Nodes are numbered in topological order.

    Raises:
        CapabilityError: If a node is not a table.
    """
    check_writable(network, "UAI")
    number = {name: index for index, name in enumerate(network.nodes)}
    scopes = [[*network.graph.parents(name), name] for name in network.nodes]
    lines = ["BAYES", str(len(number))]
    lines.append(" ".join(str(len(network.states(name))) for name in network.nodes))
    lines.append(str(len(number)))
    lines += [" ".join(map(str, (len(scope), *map(number.__getitem__, scope)))) for scope in scopes]
    for name in network.nodes:
        rows = rows_of(network, name)
        lines += ["", str(len(rows) * len(rows[0]))]
        lines += [" ".join(map(repr, row)) for row in rows]
    return "\n".join(lines) + "\n"


class _Reader:
    """Preamble, then one run of numbers for each factor."""

    def __init__(self, text: str, name: str) -> None:
        self.scan = scan = Scanner(text, _TOKEN, name)
        self.found = Description()
        kind = scan.next("BAYES")
        if kind == "MARKOV":
            raise DataError(
                f"{name}, line {scan.line(0)}: expected BAYES, got MARKOV: a Markov network is "
                f"undirected, this library reads Bayesian networks"
            )
        if kind != "BAYES":
            self.scan.refuse(f"expected BAYES, got {kind!r}")
        for index in range(self._count("the number of variables")):
            # No more than the file has numbers: a wrong one must not fill the memory.
            size = self._count("a number of states", least=1, most=len(scan.tokens))
            states = list(map(str, range(size)))
            self.found.declare(str(index), states, scan.at - 1, self.scan.refuse)
        variables = len(self.found.states)
        if (factors := self._count("the number of factors")) != variables:
            self.scan.refuse(f"expected {variables} factors, one for each variable, got {factors}")
        scopes = [self._scope() for _ in range(factors)]
        for scope in scopes:
            self._table(scope)
        if not scan.done:
            scan.fail(f"expected the end of the file, got {scan.tokens[scan.at]!r}")

    def _scope(self) -> tuple[str, ...]:
        size = self._count("the size of a factor", least=1)
        last = len(self.found.states) - 1
        return tuple(str(self._count("a variable", most=last)) for _ in range(size))

    def _table(self, scope: tuple[str, ...]) -> None:
        scan = self.scan
        place = scan.at
        announced = self._count("the size of a table")
        shape = self.found.shape(scope, self.scan.refuse)
        if announced != (size := math.prod(shape)):
            self.scan.refuse(f"{scope[-1]!r} needs {size} probabilities, {announced} are announced")
        words = scan.tokens[scan.at : scan.at + size]
        if len(words) < size:
            scan.fail(f"expected {size} probabilities, got {len(words)}", len(scan.tokens))
        rows = np.reshape(scan.numbers(words, scan.at), (-1, shape[-1]))
        scan.at += size
        self.found.add(
            scope,
            rows,
            lambda message, row: scan.fail(message, place + 1 + row * shape[-1]),
        )

    def _count(self, what: str, *, least: int = 0, most: int | None = None) -> int:
        token = self.scan.next(what)
        most = sys.maxsize if most is None else most
        if not _WHOLE.fullmatch(token) or not least <= int(token) <= most:
            end = "" if most == sys.maxsize else f" and at most {most}"
            self.scan.refuse(f"expected {what}, at least {least}{end}, got {token!r}")
        return int(token)
