"""Text: documents, tokenizers, and packed windows of tokens."""

from ancestral.data.text.tokenizer import SPECIAL_NAMES, Stream, Tokenizer, TokenizerKind

__all__ = ["SPECIAL_NAMES", "Stream", "Tokenizer", "TokenizerKind"]
