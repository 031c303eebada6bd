"""A network that reads a label beside its input."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot


class WithLabel(nn.Module):
    """A network that reads a value and a label: the label is appended as a one-hot vector.

    Args:
        network: Maps [*B, F + K] to [*B, O].
        classes: Number of classes K.
        event_shape: Shape of one output; the default is the network's own.
        before: What the value goes through before the label is appended; None: nothing.

    Example:
        >>> layer = WithLabel(nn.Linear(2 + 10, 3), classes=10)
        >>> layer(torch.zeros(5, 2), torch.arange(5)).shape
        torch.Size([5, 3])
    """

    def __init__(
        self,
        network: nn.Module,
        *,
        classes: int,
        event_shape: Sequence[int] | None = None,
        before: nn.Module | None = None,
    ) -> None:
        super().__init__()
        self.network, self.before = network, before
        self.classes, self.event_shape = classes, event_shape

    def forward(self, value: Tensor, label: Tensor) -> Tensor:
        """Map value [*B, *event] and label [*B] to [*B, *event_shape]."""
        value = value if self.before is None else self.before(value)
        value = value.flatten(start_dim=label.ndim)
        hot = one_hot(label.long(), self.classes).to(value.dtype)
        output = self.network(torch.cat((value, hot), dim=-1))
        return output if self.event_shape is None else output.unflatten(-1, self.event_shape)
