"""Whether the forward pass runs in bf16."""

from contextlib import AbstractContextManager, nullcontext

import torch

from ancestral.errors import ConfigError
from ancestral.training.options import Options


def has_bf16(device: torch.device) -> bool:
    """Return whether the device multiplies bf16 matrices in hardware."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if device.type != "cpu":
        return False
    found = torch.cpu.get_capabilities()
    return any(found.get(name, False) for name in ("avx512_bf16", "amx_bf16", "arm_bf16"))


def uses_bf16(options: Options, device: torch.device) -> bool:
    """Return whether this run's forward passes are in bf16; see ``Options.precision``.

    Raises:
        ConfigError: If bf16 is asked for by name and the device has no instructions for it.
    """
    if options.precision == "float32":
        return False
    if options.precision == "auto":
        return options.channels_last and has_bf16(device)
    if not has_bf16(device):
        raise ConfigError(f"precision bf16 needs bf16 instructions, {device} has none; use auto")
    return True


def forward_precision(bf16: bool, device: torch.device) -> AbstractContextManager[object]:
    """Return the context of a forward pass: bf16 autocast, or nothing."""
    return torch.autocast(device.type, dtype=torch.bfloat16) if bf16 else nullcontext()
