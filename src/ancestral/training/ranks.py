"""The processes of one training: how they find each other, agree, and tell of an end."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import torch
from torch import Tensor
from torch import distributed as dist
from torch.distributed import TCPStore  # pyright: ignore[reportPrivateImportUsage]

from ancestral.errors import RunError

_PATIENCE = timedelta(hours=6)
"""How long a process waits for another: one may validate meanwhile. One that has died is noticed
at once, by its connection."""


def world() -> tuple[int, int]:
    """Return this process's rank and the number of processes: 0 and 1 without torchrun."""
    if dist.is_available() and dist.is_initialized():
        return dist.get_rank(), dist.get_world_size()
    return 0, 1


def is_first() -> bool:
    """Return whether this process writes, prints and reports; alone it does."""
    return world()[0] == 0


def join(device: str) -> None:
    """Join the processes that torchrun or SLURM has started; without them nothing happens.

    Args:
        device: Where to train: ``cuda`` is this process's own GPU.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) == 1 or dist.is_initialized():
        return
    if device == "cuda":
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
    dist.init_process_group("nccl" if device.startswith("cuda") else "gloo", timeout=_PATIENCE)


def leave() -> None:
    """Leave the processes of the training."""
    if world()[1] > 1:
        dist.destroy_process_group()


def barrier() -> None:
    """Wait for all ranks."""
    if world()[1] > 1:
        dist.barrier()


@contextmanager
def one_of_node_first() -> Iterator[None]:
    """Let one process of each machine do the body before the others: it fills the cache."""
    waits = os.environ.get("LOCAL_RANK", "0") != "0"
    if waits:
        barrier()
    yield
    if not waits:
        barrier()


def tells() -> bool:
    """Return whether this process is the first to tell of an error, so that one line is written.

    Under torchrun the store belongs to the launcher, and outlives any process of the training.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        return True
    place, port = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
    try:
        store = TCPStore(place, port, is_master=False, timeout=timedelta(seconds=5))
        return store.add("ancestral/told", 1) == 1
    except RuntimeError:  # It has died with the first process.
        return True


@contextmanager
def one_line_if_lost(folder: Path) -> Iterator[None]:
    """Turn the error of a message that another process did not answer into one line.

    Args:
        folder: Of the run, which can be gone on with.

    Raises:
        RunError: In place of the engine's own error.
    """
    try:
        yield
    except RuntimeError as error:
        broken = isinstance(error, dist.DistError) or any(
            word in str(error) for word in ("gloo", "NCCL", "Connection closed")
        )
        if world()[1] == 1 or not broken:
            raise
        raise RunError(
            f"another process of this training has ended; go on with: --resume {folder}"
        ) from error


def copy_from_first(tensors: Sequence[Tensor]) -> None:
    """Give every rank the values of rank 0, in place."""
    if world()[1] > 1:
        for tensor in tensors:
            # A copy, because messages want contiguous memory and channels-last kernels have not.
            message = tensor.detach().contiguous()
            dist.broadcast(message, src=0)
            tensor.detach().copy_(message)


def sums_over_ranks(values: Sequence[float], device: torch.device) -> list[float]:
    """Return each number added up over all ranks."""
    if world()[1] == 1:
        return list(values)
    shared = torch.tensor(values, dtype=torch.float64, device=device)
    dist.all_reduce(shared)
    return shared.tolist()


def number_of_first(value: float, device: torch.device) -> float:
    """Return rank 0's number on every rank, so that all take the same decision."""
    if world()[1] == 1:
        return value
    shared = torch.tensor(value, dtype=torch.float64, device=device)
    dist.broadcast(shared, src=0)
    return shared.item()
