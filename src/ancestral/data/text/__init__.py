"""Text: documents, tokenizers, and packed windows of tokens."""

from ancestral.data.text.corpus import Corpus, Documents, load_corpus, tokenise_documents
from ancestral.data.text.documents import Found, find_documents
from ancestral.data.text.duplicates import distinct
from ancestral.data.text.spelling import Spelling
from ancestral.data.text.tokenizer import SPECIAL_NAMES, Stream, Tokenizer, TokenizerKind
from ancestral.data.text.unseen import Unseen, held_out_text, unseen_documents
from ancestral.data.text.windows import lengths, pack, target_share

__all__ = [
    "SPECIAL_NAMES",
    "Corpus",
    "Documents",
    "Found",
    "Spelling",
    "Stream",
    "Tokenizer",
    "TokenizerKind",
    "Unseen",
    "distinct",
    "find_documents",
    "held_out_text",
    "lengths",
    "load_corpus",
    "pack",
    "target_share",
    "tokenise_documents",
    "unseen_documents",
]
