"""Cross-entropy of a linear head that never holds the logits of all tokens at once."""

from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

_CHUNK = 2**24  # Logits of one chunk: 64 MiB in float32.


class Total(NamedTuple):
    """A loss as a sum, and the sum of the weights of its tokens: torch scalars."""

    total: Tensor
    weight: Tensor


def linear_cross_entropy(
    features: Tensor,
    weight: Tensor,
    targets: Tensor,
    *,
    bias: Tensor | None = None,
    shares: Tensor | None = None,
    chunk: int | None = None,
) -> Total:
    """Return ``sum_n s_n (logsumexp(W f_n + b) - (W f_n + b)[t_n])`` in nats, and ``sum_n s_n``.

    The logits are made and left chunk by chunk, and with them the gradient: exactly that of the
    usual way. Gradients of gradients are not defined. Under autocast the products are in its type;
    sums and exponentials are in float32.

    Source: the gradient in the forward pass as in Hsu et al. 2024, Liger Kernel, arXiv:2410.10989.

    Args:
        features: [*, D].
        weight: Matrix W of the head, [V, D].
        targets: Tokens t, int64 [*]; a negative one is ignored, as if its share were 0.
        bias: b, [V]; 0 if None.
        shares: Weight s of each token, [*], not differentiated; 1 if None.
        chunk: Tokens whose logits are held at once; by default of 2^24 logits.

    Raises:
        ValueError: If the shapes do not fit, or ``chunk`` is below 1.

    Example:
        >>> features, head = torch.zeros(2, 5, 8), torch.zeros(100, 8)
        >>> loss = linear_cross_entropy(features, head, torch.zeros(2, 5, dtype=torch.int64))
        >>> round(float(loss.total / loss.weight), 4)  # ln 100
        4.6052
    """
    features, targets, chunk = _rows(features, weight, targets, chunk)
    real = targets >= 0
    shares = real.to(torch.float32) if shares is None else shares.reshape(-1) * real
    if not bool((shares != 0).all()):  # What is ignored costs nothing.
        kept = shares.nonzero(as_tuple=True)[0]
        features, targets, shares = features[kept], targets[kept], shares[kept]
    dtype = _product_dtype(features)
    total = _Total.apply(features, weight, bias, targets, (shares, chunk, dtype))
    return Total(total, shares.sum())  # pyright: ignore[reportArgumentType]


def token_cross_entropy(
    features: Tensor,
    weight: Tensor,
    targets: Tensor,
    *,
    bias: Tensor | None = None,
    chunk: int | None = None,
) -> Tensor:
    """Return the cross-entropy of each token in nats, [*]; 0 where the target is negative.

    As :func:`linear_cross_entropy`, chunk by chunk; the gradient makes the logits once more.

    Raises:
        ValueError: If the shapes do not fit, or ``chunk`` is below 1.

    Example:
        >>> features, head = torch.zeros(2, 5, 8), torch.zeros(100, 8)
        >>> token_cross_entropy(features, head, torch.zeros(2, 5, dtype=torch.int64)).shape
        torch.Size([2, 5])
    """
    shape = targets.shape
    features, targets, chunk = _rows(features, weight, targets, chunk)
    parts = zip(features.split(chunk), targets.split(chunk), strict=True)
    if torch.is_grad_enabled():
        found = [checkpoint(_each, f, weight, t, bias, use_reentrant=False) for f, t in parts]
    else:
        found = [_each(f, weight, t, bias) for f, t in parts]
    return torch.cat(found).reshape(shape) if found else features.new_zeros(shape)


def _each(features: Tensor, weight: Tensor, targets: Tensor, bias: Tensor | None) -> Tensor:
    logits = functional.linear(features, weight, bias)
    logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
    return functional.cross_entropy(logits, targets, ignore_index=-1, reduction="none")


def _rows(
    features: Tensor, weight: Tensor, targets: Tensor, chunk: int | None
) -> tuple[Tensor, Tensor, int]:
    """Return features [N, D], targets [N] with -1 for what is ignored, and the chunk."""
    if features.shape[:-1] != targets.shape or features.shape[-1] != weight.shape[1]:
        raise ValueError(
            f"features [*, D], targets [*] and weight [V, D] must fit, got {[*features.shape]}, "
            f"{[*targets.shape]} and {[*weight.shape]}"
        )
    chunk = max(_CHUNK // len(weight), 1) if chunk is None else chunk
    if chunk < 1:
        raise ValueError(f"chunk must be at least 1, got {chunk}")
    targets = targets.reshape(-1).to(torch.int64).clamp(min=-1)
    return features.reshape(-1, features.shape[-1]), targets, chunk


def _product_dtype(features: Tensor) -> torch.dtype:
    device = features.device.type
    return torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else features.dtype


class _Total(torch.autograd.Function):
    """The weighted sum; its gradient is made beside it, where the logits are at hand."""

    @staticmethod
    def forward(
        ctx: Any,  # noqa: ANN401
        features: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        targets: Tensor,
        how: tuple[Tensor, int, torch.dtype],
    ) -> Tensor:
        shares, chunk, dtype = how
        needs = ctx.needs_input_grad
        with torch.autocast(features.device.type, enabled=False):
            sums = _Sums(features, weight, bias, needs, dtype)
            for start in range(0, len(targets), chunk):
                sums.add(slice(start, start + chunk), targets, shares)
        ctx.gradients = (sums.features, sums.weight, sums.bias)
        return sums.total

    @staticmethod
    @once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx: Any,  # noqa: ANN401
        *shares: Tensor,
    ) -> tuple[Tensor | None, ...]:
        (share,) = shares
        gradients, ctx.gradients = ctx.gradients, ()
        if not gradients:
            raise RuntimeError("the loss was differentiated twice; compute it anew")
        if share.item() != 1.0:
            gradients = tuple(None if g is None else g.mul_(share) for g in gradients)
        return (*gradients, None, None)


class _Sums:
    """The loss and its gradients, summed over chunks."""

    def __init__(
        self,
        features: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        needs: tuple[bool, ...],
        dtype: torch.dtype,
    ) -> None:
        self.inputs, self.head = features.to(dtype), weight.to(dtype)
        self.offset = None if bias is None else bias.to(dtype)
        self.exact = torch.promote_types(dtype, torch.float32)
        self.total = torch.zeros((), dtype=self.exact, device=features.device)
        self.features = torch.empty_like(features) if needs[0] else None
        self.weight = torch.zeros_like(weight) if needs[1] else None
        self.bias = torch.zeros_like(bias) if bias is not None and needs[2] else None
        self.needs = any(needs[:3])

    def add(self, rows: slice, targets: Tensor, shares: Tensor) -> None:
        """Add the chunk ``rows``."""
        inputs, targets = self.inputs[rows], targets[rows, None]
        shares = shares[rows, None].to(self.exact)
        logits = functional.linear(inputs, self.head, self.offset).to(self.exact)
        logits -= logits.amax(1, keepdim=True)
        target = logits.gather(1, targets)
        mass = logits.exp_().sum(1, keepdim=True)
        self.total += ((mass.log() - target) * shares).sum()
        if not self.needs:
            return
        # The gradient of a row's logits, but for a factor that its small products take.
        error, factor = logits.scatter_add_(1, targets, -mass), shares / mass
        if inputs.dtype == torch.float16:  # It cannot hold a sum of so many exponentials.
            error, factor = error.mul_(factor), torch.ones_like(factor)
        if self.bias is not None:
            self.bias += error.mT @ factor[:, 0]
        error = error.to(inputs.dtype)
        if self.features is not None:
            self.features[rows] = (error @ self.head) * factor
        if self.weight is None:
            return
        inputs = (inputs * factor).to(inputs.dtype)
        if self.weight.dtype == error.dtype:
            self.weight.addmm_(error.mT, inputs)
        else:
            self.weight += error.mT @ inputs
