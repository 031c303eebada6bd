"""Grey levels in a few bins, for models of states."""

import torch
from torch import Generator, Tensor

from ancestral.data.columns import Vector
from ancestral.data.dataset import Examples
from ancestral.data.fields import Image, Shape, X
from ancestral.data.transform import Spec, Transform


class GreyBins(Transform):
    """Images as rows of states, int64 [N, C * H * W]: the bin in which each grey level lies.

    The levels of a bin have one law, whatever the pixel. The log-probability of an image is that of
    its bins, plus that of its levels inside them: nothing of the image is lost, and the levels are
    drawn on the way back.

    Args:
        event_shape: Of an image.
        mass: Probability of each of the L levels inside its bin, [L]; bins have equal widths.
        bins: Number of bins, from 2 to L.

    Raises:
        ValueError: If bins is not from 2 to L.

    Example:
        >>> transform = GreyBins((1, 8, 8), torch.full((16,), 1 / 4), bins=4)
        >>> y = transform(torch.full((5, 1, 8, 8), 15, dtype=torch.uint8))
        >>> y.shape, int(y.max()), transform.inverse(y).shape
        (torch.Size([5, 64]), 3, torch.Size([5, 1, 8, 8]))
    """

    mass: Tensor

    def __init__(self, event_shape: tuple[int, ...], mass: Tensor, *, bins: int) -> None:
        super().__init__()
        if not 2 <= bins <= len(mass):
            raise ValueError(f"bins must be from 2 to {len(mass)}, got {bins}")
        self.event_shape, self.bins = tuple(event_shape), bins
        self.register_buffer("mass", mass.double())

    def forward_and_log_det(
        self, x: Tensor, generator: Generator | None = None
    ) -> tuple[Tensor, Tensor]:
        """Return the bins, int64 [B, C * H * W], and the log-probability of the levels in them."""
        del generator  # Nothing is drawn.
        levels = x.flatten(start_dim=1).long()
        return self._bin(levels), self.mass.log()[levels].sum(dim=1)

    def inverse(self, y: Tensor, generator: Generator | None = None) -> Tensor:
        """Draw a level inside each bin, uint8 [B, *event]."""
        # The levels of bin k fill the line from k to k + 1.
        line = self.mass.cumsum(dim=0)
        u = torch.rand(y.shape, generator=generator, dtype=torch.float64, device=y.device)
        levels = torch.searchsorted(line, y + u * (1 - 1e-12), right=True)
        first = torch.searchsorted(self._bin(torch.arange(len(line), device=y.device)), y)
        levels = levels.maximum(first).clamp(max=len(line) - 1)
        return levels.to(torch.uint8).reshape(len(y), *self.event_shape)

    def shape(self, shape: Shape) -> Shape:
        """Return the field of bins: a category a pixel."""
        bins = self._bin(torch.arange(len(self.mass)))
        ends = [bins.eq(k).nonzero()[[0, -1], 0].tolist() for k in range(self.bins)]
        names = tuple(str(low) if low == high else f"{low} to {high}" for low, high in ends)
        pixels = [f"pixel {number}" for number in range(1, shape.features + 1)]
        return Shape({**shape.fields, X: Vector.of_states(pixels, [names] * len(pixels))})

    def spec(self) -> Spec:
        """Return the kind, the shape of an image and the numbers of levels and of bins."""
        shape = list(self.event_shape)
        return {
            "kind": "grey-bins",
            "event_shape": shape,
            "levels": len(self.mass),
            "bins": self.bins,
        }

    @classmethod
    def of_spec(cls, *, event_shape: list[int], levels: int, bins: int) -> "GreyBins":
        """Return the transform that :meth:`spec` describes, its numbers still to be loaded."""
        return cls(tuple(event_shape), torch.full((levels,), 1.0), bins=bins)

    def _bin(self, levels: Tensor) -> Tensor:
        return levels * self.bins // len(self.mass)


def fit_grey_bins(train: Examples, field: Image, *, most: int) -> GreyBins:
    """Return at most so many bins; each level counts once more than it was seen.

    Args:
        train: The training split, x uint8 [N, C, H, W].
        field: The image.
        most: Bins, at least 2.
    """
    bins = min(most, field.levels)
    counts = torch.ones(field.levels, dtype=torch.float64)
    for part in train.x.split(4096):  # Counting makes eight bytes of each.
        counts += torch.bincount(part.flatten().long(), minlength=field.levels)
    bin_of = torch.arange(field.levels) * bins // field.levels
    totals = torch.zeros(bins, dtype=torch.float64).index_add_(0, bin_of, counts)
    return GreyBins(tuple(field.event_shape), counts / totals[bin_of], bins=bins)
