"""What a Transformer does to each token alone."""

from torch import Tensor, nn
from torch.nn import functional


class FeedForward(nn.Module):
    """``W_2 gelu(W_1 x)``, without biases.

    Args:
        width: Features D.
        hidden: Features J between the two products.

    Example:
        >>> import torch
        >>> FeedForward(8, hidden=32)(torch.zeros(2, 5, 8)).shape
        torch.Size([2, 5, 8])
    """

    def __init__(self, width: int, *, hidden: int) -> None:
        super().__init__()
        self.first = nn.Linear(width, hidden, bias=False)
        self.out = nn.Linear(hidden, width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Map x [*, D] to [*, D]."""
        return self.out(functional.gelu(self.first(x)))


class SwiGLU(nn.Module):
    """``W_2 (silu(W_1 x) * W_3 x)``, without biases; W_1 and W_3 are one product.

    Source: Shazeer 2020, GLU variants improve Transformer, arXiv:2002.05202.

    Args:
        width: Features D.
        hidden: Features J of each of both factors.

    Example:
        >>> import torch
        >>> SwiGLU(8, hidden=24)(torch.zeros(2, 5, 8)).shape
        torch.Size([2, 5, 8])
    """

    def __init__(self, width: int, *, hidden: int) -> None:
        super().__init__()
        self.first = nn.Linear(width, 2 * hidden, bias=False)
        self.out = nn.Linear(hidden, width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Map x [*, D] to [*, D]."""
        gate, value = self.first(x).chunk(2, dim=-1)
        return self.out(functional.silu(gate) * value)
