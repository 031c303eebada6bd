"""Sums over the processes of ``torch.distributed``; with one process each is the identity."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch import distributed as dist


def world() -> tuple[int, int]:
    """Return this process's rank and the number of processes: 0 and 1 without torchrun."""
    if dist.is_available() and dist.is_initialized():
        return dist.get_rank(), dist.get_world_size()
    return 0, 1


def sum_over_ranks(tensors: Sequence[Tensor]) -> None:
    """Add up each tensor over all ranks, in place, with one message for each dtype."""
    if world()[1] == 1:
        return
    for dtype in sorted({tensor.dtype for tensor in tensors}, key=str):
        same = [tensor for tensor in tensors if tensor.dtype == dtype]
        flat = torch.cat([tensor.detach().reshape(-1) for tensor in same])
        dist.all_reduce(flat)
        parts = flat.split([tensor.numel() for tensor in same])
        for tensor, part in zip(same, parts, strict=True):
            tensor.detach().copy_(part.view(tensor.shape))


def copy_from_first(tensors: Sequence[Tensor]) -> None:
    """Give every rank the values of rank 0, in place."""
    if world()[1] > 1:
        for tensor in tensors:
            # A copy, because messages want contiguous memory and channels-last kernels have not.
            message = tensor.detach().contiguous()
            dist.broadcast(message, src=0)
            tensor.detach().copy_(message)


def number_of_first(value: float, device: torch.device) -> float:
    """Return rank 0's number on every rank, so that all take the same decision."""
    if world()[1] == 1:
        return value
    shared = torch.tensor(value, dtype=torch.float64, device=device)
    dist.broadcast(shared, src=0)
    return shared.item()
