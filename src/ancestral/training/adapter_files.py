"""Adapters as files of their own, in the layout of the library PEFT."""

import json
from pathlib import Path

import torch
from torch import nn

from ancestral.data.files import disk_errors, write_text
from ancestral.nn.low_rank import LowRankLinear, adapters
from ancestral.training.checkpoint import save_tensors

CONFIG, TENSORS = "adapter_config.json", "adapter_model.safetensors"


@torch.no_grad()
def save_adapters(folder: Path, model: nn.Module, base: str) -> None:
    """Write rank, strength and matrices; the names of layers are those of the model's own modules.

    Adapters of recurrent cells are left out: the layout has no word for them. The merged weights of
    a run hold everything in any case.

    Args:
        folder: Made if it is not there.
        model: With adapters, all of one rank and strength.
        base: Where the weights are that the adapters stand beside.

    Raises:
        RunError: If they cannot be written.
    """
    linear = {
        name: adapter.added
        for name, adapter in adapters(model).items()
        if isinstance(adapter, LowRankLinear)
    }
    if not linear:
        return
    first = next(iter(linear.values()))
    config = {
        "peft_type": "LORA",
        "base_model_name_or_path": base,
        "r": first.rank,
        "lora_alpha": first.alpha,
        "lora_dropout": 0.0,
        "bias": "none",
        "fan_in_fan_out": False,
        "inference_mode": True,
        "target_modules": list(linear),
    }
    tensors = {}
    for name, added in linear.items():
        tensors[f"base_model.model.{name}.lora_A.weight"] = added.down
        tensors[f"base_model.model.{name}.lora_B.weight"] = added.up
    with disk_errors(folder):
        folder.mkdir(exist_ok=True)
    save_tensors(folder / TENSORS, tensors, {})
    write_text(folder / CONFIG, json.dumps(config, indent=2) + "\n")
