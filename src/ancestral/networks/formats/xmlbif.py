"""XMLBIF 0.3, the XML form of the interchange format."""

import re
from typing import NoReturn
from xml.parsers import expat
from xml.sax.saxutils import escape

import numpy as np

from ancestral.errors import DataError
from ancestral.networks.bayesian_network import BayesianNetwork
from ancestral.networks.formats.description import Description, check_writable, rows_of

_HEAD = """<?xml version="1.0" encoding="UTF-8"?>
<BIF VERSION="0.3">
<NETWORK>
<NAME>network</NAME>
"""
# What XML 1.0 can say: no other control characters, no lone surrogates.
_ALLOWED = re.compile(r"[\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]*")
_LEAVES = frozenset(("NAME", "OUTCOME", "FOR", "GIVEN", "TABLE"))


def parse_xmlbif(text: str | bytes, *, name: str = "the text") -> BayesianNetwork:
    """Build the network that an XMLBIF text describes.

    White space around a name counts only under ``xml:space="preserve"``.

    Source: Cozman 1998, The Interchange Format for Bayesian Networks, version 0.3. The variable
    varies fastest in its table, then the last of its parents.

    Args:
        text: The file; bytes are decoded as their first line says.
        name: What to call the file in errors.

    Raises:
        DataError: If the text is malformed (the line is named) or declares entities.

    Example:
        >>> network = parse_xmlbif(
        ...     "<BIF><NETWORK><VARIABLE><NAME>rain</NAME><OUTCOME>no</OUTCOME>"
        ...     "<OUTCOME>yes</OUTCOME></VARIABLE><DEFINITION><FOR>rain</FOR>"
        ...     "<TABLE>0.8 0.2</TABLE></DEFINITION></NETWORK></BIF>")
        >>> network.states("rain")
        ('no', 'yes')
    """
    return _Reader(text, name).found.network(name, "XMLBIF", int)


def format_xmlbif(network: BayesianNetwork) -> str:
    """Return a network of tables as XMLBIF; numbers are written so that they come back exactly.

    Raises:
        CapabilityError: If a node is not a table.
        DataError: If a name holds a control character, which XML cannot say.
    """
    check_writable(network, "XMLBIF")
    parts = [_HEAD]
    for name in network.nodes:
        outcomes = "".join(f"  {_leaf('OUTCOME', state)}\n" for state in network.states(name))
        parts.append(f'<VARIABLE TYPE="nature">\n  {_leaf("NAME", name)}\n{outcomes}</VARIABLE>\n')
    for name, node in network.nodes.items():
        given = "".join(f"  {_leaf('GIVEN', parent)}\n" for parent in node.parents)
        rows = "\n".join(" ".join(map(repr, row)) for row in rows_of(network, name))
        parts.append(
            f"<DEFINITION>\n  {_leaf('FOR', name)}\n{given}"
            f"  <TABLE>\n{rows}\n  </TABLE>\n</DEFINITION>\n"
        )
    return "".join((*parts, "</NETWORK>\n</BIF>\n"))


def _leaf(tag: str, name: str) -> str:
    if not _ALLOWED.fullmatch(name):
        raise DataError(f"XMLBIF has no way to write a control character in a name, got {name!r}")
    space = "" if name == name.strip() else ' xml:space="preserve"'
    return f"<{tag}{space}>{escape(name, {chr(13): '&#13;'})}</{tag}>"


class _Reader:
    """Collects the leaves of each VARIABLE and DEFINITION as the parser meets them."""

    def __init__(self, text: str | bytes, name: str) -> None:
        self.name = name
        self.found = Description()
        self.path: list[str] = []
        self.leaves: list[tuple[str, str, int]] = []  # Tag, text, line where it began.
        self.words: list[str] = []
        self.began = 1
        self.keep_space = False
        self.parser = parser = expat.ParserCreate()
        parser.buffer_text = True
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self.words.append
        parser.EntityDeclHandler = self._entity
        try:
            parser.Parse(text, True)
        except expat.ExpatError as error:
            message = expat.ErrorString(error.code)
            raise DataError(
                f"{name}, line {error.lineno}: expected well-formed XML, got: {message}"
            ) from None
        except LookupError as error:  # An encoding that Python does not know.
            raise DataError(f"{name}, line 1: {error}") from None

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        if not self.path and tag != "BIF":
            self.fail(f"expected <BIF>, got <{tag}>")
        if self.path and self.path[-1] in _LEAVES:
            self.fail(f"expected text inside <{self.path[-1]}>, got <{tag}>")
        self.path.append(tag)
        self.began = self.parser.CurrentLineNumber
        if tag in ("VARIABLE", "DEFINITION"):
            self.leaves = []
            kind = attributes.get("TYPE", "nature")
            if kind != "nature":
                self.fail(f"expected a variable of TYPE nature, got {kind!r}")
        self.keep_space = attributes.get("xml:space") == "preserve"
        self.words.clear()

    def _end(self, tag: str) -> None:
        self.path.pop()
        if tag in _LEAVES:
            text = "".join(self.words)
            self.leaves.append((tag, text if self.keep_space else text.strip(), self.began))
        elif tag == "VARIABLE":
            name, line = self._only("NAME", "VARIABLE")
            states = [text for tag, text, _ in self.leaves if tag == "OUTCOME"]
            self.found.declare(name, states, line, self.fail)
        elif tag == "DEFINITION":
            self._definition()
        self.words.clear()

    def _definition(self) -> None:
        child, _ = self._only("FOR", "DEFINITION")
        scope = (*(text for tag, text, _ in self.leaves if tag == "GIVEN"), child)
        shape = self.found.shape(scope, self.fail)
        text, began = self._only("TABLE", "DEFINITION")
        words, size = text.split(), int(np.prod(shape))
        if len(words) != size:
            self.fail(f"{child!r} needs {size} probabilities, got {len(words)}")
        try:
            rows = np.array(list(map(float, words))).reshape(-1, shape[-1])
        except ValueError as error:
            self.fail(f"expected numbers, got {str(error).split(': ')[-1]}", began)
        self.found.add(scope, rows, lambda message, _: self.fail(message, began))

    def _only(self, tag: str, parent: str) -> tuple[str, int]:
        found = [(text, line) for leaf, text, line in self.leaves if leaf == tag]
        if len(found) != 1:
            self.fail(f"expected one <{tag}> in the {parent}, got {len(found)}")
        return found[0]

    def _entity(self, name: str, *_: object) -> None:
        self.fail(f"expected no declaration of entities, got {name!r}")

    def fail(self, message: str, line: int | None = None) -> NoReturn:
        """Raise an error on a line; on that of the parser if None."""
        where = self.parser.CurrentLineNumber if line is None else line
        raise DataError(f"{self.name}, line {where}: {message}")
