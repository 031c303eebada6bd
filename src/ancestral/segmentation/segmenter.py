"""A class for every pixel: the conditional p(mask | image) by a network."""

from collections.abc import Callable, Mapping, Sequence
from typing import Literal, TypeAlias

import torch
from torch import Generator, Tensor, nn
from torch.distributions import Categorical, Independent
from torch.nn import functional

from ancestral.capabilities import Batch, Given, Loss, Player
from ancestral.data.canvas import OUTSIDE, by_extent, extent
from ancestral.data.crops import Crops
from ancestral.networks.arguments import IMAGE, check_whole, given_image
from ancestral.networks.dag import DAG
from ancestral.networks.sampling import draw
from ancestral.segmentation.losses import cross_entropy, dice, focal
from ancestral.segmentation.tiles import tiled

PixelLoss: TypeAlias = Literal["cross-entropy", "dice", "focal", "cross-entropy+dice"]
"""What is lowered: see :mod:`ancestral.segmentation.losses`."""

_PIXELS = 1 << 20
"""Pixels of images that are scored together."""


class Segmenter(nn.Module):
    """``p(mask | image)``: the classes of all pixels, independent of each other given the image.

    A mask is [1, H, W], of classes 0 to K - 1, as large as its image; what lies outside of an image
    on a canvas is 255. Every size of image has its own event, so that images of many sizes are
    trained on and scored together. Images whose sides are above ``tile`` are seen in tiles that
    overlap by a quarter: p is what is made of these.

    Source: Long, Shelhamer & Darrell 2015, Fully Convolutional Networks for Semantic Segmentation,
    arXiv:1411.4038; Ronneberger, Fischer & Brox 2015, U-Net, arXiv:1505.04597.

    Args:
        network: Maps images [B, C, H, W] of any size to logits [B, K, H, W].
        channels: Channels C of an image.
        classes: Number K of classes, 2 to 255.
        loss: What is lowered in training; ``cross-entropy`` is -log p.
        crops: What of each image is trained on; None: all of it.
        tile: Side of a tile, a multiple of 64.
        balanced: Whether ``class_weights`` of the loss are to be fitted, so that all classes weigh
            the same.

    Raises:
        ValueError: If an argument is outside its range.

    Example:
        >>> model = Segmenter(nn.Conv2d(3, 4, 1), channels=3, classes=4)
        >>> image = torch.zeros(5, 3, 20, 30)
        >>> mask = model.sample(5, given={"image": image})
        >>> mask.shape, model.log_prob(mask, given={"image": image}).shape
        (torch.Size([5, 1, 20, 30]), torch.Size([5]))
    """

    mean: Tensor
    std: Tensor
    class_weights: Tensor

    def __init__(
        self,
        network: nn.Module,
        *,
        channels: int,
        classes: int,
        loss: PixelLoss = "cross-entropy",
        crops: Crops | None = None,
        tile: int = 512,
        balanced: bool = False,
    ) -> None:
        super().__init__()
        check_whole("channels", channels)
        check_whole("classes", classes, least=2)
        if classes > OUTSIDE:
            raise ValueError(f"classes must be at most {OUTSIDE}, got {classes}")
        if tile % 64 or tile < 64:
            raise ValueError(f"tile must be a multiple of 64, got {tile}")
        if loss not in _LOSSES:
            raise ValueError(f"loss must be one of {', '.join(_LOSSES)}, got {loss!r}")
        self.network, self.classes, self.crops, self.tile = network, classes, crops, tile
        self.lowered, self.balanced = loss, balanced
        self.register_buffer("mean", torch.full((channels, 1, 1), 127.5))
        self.register_buffer("std", torch.full((channels, 1, 1), 127.5))
        self.register_buffer("class_weights", torch.ones(classes))

    @property
    def graph(self) -> Mapping[str, DAG]:
        """The network ``p``: the mask under the image."""
        return {"p": DAG({IMAGE: (), "x": (IMAGE,)})}

    @property
    def needs(self) -> Sequence[str]:
        """The image: it has no law here."""
        return (IMAGE,)

    @torch.no_grad()
    def fit_scale(self, image: Tensor, mask: Tensor) -> None:
        """Set the mean and the deviation of each channel by which images are standardised.

        Args:
            image: Of the training split, [N, C, H, W].
            mask: [N, 1, H, W]: what is outside does not count.
        """
        sums = torch.zeros(3, len(self.mean), dtype=torch.float64)
        for part, own in zip(image.split(64), mask.split(64), strict=True):
            inside, x = own != OUTSIDE, part.double()
            sums[0] += inside.sum()
            sums[1] += (x * inside).sum((0, 2, 3))
            sums[2] += (x.square() * inside).sum((0, 2, 3))
        mean, square = sums[1:] / sums[0]
        std = (square - mean.square()).clamp(min=0).sqrt()
        self.mean.copy_(mean[:, None, None])
        self.std.copy_(torch.where(std > 0, std, 1.0)[:, None, None])

    @torch.no_grad()
    def fit_weights(self, mask: Tensor) -> None:
        """Let all classes weigh the same in the loss: each pixel by one over its class's share.

        Args:
            mask: Of the training split, [N, 1, H, W].
        """
        counts = torch.stack([part.flatten().bincount(minlength=256) for part in mask.split(64)])
        counts = counts.sum(0)[: self.classes].double().clamp(min=1)
        self.class_weights.copy_(counts.sum() / (self.classes * counts))

    def logits(self, image: Tensor) -> Tensor:
        """Return log p(class | image) up to a constant, [B, K, H, W], of images [B, C, H, W]."""
        x = (image.to(self.mean.dtype) - self.mean) / self.std
        if max(x.shape[-2:]) <= self.tile:
            return self.network(x)
        return tiled(self.network, x, tile=self.tile, overlap=self.tile // 4)

    def forward(self, image: Tensor) -> Independent:
        """Return p(mask | image), batch shape [B], event shape [1, H, W]."""
        logits = self.logits(image).permute(0, 2, 3, 1)[:, None]
        return Independent(Categorical(logits=logits, validate_args=False), 3, validate_args=False)

    def log_prob(self, x: Tensor, *, given: Given | None = None) -> Tensor:
        """Return log p(x | image), exact, nats, [B].

        Args:
            x: Masks [B, 1, H, W]; where one is 255 its image ends.
            given: ``image``, [B, C, H, W], or [C, H, W] for all.

        Raises:
            ValueError: If the image is missing, or of another size.
            CapabilityError: If something else is given.
        """
        image = self._image(given, len(x), tuple(x.shape[-2:]))
        found = image.new_zeros(len(x), dtype=torch.float64)
        for rows, (height, width) in by_extent(x):
            for some in rows.to(x.device).split(max(1, _PIXELS // (height * width))):
                part, mask = (value[some, :, :height, :width] for value in (image, x))
                logits, classes = self.logits(part).double(), mask[:, 0].long()
                each = functional.cross_entropy(logits, classes, reduction="none")
                found = found.index_put((some,), -each.sum((1, 2)))
        return found

    @torch.no_grad()
    def sample(
        self,
        n: int,
        *,
        given: Given | None = None,
        generator: Generator | None = None,
        temperature: float = 1.0,
    ) -> Tensor:
        """Return n masks, int64 [n, 1, H, W].

        Args:
            n: At least 1.
            given: ``image``, [n, C, H, W], or [C, H, W] for all.
            generator: Of the draws.
            temperature: Divides the logits; 0: the likeliest class of each pixel.

        Raises:
            ValueError: If n < 1, or the image is missing.
            CapabilityError: If something else is given.
        """
        check_whole("n", n)
        image = self._image(given, n)
        alike = image.stride(0) == 0  # One for all is looked at once.
        size = max(1, _PIXELS // (image.shape[2] * image.shape[3]))
        logits = torch.cat([self.logits(some) for some in image[: 1 if alike else n].split(size)])
        if temperature == 0:
            return logits.argmax(dim=1, keepdim=True).expand(n, -1, -1, -1).clone()
        scaled = logits.permute(0, 2, 3, 1)[:, None].expand(n, -1, -1, -1, -1) / temperature
        return draw(Categorical(logits=scaled, validate_args=False), (), generator)

    def players(self) -> Sequence[Player]:
        """Return one player that lowers the loss."""
        couples = any(isinstance(part, nn.BatchNorm2d) for part in self.network.modules())
        return (Player(name="segment", module=self, loss=self.loss, couples_examples=couples),)

    def loss(self, batch: Batch, generator: Generator | None = None) -> Loss:
        """Return the loss of a batch of masks ``x`` whose images are given."""
        mask, image = batch.x, self._image(batch.given, len(batch.x), tuple(batch.x.shape[-2:]))
        if self.crops is not None:
            sizes = [extent(own) for own in mask]
            image, mask = self.crops(((image, 0), (mask, OUTSIDE)), sizes, generator)
        logits = self.network((image.to(self.mean.dtype) - self.mean) / self.std)
        logits = logits.to(self.mean.dtype)  # Not in half precision.
        return _LOSSES[self.lowered](logits, mask[:, 0], self.class_weights)

    def _image(self, given: Given | None, n: int, size: tuple[int, ...] | None = None) -> Tensor:
        """Return the image of each of n masks, [n, C, H, W]."""
        return given_image(given, n, channels=len(self.mean), who="segment", size=size)


def _both(logits: Tensor, mask: Tensor, weights: Tensor) -> Loss:
    """Return the mean cross-entropy of a pixel and the Dice loss, of each image alike."""
    pixels, images = (
        cross_entropy(logits, mask, weights=weights),
        dice(logits, mask, weights=weights),
    )
    total = pixels.total * (len(logits) / max(pixels.weight, 1e-12)) + images.total
    return Loss(total, images.weight)


_LOSSES: dict[str, Callable[[Tensor, Tensor, Tensor], Loss]] = {
    "cross-entropy": lambda logits, mask, weights: cross_entropy(logits, mask, weights=weights),
    "dice": lambda logits, mask, weights: dice(logits, mask, weights=weights),
    "focal": lambda logits, mask, weights: focal(logits, mask, weights=weights),
    "cross-entropy+dice": _both,
}
