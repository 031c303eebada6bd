"""One player's place in the game: its parameters, their optimizer, their average."""

import math

import torch
from torch import Tensor

from ancestral.capabilities import Player
from ancestral.errors import ConfigError, DivergenceError
from ancestral.training.kernels import follow, global_norm, scale_finite
from ancestral.training.optimizer import Optimizer
from ancestral.training.options import Options
from ancestral.training.ranks import sum_over_ranks


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
        self.parameters = [p for p in player.module.parameters() if p.requires_grad]
        if not self.parameters:
            raise ValueError(f"player {player.name} has no parameter that needs a gradient")
        hidden = [p for p in player.hidden if p.requires_grad]
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
        self.average = [p.detach().clone() for p in self.parameters] if options.ema_decay else []
        device = self.parameters[0].device
        self._flag = torch.zeros((), device=device)
        self._factor = torch.ones((), device=device)

    def freeze(self, frozen: bool) -> None:
        """Take the parameters out of the graph of the coming losses, or put them back."""
        for parameter in self.parameters:
            parameter.requires_grad_(not frozen)

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
        grads = [p.grad for p in self.parameters if p.grad is not None]
        sum_over_ranks(grads)
        # One pass divides by the weight and looks for what is not finite.
        if not scale_finite(grads, self._factor.fill_(1.0 / weight), self._flag):
            raise DivergenceError(
                f"a gradient of {self.player.name} is not finite; lower the learning rate"
            )
        if not self.max_norm:
            self.optimizer.step(rate)
            return {"learning_rate": rate}
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
            follow(self.average, self.parameters, 1.0 - decay)

    def swap(self) -> None:
        """Exchange the weights and their average; a second call undoes the first."""
        for i, parameter in enumerate(self.parameters[: len(self.average)]):
            self.average[i], parameter.data = parameter.data, self.average[i]

    def state(self) -> dict[str, Tensor]:
        """Return raw weights, buffers, averages and moments by name; live tensors."""
        name, found = self.player.name, {}
        for key, tensor in self.player.module.state_dict().items():
            found[f"{name}/weights/{key}"] = tensor
        for i, tensor in enumerate(self.average):
            found[f"{name}/average/{i}"] = tensor
        for key, tensor in self.optimizer.state().items():
            found[f"{name}/optimizer/{key}"] = tensor
        return found
