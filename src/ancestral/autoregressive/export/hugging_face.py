"""A folder that ``transformers`` loads with its own classes, and so vLLM and the rest."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from safetensors.torch import save
from torch import Tensor, nn

from ancestral.autoregressive.export.parts import (
    Exported,
    Stock,
    epsilon,
    parts_of,
    share_keys,
    stock_of,
    weights_of,
)
from ancestral.autoregressive.export.tokenizer_files import tokenizer_files
from ancestral.autoregressive.gpt import GPT
from ancestral.data.files import atomic_folder, check_place, make_above
from ancestral.data.text import Tokenizer

FILES = (
    "config.json",
    "generation_config.json",
    "model.safetensors",
    "tokenizer.json",
    "tokenizer_config.json",
)
"""Names of the files of an exported folder."""

_CLASSES: dict[Stock, str] = {
    "opt": "OPTForCausalLM",
    "llama": "LlamaForCausalLM",
    "qwen3": "Qwen3ForCausalLM",
}

_UNTIED = "older vLLM reads no head of its own for OPT: there, fit with --set tied=true"

_OPT = {
    "tokens": "model.decoder.embed_tokens.weight",
    "positions": "model.decoder.embed_positions.weight",
    "head": "lm_head.weight",
    "norm": "model.decoder.final_layer_norm.weight",
    "norm.bias": "model.decoder.final_layer_norm.bias",
    "query": "model.decoder.layers.{}.self_attn.q_proj.weight",
    "key": "model.decoder.layers.{}.self_attn.k_proj.weight",
    "value": "model.decoder.layers.{}.self_attn.v_proj.weight",
    "out": "model.decoder.layers.{}.self_attn.out_proj.weight",
    "attention_norm": "model.decoder.layers.{}.self_attn_layer_norm.weight",
    "attention_norm.bias": "model.decoder.layers.{}.self_attn_layer_norm.bias",
    "feed_forward_norm": "model.decoder.layers.{}.final_layer_norm.weight",
    "feed_forward_norm.bias": "model.decoder.layers.{}.final_layer_norm.bias",
    "up": "model.decoder.layers.{}.fc1.weight",
    "down": "model.decoder.layers.{}.fc2.weight",
}
_LLAMA = {
    "tokens": "model.embed_tokens.weight",
    "head": "lm_head.weight",
    "norm": "model.norm.weight",
    "query": "model.layers.{}.self_attn.q_proj.weight",
    "key": "model.layers.{}.self_attn.k_proj.weight",
    "value": "model.layers.{}.self_attn.v_proj.weight",
    "query_norm": "model.layers.{}.self_attn.q_norm.weight",
    "key_norm": "model.layers.{}.self_attn.k_norm.weight",
    "out": "model.layers.{}.self_attn.o_proj.weight",
    "attention_norm": "model.layers.{}.input_layernorm.weight",
    "feed_forward_norm": "model.layers.{}.post_attention_layernorm.weight",
    "gate": "model.layers.{}.mlp.gate_proj.weight",
    "up": "model.layers.{}.mlp.up_proj.weight",
    "down": "model.layers.{}.mlp.down_proj.weight",
}


def write_hugging_face(
    model: nn.Module, tokenizer: Tokenizer, folder: Path | str, *, overwrite: bool = False
) -> Exported:
    """Write a model and its tokenizer so that ``transformers`` loads both, without code of ours.

    ``AutoModelForCausalLM`` makes of it an OPT (the book's GPT), a Llama (rotary, rms, swiglu) or a
    Qwen3 (the same with qk_norm) whose float32 logits are the model's for one text a row. How text
    is read: :func:`ancestral.autoregressive.export.tokenizer_files.tokenizer_files`. The folder is
    whole or not there; those above it are made.

    Args:
        model: A GPT.
        tokenizer: Of the same vocabulary.
        folder: Where to.
        overwrite: Replace what an earlier export has put there.

    Raises:
        CapabilityError: If no class holds the model.
        DivergenceError: If a weight is not finite.
        RunError: If the folder exists, or cannot be written.
        ValueError: If the tokenizer has another vocabulary.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> from ancestral.autoregressive import GPTShape
        >>> tokenizer = Tokenizer.train(["a b c"], kind="word")
        >>> model = GPT(len(tokenizer), shape=GPTShape(window=8, width=16, layers=1, heads=2))
        >>> with TemporaryDirectory() as above:
        ...     found = write_hugging_face(model, tokenizer, Path(above) / "exported")
        ...     found.name, sorted(file.name for file in found.path.iterdir()) == list(FILES)
        ('OPTForCausalLM', True)
    """
    folder = Path(folder)
    check_place(folder, overwrite=overwrite, ours=FILES)
    config, tensors = hugging_face_parts(model)
    model = cast(GPT, model)
    check_vocabulary(model, tokenizer)
    special = dict(zip(("bos", "eos", "unk", "pad"), model.special, strict=True))
    ids = {f"{name}_token_id": special[name] for name in ("bos", "eos", "pad")}
    words: dict[str, Mapping[str, Any]] = {
        "config.json": {**config, **ids},
        "generation_config.json": ids,
        **tokenizer_files(tokenizer, model.shape.window),
    }
    make_above(folder)
    with atomic_folder(folder) as draft:
        for name, content in words.items():
            text = json.dumps(content, indent=2, ensure_ascii=False)
            (draft / name).write_text(text + "\n", encoding="utf-8")
        (draft / "model.safetensors").write_bytes(save(tensors, {"format": "pt"}))
    untied = config["model_type"] == "opt" and not config["tie_word_embeddings"]
    return Exported(
        path=folder, name=config["architectures"][0], notes=(_UNTIED,) if untied else ()
    )


def hugging_face_parts(model: nn.Module) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Return what ``config.json`` says but for the special tokens, and the tensors by name.

    Raises CapabilityError if no class holds the model; DivergenceError if a weight is not finite.
    """
    stock = stock_of(model)
    model = cast(GPT, model)
    shape = model.shape
    around, blocks = weights_of(model)
    config: dict[str, Any] = {
        "architectures": [_CLASSES[stock]],
        "model_type": stock,
        "vocab_size": model.vocabulary,
        "max_position_embeddings": shape.window,
        "hidden_size": shape.width,
        "num_hidden_layers": shape.layers,
        "num_attention_heads": shape.heads,
        "tie_word_embeddings": parts_of(model).tied,
        "torch_dtype": "float32",
        "use_cache": True,
    }
    hidden = len(blocks[0]["up"])
    if stock == "opt":
        # OPT leaves two rows in front of its positions, which nothing reads.
        around["positions"] = nn.functional.pad(around["positions"], (0, 0, 2, 0))
        blocks = [
            share_keys(block, heads=shape.heads, groups=shape.heads_of_keys) for block in blocks
        ]
        config |= _opt(shape.width, hidden)
    else:
        config |= {
            "intermediate_size": hidden,
            "num_key_value_heads": shape.heads_of_keys,
            "head_dim": shape.features_of_a_head,
            "hidden_act": "silu",
            "rms_norm_eps": epsilon(model.norm),
            "rope_theta": 10_000.0,
            "attention_bias": False,
        }
    names = _OPT if stock == "opt" else _LLAMA
    tensors = {names[name]: tensor for name, tensor in around.items()}
    for number, block in enumerate(blocks):
        tensors |= {names[name].format(number): tensor for name, tensor in block.items()}
    return config, tensors


def check_vocabulary(model: GPT, tokenizer: Tokenizer) -> None:
    """Refuse a tokenizer that is not the model's.

    Raises ValueError if it has another number of tokens.
    """
    if len(tokenizer) != model.vocabulary:
        raise ValueError(
            f"the tokenizer must have the model's {model.vocabulary} tokens, got {len(tokenizer)}"
        )


def _opt(width: int, hidden: int) -> dict[str, Any]:
    return {
        "ffn_dim": hidden,
        "word_embed_proj_dim": width,
        "activation_function": "gelu",
        "do_layer_norm_before": True,
        "enable_bias": False,
        "layer_norm_elementwise_affine": True,
        "dropout": 0.0,
        "attention_dropout": 0.0,
    }
