"""One player's place in the game: its parameters, their optimizer, their average."""

import math

import torch
from torch import Tensor

from ancestral.capabilities import Player
from ancestral.errors import ConfigError, DivergenceError
from ancestral.training.kernels import follow, global_norm, scale_finite
from ancestral.training.optimizer import Optimizer
from ancestral.training.options import Options
from ancestral.training.ranks import copy_from_first, world
from ancestral.training.spread import is_piece, like, local, norm_over_ranks, spread


class Seat:
    """What the game keeps for a player between its turns.

    Args:
        player: The player; parameters of its module that need no gradient stay as they are.
        options: Settings of the optimizer and of the average.

    Raises:
        ValueError: If the player has no parameter to move.
        ConfigError: If the optimizer is ``muon`` and the player has no hidden matrices.
    """

    def __init__(self, player: Player, options: Options) -> None:
        self.player = player
        mine = {id(p) for p in player.hidden if p.requires_grad}
        hidden_names = {n for n, p in player.module.named_parameters() if id(p) in mine}
        if not any(p.requires_grad for p in player.module.parameters()):
            raise ValueError(f"player {player.name} has no parameter that needs a gradient")
        self.turn = spread(player, shard=options.shard)
        named = {n: p for n, p in player.module.named_parameters() if p.requires_grad}
        self._names, self.parameters = list(named), list(named.values())
        self.sharded = any(map(is_piece, self.parameters))
        hidden = [p for n, p in named.items() if n in hidden_names]
        if options.optimizer == "muon" and not hidden:
            raise ConfigError(
                f"optimizer muon is for models that tell their hidden matrices, {player.name} "
                "does not; use adamw"
            )
        self.peak = options.learning_rate if player.learning_rate is None else player.learning_rate
        self.max_norm = options.max_grad_norm
        self.optimizer = Optimizer(
            self.parameters,
            options.optimizer,
            betas=player.betas or options.betas,
            weight_decay=options.weight_decay,
            hidden=hidden,
            hidden_decay=options.hidden_weight_decay,
        )
        self.pieces = [local(p.detach()) for p in self.parameters]
        self.average = [piece.clone() for piece in self.pieces] if options.ema_decay else []
        device = self.parameters[0].device
        self._flag = torch.zeros((), device=device)
        self._factor = torch.ones((), device=device)

    def freeze(self, frozen: bool) -> None:
        """Take the parameters out of the graph of the coming losses, or put them back."""
        for parameter in self.parameters:
            parameter.requires_grad_(not frozen)
        if self.sharded:  # Of pieces that are put together, what the module holds now.
            for name in self._names:
                self.player.module.get_parameter(name).requires_grad_(not frozen)

    def clear(self) -> None:
        """Forget the gradients."""
        for parameter in self.parameters:
            parameter.grad = None

    def update(self, weight: float, rate: float) -> dict[str, float]:
        """Move the parameters by their gradients, over all ranks.

        Args:
            weight: What the summed gradients are divided by.
            rate: Learning rate.

        Returns:
            ``learning_rate``, and ``grad_norm`` where it is clipped.

        Raises:
            DivergenceError: Before the update, if a gradient is not finite.
        """
        spread_out = [p.grad for p in self.parameters if p.grad is not None]
        grads = [local(grad) for grad in spread_out] if self.sharded else spread_out
        # One pass divides by the weight and looks for what is not finite. The engines average.
        factor = self._factor.fill_(world()[1] / weight)
        finite = scale_finite(grads, factor, self._flag)
        norm = norm_over_ranks(spread_out) if self.sharded else math.nan
        if not (math.isfinite(norm) if self.sharded else finite):
            raise DivergenceError(
                f"a gradient of {self.player.name} is not finite; lower the learning rate"
            )
        if not self.max_norm:
            self.optimizer.step(rate)
            return {"learning_rate": rate}
        if not self.sharded:
            norm = global_norm(grads)
        if not math.isfinite(norm):
            raise DivergenceError(
                f"the gradient of {self.player.name} overflows; lower the learning rate"
            )
        clipped = self._factor.fill_(norm / self.max_norm) if norm > self.max_norm else None
        self.optimizer.step(rate, clipped)
        return {"learning_rate": rate, "grad_norm": norm}

    @torch.no_grad()
    def follow(self, decay: float) -> None:
        """Move the average towards the weights."""
        if self.average:
            follow(self.average, self.pieces, 1.0 - decay)

    @torch.no_grad()
    def swap(self) -> None:
        """Exchange the weights and their average; a second call undoes the first."""
        for piece, average in zip(self.pieces, self.average, strict=False):
            held = piece.clone()
            piece.copy_(average)
            average.copy_(held)

    def share_buffers(self) -> None:
        """Give every rank the buffers of rank 0, which a checkpoint keeps; DDP does so itself."""
        if self.sharded:
            copy_from_first(list(self.player.module.buffers()))

    def state(self) -> dict[str, Tensor]:
        """Return raw weights, buffers, averages and moments by name; live tensors."""
        name, found = self.player.name, {}
        for key, tensor in self.player.module.state_dict().items():
            found[f"{name}/weights/{key}"] = tensor
        for i, tensor in enumerate(self.average):
            found[f"{name}/average/{i}"] = like(tensor, self.parameters[i])
        for key, tensor in self.optimizer.state().items():
            found[f"{name}/optimizer/{key}"] = tensor
        return found
