"""How far images are from those that they should be."""

from torch import Tensor


def differences(x: Tensor, y: Tensor, levels: int) -> Tensor:
    """Return the mean absolute difference of each two images, grey levels from 0 to 1, float64 [N].

    Args:
        x: Images in grey levels, [N, C, H, W].
        y: The others.
        levels: Number of grey levels, above 1.

    Example:
        >>> import torch
        >>> differences(torch.zeros(5, 1, 8, 8), torch.full((5, 1, 8, 8), 255.0), 256)[0]
        tensor(1., dtype=torch.float64)
    """
    return (x.double() - y.double()).abs().flatten(start_dim=1).mean(dim=1) / (levels - 1)
