"""Language models for other programs.

Read in this order: ``parts`` (which class of others fits, and the weights under one set of names),
``tokenizer_files``, ``hugging_face``, ``gguf_file``.
"""

from ancestral.autoregressive.export.gguf_file import GGUFType, write_gguf
from ancestral.autoregressive.export.hugging_face import write_hugging_face
from ancestral.autoregressive.export.parts import Exported

__all__ = ["Exported", "GGUFType", "write_gguf", "write_hugging_face"]
