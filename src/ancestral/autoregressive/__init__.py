"""Sequences, token by token: the full chain, its factors tied."""

from ancestral.autoregressive.gpt import GPT, attention_maps
from ancestral.autoregressive.recurrent import RecurrentLM, RecurrentState
from ancestral.autoregressive.seq2seq import Seq2Seq, padded_pairs
from ancestral.estimation.cross_entropy import linear_cross_entropy, token_cross_entropy
from ancestral.nn.transformer import GPTParts, GPTShape

__all__ = [
    "GPT",
    "GPTParts",
    "GPTShape",
    "RecurrentLM",
    "RecurrentState",
    "Seq2Seq",
    "attention_maps",
    "linear_cross_entropy",
    "padded_pairs",
    "token_cross_entropy",
]
