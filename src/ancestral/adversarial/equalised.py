"""Equalised learning rates: all weights are of one scale, and are multiplied as they are used."""

from torch import Tensor, nn
from torch.nn.utils.parametrize import is_parametrized, register_parametrization

from ancestral.adversarial.initialise import fan_in

_LAYERS = (nn.Linear, nn.Conv2d)


def equalise(network: nn.Module) -> None:
    """Let the weights of all linear layers and convolutions be parameters over ``sqrt(F)``.

    F is the number of inputs of one output. The weights stay what they are, the parameters become
    about 1, and an optimizer whose steps do not depend on a gradient's scale, such as Adam, moves
    all layers by the same share of their size.

    Source: Karras et al. 2018, Progressive Growing of GANs, arXiv:1710.10196, sec. 4.1.

    Args:
        network: Changed in place; layers whose weights are functions of parameters already stay.

    Example:
        >>> layer = nn.Linear(4, 3)
        >>> weight = layer.weight.detach().clone()
        >>> equalise(layer)
        >>> bool((layer.weight - weight).abs().max() < 1e-6)
        True
    """
    for layer in [module for module in network.modules() if isinstance(module, _LAYERS)]:
        if not is_parametrized(layer, "weight"):
            register_parametrization(layer, "weight", _Times(fan_in(layer) ** -0.5))


class _Times(nn.Module):
    """Weights from parameters, by a constant factor."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, parameter: Tensor) -> Tensor:
        return self.factor * parameter

    def right_inverse(self, weight: Tensor) -> Tensor:
        return weight / self.factor

    def extra_repr(self) -> str:
        return f"factor={self.factor:.4g}"
