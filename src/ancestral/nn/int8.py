"""Linear layers with weights of eight bits: a quarter to read, products of integers."""

import copy
import warnings
from typing import TypeVar

import torch
from torch import Tensor, nn

Module = TypeVar("Module", bound=nn.Module)

_PRODUCT = torch.ops.quantized.linear_with_input_q_dq_qweight_dq_output_fp32.default


class Int8Linear(nn.Module):
    """``x W^T + b`` with weights of 8 bits, a scale for each output, and x in 8 bits on the fly.

    Each row of x has a scale of its own, its largest value, and the products are sums of integers:
    so a row's result does not depend on the other rows, to the last bit.

    For inference on CPUs: there are no gradients. The relative error is near 1%.

    Args:
        weight: W [J, D].
        bias: b [J], or None.

    Example:
        >>> layer = Int8Linear(torch.eye(4, 8))
        >>> layer(torch.ones(2, 8)).shape
        torch.Size([2, 4])
    """

    def __init__(self, weight: Tensor, bias: Tensor | None = None) -> None:
        super().__init__()
        self.outputs, self.inputs = weight.shape
        weight = weight.detach().float()
        scale = (weight.abs().amax(1).double() / 127).clamp_min(1e-30)
        zeros = torch.zeros(len(weight), dtype=torch.int64)
        self._bias = None if bias is None else bias.detach().float()
        with warnings.catch_warnings():  # torch warns of the type; its packed product has no other.
            warnings.simplefilter("ignore")
            eight = torch.quantize_per_channel(weight, scale, zeros, 0, torch.qint8)
            self._packed = torch.ops.quantized.linear_prepack(eight, None)

    @torch.no_grad()
    def forward(self, x: Tensor) -> Tensor:
        """Map x [*, D] to [*, J], float32."""
        flat = x.float().reshape(-1, self.inputs)
        peak = flat.abs().amax(1, keepdim=True).clamp_min_(1e-30)
        unit = (flat / peak).nan_to_num_(0.0)  # A NaN stays in its row, through the peak.
        found = _PRODUCT(unit, 1 / 127, 128, self._packed).mul_(peak)
        found = found if self._bias is None else found.add_(self._bias)
        return found.reshape(*x.shape[:-1], self.outputs)

    def __deepcopy__(self, memo: dict[int, object]) -> "Int8Linear":
        """Return self: the weights are never changed."""
        return self

    def extra_repr(self) -> str:
        """Tell the sizes in ``repr``."""
        return f"{self.inputs}, {self.outputs}"


def in_int8(module: Module) -> Module:
    """Return a copy, for inference, with every :class:`torch.nn.Linear` in eight bits.

    Example:
        >>> in_int8(nn.Sequential(nn.Linear(8, 4), nn.ReLU()))[0]
        Int8Linear(8, 4)
    """
    found = copy.deepcopy(module).eval().requires_grad_(False)
    for parent in list(found.modules()):
        for name, child in list(parent.named_children()):
            if type(child) is nn.Linear:
                setattr(parent, name, Int8Linear(child.weight, child.bias))
    return found
