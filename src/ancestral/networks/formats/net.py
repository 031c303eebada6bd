"""NET, the format of Hugin: nodes with attributes, potentials with nested numbers."""

import re

import numpy as np

from ancestral.networks.bayesian_network import BayesianNetwork
from ancestral.networks.formats.description import Description, check_writable, rows_of
from ancestral.networks.formats.scanning import Scanner

_STRING = r'"(?:[^"\\]|\\.)*"'
_TOKEN = re.compile(rf'[^\s{{}}()|=;,"]+|[{{}}()|=;]|{_STRING}|"', re.DOTALL)
_COMMENT = re.compile(rf"{_STRING}|%[^\n]*", re.DOTALL)
_MARKS = frozenset('{}()|=;"')
_PARENTHESES = frozenset("()")
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_ESCAPED = re.compile(r'\\(["\\])')

NAME = "ancestral_name"
"""Node attribute that keeps a name which is no identifier; other programs pass over it."""


def parse_net(text: str, *, name: str = "the text") -> BayesianNetwork:
    r"""Build the network that a NET text describes.

    Discrete chance nodes with ``states`` and potentials with ``data`` are read; positions, labels
    and other attributes are passed over.

    Source: Hugin API reference manual, ch. "The NET language". The child varies fastest, then
    the last of its parents.

    Raises:
        DataError: If the text is malformed; the line is named.

    Example:
        >>> network = parse_net('net { } node rain { states = ("no" "yes"); }'
        ...                     'potential (rain) { data = (0.8 0.2); }')
        >>> network.states("rain")
        ('no', 'yes')
    """
    reader = _Reader(text, name)
    return reader.found.network(name, "NET", reader.scan.line)


def format_net(network: BayesianNetwork) -> str:
    """Return a network of tables as NET text; numbers are written so that they come back exactly.

    A name that NET does not allow for a node becomes the node's label; the attribute
    ``ancestral_name`` brings it back when this library reads the file.

    Raises:
        CapabilityError: If a node is not a table.
    """
    check_writable(network, "NET")
    names = _identifiers(list(network.nodes))
    parts = ["net\n{\n}\n"]
    for name in network.nodes:
        states = " ".join(map(_quote, network.states(name)))
        keep = (
            ""
            if names[name] == name
            else f"  label = {_quote(name)};\n  {NAME} = {_quote(name)};\n"
        )
        parts.append(f"node {names[name]}\n{{\n{keep}  states = ({states});\n}}\n")
    for name, node in network.nodes.items():
        parents = " ".join(names[parent] for parent in node.parents)
        scope = f"{names[name]} | {parents}" if parents else names[name]
        blocks = [f"({' '.join(map(repr, row))})" for row in rows_of(network, name)]
        for parent in reversed(node.parents):
            size = len(network.states(parent))
            starts = range(0, len(blocks), size)
            blocks = ["(" + "\n".join(blocks[start : start + size]) + ")" for start in starts]
        parts.append(f"potential ({scope})\n{{\n  data = {blocks[0]};\n}}\n")
    return "".join(parts)


def _identifiers(names: list[str]) -> dict[str, str]:
    """Return an identifier for each name: itself, or a free one."""
    kept = {name for name in names if _IDENTIFIER.fullmatch(name)}
    free = (f"node_{index}" for index in range(2 * len(names) + 1) if f"node_{index}" not in kept)
    return {name: name if name in kept else next(free) for name in names}


def _quote(name: str) -> str:
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _unquote(token: str) -> str:
    return _ESCAPED.sub(r"\1", token[1:-1]) if token.startswith('"') else token


class _Reader:
    """One pass over the tokens, block by block; fills ``found``."""

    def __init__(self, text: str, name: str) -> None:
        comment = _COMMENT if "%" in text else None
        self.scan = Scanner(text, _TOKEN, name, comment=comment, marks=_MARKS)
        self.found = Description()
        self.data_end = 0  # Place after the last number of a potential.
        self.names: dict[str, str] = {}  # Identifier -> name.
        while not self.scan.done:
            keyword = self.scan.next()
            if keyword == "net":
                self._attributes()
            elif keyword in ("node", "discrete"):
                self._node(keyword)
            elif keyword == "potential":
                self._potential()
            else:
                self.scan.refuse(f"expected net, node or potential, got {keyword!r}")

    def _node(self, keyword: str) -> None:
        if keyword == "discrete":
            self.scan.expect("node")
        identifier = _unquote(self.scan.next_name())
        place = self.scan.at - 1
        if identifier in self.names:
            self.scan.refuse(f"variable {identifier!r} is declared twice")
        attributes = self._attributes()
        if "states" not in attributes:
            self.scan.refuse(f"expected states of {identifier!r}, got none")
        states = [word for word in attributes["states"] if word not in _PARENTHESES]
        if wrong := [word for word in states if word in _MARKS]:
            self.scan.refuse(f"expected names of the states of {identifier!r}, got {wrong[0]!r}")
        name = _unquote((attributes.get(NAME) or [identifier])[0])
        self.names[identifier] = name
        self.found.declare(name, list(map(_unquote, states)), place, self.scan.refuse)

    def _potential(self) -> None:
        scan = self.scan
        scan.expect("(")
        child = _unquote(self.scan.next_name())
        parents = scan.until(")") if (mark := scan.next()) == "|" else []
        if mark not in "|)":
            scan.refuse(f"expected ')' or '|', got {mark!r}")
        for identifier in (*parents, child):
            if identifier not in self.names:
                self.scan.refuse(f"no variable {identifier!r} is declared above")
        scope = tuple(self.names[identifier] for identifier in (*parents, child))
        shape = self.found.shape(scope, self.scan.refuse)
        attributes = self._attributes(numbers="data")
        if "data" not in attributes:
            self.scan.refuse(f"expected data of {scope[-1]!r}, got none")
        self._table(scope, shape, attributes["data"])

    def _table(self, scope: tuple[str, ...], shape: list[int], words: list[str]) -> None:
        scan, end = self.scan, self.data_end
        start = end - len(words)
        opened, closed = words.count("("), words.count(")")
        if opened != closed:
            scan.fail(f"expected as many '(' as ')', got {opened} and {closed}", end)
        places = [place for place, word in enumerate(words, start) if word not in _PARENTHESES]
        size = int(np.prod(shape))
        if len(places) != size:
            scan.fail(f"{scope[-1]!r} needs {size} probabilities, got {len(places)}", end)
        # Parentheses are 0 in the run, so that the place of a word that is no number is known.
        values = scan.numbers(["0" if word in _PARENTHESES else word for word in words], start)
        rows = np.array([values[place - start] for place in places]).reshape(-1, shape[-1])
        self.found.add(
            scope, rows, lambda message, row: scan.fail(message, places[row * shape[-1]])
        )

    def _attributes(self, *, numbers: str | None = None) -> dict[str, list[str]]:
        """Read ``{ name = words; ... }``; remember where the words of ``numbers`` end."""
        scan = self.scan
        found: dict[str, list[str]] = {}
        scan.expect("{")
        while (key := scan.next("'}'")) != "}":
            if key in _MARKS:
                self.scan.refuse(f"expected an attribute or '}}', got {key!r}")
            scan.expect("=")
            found[key] = scan.until(";")
            if key == numbers:
                self.data_end = scan.at - 1
        return found
