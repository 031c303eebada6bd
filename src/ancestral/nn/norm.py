"""The norm by the root mean square, in one type."""

from torch import Tensor, nn
from torch.nn import functional


class RMSNorm(nn.RMSNorm):
    """``torch.nn.RMSNorm`` whose gain is taken in the type of its input.

    Under autocast the input is in bf16 where a product comes before, and the gain in float32: torch
    warns of two types, and takes no kernel that computes all at once. Root and mean are in float32
    either way. Parameters and checkpoints are those of the parent class.

    Example:
        >>> import torch
        >>> RMSNorm(8)(torch.ones(2, 8, dtype=torch.bfloat16)).dtype
        torch.bfloat16
    """

    def forward(self, x: Tensor) -> Tensor:
        """Map x [*, D] to [*, D]."""
        return functional.rms_norm(x, self.normalized_shape, self.weight.to(x.dtype), self.eps)
