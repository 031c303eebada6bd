"""What models that make images from images see of a batch."""

from dataclasses import dataclass

from torch import Generator, Tensor

from ancestral.capabilities import Batch, Given
from ancestral.data.crops import Crops
from ancestral.networks.arguments import given_image


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """Images with their levels on [-1, 1], and parts of them to be trained on.

    Args:
        channels: Of the image, and of what is made of it.
        levels: Grey levels of the image.
        crops: What of each is trained on; None: all of it.
    """

    channels: tuple[int, int]
    levels: int = 256
    crops: Crops | None = None

    def image(self, given: Given | None, n: int, who: str, channels: int | None = None) -> Tensor:
        """Return the images given, levels on [-1, 1], [n, C, H, W]; raises as given_image."""
        image = given_image(given, n, channels=channels or self.channels[0], who=who)
        return image.float() * (2 / (self.levels - 1)) - 1

    def grey_levels(self, x: Tensor) -> Tensor:
        """Return images on [-1, 1] in grey levels, as they are given."""
        return (x + 1) * ((self.levels - 1) / 2)

    def together(
        self, batch: Batch, generator: Generator | None, who: str
    ) -> tuple[Tensor, Tensor]:
        """Return the image and the x of each pair, cut alike."""
        image, x = self.image(batch.given, len(batch.x), who), batch.x
        if self.crops is None:
            return image, x
        image, x = self.crops(((image, -1.0), (x, -1.0)), generator=generator)
        return image, x

    def apart(self, batch: Batch, generator: Generator | None, who: str) -> tuple[Tensor, Tensor]:
        """Return the images and the x, which do not belong together, each cut by itself."""
        image, x = self.image(batch.given, len(batch.x), who), batch.x
        if self.crops is None:
            return image, x
        (image,), (x,) = (self.crops(((some, -1.0),), generator=generator) for some in (image, x))
        return image, x
