"""Reading Bayesian networks in the Bayesian Interchange Format (BIF), plain or gzipped."""

import gzip
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import NoReturn

import numpy as np

from ancestral.errors import DataError
from ancestral.networks.bayesian_network import BayesianNetwork
from ancestral.networks.nodes import Node, Table

# State names may hold almost anything (``Asy/Patch``, ``<5``, ``12+``): a word ends only at
# white space or at the punctuation of the grammar.
_TOKEN = re.compile(r'"(?P<quoted>[^"]*)"|(?P<mark>[{}()\[\];,|])|(?P<word>[^\s{}()\[\];,|"]+)')
_COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/", re.DOTALL)


def read_bif(path: str | Path) -> BayesianNetwork:
    """Read a discrete Bayesian network from a ``.bif`` or ``.bif.gz`` file.

    Args:
        path: The file, UTF-8.

    Raises:
        DataError: If the file is missing, is not BIF (the line is named), or a table is
            incomplete or does not sum to 1 within 1e-3 (rounded decimals).
    """
    path = Path(path)
    try:
        raw = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        text = raw.decode("utf-8")
    except FileNotFoundError:
        raise DataError(f"no such file: {path}") from None
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise DataError(f"cannot read {path}: {error}") from None
    return parse_bif(text, name=str(path))


def parse_bif(text: str, *, name: str = "the text") -> BayesianNetwork:
    """Build the network that a BIF text describes; see :func:`read_bif`.

    Example:
        >>> network = parse_bif(
        ...     "variable rain { type discrete [ 2 ] { no, yes }; }"
        ...     "probability ( rain ) { table 0.8, 0.2; }"
        ... )
        >>> network.states("rain")
        ('no', 'yes')
    """
    parser = _Parser(text, name)
    states = parser.states
    if not states:
        raise DataError(f"{name} holds no variable: not a BIF network")
    if missing := [variable for variable in states if variable not in parser.tables]:
        raise DataError(f"{name}: no probability block for {missing[0]!r}")
    nodes = [
        Node(variable, Table(table, states=states[variable]), parents=parser.parents[variable])
        for variable, table in parser.tables.items()
    ]
    try:
        return BayesianNetwork(nodes)
    except ValueError as error:
        raise DataError(f"{name}: {error}") from None


@dataclass(frozen=True, slots=True)
class _Token:
    text: str
    line: int
    mark: bool  # Punctuation of the grammar, not a word.


class _Parser:
    """Recursive descent over the tokens; fills states, parents and tables."""

    def __init__(self, text: str, name: str) -> None:
        self.name = name
        self.tokens = list(_tokens(text))
        self.position = 0
        self.states: dict[str, tuple[str, ...]] = {}
        self.parents: dict[str, tuple[str, ...]] = {}
        self.tables: dict[str, np.ndarray] = {}
        while self.position < len(self.tokens):
            keyword = self._word()
            if keyword == "network":
                self._skip_until("{")
                self._skip_block()
            elif keyword == "variable":
                self._variable()
            elif keyword == "probability":
                self._probability()
            else:
                self._fail(f"expected network, variable or probability, got {keyword!r}")

    def _variable(self) -> None:
        variable = self._word()
        if variable in self.states:
            self._fail(f"variable {variable!r} is declared twice")
        self._expect("{")
        while (keyword := self._next().text) != "}":
            if keyword != "type":
                self._skip_until(";")
                continue
            if (kind := self._word()) != "discrete":
                self._fail(f"variable {variable!r} must be discrete, got {kind!r}")
            self._expect("[")
            count = self._word()
            self._expect("]")
            self._expect("{")
            names = self._list("}")
            self._expect(";")
            if count != str(len(names)):
                self._fail(f"variable {variable!r} announces {count} states, lists {len(names)}")
            self.states[variable] = tuple(names)
        if variable not in self.states:
            self._fail(f"variable {variable!r} has no type")

    def _probability(self) -> None:
        self._expect("(")
        variable = self._known(self._word())
        if variable in self.tables:
            self._fail(f"{variable!r} has two probability blocks")
        parents: tuple[str, ...] = ()
        if self._next().text == "|":
            parents = tuple(self._known(parent) for parent in self._list(")"))
        self._expect("{")
        sizes = [len(self.states[name]) for name in (*parents, variable)]
        table = np.full(sizes, np.nan)
        while (token := self._next()).text != "}":
            self._entry(token, table, (*parents, variable))
        self.tables[variable] = self._checked(table, variable, parents)
        self.parents[variable] = parents

    def _entry(self, token: _Token, table: np.ndarray, scope: tuple[str, ...]) -> None:
        """Fill what one line of a probability block says."""
        if token.text == "table":
            numbers = self._numbers()
            if len(numbers) != table.size:
                self._fail(f"{scope[-1]!r} needs {table.size} probabilities, got {len(numbers)}")
            # The last listed parent varies fastest; the child varies slowest.
            table[...] = np.moveaxis(
                np.reshape(numbers, (table.shape[-1], *table.shape[:-1])), 0, -1
            )
        elif token.text == "default":
            table[np.isnan(table).all(-1)] = self._row(table, scope)
        elif token.text == "(" and token.mark:
            names = self._list(")")
            if len(names) != len(scope) - 1:
                self._fail(f"expected states of {len(scope) - 1} parents, got {len(names)}")
            index = tuple(self._state(parent, s) for parent, s in zip(scope, names, strict=False))
            table[index] = self._row(table, scope)
        elif token.text == "property":
            self._skip_until(";")
        else:
            self._fail(f"expected table, default or (states), got {token.text!r}")

    def _row(self, table: np.ndarray, scope: tuple[str, ...]) -> list[float]:
        numbers = self._numbers()
        if len(numbers) != table.shape[-1]:
            self._fail(f"{scope[-1]!r} has {table.shape[-1]} states, got {len(numbers)} numbers")
        return numbers

    def _checked(self, table: np.ndarray, variable: str, parents: tuple[str, ...]) -> np.ndarray:
        for index in product(*map(range, table.shape[:-1])):
            total = table[index].sum()
            if not abs(total - 1) <= 1e-3 or (table[index] < 0).any():
                where = ", ".join(self.states[p][i] for p, i in zip(parents, index, strict=True))
                self._fail(
                    f"p({variable} | {where}) must be probabilities that sum to 1"
                    + (", a row is missing" if np.isnan(total) else f", they sum to {total:.6g}")
                )
        return table / table.sum(-1, keepdims=True)

    def _numbers(self) -> list[float]:
        words = self._list(";")
        try:
            return [float(word) for word in words]
        except ValueError:
            self._fail(f"expected numbers, got {' '.join(words)!r}")

    def _list(self, end: str) -> list[str]:
        words = []
        while (token := self._next()).text != end or not token.mark:
            if token.mark and token.text != ",":
                self._fail(f"expected {end!r}, got {token.text!r}")
            if not token.mark:
                words.append(token.text)
        return words

    def _state(self, variable: str, state: str) -> int:
        if state not in self.states[variable]:
            self._fail(f"{variable!r} has no state {state!r}")
        return self.states[variable].index(state)

    def _known(self, variable: str) -> str:
        if variable not in self.states:
            self._fail(f"no variable {variable!r} is declared above")
        return variable

    def _word(self) -> str:
        token = self._next()
        if token.mark:
            self._fail(f"expected a name, got {token.text!r}")
        return token.text

    def _expect(self, mark: str) -> None:
        if (token := self._next()).text != mark:
            self._fail(f"expected {mark!r}, got {token.text!r}")

    def _skip_until(self, mark: str) -> None:
        while self._next().text != mark:
            pass

    def _skip_block(self) -> None:
        depth = 1
        while depth:
            text = self._next().text
            depth += (text == "{") - (text == "}")

    def _next(self) -> _Token:
        if self.position == len(self.tokens):
            self._fail("the file ends too early")
        self.position += 1
        return self.tokens[self.position - 1]

    def _fail(self, message: str) -> NoReturn:
        line = self.tokens[max(self.position - 1, 0)].line if self.tokens else 1
        raise DataError(f"{self.name}, line {line}: {message}")


def _tokens(text: str) -> Iterator[_Token]:
    clean = _COMMENT.sub(lambda match: re.sub(r"[^\n]", " ", match.group()), text)
    line, at = 1, 0
    for match in _TOKEN.finditer(clean):
        line += clean.count("\n", at, match.start())
        at = match.start()
        if match["quoted"] is not None:
            yield _Token(match["quoted"], line, mark=False)
        else:
            yield _Token(match.group(), line, mark=match["mark"] is not None)
