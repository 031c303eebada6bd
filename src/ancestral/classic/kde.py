"""Kernel density estimation: a small kernel on every training example."""

from collections.abc import Mapping
from typing import Self, get_args

import torch
from torch import Generator, Tensor, nn

from ancestral.capabilities import Given
from ancestral.classic.arguments import (
    check_event,
    check_examples,
    check_fitted,
    in_type_of,
)
from ancestral.classic.bandwidth import Rule, leave_one_out, rule_of_thumb
from ancestral.classic.kernels import kernel_score, log_kernel_mean
from ancestral.classic.radial import RADIAL, KernelName, log_radial_mean, radial_noise
from ancestral.networks.arguments import check_number, check_whole, refuse_unknown
from ancestral.networks.dag import DAG
from ancestral.nn.resizable import resize_on_load


class KDE(nn.Module):
    """The density ``p(x) = 1/K sum_k Normal(x; x_k, h^2 I)`` over K training examples.

    Each kernel has the normaliser of its dimension D, ``(2 pi h^2)^(-D/2)`` for the Gaussian, so
    the density integrates to 1 in any. Small h overfits, large h underfits; by default h is the
    width of highest leave-one-out likelihood. Sums are taken in log-space and float64, whatever
    the type of the data.

    Source: Rosenblatt 1956; Parzen 1962, On estimation of a probability density function.

    Args:
        features: Dimension D of the data, at least 1.
        bandwidth: Width h of the kernels in data units, > 0: the Gaussian's standard deviation,
            the radius of a compact kernel, the scale of the exponential. ``"scott"`` or
            ``"silverman"`` for a rule of thumb; None to choose it by
            :func:`~ancestral.classic.bandwidth.leave_one_out`. Both choose a Gaussian; any other
            kernel gets the h under which it has the same standard deviation.
        kernel: ``"gaussian"``, ``"exponential"``, or a compact one, beyond whose radius the
            density is 0: ``"tophat"``, ``"epanechnikov"``, ``"linear"``, ``"cosine"``.

    Raises:
        ValueError: If features < 1, the bandwidth is neither positive nor a known rule, or the
            kernel is unknown.

    Example:
        >>> model = KDE(2).fit(torch.randn(100, 2))
        >>> model.log_prob(torch.zeros(5, 2)).shape
        torch.Size([5])
    """

    data: Tensor
    width: Tensor

    def __init__(
        self,
        features: int,
        *,
        bandwidth: float | Rule | None = None,
        kernel: KernelName = "gaussian",
    ) -> None:
        super().__init__()
        check_whole("features", features)
        if isinstance(bandwidth, str) and bandwidth not in get_args(Rule):
            raise ValueError(
                f"bandwidth must be positive, 'scott', 'silverman' or None, got {bandwidth!r}"
            )
        if not isinstance(bandwidth, str | None):
            check_number("bandwidth", bandwidth, above=True)
        if kernel not in get_args(KernelName):
            names = ", ".join(get_args(KernelName))
            raise ValueError(f"kernel must be one of {names}, got {kernel!r}")
        self.features = features
        self.kernel: KernelName = kernel
        self.bandwidth: float | Rule | None = bandwidth
        self.register_buffer("data", torch.empty(0, features))
        self.register_buffer("width", torch.ones((), dtype=torch.float64))
        resize_on_load(self, ["data", "width"])

    @property
    def graph(self) -> Mapping[str, DAG]:
        """The network ``p``: a kernel k, drawn evenly, and x around its centre."""
        return {"p": DAG({"k": (), "x": ("k",)})}

    def fit(
        self,
        x: Tensor,
        *,
        given: Given | None = None,
        generator: Generator | None = None,
    ) -> Self:
        """Store the examples x [N, D] and choose the bandwidth; return self.

        The ``generator`` picks the part of large data on which a bandwidth is judged.

        Raises:
            ValueError: If x is not [N, D].
            DataError: If there is no row, a value is not finite, or a bandwidth must be chosen
                and all rows are equal.
        """
        del given
        check_examples(x, (self.features,))
        x = x.detach()
        if self.bandwidth is None:
            width = leave_one_out(x, generator=generator)
        elif isinstance(self.bandwidth, str):
            width = rule_of_thumb(x, self.bandwidth)
        else:
            width = self.bandwidth
        if self.kernel != "gaussian" and not isinstance(self.bandwidth, int | float):
            width = width / RADIAL[self.kernel].deviation(self.features)
        x = x if x.is_floating_point() else x.double()
        self.data = x.clone(memory_format=torch.contiguous_format)
        self.width = self.width.new_tensor(width)
        return self

    def log_prob(self, x: Tensor, *, given: Given | None = None) -> Tensor:
        """Return log p(x) in nats, [B], for x [B, D]; its gradient with respect to x flows.

        Where no compact kernel reaches, it is -inf.

        Raises:
            ValueError: If x is not [B, D].
            CapabilityError: If not fitted, or anything is given.
        """
        check_event(x, (self.features,))
        check_fitted(self.data, "kde")
        refuse_unknown(given, "kde")
        if self.kernel != "gaussian":
            value = log_radial_mean(
                RADIAL[self.kernel], x.double(), self.data.double(), float(self.width)
            )
            return in_type_of(x, value)
        width, data, points = float(self.width), self.data.double(), x.detach().double()
        value = log_kernel_mean(points, data, width)
        if torch.is_grad_enabled() and x.requires_grad:
            # The score is known in closed form; autograd would keep every kernel, [B, N].
            score = kernel_score(points, data, width).to(x.dtype)
            return value.to(x.dtype) + (score * (x - x.detach())).sum(dim=1)
        return in_type_of(x, value)

    @torch.no_grad()
    def sample(
        self, n: int, *, given: Given | None = None, generator: Generator | None = None
    ) -> Tensor:
        """Draw n points, [n, D]: a training example each, plus h times noise of the kernel.

        Raises:
            ValueError: If n < 1.
            CapabilityError: If not fitted, or anything is given.
        """
        check_whole("n", n)
        check_fitted(self.data, "kde")
        refuse_unknown(given, "kde")
        device = self.data.device
        rows = torch.randint(len(self.data), (n,), generator=generator, device=device)
        if self.kernel == "gaussian":
            noise = torch.randn(
                n, self.features, generator=generator, dtype=self.data.dtype, device=device
            )
        else:
            noise = radial_noise(RADIAL[self.kernel], n, self.features, generator=generator)
            noise = noise.to(self.data)
        return self.data[rows] + self.width.to(noise) * noise

    def extra_repr(self) -> str:
        """Tell the dimension, the width and the number of kernels in ``repr``."""
        return (
            f"features={self.features}, kernel={self.kernel!r}, "
            f"width={float(self.width):.4g}, kernels={len(self.data)}"
        )
