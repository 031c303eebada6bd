import pytest
import torch
from torch import Generator, Tensor

from ancestral.data.canvas import OUTSIDE, extent, on_canvas
from ancestral.data.crops import Crops


def scenes(*sizes: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Return images whose pixels all differ, and masks that tell which pixel each is."""
    masks = [torch.arange(h * w, dtype=torch.uint8).reshape(1, h, w) for h, w in sizes]
    images = [mask.float() + 1 for mask in masks]
    return on_canvas(images, 0), on_canvas(masks, OUTSIDE)


def cut(crops: Crops, images: Tensor, masks: Tensor, generator: Generator) -> tuple[Tensor, Tensor]:
    sizes = [extent(mask) for mask in masks]
    image, mask = crops(((images, 0), (masks, OUTSIDE)), sizes, generator)
    return image, mask


@pytest.mark.parametrize("turns", ["none", "mirror", "all"])
def test_masks_are_cut_and_turned_as_their_images(turns: str) -> None:
    images, masks = scenes((9, 12), (15, 10), (4, 4), (6, 16))
    crops, generator = Crops(side=6, turns=turns), Generator().manual_seed(0)
    for _ in range(20):
        image, mask = cut(crops, images, masks, generator)
        assert image.shape == mask.shape == (4, 1, 6, 6)
        inside = mask != OUTSIDE
        assert torch.equal(image[inside], mask[inside].float() + 1)
        assert not image[~inside].any()
        assert inside.flatten(1).sum(1).tolist() == [36, 36, 16, 36]


def test_every_place_and_every_turn_comes() -> None:
    images, masks = scenes((3, 4))
    found = {"none": set(), "mirror": set(), "all": set()}
    for turns, seen in found.items():
        generator = Generator().manual_seed(1)
        for _ in range(300):
            part = cut(Crops(side=2, turns=turns), images, masks, generator)[1]
            seen.add(tuple(part.flatten().tolist()))
    assert {name: len(seen) for name, seen in found.items()} == {"none": 6, "mirror": 12, "all": 48}


def test_the_generator_decides() -> None:
    images, masks = scenes((9, 12), (15, 10))
    first, again, other = (
        cut(Crops(side=4), images, masks, Generator().manual_seed(seed))[1] for seed in (3, 3, 4)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    with pytest.raises(ValueError, match="side must be at least 1, got 0"):
        Crops(side=0)
