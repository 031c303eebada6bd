"""From the distribution of the next token to text: rules, searches and the loop that generates."""

from ancestral.autoregressive.decoding.beam import beam_search
from ancestral.autoregressive.decoding.continuation import Choice, Constraint, StopStrings
from ancestral.autoregressive.decoding.contrastive import contrastive_search
from ancestral.autoregressive.decoding.generate import Generated, collect, generate
from ancestral.autoregressive.decoding.settings import Decoding, row_generators

__all__ = [
    "Choice",
    "Constraint",
    "Decoding",
    "Generated",
    "StopStrings",
    "beam_search",
    "collect",
    "contrastive_search",
    "generate",
    "row_generators",
]
