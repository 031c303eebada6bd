"""What a program that trains sets for its whole process; a library leaves it to the program."""

import ctypes
import sys

import torch

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # Of <malloc.h>.
_KEPT = 512 * 2**20
_LARGEST = 32 * 2**20  # As high as glibc goes.


def tune_process() -> None:
    """Let the processor flush denormals to zero, and the process keep its freed memory.

    Moments of Adam whose gradients have stopped (a dead unit) fade into denormal numbers, with
    which processors compute a hundred times as slowly: the update of a small network took twice as
    long after a thousand steps. Call it before the first tensor is made: threads inherit it.
    """
    torch.set_flush_denormal(True)
    keep_freed_memory()


def keep_freed_memory() -> bool:
    """Let the process keep up to half a GiB of freed memory instead of giving it back at once.

    A training step frees its activations and asks for the same memory again in the next; if the
    allocator returns it in between, the system must clear thousands of pages every step: a quarter
    of the time of a small one.

    Returns:
        Whether anything was changed: only where the C library is glibc.
    """
    if not sys.platform.startswith("linux"):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    return bool(mallopt(_M_TRIM_THRESHOLD, _KEPT) and mallopt(_M_MMAP_THRESHOLD, _LARGEST))
