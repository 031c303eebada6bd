"""Which class of other programs holds a GPT, and its weights under one set of names."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, TypeAlias, cast

import torch
from torch import Tensor, nn

from ancestral.autoregressive.gpt import GPT
from ancestral.errors import CapabilityError, DivergenceError
from ancestral.nn.feed_forward import SwiGLU
from ancestral.nn.low_rank import merged_state
from ancestral.nn.transformer import Block, GPTParts

Stock: TypeAlias = Literal["opt", "llama", "qwen3"]
"""A family of models that ``transformers`` has: the name is that of its ``model_type``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """What was written.

    Args:
        path: Where.
        name: What other programs take it for: a class of ``transformers``, an architecture.
        notes: What to beware of there, a line each.
    """

    path: Path
    name: str
    notes: tuple[str, ...] = ()


_FIT = (
    "positions=learned norm=layer feed_forward=gelu qk_norm=false, or positions=rotary norm=rms "
    "feed_forward=swiglu, each with score=dot, any groups and tied"
)


def parts_of(model: GPT) -> GPTParts:
    """Return what a GPT is made of."""
    block = cast(Block, model.blocks[0])
    return GPTParts(
        positions="rotary" if model.positions is None else "learned",
        norm="rms" if isinstance(model.norm, nn.RMSNorm) else "layer",
        feed_forward="swiglu" if isinstance(block.feed_forward, SwiGLU) else "gelu",
        tied=model.output is None,
        qk_norm=block.attention.query_norm is not None,
        score="dot" if block.attention.score is None else "additive",
    )


def stock_of(model: nn.Module) -> Stock:
    """Return the family that computes what the model computes.

    Raises CapabilityError if there is none.

    Example:
        >>> stock_of(GPT(100))
        'opt'
    """
    if not isinstance(model, GPT):
        raise CapabilityError(
            f"only a gpt can be exported: no other program has a class for {type(model).__name__}"
        )
    parts, shape = parts_of(model), model.shape
    plain = replace(parts, tied=False, qk_norm=False)
    if plain == GPTParts(positions="rotary", norm="rms", feed_forward="swiglu"):
        return "qwen3" if parts.qk_norm else "llama"
    if plain != GPTParts() or parts.qk_norm:
        raise CapabilityError(
            f"the parts of an exported gpt must be {_FIT}; got positions={parts.positions} "
            f"norm={parts.norm} feed_forward={parts.feed_forward} "
            f"qk_norm={str(parts.qk_norm).lower()} score={parts.score}"
        )
    if shape.heads * shape.features_of_a_head != shape.width:
        raise CapabilityError(
            f"with learned positions the heads of an exported gpt must fill its width "
            f"{shape.width}, got {shape.heads} of {shape.features_of_a_head}"
        )
    return "opt"


def weights_of(model: GPT) -> tuple[dict[str, Tensor], list[dict[str, Tensor]]]:
    """Return the weights, float32 on the CPU, of what stands around the blocks and of each block.

    All matrices map by ``x @ W.T``. Around: ``tokens`` [V, D], ``positions`` [T, D] if learned,
    ``head`` [V, D] if not tied, ``norm`` and ``norm.bias``. Of a block: ``query``, ``key``,
    ``value``, ``out``, ``attention_norm``, ``feed_forward_norm`` (and ``.bias``), ``up``, ``down``,
    with SwiGLU ``gate``, with normed queries and keys ``query_norm`` and ``key_norm``. Raises
    CapabilityError if the model has weights besides these; DivergenceError if a weight is not
    finite.
    """
    for name, parameter in model.named_parameters():
        if not bool(parameter.isfinite().all()):
            raise DivergenceError(f"weights must be finite to be exported, {name} is not")
    around = {"tokens": model.tokens.weight, **_norm("norm", model.norm)}
    if model.positions is not None:
        around["positions"] = model.positions.weight
    if model.output is not None:
        around["head"] = model.output.weight
    found = _plain(around), [_plain(_block(cast(Block, block))) for block in model.blocks]
    named = sum(tensor.numel() for group in (found[0], *found[1]) for tensor in group.values())
    more = sum(tensor.numel() for tensor in merged_state(model).values()) - named
    if more:  # A part that nobody has taught this module must not be left out unsaid.
        raise CapabilityError(
            f"an exported gpt must have no weights but those of its parts, got {more:,} more"
        )
    return found


def epsilon(norm: nn.Module | None) -> float:
    """Return what a norm adds below its root; torch's choice for float32 where it is None."""
    found = getattr(norm, "eps", None)
    return torch.finfo(torch.float32).eps if found is None else float(found)


def share_keys(weights: dict[str, Tensor], *, heads: int, groups: int) -> dict[str, Tensor]:
    """Return a block's weights with keys and values repeated, one for each head of queries."""
    repeated = {
        name: weights[name]
        .unflatten(0, (groups, -1))
        .repeat_interleave(heads // groups, dim=0)
        .flatten(0, 1)
        for name in ("key", "value")
    }
    return {**weights, **repeated}


def _block(block: Block) -> dict[str, Tensor]:
    attention, forward = block.attention, block.feed_forward
    groups = [attention.heads, attention.key_value_heads, attention.key_value_heads]
    sizes = [count * attention.head_width for count in groups]
    query, key, value = attention.qkv.weight.split(sizes)
    found = {
        "value": value,
        "out": attention.out.weight,
        "down": forward.out.weight,
        **_norm("attention_norm", block.attention_norm),
        **_norm("feed_forward_norm", block.feed_forward_norm),
    }
    if isinstance(forward, SwiGLU):
        found["gate"], found["up"] = forward.first.weight.chunk(2)
    else:
        found["up"] = forward.first.weight
    if attention.query_norm is not None and attention.key_norm is not None:
        found["query_norm"] = attention.query_norm.weight
        found["key_norm"] = attention.key_norm.weight
    return {"query": query, "key": key, **found}


def _norm(name: str, norm: nn.Module) -> dict[str, Tensor]:
    found = {name: cast(Tensor, norm.weight)}
    return found | ({f"{name}.bias": norm.bias} if isinstance(norm, nn.LayerNorm) else {})


def _plain(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {
        name: tensor.detach().to("cpu", torch.float32).contiguous()
        for name, tensor in tensors.items()
    }
