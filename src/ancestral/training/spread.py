"""A player's loss over several processes, by torch's own engines, which are imported on demand.

Both engines average the gradients over the ranks, so that they are to be divided by the weight of
the whole batch over the number of ranks.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any, TypeAlias

from torch import Generator, Tensor, nn

from ancestral.capabilities import Batch, Loss, Player
from ancestral.training.ranks import copy_from_first, world

Turn: TypeAlias = Callable[[Batch, Generator], Loss]
"""A player's loss; over several ranks a module that torch's engine wraps."""


class _Turn(nn.Module):
    """The loss as a module, whatever methods of the model it calls."""

    def __init__(self, player: Player) -> None:
        super().__init__()
        self.module, self.loss = player.module, player.loss

    def forward(self, batch: Batch, generator: Generator) -> Loss:
        loss = self.loss(batch, generator)
        metrics = {name: value.detach() for name, value in loss.metrics.items()}
        return Loss(loss.total, loss.weight, metrics)


def spread(player: Player, *, shard: bool) -> Turn:
    """Return the loss of a player over all ranks; alone it is the player's own.

    Every rank begins at rank 0's weights. With ``shard`` the parameters become this rank's pieces:
    those of each of the player's ``blocks`` are put together while the block computes, the others
    for the whole loss.

    Args:
        player: Its module is on the device.
        shard: By ``fully_shard`` instead of ``DistributedDataParallel``.
    """
    if world()[1] == 1:
        return player.loss
    turn = _Turn(player)
    if not shard:
        from torch.nn.parallel import DistributedDataParallel

        # A loss may leave parameters out, and others at each step.
        return DistributedDataParallel(turn, find_unused_parameters=True)
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard

    copy_from_first(list(player.module.state_dict().values()))
    device = next(player.module.parameters()).device
    mesh = init_device_mesh(device.type, (world()[1],))
    for part in (*player.blocks, turn):
        fully_shard(part, mesh=mesh)
    return turn


@contextmanager
def gathering(turn: Turn, *, last: bool) -> Iterator[None]:
    """Send gradients with the last micro-batch of a turn; before it they are added up here."""
    for part in _sharded(turn):
        part.set_requires_gradient_sync(last, recurse=False)
    waits = not last and getattr(turn, "no_sync", None)
    with waits() if waits else nullcontext():
        yield


@contextmanager
def whole(turns: Sequence[Turn]) -> Iterator[None]:
    """Put sharded parameters together, for uses outside of the player's own turn.

    Those of blocks still come and go as a block is called, on all ranks at once.
    """
    roots = [_sharded(turn)[0] for turn in turns if isinstance(turn, _Turn)]
    for root in roots:
        root.unshard()
    try:
        yield
    finally:
        for root in roots:
            root.reshard()


def _sharded(turn: Turn) -> list[Any]:
    """Return the modules that ``fully_shard`` was applied to, the whole first."""
    if not isinstance(turn, _Turn):  # DDP's own is wrapped.
        return []
    from torch.distributed.fsdp import FSDPModule

    return [part for part in turn.modules() if isinstance(part, FSDPModule)]


def is_piece(tensor: Tensor) -> bool:
    """Return whether this rank holds a piece of a tensor that is spread over the ranks."""
    return hasattr(tensor, "to_local")


def local(tensor: Any) -> Tensor:  # noqa: ANN401 - a Tensor or a DTensor, whose type is not imported
    """Return what this rank holds of a tensor: all of it, or its piece; the memory is shared."""
    return tensor.to_local() if is_piece(tensor) else tensor


def like(piece: Tensor, tensor: Any) -> Tensor:  # noqa: ANN401 - as above
    """Return this rank's piece as part of a tensor that is spread as ``tensor`` is."""
    if not is_piece(tensor):
        return piece
    from torch.distributed.tensor import DTensor

    where, places = tensor.device_mesh, tensor.placements
    return DTensor.from_local(
        piece, where, places, run_check=False, shape=tensor.shape, stride=tensor.stride()
    )


def on_whole(function: Callable[[Tensor], Tensor], piece: Tensor, tensor: Any) -> Tensor:  # noqa: ANN401
    """Return this rank's piece of a function of a whole tensor, which keeps its shape.

    Args:
        function: Of the whole.
        piece: What this rank holds of its argument.
        tensor: Spread over the ranks as the argument is, or a plain one.
    """
    if not is_piece(tensor):
        return function(piece)
    from torch.distributed.tensor import DTensor

    found = function(gathered({"": like(piece, tensor)})[""])
    spread_out = DTensor.from_local(found, tensor.device_mesh, run_check=False)
    return spread_out.redistribute(placements=tensor.placements).to_local()


def gathered(tensors: Mapping[str, Any]) -> dict[str, Tensor]:
    """Return whole tensors for those that are spread; every rank must ask."""
    return {
        name: value.full_tensor() if is_piece(value) else value for name, value in tensors.items()
    }


def norm_over_ranks(gradients: Sequence[Tensor]) -> float:
    """Return the Euclidean norm of gradients in pieces; if not finite on one rank, on none."""
    norm = nn.utils.get_total_norm(gradients)
    return gathered({"norm": norm})["norm"].item()
