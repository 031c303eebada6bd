"""A text cut into words and marks at once; lines are counted only where an error needs one."""

import re
from collections.abc import Set
from typing import NoReturn

from ancestral.errors import DataError


class Scanner:
    r"""The tokens of a file and the place of the reader among them.

    Args:
        text: The file.
        pattern: What a token is; without groups, so that one call cuts the whole text.
        name: What to call the file in errors.
        comment: What a comment is, or a quoted string, which is none; None where there are none.
        marks: Tokens that are no names.

    Example:
        >>> scanner = Scanner("a {\n b }", re.compile(r"\w+|[{}]"), "the text")
        >>> scanner.expect("a")
        >>> scanner.until("}")
        ['{', 'b']
        >>> scanner.expect("c")
        Traceback (most recent call last):
        ancestral.errors.DataError: the text, line 2: expected 'c', got the end of the file
    """

    def __init__(
        self,
        text: str,
        pattern: re.Pattern[str],
        name: str,
        *,
        comment: re.Pattern[str] | None = None,
        marks: Set[str] = frozenset(),
    ) -> None:
        # Comments are blanked, so that lines keep their numbers.
        self.text = text = text if comment is None else comment.sub(_blank, text)
        self.marks = marks
        self.pattern = pattern
        self.name = name
        self.tokens: list[str] = pattern.findall(text)
        self.at = 0
        if '"' in marks and '"' in self.tokens:
            self.fail("expected a closing '\"', got none", self.tokens.index('"'))

    @property
    def done(self) -> bool:
        """Whether every token was read."""
        return self.at >= len(self.tokens)

    def next(self, expected: str = "more") -> str:
        """Return the next token and step over it."""
        if self.at >= len(self.tokens):
            self.fail(f"expected {expected}, got the end of the file")
        self.at += 1
        return self.tokens[self.at - 1]

    def next_name(self) -> str:
        """Return the next token, which must be a name, quoted or not, and step over it."""
        if (token := self.next("a name")) in self.marks:
            self.refuse(f"expected a name, got {token!r}")
        return token

    def expect(self, mark: str) -> None:
        """Step over a token that must be ``mark``."""
        if (token := self.next(repr(mark))) != mark:
            self.refuse(f"expected {mark!r}, got {token!r}")

    def until(self, mark: str) -> list[str]:
        """Return the tokens before the next ``mark`` and step over it."""
        try:
            end = self.tokens.index(mark, self.at)
        except ValueError:
            self.fail(f"expected {mark!r}, got the end of the file", len(self.tokens))
        found = self.tokens[self.at : end]
        self.at = end + 1
        return found

    def numbers(self, words: list[str], start: int) -> list[float]:
        """Return tokens as numbers; ``start`` is the place of the first of them, for the error."""
        found: list[float] = []
        try:
            found.extend(map(float, words))
        except ValueError:  # What came before the wrong one is there.
            self.fail(f"expected a number, got {words[len(found)]!r}", start + len(found))
        return found

    def line(self, place: int) -> int:
        """Return the line, from 1, on which a token stands; the last line after the last token."""
        end = len(self.text.rstrip())
        for index, match in enumerate(self.pattern.finditer(self.text)):
            if index == place:
                end = match.start()
                break
        return self.text.count("\n", 0, end) + 1

    def refuse(self, message: str) -> NoReturn:
        """Fail on the line of the token that was read last."""
        self.fail(message, self.at - 1)

    def fail(self, message: str, place: int | None = None) -> NoReturn:
        """Raise a :class:`DataError` that names the file and the line of a token."""
        raise DataError(
            f"{self.name}, line {self.line(self.at if place is None else place)}: {message}"
        )


def _blank(match: re.Match[str]) -> str:
    """Blank a comment, keep its lines; a quoted name is none."""
    return match.group() if match.group()[0] == '"' else re.sub(r"[^\n]", " ", match.group())
