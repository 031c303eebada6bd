"""Fully connected networks."""

from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise

from torch import Tensor, nn

_RELU = partial(nn.ReLU, inplace=True)


class MLP(nn.Module):
    """Linear layers with an activation between them; the output is linear (logits, means).

    Source: Goodfellow, Bengio & Courville 2016, Deep Learning, ch. 6.

    Args:
        features_in: Width of the input, at least 1.
        features_out: Width of the output, at least 1.
        hidden: Widths of the hidden layers; empty for an affine map.
        activation: Builds the non-linearity; ReLU in place by default, which no gradient misses:
            a linear layer does not need its own output.

    Example:
        >>> import torch
        >>> MLP(2, 16, hidden=(128, 64, 32))(torch.zeros(5, 2)).shape
        torch.Size([5, 16])
    """

    def __init__(
        self,
        features_in: int,
        features_out: int,
        *,
        hidden: Sequence[int] = (128, 64, 32),
        activation: Callable[[], nn.Module] = _RELU,
    ) -> None:
        super().__init__()
        widths = (features_in, *hidden, features_out)
        if min(widths) < 1:
            raise ValueError(f"every width must be at least 1, got {widths}")
        layers: list[nn.Module] = []
        for before, after in pairwise(widths):
            layers += [nn.Linear(before, after), activation()]
        self.layers = nn.Sequential(*layers[:-1])

    def forward(self, x: Tensor) -> Tensor:
        """Map x [*B, features_in] to [*B, features_out]."""
        return self.layers(x)
