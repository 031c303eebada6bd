"""A corpus: documents in three splits, and the tokenizer that the first of them trained."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Corpus:
    """Filled in by the branch that reads text."""
