"""The book's numbers, figures and examples, made anew beside what is printed."""

from ancestral.book.entry import Entry, How, Sampled
from ancestral.book.making import Outcome, Reproduction, chosen, language_here, made, reproduce

__all__ = [
    "Entry",
    "How",
    "Outcome",
    "Reproduction",
    "Sampled",
    "chosen",
    "language_here",
    "made",
    "reproduce",
]
