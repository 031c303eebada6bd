"""Whether the forward pass runs in bf16."""

from contextlib import AbstractContextManager, nullcontext

import torch

from ancestral.errors import ConfigError
from ancestral.training.options import Options


def has_bf16(device: torch.device) -> bool:
    """Return whether the device has instructions for bf16."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if device.type != "cpu":
        return False
    return _cpu_has("avx512_bf16", "amx_bf16", "arm_bf16")


def gains_by_bf16(device: torch.device) -> bool:
    """Return whether convolutions are faster in bf16: where matrices are multiplied in tiles.

    On a CPU with dot products of bf16 alone (AVX-512 without AMX) they were measured to take 1.4
    times as long as in float32.
    """
    return has_bf16(device) and (device.type != "cpu" or _cpu_has("amx_bf16", "arm_bf16"))


def _cpu_has(*names: str) -> bool:
    found = torch.cpu.get_capabilities()
    return any(found.get(name, False) for name in names)


def uses_bf16(options: Options, device: torch.device) -> bool:
    """Return whether this run's forward passes are in bf16; see ``Options.precision``.

    Raises:
        ConfigError: If bf16 is asked for by name and the device has no instructions for it.
    """
    if options.precision == "float32":
        return False
    if options.precision == "auto":
        return options.channels_last and gains_by_bf16(device)
    if not has_bf16(device):
        raise ConfigError(f"precision bf16 needs bf16 instructions, {device} has none; use auto")
    return True


def forward_precision(bf16: bool, device: torch.device) -> AbstractContextManager[object]:
    """Return the context of a forward pass: bf16 autocast, or nothing."""
    return torch.autocast(device.type, dtype=torch.bfloat16) if bf16 else nullcontext()
