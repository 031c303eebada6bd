"""The tokenizer at a distance: text to ids and back, for clients that count or score tokens."""

from typing import Any

from ancestral.data.text import SPECIAL_NAMES
from ancestral.serving.schemas import DetokenizeRequest, TokenizeRequest
from ancestral.serving.served import Served


def tokenize(served: Served, asked: TokenizeRequest) -> dict[str, Any]:
    """Return the ids of a text.

    The name of a special token, alone, is that token: so clients learn its id. In the prompt of a
    completion it is text like any other. Raises Refusal if another model is asked for; ValueError
    if the text is not Unicode.
    """
    served.check_model(asked.model)
    special = served.tokenizer.special
    if asked.prompt in SPECIAL_NAMES:
        ids = [special[SPECIAL_NAMES.index(asked.prompt)]]
    else:
        ids = served.tokenizer.encode(asked.prompt)
        if asked.add_special_tokens:
            ids = [special.bos, *ids]
    return {"tokens": ids, "count": len(ids), "max_model_len": served.window}


def detokenize(served: Served, asked: DetokenizeRequest) -> dict[str, str]:
    """Return the text of ids.

    Raises Refusal if another model is asked for; ValueError if an id is unknown.
    """
    served.check_model(asked.model)
    return {"prompt": served.tokenizer.decode(asked.tokens)}


def info(served: Served) -> dict[str, Any]:
    """Return what clients must know to cut text as the model does."""
    bos, eos, unk, pad = SPECIAL_NAMES
    return {
        "tokenizer_class": served.tokenizer.kind,
        "vocab_size": served.tokenizer.vocabulary,
        "model_max_length": served.window,
        "bos_token": bos,
        "eos_token": eos,
        "unk_token": unk,
        "pad_token": pad,
    }
