"""Monotone rational-quadratic splines: one search for the bin, derivatives in closed form."""

import math
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable

from ancestral.nn.masked_mlp import Saved

_LEAST = 1e-3
"""Least width and height of a bin, as shares of the box."""

_DOUBLINGS = 10.0
"""Slopes at the knots lie within so many doublings of 1."""


class RationalQuadratic:
    """A spline of K bins on [-bound, bound], each a ratio of quadratics; outside the identity.

    It meets the identity at both ends with slope 1, so that map and density are continuous there:
    what lies outside of the box keeps the tails of the base distribution. Where all parameters are
    0 it is the identity. The parameters of a coordinate lie along the first axis: K widths and K
    heights, logits to base 2, and the slopes at the K - 1 inner knots, logarithms to base 2.

    Source: Durkan, Bekasov, Murray & Papamakarios 2019, Neural Spline Flows, arXiv:1906.04032,
    sec. 3.1; Gregory & Delbourgo 1982, Piecewise rational quadratic interpolation to monotonic
    data.

    Args:
        bins: Number of bins K, at least 2.
        bound: Half the side of the box, above 0.

    Raises:
        ValueError: If an argument is out of its range.

    Example:
        >>> spline = RationalQuadratic(bins=4, bound=3.0)
        >>> x = torch.linspace(-4, 4, 5)
        >>> y, log_slope = spline.forward_and_log_det(x, torch.zeros(11, 5))
        >>> torch.allclose(y, x), bool(log_slope.abs().max() < 1e-6)
        (True, True)
    """

    def __init__(self, *, bins: int = 8, bound: float = 5.0) -> None:
        if bins < 2:
            raise ValueError(f"bins must be at least 2, got {bins}")
        if not bound > 0:
            raise ValueError(f"bound must be above 0, got {bound}")
        self.bins, self.bound = bins, bound

    @property
    def parameters(self) -> int:
        """Parameters P of a coordinate, 3 K - 1."""
        return 3 * self.bins - 1

    def forward_and_log_det(self, x: Tensor, theta: Tensor) -> tuple[Tensor, Tensor]:
        """Return y and log dy/dx, both [*N], for x [*N] and parameters [P, *N]."""
        return _Spline.apply(x, theta, self.bins, self.bound, False)

    def inverse_and_log_det(self, y: Tensor, theta: Tensor) -> tuple[Tensor, Tensor]:
        """Return x and log dx/dy, both [*N], for y [*N] and parameters [P, *N]."""
        return _Spline.apply(y, theta, self.bins, self.bound, True)

    def __repr__(self) -> str:
        return f"RationalQuadratic(bins={self.bins}, bound={self.bound:g})"


class _Bin(NamedTuple):
    """The bin of each value: its width and height, the slopes at its ends, the place in it; [N]."""

    width: Tensor
    height: Tensor
    left: Tensor
    right: Tensor
    at: Tensor

    def rational(self) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        """Return t = at (1 - at), the mean slope s, numerator n, denominator m, and a; each [N].

        With these ``y = low + height n / m`` and ``dy/dx = a (s / m)^2``.
        """
        at, s = self.at, self.height / self.width
        square = at * at
        t = at - square
        n = torch.addcmul(self.left * t, s, square)
        m = torch.addcmul(s, self.left + self.right - 2 * s, t)
        a = self.right * square + self.left * (1 - at).square() + 2 * s * t
        return t, s, n, m, a

    def gradients(self, grad: Tensor, grad_log: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return the gradients of x, of the sizes, and of the slopes at both ends.

        The bin is told by its right and its upper end, which are held, and by its sizes [2, N].

        Args:
            grad: Of y, [N].
            grad_log: Of log dy/dx, [N].
        """
        at, left, right = self.at, self.left, self.right
        t, s, n, m, a = self.rational()
        share, turn, by_m = n / m, 1 - 2 * at, 1 / m
        slope_of_a = right * at - left * (1 - at) + s * turn  # Half of it.
        by_at = slope_of_a / a - (left + right - 2 * s) * turn * by_m
        to_x = torch.addcmul(grad * a * (s * by_m).square(), grad_log, 2 * by_at / self.width)
        rise, common = grad * self.height * by_m, 2 * t * by_m
        to_s = rise * (at * at - share * (1 - 2 * t))
        to_s = torch.addcmul(to_s, grad_log, 2 * (t / a + 1 / s - (1 - 2 * t) * by_m)) / self.width
        to_left = rise * t * (1 - share) + grad_log * ((1 - at).square() / a - common)
        to_right = grad_log * (at * at / a - common) - rise * t * share
        to_width = to_x * (1 - at) - to_s * s
        to_height = torch.addcmul(to_s, grad, share - 1)
        return to_x, torch.stack((to_width, to_height)), to_left, to_right

    def solve(self, up: Tensor) -> Tensor:
        """Return the place in the bin of a value that lies ``up`` [N] above its lower end."""
        s = self.height / self.width
        bend = up * (self.left + self.right - 2 * s)
        a = self.height * (s - self.left) + bend
        b = self.height * self.left - bend
        root = torch.addcmul(b * b, a, up * s, value=4).clamp_min_(0).sqrt_()
        return 2 * s * up / (b + root)


class _Spline(Function):
    """The spline, either way, and the logarithm of its derivative.

    Values lie flat, [N], parameters over them, [P, N], so that every pass over the bins is one over
    contiguous memory. Values are held in the box, and what they stick out is added at the end: the
    spline is the identity at its ends, so that no value needs a case of its own.
    """

    @staticmethod
    def forward(
        ctx: Saved, x: Tensor, theta: Tensor, bins: int, bound: float, inverse: bool
    ) -> tuple[Tensor, Tensor]:
        flat, rows = x.reshape(-1), theta.reshape(len(theta), -1)
        held = flat.clamp(-bound, bound)
        logits, knots = rows[: 2 * bins].view(2, bins, -1), rows[2 * bins :]
        e = (logits - logits.amax(dim=1, keepdim=True)).exp2_()
        sums = e.clone()
        parts = sums.unbind(dim=1)
        for before, after in pairwise(parts):  # As ``cumsum``, but along contiguous memory.
            after += before
        least = 2 * bound * _LEAST
        scale = (2 * bound - bins * least) / sums[:, -1:]
        offset = torch.arange(1, bins, dtype=x.dtype, device=x.device)[:, None] * least - bound
        axis = int(inverse)
        passed = held >= torch.addcmul(offset, sums[axis, :-1], scale[axis])
        k = passed.sum(dim=0)
        both = k.expand(2, 1, -1)
        shares, upto = e.gather(1, both) * scale, sums.gather(1, both) * scale
        low_x, low_y = (upto - shares - bound)[:, 0].add(k, alpha=least)
        (left, by_left), (right, by_right) = _slope(knots, k - 1), _slope(knots, k)
        width, height = (shares + least)[:, 0]
        here = _Bin(width, height, left, right, at=flat)
        at = here.solve(held - low_y) if inverse else (held - low_x) / here.width
        here = here._replace(at=at.clamp_(0, 1))
        _, s, n, m, a = here.rational()
        found = low_x + here.at * here.width if inverse else low_y + here.height * n / m
        log_slope = (a * (s / m).square()).log()
        found, log_slope = found + (flat - held), -log_slope if inverse else log_slope
        ctx.save_for_backward(
            *here, e, scale, passed, k, shares, upto, by_left, by_right, held == flat, log_slope
        )
        ctx.bins, ctx.bound, ctx.inverse, ctx.shapes = bins, bound, inverse, (x.shape, theta.shape)
        return found.view(x.shape), log_slope.view(x.shape)

    @staticmethod
    @once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride] - the decorator hides ctx
        ctx: Saved, grad: Tensor, grad_log: Tensor
    ) -> tuple[Tensor | None, ...]:
        saved, bins = ctx.saved_tensors, ctx.bins
        here, (e, scale, passed, k, shares, upto) = _Bin(*saved[:5]), saved[5:11]
        by_left, by_right, inside, log_slope = saved[11:]
        own, log = grad.reshape(-1), grad_log.reshape(-1)
        into = own
        if ctx.inverse:
            # From f(x, theta) = y follow the gradients of x, and log dx/dy is -log dy/dx.
            through = here.gradients(torch.zeros_like(log), log)[0]
            own, log = (through * inside - own) * log_slope.exp(), -log
        to_x, to_sizes, to_left, to_right = here.gradients(own, log)
        into = -own if ctx.inverse else torch.where(inside, to_x, own)
        to_ends = torch.stack((-to_x, own))
        total = 2 * ctx.bound * (1 - bins * _LEAST)
        mean = (to_ends * upto[:, 0] + to_sizes * shares[:, 0]) / total
        factor = scale[:, 0] * math.log(2)
        to_theta = e.new_empty(3 * bins - 1, e.shape[-1])
        logits, knots = to_theta[: 2 * bins].view(2, bins, -1), to_theta[2 * bins :].zero_()
        torch.mul(passed, (to_ends * factor)[:, None], out=logits[:, :-1])
        logits[:, -1] = 0
        logits.sub_((mean * factor)[:, None]).mul_(e)
        both = k.expand(2, 1, -1)
        logits.scatter_add_(1, both, ((to_ends + to_sizes) * math.log(2))[:, None] * shares)
        knots.scatter_add_(0, (k - 1).clamp_min(0)[None], (to_left * by_left)[None])
        knots.scatter_add_(0, k.clamp_max(bins - 2)[None], (to_right * by_right)[None])
        shape, shape_of_theta = ctx.shapes
        return into.view(shape), to_theta.view(shape_of_theta), None, None, None


def _slope(knots: Tensor, k: Tensor) -> tuple[Tensor, Tensor]:
    """Return the slope at the inner knot ``k`` [N], 1 at the ends of the box, and its derivative.

    The derivative is by the knot's parameter; knots [K - 1, N].
    """
    place = k.clamp(0, len(knots) - 1)
    c = knots.gather(0, place[None])[0] * (place == k)
    shrink = 1 / (1 + c.abs() / _DOUBLINGS)
    slope = (c * shrink).exp2_()
    return slope, slope * math.log(2) * shrink.square() * (place == k)
