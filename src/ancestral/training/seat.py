"""One player's place in the game: its parameters, their optimizer, their average."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.optim import SGD, Adam, AdamW, Optimizer

from ancestral.capabilities import Player
from ancestral.errors import DivergenceError
from ancestral.training.options import Options
from ancestral.training.ranks import sum_over_ranks


class Seat:
    """What the game keeps for a player between its turns.

    Args:
        player: The player; parameters of its module that need no gradient stay as they are.
        options: Settings of the optimizer and of the average.

    Raises:
        ValueError: If the player has no parameter to move.
    """

    def __init__(self, player: Player, options: Options) -> None:
        named = [(n, p) for n, p in player.module.named_parameters() if p.requires_grad]
        if not named:
            raise ValueError(f"player {player.name} has no parameter that needs a gradient")
        self.player = player
        self.parameters = [parameter for _, parameter in named]
        self.peak = player.learning_rate or options.learning_rate
        self.max_norm = options.max_grad_norm
        self.optimizer = _optimizer(self.parameters, options, self.peak, player.betas)
        self.average = [p.detach().clone() for p in self.parameters] if options.ema_decay else []

    def freeze(self, frozen: bool) -> None:
        """Take the parameters out of the graph of the coming losses, or put them back."""
        for parameter in self.parameters:
            parameter.requires_grad_(not frozen)

    def clear(self) -> None:
        """Forget the gradients."""
        self.optimizer.zero_grad(set_to_none=True)

    def update(self, weight: float, factor: float) -> float:
        """Move the parameters by their gradients; return the gradients' global norm.

        Args:
            weight: What the summed gradients are divided by.
            factor: On the peak learning rate.

        Raises:
            DivergenceError: Before the update, if a gradient is not finite.
        """
        grads = [p.grad for p in self.parameters if p.grad is not None]
        sum_over_ranks(grads)
        norms = torch._foreach_norm(grads)
        norm = torch.stack(norms).norm().item() / weight if norms else 0.0
        if not norm < float("inf"):
            raise DivergenceError(
                f"the gradient of {self.player.name} is {norm}; lower the learning rate"
            )
        scale = 1.0 / weight
        if self.max_norm and norm > self.max_norm:
            scale *= self.max_norm / norm
        if scale != 1.0:
            torch._foreach_mul_(grads, scale)
        for group in self.optimizer.param_groups:
            group["lr"] = self.peak * factor
        self.optimizer.step()
        return norm

    @torch.no_grad()
    def follow(self, decay: float) -> None:
        """Move the average towards the weights."""
        if self.average:
            torch._foreach_lerp_(self.average, self.parameters, 1.0 - decay)

    def swap(self) -> None:
        """Exchange the weights and their average; a second call undoes the first."""
        for i, parameter in enumerate(self.parameters[: len(self.average)]):
            self.average[i], parameter.data = parameter.data, self.average[i]

    def state(self) -> dict[str, Tensor]:
        """Return raw weights, buffers, moments and averages, by name; nothing is copied."""
        name = self.player.name
        found = {f"{name}/weights/{k}": v for k, v in self.player.module.state_dict().items()}
        found |= {f"{name}/average/{i}": tensor for i, tensor in enumerate(self.average)}
        for i, parameter in enumerate(self.parameters):
            for key, value in self.optimizer.state[parameter].items():
                if isinstance(value, Tensor):
                    found[f"{name}/optimizer/{i}/{key}"] = value
        return found

    @torch.no_grad()
    def load_state(self, tensors: Mapping[str, Tensor]) -> None:
        """Restore what :meth:`state` returned."""
        own = {
            k.removeprefix(f"{self.player.name}/"): v
            for k, v in tensors.items()
            if k.startswith(f"{self.player.name}/")
        }
        weights = {
            k.removeprefix("weights/"): v for k, v in own.items() if k.startswith("weights/")
        }
        self.player.module.load_state_dict(weights)
        for i, tensor in enumerate(self.average):
            tensor.copy_(own[f"average/{i}"])
        self.optimizer.state.clear()
        for key, value in own.items():
            if key.startswith("optimizer/"):
                _, i, name = key.split("/")
                parameter = self.parameters[int(i)]
                kept = value.clone() if name == "step" else torch.empty_like(parameter).copy_(value)
                self.optimizer.state[parameter][name] = kept


def _optimizer(
    parameters: Sequence[nn.Parameter],
    options: Options,
    rate: float,
    betas: tuple[float, float] | None,
) -> Optimizer:
    groups = [
        {"params": [p for p in parameters if p.ndim >= 2], "weight_decay": options.weight_decay},
        {"params": [p for p in parameters if p.ndim < 2], "weight_decay": 0.0},
    ]
    groups = [group for group in groups if group["params"]]
    betas = betas or options.betas
    if options.optimizer == "sgd":
        return SGD(groups, lr=rate, momentum=betas[0], fused=True)
    kind = AdamW if options.optimizer == "adamw" else Adam
    return kind(groups, lr=rate, betas=betas, fused=True)
