"""Language models on held-out documents: code length, variety, and what was memorised."""

from ancestral.evaluation.text.evaluate import Texts
from ancestral.evaluation.text.likelihood import token_log_probs

__all__ = ["Texts", "token_log_probs"]
