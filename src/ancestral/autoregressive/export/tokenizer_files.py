"""A tokenizer as ``transformers`` reads it."""

import json
from typing import Any

from ancestral.data.text import Tokenizer


def tokenizer_files(tokenizer: Tokenizer, window: int) -> dict[str, dict[str, Any]]:
    """Return what stands in the files from which ``AutoTokenizer`` makes an equal tokenizer.

    A text gets the same ids, behind a BOS: models here have read every text from BOS on, and a
    plain ``generate`` of ``transformers`` then starts as they do. ``add_special_tokens=False``
    leaves it out. Special tokens that a text spells stay text. Rows of several lengths are padded
    on the left, where generation needs it.

    Example:
        >>> tokenizer = Tokenizer.train(["a b"], kind="word")
        >>> sorted(tokenizer_files(tokenizer, window=16))
        ['tokenizer.json', 'tokenizer_config.json']
    """
    library = json.loads(tokenizer.to_json())
    library["post_processor"] = _begin(tokenizer)
    names = dict(zip(("bos", "eos", "unk", "pad"), tokenizer.special, strict=True))
    config = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        **{f"{name}_token": tokenizer.token(index) for name, index in names.items()},
        "model_max_length": window,
        "model_input_names": ["input_ids", "attention_mask"],
        "padding_side": "left",
        "clean_up_tokenization_spaces": False,
        "split_special_tokens": True,
    }
    return {"tokenizer.json": library, "tokenizer_config.json": config}


def _begin(tokenizer: Tokenizer) -> dict[str, Any]:
    """Return the step of the library that puts BOS before a text."""
    index = tokenizer.special.bos
    name = tokenizer.token(index)
    bos = {"SpecialToken": {"id": name, "type_id": 0}}
    first, second = ({"Sequence": {"id": which, "type_id": 0}} for which in "AB")
    return {
        "type": "TemplateProcessing",
        "single": [bos, first],
        "pair": [bos, first, second],
        "special_tokens": {name: {"id": name, "ids": [index], "tokens": [name]}},
    }
