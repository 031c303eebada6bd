"""In which precision a step multiplies: bf16 where that pays, float32 by the faster library."""

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import lru_cache
from pathlib import Path

import torch

from ancestral.errors import ConfigError
from ancestral.training.options import Options

_TRUE_FLOAT32 = 1e-5
"""Largest relative error of a product of 512 terms that passes as float32; bf16 is at 2e-3."""


def has_bf16(device: torch.device) -> bool:
    """Return whether the device has instructions for bf16."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if device.type != "cpu":
        return False
    return _cpu_has("avx512_bf16", "amx_bf16", "arm_bf16")


def gains_by_bf16(device: torch.device) -> bool:
    """Return whether large products are faster in bf16 than in float32.

    They are where matrices are multiplied in tiles (AMX and its like), and on AMD's processors,
    whose dot products of bf16 were measured at 777 against 179 GFLOP/s. On Intel's without AMX the
    same instructions take twice the time of float32: 150 against 260 GFLOP/s.
    """
    if device.type != "cpu":
        return has_bf16(device)
    tiles = _cpu_has("amx_bf16", "arm_bf16")
    return tiles or (_cpu_has("avx512_bf16") and "AuthenticAMD" in _processor())


def _cpu_has(*names: str) -> bool:
    """Return whether the CPU has one of some instructions.

    For tests, ``ANCESTRAL_BF16`` set to 1 or 0 says that it has all or none: what a processor
    lacks, torch's kernels do in other ways, slowly.
    """
    forced = os.environ.get("ANCESTRAL_BF16", "")
    if forced in ("0", "1"):
        return forced == "1"
    found = torch.cpu.get_capabilities()
    return any(found.get(name, False) for name in names)


@lru_cache(maxsize=1)
def _processor() -> str:
    """Return what Linux tells of the first processor; empty elsewhere."""
    try:
        return Path("/proc/cpuinfo").read_text(encoding="utf-8").partition("\n\n")[0]
    except OSError:
        return ""


def uses_bf16(options: Options, device: torch.device) -> bool:
    """Return whether this run's forward passes are in bf16; see ``Options.precision``.

    Raises:
        ConfigError: If bf16 is asked for by name and the device has no instructions for it.
    """
    if options.precision == "float32":
        return False
    if options.precision == "auto":
        return options.large_products and gains_by_bf16(device)
    if not has_bf16(device):
        raise ConfigError(f"precision bf16 needs bf16 instructions, {device} has none; use auto")
    return True


def forward_precision(bf16: bool, device: torch.device) -> AbstractContextManager[object]:
    """Return the context of a forward pass: bf16 autocast, or nothing."""
    return torch.autocast(device.type, dtype=torch.bfloat16) if bf16 else nullcontext()


@contextmanager
def fast_float32(wanted: bool = True) -> Iterator[None]:
    """Multiply float32 matrices on the CPU by oneDNN inside, where that is true float32.

    torch takes oneDNN in place of MKL only where less precision is allowed; on some processors it
    is as exact and up to twice as fast, on others it would round to bf16. The setting is the
    process's own and is put back.
    """
    if not wanted or not _is_true_float32():
        yield
        return
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("medium")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)


@lru_cache(maxsize=1)
def _is_true_float32() -> bool:
    """Return whether products under the setting ``medium`` are float32 on this CPU."""
    generator = torch.Generator().manual_seed(0)
    left, right = (torch.randn(512, 512, generator=generator) for _ in range(2))
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("medium")
    try:
        found = left @ right
    finally:
        torch.set_float32_matmul_precision(before)
    exact = left.double() @ right.double()
    return bool((found - exact).abs().max() < _TRUE_FLOAT32 * exact.abs().max())
