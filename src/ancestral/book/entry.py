"""One thing of the book that is made anew: what is printed, how it is found, and who is right."""

import math
from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

import torch
from torch import Generator

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Language: TypeAlias = Literal["en", "es"]
Value: TypeAlias = float | str | tuple[float, ...]
Verdict: TypeAlias = Literal[
    "equal", "within sampling error", "the book errs", "drawn", "not made", "differs"
]

ERRORS = 4.0
"""Standard errors that two draws of the same number may be apart."""


@dataclass(frozen=True, slots=True)
class Sampled:
    """A number that another seed would change, and its standard error."""

    value: float
    se: float


Found: TypeAlias = Value | Sampled


@dataclass(frozen=True, slots=True)
class How:
    """With what an entry is made: its own random numbers, and the language of its labels."""

    noise: Generator
    language: Language = "en"
    quick: bool = False

    @classmethod
    def of(cls, seed: int = 0, language: Language = "en", *, quick: bool = False) -> "How":
        """Return the way of a seed."""
        return cls(Generator().manual_seed(seed), language, quick)

    def say(self, english: str, spanish: str) -> str:
        """Return the text of the language."""
        return spanish if self.language == "es" else english

    def uniform(self, *shape: int) -> torch.Tensor:
        """Draw uniform numbers, float64."""
        return torch.rand(shape, generator=self.noise, dtype=torch.float64)


@dataclass(frozen=True, slots=True)
class Entry:
    """A number, a figure or an example of the book.

    Args:
        id: The row of the book's list, FG-15 or BN-02, and a letter where it has several.
        english: What it is.
        spanish: The same.
        book: What the book prints; None of a figure without a number.
        find: Computes it by the library.
        within: How far the two may be apart: half a unit of the last printed digit.
        errs: The erratum, where the book is wrong.
        correct: What is right then.
        draw: Makes the figure; a graph is an SVG.
        reason: Why it is not made, in English and Spanish.
        slow: It trains a model.

    Example:
        >>> entry = Entry("NN-18", "1 / (1 - p)", "1 / (1 - p)", book=1.25, find=lambda how: 1.25)
        >>> entry.row, entry.kind, entry.verdict(1.25), entry.verdict(1.3)
        ('NN-18', 'number', 'equal', 'differs')
    """

    id: str
    english: str
    spanish: str
    _: KW_ONLY
    book: Value | None = None
    find: Callable[[How], Found] | None = None
    within: float = 0.0
    errs: str = ""
    correct: Value | None = None
    draw: Callable[[How], "Figure | str"] | None = None
    reason: tuple[str, str] | None = None
    slow: bool = False

    @property
    def row(self) -> str:
        """The row of the book's list that it is of."""
        return self.id.partition(".")[0]

    @property
    def kind(self) -> Literal["number", "figure", "example"]:
        """What it is, by its row."""
        named = {"FG": "figure", "EX": "example"}
        return named.get(self.id[:2], "number")  # pyright: ignore[reportReturnType]

    def verdict(self, found: Found | None) -> Verdict:
        """Return what comes of comparing what was found with what is printed."""
        if self.book is None or found is None:
            return "drawn" if self.draw and not self.reason else "not made"
        if self.correct is not None:
            wrong = _agree(found, self.book, self.within) is not None
            right = _agree(found, self.correct, self.within) is not None
            return "the book errs" if right and not wrong else "differs"
        return _agree(found, self.book, self.within) or "differs"


def _agree(found: Found, other: Value, within: float) -> Verdict | None:
    """Return in which sense two values agree; None where they do not."""
    if isinstance(found, Sampled):
        near = isinstance(other, float | int) and abs(found.value - other) <= ERRORS * found.se
        return "within sampling error" if near else None
    if isinstance(found, str) or isinstance(other, str):
        return "equal" if found == other else None
    pair = [each if isinstance(each, tuple) else (each,) for each in (found, other)]
    same = len(pair[0]) == len(pair[1]) and all(
        math.isclose(a, b, rel_tol=1e-9, abs_tol=within + 1e-12) for a, b in zip(*pair, strict=True)
    )
    return "equal" if same else None


def value_text(value: Found | None) -> str:
    """Return a value as it is shown.

    Example:
        >>> value_text(3190), value_text((3.0, 1 / 3)), value_text(Sampled(0.78469, 0.01604))
        ('3,190', '3, 0.333333', '0.785 ± 0.016')
    """
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, Sampled):
        places = max(0, 1 - math.floor(math.log10(value.se))) if value.se > 0 else 6
        return f"{value.value:.{places}f} ± {value.se:.{places}f}"
    if isinstance(value, tuple):
        return ", ".join(map(value_text, value))
    if abs(value) < 1e-12:  # Rounding.
        return "0"
    if float(value).is_integer() and abs(value) < 1e15:
        return f"{int(value):,}"
    return f"{value:.6g}"
