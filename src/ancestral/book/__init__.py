"""The book's numbers, figures and examples, made anew beside what is printed."""

from ancestral.book.coverage import Coverage, Row, coverage, rows
from ancestral.book.entry import Entry, How, Sampled
from ancestral.book.making import Outcome, Reproduction, chosen, language_here, made, reproduce

__all__ = [
    "Coverage",
    "Entry",
    "How",
    "Outcome",
    "Reproduction",
    "Row",
    "Sampled",
    "chosen",
    "coverage",
    "language_here",
    "made",
    "reproduce",
    "rows",
]
