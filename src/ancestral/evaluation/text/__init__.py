"""Language models on held-out documents: code length, variety, and what was memorised."""

from ancestral.evaluation.text.distinct import distinct_pairs
from ancestral.evaluation.text.evaluate import Texts
from ancestral.evaluation.text.likelihood import document_log_probs, token_log_probs
from ancestral.evaluation.text.memorised import Match, Memory, memorised_fraction
from ancestral.evaluation.text.passages import Passage, Passages
from ancestral.evaluation.text.suffix_array import SuffixArray

__all__ = [
    "Match",
    "Memory",
    "Passage",
    "Passages",
    "SuffixArray",
    "Texts",
    "distinct_pairs",
    "document_log_probs",
    "memorised_fraction",
    "token_log_probs",
]
