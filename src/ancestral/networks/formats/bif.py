"""The Bayesian Interchange Format (BIF), the format of the usual repositories of networks."""

import re
from itertools import product
from pathlib import Path

import numpy as np

from ancestral.errors import DataError
from ancestral.networks.bayesian_network import BayesianNetwork
from ancestral.networks.formats.description import Description, check_writable, rows_of
from ancestral.networks.formats.scanning import Scanner
from ancestral.networks.formats.text import read_text

# State names may hold almost anything (``Asy/Patch``, ``<5``, ``12+``): a word ends only at white
# space or at the punctuation of the grammar. Commas separate, and say no more than white space.
_WORD = r'[^\s{}()\[\];,|"]+'
_TOKEN = re.compile(rf'{_WORD}|[{{}}()\[\];|]|"[^"]*"|"')
_PLAIN = re.compile(_WORD)
_COMMENT = re.compile(r'"[^"]*"|//[^\n]*|/\*.*?(?:\*/|\Z)', re.DOTALL)
_MARKS = frozenset('{}()[];|"')
_LEAD = re.compile(r"(?:\s++|//[^\n]*+|/\*.*?(?:\*/|\Z))*+", re.DOTALL)
_BLOCK = re.compile(r"(?:network|variable|probability)\b")
_NETWORK = re.compile(r'\bnetwork\b\s*(?:"[^"]*"|[^\s"{}]*)\s*\{')


def read_bif(path: str | Path) -> BayesianNetwork:
    """Read a discrete Bayesian network from a ``.bif`` or ``.bif.gz`` file.

    Args:
        path: The file, UTF-8.

    Raises:
        DataError: If the file is missing, is not BIF (the line is named), or a table is
            incomplete or does not sum to 1 within 1e-3 (rounded decimals).
    """
    return parse_bif(read_text(path), name=str(path))


def parse_bif(text: str, *, name: str = "the text") -> BayesianNetwork:
    """Build the network that a BIF text describes; see :func:`read_bif`.

    Text before the network is skipped; commas, and the bar before the parents, may be left out.

    Source: Cozman 1998, The Interchange Format for Bayesian Networks (BIF 0.15).

    Example:
        >>> network = parse_bif(
        ...     "variable rain { type discrete [ 2 ] { no, yes }; }"
        ...     "probability ( rain ) { table 0.8, 0.2; }"
        ... )
        >>> network.states("rain")
        ('no', 'yes')
    """
    reader = _Reader(text, name)
    return reader.found.network(name, "BIF", reader.scan.line)


def format_bif(network: BayesianNetwork) -> str:
    """Return a network of tables as BIF text; numbers are written so that they come back exactly.

    Raises:
        CapabilityError: If a node is not a table.
        DataError: If a name holds a double quote, which BIF cannot say.
    """
    check_writable(network, "BIF")
    parts = ["network unknown {\n}\n"]
    for name in network.nodes:
        states = network.states(name)
        parts.append(
            f"variable {_quote(name)} {{\n"
            f"  type discrete [ {len(states)} ] {{ {', '.join(map(_quote, states))} }};\n}}\n"
        )
    for name, node in network.nodes.items():
        scope = " | ".join(filter(None, (_quote(name), ", ".join(map(_quote, node.parents)))))
        configurations = product(*(map(_quote, network.states(p)) for p in node.parents))
        heads = (f"({', '.join(states)})" if states else "table" for states in configurations)
        lines = [
            f"  {head} {', '.join(map(repr, row))};\n"
            for head, row in zip(heads, rows_of(network, name), strict=True)
        ]
        parts.append(f"probability ( {scope} ) {{\n{''.join(lines)}}}\n")
    return "".join(parts)


def _quote(name: str) -> str:
    if _PLAIN.fullmatch(name) and "//" not in name and "/*" not in name:
        return name
    if '"' in name:
        raise DataError(f"BIF has no way to write a double quote in a name, got {name!r}")
    return f'"{name}"'


def _without_preamble(text: str) -> str:
    """Blank what stands before the network, if anything but comments does; lines keep numbers."""
    lead = _LEAD.match(text)
    begin = lead.end() if lead else 0
    start = None if _BLOCK.match(text, begin) else _NETWORK.search(text, begin)
    return (
        text if start is None else "\n" * text.count("\n", 0, start.start()) + text[start.start() :]
    )


def _unquote(token: str) -> str:
    return token[1:-1] if token[0] == '"' else token


class _Reader:
    """One pass over the tokens, block by block; fills ``found``."""

    def __init__(self, text: str, name: str) -> None:
        text = _without_preamble(text)
        comment = _COMMENT if "//" in text or "/*" in text else None
        self.scan = Scanner(text, _TOKEN, name, comment=comment, marks=_MARKS)
        self.found = Description()
        self.indices: dict[str, dict[str, int]] = {}
        blocks = {
            "network": self._network,
            "variable": self._variable,
            "probability": self._probability,
        }
        while not self.scan.done:
            keyword = self.scan.next()
            if keyword not in blocks:
                self.scan.refuse(f"expected network, variable or probability, got {keyword!r}")
            blocks[keyword]()

    def _network(self) -> None:
        self.scan.until("{")
        depth = 1
        while depth:
            token = self.scan.next("'}'")
            depth += (token == "{") - (token == "}")

    def _variable(self) -> None:
        scan = self.scan
        variable, states = _unquote(scan.next_name()), None
        place = scan.at - 1
        scan.expect("{")
        while (keyword := scan.next("'}'")) != "}":
            if keyword != "type":
                scan.until(";")
                continue
            if (kind := scan.next()) != "discrete":
                self.scan.refuse(f"variable {variable!r} must be discrete, got {kind!r}")
            scan.expect("[")
            count = scan.next()
            scan.expect("]")
            scan.expect("{")
            states = self.names("}")
            scan.expect(";")
            if count != str(len(states)):
                self.scan.refuse(
                    f"variable {variable!r} announces {count} states, lists {len(states)}"
                )
        if states is None:
            self.scan.refuse(f"variable {variable!r} has no type")
        self.found.declare(variable, states, place, self.scan.refuse)
        self.indices[variable] = {state: index for index, state in enumerate(states)}

    def _probability(self) -> None:
        scan = self.scan
        scan.expect("(")
        variable = _unquote(scan.next_name())
        if not scan.done and scan.tokens[scan.at] == "|":
            scan.next()
        scope = (*self.names(")"), variable)
        shape = self.found.shape(scope, self.scan.refuse)
        scan.expect("{")
        _Block(self, scope, shape).read()

    def names(self, end: str) -> list[str]:
        """Return the names before the next ``end`` and step over it."""
        start = self.scan.at
        words = self.scan.until(end)
        if not _MARKS.isdisjoint(words):
            wrong = next(place for place, word in enumerate(words) if word in _MARKS)
            self.scan.fail(f"expected {end!r}, got {words[wrong]!r}", start + wrong)
        return list(map(_unquote, words))


class _Block:
    """The inside of one probability block."""

    def __init__(self, reader: _Reader, scope: tuple[str, ...], shape: list[int]) -> None:
        self.reader = reader
        self.scan = reader.scan
        self.scope = scope
        self.shape = shape
        self.size = shape[-1]
        self.rows: dict[int, int] = {}  # Number of a row -> place of its first token.
        self.numbers: list[float] = []
        self.default: list[float] | None = None
        self.whole: np.ndarray | None = None
        self.lookups = [(reader.indices[name], len(reader.indices[name])) for name in scope[:-1]]

    def read(self) -> None:
        """Read up to the closing brace and add the table."""
        scan = self.scan
        while (token := scan.next("'}'")) != "}":
            if token == "(":
                self._row()
            elif token == "table":
                self._table()
            elif token == "default":
                self.default = self._probabilities(self.size)
            elif token == "property":
                scan.until(";")
            else:
                self.scan.refuse(f"expected table, default or (states), got {token!r}")
        self._finish()

    def _finish(self) -> None:
        table = self.whole
        if table is None:
            table = np.full((int(np.prod(self.shape[:-1])), self.size), np.nan)
        if self.default is not None:
            table[np.isnan(table).all(-1)] = self.default
        if self.rows:
            table[list(self.rows)] = np.reshape(self.numbers, (-1, self.size))
        last = self.scan.at - 1
        self.reader.found.add(
            self.scope,
            table,
            lambda message, row: self.scan.fail(message, self.rows.get(row, last)),
        )

    def _row(self) -> None:
        """Read ``(states of the parents) numbers;``."""
        start = self.scan.at - 1
        names = self.reader.names(")")
        if len(names) != len(self.lookups):
            self.scan.refuse(f"expected states of {len(self.lookups)} parents, got {len(names)}")
        row = 0
        for axis, (state, (lookup, count)) in enumerate(zip(names, self.lookups, strict=True)):
            if state not in lookup:
                self.scan.refuse(f"{self.scope[axis]!r} has no state {state!r}")
            row = row * count + lookup[state]
        if row in self.rows:
            self.scan.refuse(f"the row ({', '.join(names)}) is given twice")
        self.rows[row] = start
        self.numbers += self._probabilities(self.size)

    def _table(self) -> None:
        """Read ``table numbers;``: the last parent varies fastest, the child slowest."""
        numbers = self._probabilities(int(np.prod(self.shape)))
        self.whole = np.reshape(numbers, (self.size, -1)).T.copy()

    def _probabilities(self, count: int) -> list[float]:
        start = self.scan.at
        numbers = self.scan.numbers(self.scan.until(";"), start)
        if len(numbers) != count:
            self.scan.refuse(f"{self.scope[-1]!r} needs {count} probabilities, got {len(numbers)}")
        return numbers
