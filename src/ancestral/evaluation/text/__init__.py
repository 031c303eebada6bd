"""Language models on held-out documents: code length, variety, and what was memorised."""

from ancestral.evaluation.text.evaluate import Texts
from ancestral.evaluation.text.likelihood import document_bounds, token_log_probs

__all__ = ["Texts", "document_bounds", "token_log_probs"]
