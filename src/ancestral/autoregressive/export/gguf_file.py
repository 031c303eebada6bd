"""A GGUF file, which llama.cpp and the programs built on it read."""

import json
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, Literal, TypeAlias, cast, get_args

import torch
from torch import Tensor, nn

from ancestral.autoregressive.export.hugging_face import check_vocabulary
from ancestral.autoregressive.export.parts import (
    Exported,
    Stock,
    epsilon,
    share_keys,
    stock_of,
    weights_of,
)
from ancestral.autoregressive.gpt import GPT
from ancestral.data.files import atomic, check_place, make_above
from ancestral.data.text import Tokenizer
from ancestral.errors import CapabilityError, DivergenceError

GGUFType: TypeAlias = Literal["f32", "f16"]
"""How the matrices are stored; vectors and positions are always float32."""

_ARCHITECTURES: dict[Stock, str] = {"opt": "gpt2", "llama": "llama", "qwen3": "qwen3"}
_GELU = "llama.cpp computes the GELU of gpt2 by tanh: its logits are near those here, not equal"
_NORMAL, _UNKNOWN, _CONTROL = 1, 2, 3  # Types of tokens.
_AROUND = {
    "tokens": "token_embd.weight",
    "positions": "position_embd.weight",
    "head": "output.weight",
    "norm": "output_norm.weight",
    "norm.bias": "output_norm.bias",
}
_BLOCK = {
    "qkv": "attn_qkv.weight",
    "qkv.bias": "attn_qkv.bias",
    "query": "attn_q.weight",
    "key": "attn_k.weight",
    "value": "attn_v.weight",
    "query_norm": "attn_q_norm.weight",
    "key_norm": "attn_k_norm.weight",
    "out": "attn_output.weight",
    "out.bias": "attn_output.bias",
    "attention_norm": "attn_norm.weight",
    "attention_norm.bias": "attn_norm.bias",
    "feed_forward_norm": "ffn_norm.weight",
    "feed_forward_norm.bias": "ffn_norm.bias",
    "gate": "ffn_gate.weight",
    "up": "ffn_up.weight",
    "up.bias": "ffn_up.bias",
    "down": "ffn_down.weight",
    "down.bias": "ffn_down.bias",
}


def write_gguf(
    model: nn.Module,
    tokenizer: Tokenizer,
    path: Path | str,
    *,
    dtype: GGUFType = "f32",
    overwrite: bool = False,
) -> Exported:
    """Write a model and its tokenizer as one GGUF file, whole or not at all.

    The folders above it are made. The book's GPT becomes the architecture ``gpt2``, whose biases
    are zeros here; with rotary, rms and swiglu it is ``llama``, with qk_norm too ``qwen3``.
    llama.cpp computes the GELU of ``gpt2`` by tanh: its logits are near those of the book's GPT,
    not equal; those of the other two are the same function.

    Args:
        model: A GPT.
        tokenizer: Of the same vocabulary and of kind ``bpe``: the format knows no other.
        path: Where to.
        dtype: Of the matrices.
        overwrite: Replace a file that is there.

    Raises:
        CapabilityError: If no architecture holds the model, the tokenizer is not of bytes, or the
            package ``gguf`` is not installed.
        DivergenceError: If a weight is not finite, in ``dtype``.
        RunError: If the file exists, or cannot be written.
        ValueError: If the tokenizer has another vocabulary, or the dtype is unknown.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> from ancestral.autoregressive import GPTShape
        >>> tokenizer = Tokenizer.train(["a b c"], pieces=261)
        >>> model = GPT(len(tokenizer), shape=GPTShape(window=8, width=16, layers=1, heads=2))
        >>> with TemporaryDirectory() as folder:
        ...     found = write_gguf(model, tokenizer, Path(folder) / "small.gguf")
        ...     found.name, found.path.read_bytes()[:4]
        ('gpt2', b'GGUF')
    """
    if dtype not in get_args(GGUFType):
        raise ValueError(f"dtype must be one of {', '.join(get_args(GGUFType))}, got {dtype!r}")
    path = Path(path)
    check_place(path, overwrite=overwrite)
    library = _import()
    stock = stock_of(model)
    model = cast(GPT, model)
    check_vocabulary(model, tokenizer)
    if tokenizer.kind != "bpe":
        raise CapabilityError(
            f"gguf needs a run with tokenizer=bpe, the only vocabulary that the format and this "
            f"package share, got tokenizer={tokenizer.kind}"
        )
    tensors = gguf_tensors(model)
    if dtype == "f16":
        tensors = {name: _halved(name, tensor) for name, tensor in tensors.items()}
    make_above(path)
    with (
        atomic(path) as draft,
        closing(library.GGUFWriter(draft, _ARCHITECTURES[stock])) as writer,
    ):
        _describe(writer, model, stock, hidden=_hidden(tensors))
        writer.add_file_type(1 if dtype == "f16" else 0)
        _add_vocabulary(writer, tokenizer)
        for name, tensor in tensors.items():
            writer.add_tensor(name, tensor.numpy())
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
    notes = (_GELU,) if stock == "opt" else ()
    return Exported(path=path, name=_ARCHITECTURES[stock], notes=notes)


def gguf_tensors(model: nn.Module) -> dict[str, Tensor]:
    """Return the float32 tensors by the names of the format.

    Raises CapabilityError if no architecture holds the model; DivergenceError if a weight is not
    finite.
    """
    stock = stock_of(model)
    model = cast(GPT, model)
    around, blocks = weights_of(model)
    tensors = {_AROUND[name]: tensor for name, tensor in around.items()}
    for number, block in enumerate(blocks):
        if stock == "opt":
            block = _gpt2(block, model)
        elif stock == "llama":
            block = {**block, "query": _paired(block["query"], model.shape.heads)} | {
                "key": _paired(block["key"], model.shape.heads_of_keys)
            }
        tensors |= {f"blk.{number}.{_BLOCK[name]}": tensor for name, tensor in block.items()}
    return tensors


def _gpt2(block: Mapping[str, Tensor], model: GPT) -> dict[str, Tensor]:
    """Return a block with one matrix for queries, keys and values, and the biases it must have."""
    shape = model.shape
    found = share_keys(dict(block), heads=shape.heads, groups=shape.heads_of_keys)
    found["qkv"] = torch.cat([found.pop(name) for name in ("query", "key", "value")])
    for name in ("qkv", "out", "up", "down"):
        found[f"{name}.bias"] = torch.zeros(len(found[name]))
    return found


def _paired(matrix: Tensor, heads: int) -> Tensor:
    """Return the rows of each head in the order of ``llama``, where 2i and 2i + 1 are a pair."""
    return matrix.unflatten(0, (heads, 2, -1)).transpose(1, 2).flatten(0, 2).contiguous()


def _halved(name: str, tensor: Tensor) -> Tensor:
    """Return a matrix in float16; vectors and positions stay as they are.

    Raises DivergenceError if a value is too large for it.
    """
    if tensor.ndim < 2 or name == _AROUND["positions"]:
        return tensor
    found = tensor.half()
    if not bool(found.isfinite().all()):
        raise DivergenceError(f"weights must be below 65,520 for dtype f16, {name} is not: use f32")
    return found


def _hidden(tensors: Mapping[str, Tensor]) -> int:
    return len(tensors[f"blk.0.{_BLOCK['up']}"])


def _describe(writer: Any, model: GPT, stock: Stock, *, hidden: int) -> None:  # noqa: ANN401 - of gguf
    shape = model.shape
    writer.add_name("ancestral gpt")
    writer.add_vocab_size(model.vocabulary)
    writer.add_context_length(shape.window)
    writer.add_embedding_length(shape.width)
    writer.add_block_count(shape.layers)
    writer.add_feed_forward_length(hidden)
    writer.add_head_count(shape.heads)
    if stock == "opt":
        writer.add_layer_norm_eps(epsilon(model.norm))
        return
    width = shape.features_of_a_head
    writer.add_head_count_kv(shape.heads_of_keys)
    writer.add_layer_norm_rms_eps(epsilon(model.norm))
    writer.add_rope_dimension_count(width)
    writer.add_rope_freq_base(10_000.0)
    writer.add_key_length(width)
    writer.add_value_length(width)


def _add_vocabulary(writer: Any, tokenizer: Tokenizer) -> None:  # noqa: ANN401 - of gguf
    learned = json.loads(tokenizer.to_json())["model"]
    special = tokenizer.special
    pieces = sorted(learned["vocab"], key=learned["vocab"].__getitem__)
    names = [tokenizer.token(index) for index in special]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list([*pieces[: special.bos], *names])
    writer.add_token_types([_NORMAL] * special.bos + [_CONTROL, _CONTROL, _UNKNOWN, _CONTROL])
    writer.add_token_merges(
        [pair if isinstance(pair, str) else " ".join(pair) for pair in learned["merges"]]
    )
    writer.add_bos_token_id(special.bos)
    writer.add_eos_token_id(special.eos)
    writer.add_unk_token_id(special.unk)
    writer.add_pad_token_id(special.pad)
    writer.add_add_bos_token(True)
    writer.add_add_eos_token(False)


def _import() -> Any:  # noqa: ANN401 - the optional library itself
    try:
        import gguf  # Optional, and needed for this format only.
    except ImportError as error:
        raise CapabilityError("gguf needs the package gguf: pip install gguf") from error
    return gguf
