"""Text: documents, tokenizers, and packed windows of tokens."""
